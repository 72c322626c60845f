//! What holds for every input: pieces come to the same result as the whole, another parser agrees with what is
//! accepted, what is written is read back, and nothing panics.

use http1::{
    Body, CHUNK_END, ChunkStep, ChunkedDecoder, FrameTracker, HeadLimits, LAST_CHUNK, Parsed, PathScratch,
    RequestHead, ResponseHead, SentRequest, base_match, parse_request, parse_response, resolve,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const LIMITS: HeadLimits = HeadLimits { head_bytes: 600, lines: 12, line_bytes: 120 };
const GET: SentRequest = SentRequest { head: false, upgrade: false };

/// Pieces that heads are made of, good and bad, so that random heads come far.
const PIECES: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"OPTIONS ",
    b"CONNECT ",
    b"/",
    b"*",
    b"/a?b=%2F%00",
    b"http://b:80/",
    b" ",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 204\r\n",
    b"HTTP/1.1 101 x\r\n",
    b"Host: a\r\n",
    b"Host: [::1]:8080\r\n",
    b"Host: a, b\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 05\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: x\r\n",
    b"Connection: close, X\r\n",
    b"Connection: Upgrade\r\n",
    b"Upgrade: websocket\r\n",
    b"Expect: 100-continue\r\n",
    b"X: \t a b \t\r\n",
    b"X:\xC3\xA9\r\n",
    b"X: \xE9\r\n",
    b"X : a\r\n",
    b"Y: b\n",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"\t",
    b":",
    b"a",
    b"\x7F",
    b"\xFF",
];

fn bytes_of_pieces(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(select(PIECES), 0..most).prop_map(|pieces| pieces.concat())
}

/// Random bytes, random pieces, and heads that are good but for one byte.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    let spoiled = (valid_requests(), any::<prop::sample::Index>(), select(&b"\r\n\0\t :a,\x7F\xE9"[..]));
    prop_oneof![
        vec(any::<u8>(), 0..200),
        bytes_of_pieces(12),
        bytes_of_pieces(12)
            .prop_map(|bytes| [b"GET / HTTP/1.1\r\nHost: a\r\n", &bytes[..], b"\r\n"].concat()),
        bytes_of_pieces(12).prop_map(|bytes| [b"HTTP/1.1 200 OK\r\n", &bytes[..], b"\r\n"].concat()),
        valid_requests().prop_map(|request| request.bytes()),
        spoiled.prop_map(|(request, at, byte)| {
            let mut bytes = request.bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        }),
    ]
}

#[derive(Debug, Clone)]
struct Request {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
}

impl Request {
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        http1::write_request_line(&mut out, self.method.as_bytes(), self.target.as_bytes());
        http1::write_field(&mut out, b"Host", b"a:80");
        for (name, value) in &self.fields {
            http1::write_field(&mut out, name.as_bytes(), value.as_bytes());
        }
        http1::end_head(&mut out);
        out
    }
}

prop_compose! {
    fn valid_requests()(
        method in "[A-Z!#$%&'*+.^_`|~-]{1,8}".prop_filter("refused", |name| name != "CONNECT"),
        target in "/[!\"$&-~]{0,40}",
        fields in vec(("X-[!#$%&'*+.^_`|~0-9a-zA-Z-]{0,12}", "([!-~é€]([ \t!-~é€]{0,20}[!-~é€])?)?"), 0..8),
    ) -> Request {
        Request { method, target, fields }
    }
}

/// The outcome of a request head in a form that can be compared.
fn outcome(buffer: &[u8]) -> Result<Option<String>, String> {
    let mut head = RequestHead::default();
    match parse_request(buffer, &LIMITS, &mut head) {
        Ok(Parsed::Complete) => Ok(Some(format!("{head:?}"))),
        Ok(Parsed::Partial) => Ok(None),
        Err(refusal) => Err(format!("{refusal:?}")),
    }
}

fn response_outcome(buffer: &[u8], request: &SentRequest) -> Result<Option<String>, String> {
    let mut head = ResponseHead::default();
    match parse_response(buffer, &LIMITS, request, &mut head) {
        Ok(Parsed::Complete) => Ok(Some(format!("{head:?}"))),
        Ok(Parsed::Partial) => Ok(None),
        Err(bad) => Err(format!("{bad:?}")),
    }
}

/// The first outcome that is not "more" while the bytes arrive one by one, and the number of bytes it took.
fn byte_by_byte(
    buffer: &[u8],
    outcome: impl Fn(&[u8]) -> Result<Option<String>, String>,
) -> Result<Option<String>, String> {
    (0..=buffer.len()).map(|end| outcome(&buffer[..end])).find(|found| *found != Ok(None)).unwrap_or(Ok(None))
}

/// The body of a decoder that is fed pieces cut at these places; the bytes taken if it ended.
fn decode(input: &[u8], cuts: &[prop::sample::Index]) -> Result<(Vec<u8>, Option<usize>), http1::BadChunk> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    ends.push(input.len());
    ends.sort_unstable();
    let mut decoder = ChunkedDecoder::default();
    let (mut data, mut at) = (Vec::new(), 0);
    for end in ends {
        loop {
            match decoder.step(&input[at..end])? {
                ChunkStep::More { consumed } => {
                    assert_eq!(at + consumed, end, "all framing is eaten");
                    at = end;
                    break;
                }
                ChunkStep::Data { skip, len } => {
                    assert!(len > 0);
                    data.extend_from_slice(&input[at + skip..at + skip + len]);
                    at += skip + len;
                }
                ChunkStep::End { consumed } => {
                    assert!(decoder.is_at_end());
                    return Ok((data, Some(at + consumed)));
                }
            }
        }
    }
    Ok((data, None))
}

fn encode(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in chunks {
        http1::write_chunk_head(&mut out, chunk.len());
        out.extend_from_slice(chunk);
        out.extend_from_slice(CHUNK_END);
    }
    out.extend_from_slice(LAST_CHUNK);
    out
}

fn chunked_input() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"0\r\n\r\n",
        b"1\r\nx\r\n",
        b"3;a=b\r\nabc\r\n",
        b"A\r\n0123456789\r\n",
        b"0\r\nX: a\r\n\r\n",
        b"5",
        b"\r\n",
        b"\n",
        b"\r",
        b";",
        b" ",
        b"0",
        b"f",
        b"X",
        b":",
        b"\0",
    ];
    prop_oneof![vec(any::<u8>(), 0..40), vec(select(pieces), 0..10).prop_map(|pieces| pieces.concat())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_request_in_pieces_is_the_whole(buffer in heads()) {
        prop_assert_eq!(byte_by_byte(&buffer, outcome), outcome(&buffer));
    }

    #[test]
    fn a_response_in_pieces_is_the_whole(buffer in heads(), head: bool, upgrade: bool) {
        let request = SentRequest { head, upgrade };
        let parse = |bytes: &[u8]| response_outcome(bytes, &request);
        prop_assert_eq!(byte_by_byte(&buffer, parse), parse(&buffer));
    }

    #[test]
    fn bytes_behind_a_head_change_nothing(buffer in heads(), behind in vec(any::<u8>(), 1..20)) {
        if let found @ (Ok(Some(_)) | Err(_)) = outcome(&buffer) {
            prop_assert_eq!(outcome(&[buffer, behind].concat()), found);
        }
    }

    #[test]
    fn httparse_accepts_the_same_request(buffer in heads()) {
        let mut head = RequestHead::default();
        if parse_request(&buffer, &LIMITS, &mut head) == Ok(Parsed::Complete) {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut other = httparse::Request::new(&mut fields);
            prop_assert_eq!(other.parse(&buffer), Ok(httparse::Status::Complete(head.length)));
            prop_assert_eq!(other.method.map(str::as_bytes), Some(head.method_name.of(&buffer)));
            prop_assert_eq!(other.path.map(str::as_bytes), Some(head.target.of(&buffer)));
            prop_assert_eq!(other.version, Some(head.version as u8));
            let ours: Vec<_> = head.fields.iter().map(|field| (field.name.of(&buffer), field.value.of(&buffer))).collect();
            let theirs: Vec<_> = other.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn httparse_accepts_the_same_response(buffer in heads()) {
        let mut head = ResponseHead::default();
        if parse_response(&buffer, &LIMITS, &GET, &mut head) == Ok(Parsed::Complete) {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut other = httparse::Response::new(&mut fields);
            prop_assert_eq!(other.parse(&buffer), Ok(httparse::Status::Complete(head.length)));
            prop_assert_eq!(other.code, Some(head.status));
            let ours: Vec<_> = head.fields.iter().map(|field| (field.name.of(&buffer), field.value.of(&buffer))).collect();
            let theirs: Vec<_> = other.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn what_is_written_is_read_back(request in valid_requests()) {
        let bytes = request.bytes();
        let mut head = RequestHead::default();
        let limits = HeadLimits { head_bytes: 4096, lines: 100, line_bytes: 4096 };
        prop_assert_eq!(parse_request(&bytes, &limits, &mut head), Ok(Parsed::Complete));
        prop_assert_eq!(head.length, bytes.len());
        prop_assert_eq!(head.method_name.of(&bytes), request.method.as_bytes());
        prop_assert_eq!(head.target.of(&bytes), request.target.as_bytes());
        prop_assert_eq!(head.path_and_query, head.target);
        prop_assert_eq!(head.host.map(|host| host.of(&bytes)), Some(&b"a:80"[..]));
        let fields: Vec<_> = head.fields[1..].iter().map(|field| (field.name.of(&bytes), field.value.of(&bytes))).collect();
        let written: Vec<_> = request.fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        prop_assert_eq!(fields, written);
    }

    #[test]
    fn a_written_response_is_read_back(status in 200_u16..1000, reason in "[ -~]{0,20}", length: u32) {
        let mut bytes = Vec::new();
        http1::write_status_line(&mut bytes, status, reason.as_bytes());
        http1::write_number_field(&mut bytes, b"Content-Length", u64::from(length));
        http1::end_head(&mut bytes);
        let mut head = ResponseHead::default();
        prop_assert_eq!(parse_response(&bytes, &LIMITS, &GET, &mut head), Ok(Parsed::Complete));
        prop_assert_eq!((head.status, head.reason.of(&bytes), head.length), (status, reason.as_bytes(), bytes.len()));
        let body = if matches!(status, 204 | 304) { Body::None } else { Body::Length(u64::from(length)) };
        prop_assert_eq!(head.body, body);
    }

    #[test]
    fn chunks_are_read_back_whatever_the_split(
        chunks in vec(vec(any::<u8>(), 1..300), 0..6),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
        behind in vec(any::<u8>(), 0..10),
    ) {
        let encoded = encode(&chunks);
        let input = [&encoded[..], &behind].concat();
        prop_assert_eq!(decode(&input, &cuts), Ok((chunks.concat(), Some(encoded.len()))));
    }

    #[test]
    fn chunked_input_in_pieces_is_the_whole(
        input in chunked_input(),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        prop_assert_eq!(decode(&input, &cuts), decode(&input, &[]));
    }

    #[test]
    fn paths_never_climb_and_resolve_to_themselves(target in "/[./%2eEaF?\\\\5cC3A9]{0,30}") {
        let mut scratch = PathScratch::default();
        if let Ok(resolved) = resolve(target.as_bytes(), &mut scratch) {
            prop_assert!(resolved.raw_path.starts_with(b"/") && !resolved.raw_path.contains(&b'?'));
            let mut segments = resolved.deciding.split(|&byte| byte == b'/');
            prop_assert!(!segments.any(|segment| segment == b"." || segment == b".."), "{:?}", resolved);
            prop_assert!(std::str::from_utf8(resolved.deciding).is_ok());
            prop_assert!(base_match(resolved.deciding, b"/"));
            let again = resolved.raw_path.to_vec();
            let mut other = PathScratch::default();
            let twice = resolve(&again, &mut other).unwrap();
            prop_assert_eq!((twice.raw_path, twice.deciding), (resolved.raw_path, resolved.deciding));
        }
    }

    #[test]
    fn frames_in_pieces_are_the_whole(bytes in vec(any::<u8>(), 0..400), cut: prop::sample::Index) {
        let (start, end) = bytes.split_at(cut.index(bytes.len() + 1));
        let (mut whole, mut pieces) = (FrameTracker::default(), FrameTracker::default());
        whole.advance(&bytes);
        pieces.advance(start);
        let boundary = pieces.next_boundary_in(end);
        let mut stepped = pieces.clone();
        let found = (0..=end.len()).find(|&at| {
            if at > 0 {
                stepped.advance(&end[at - 1..at]);
            }
            stepped.at_boundary()
        });
        prop_assert_eq!(boundary, found);
        pieces.advance(end);
        prop_assert_eq!(format!("{pieces:?}"), format!("{whole:?}"));
    }

    #[test]
    fn nothing_panics(bytes in vec(any::<u8>(), 0..300)) {
        let _ = outcome(&bytes);
        let _ = response_outcome(&bytes, &SentRequest { head: false, upgrade: true });
        let _ = decode(&bytes, &[]);
        let _ = resolve(&bytes, &mut PathScratch::default());
        let _ = base_match(&bytes, &bytes);
    }
}
