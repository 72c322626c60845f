//! Request heads: no input panics, pieces come to the same result as the whole, and what is accepted can be
//! written and is read back as the same request.

#![no_main]

use http1::{HeadLimits, Known, Parsed, PathScratch, Refusal, RequestHead, Version, parse_request, resolve};
use libfuzzer_sys::fuzz_target;

const LIMITS: HeadLimits = HeadLimits { head_bytes: 1024, lines: 16, line_bytes: 256 };

fn parse(buffer: &[u8]) -> Result<Option<RequestHead>, Refusal> {
    let mut head = RequestHead::default();
    let parsed = parse_request(buffer, &LIMITS, &mut head)?;
    Ok((parsed == Parsed::Complete).then_some(head))
}

/// What a reader of the fields would see.
fn meaning(head: &RequestHead, data: &[u8]) -> String {
    let fields: Vec<_> =
        head.fields.iter().map(|field| (field.name.of(data), field.value.of(data))).collect();
    let host = head.host.map(|host| host.of(data));
    let path = head.path_and_query.of(data);
    format!(
        "{:?} {path:?} {host:?} {fields:?} {:?} {}",
        head.method_name.of(data),
        head.body,
        head.keep_alive
    )
}

fn rewrite(head: &RequestHead, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    http1::write_request_line(&mut out, head.method_name.of(data), head.target.of(data));
    for field in &head.fields {
        http1::write_field(&mut out, field.name.of(data), field.value.of(data));
    }
    http1::end_head(&mut out);
    out
}

fuzz_target!(|data: &[u8]| {
    let whole = parse(data);
    let cut = data.first().map_or(0, |&byte| usize::from(byte) % (data.len() + 1));
    match (parse(&data[..cut]), &whole) {
        (Ok(None), _) => {}
        (Ok(Some(early)), Ok(Some(head))) => assert_eq!(format!("{early:?}"), format!("{head:?}")),
        (Err(early), Err(refusal)) => assert_eq!(early, *refusal),
        (early, whole) => panic!("cut at {cut}: {early:?}, whole: {whole:?}"),
    }
    let Ok(Some(head)) = whole else { return };
    assert!(head.length <= LIMITS.head_bytes && head.fields.len() <= LIMITS.lines);
    assert!(head.fields.iter().filter(|field| field.known == Known::Host).count() <= 1);
    let _ = resolve(head.path_and_query.of(data), &mut PathScratch::default());
    // HTTP/1.0 may leave out what HTTP/1.1, which is written always, must have.
    if head.version == Version::Http10 {
        return;
    }
    let written = rewrite(&head, data);
    let mut again = RequestHead::default();
    // Blanks that the client left out may make the canonical head longer than the limits of the first reading.
    let limits = HeadLimits { head_bytes: 4096, lines: 16, line_bytes: 512 };
    assert_eq!(parse_request(&written, &limits, &mut again), Ok(Parsed::Complete));
    assert_eq!(meaning(&again, &written), meaning(&head, data));
});
