//! The canonical spelling of heads and chunk framing: everything that we send starts here.
//!
//! Nothing is validated, since what is written was parsed by this crate or is our own; debug builds assert that
//! no line break slips in.

/// Ends the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";
/// Ends a chunked body without trailer fields.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes a request line of HTTP/1.1.
pub fn write_request_line(out: &mut Vec<u8>, method: &[u8], target: &[u8]) {
    write_request_start(out, method, target, b"");
}

/// Writes a request line of HTTP/1.1 whose target comes in two pieces.
pub fn write_request_start(out: &mut Vec<u8>, method: &[u8], path: &[u8], query: &[u8]) {
    debug_assert!([method, path, query].into_iter().all(is_one_word), "a request line has two blanks");
    out.reserve(method.len() + path.len() + query.len() + 12);
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(path);
    out.extend_from_slice(query);
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// Writes a status line of HTTP/1.1. The blank behind the status stays when the reason is empty (RFC 9112 §4).
pub fn write_status_line(out: &mut Vec<u8>, status: u16, reason: &[u8]) {
    debug_assert!((100..1000).contains(&status), "three digits");
    debug_assert!(is_one_line(reason), "a status line is one line");
    out.extend_from_slice(b"HTTP/1.1 ");
    write_number(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// Writes a field line.
pub fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    debug_assert!(!name.is_empty() && is_one_word(name), "a name is a token");
    debug_assert!(is_one_line(value), "a field line is one line");
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes a field line whose value is a decimal number.
pub fn write_number_field(out: &mut Vec<u8>, name: &[u8], value: u64) {
    debug_assert!(!name.is_empty() && is_one_word(name), "a name is a token");
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    write_number(out, value);
    out.extend_from_slice(b"\r\n");
}

/// Ends a head.
pub fn end_head(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Starts a chunk of so many bytes; they and [`CHUNK_END`] must follow.
pub fn write_chunk_head(out: &mut Vec<u8>, len: usize) {
    debug_assert!(len > 0, "an empty chunk would end the body");
    let mut digits = [0; 16];
    let mut at = digits.len();
    let mut rest = len;
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b"0123456789"[(rest % 10) as usize];
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn is_one_line(bytes: &[u8]) -> bool {
    !bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

fn is_one_word(bytes: &[u8]) -> bool {
    is_one_line(bytes) && !bytes.contains(&b' ')
}

/// The reason phrase of a status (RFC 9110 §15 and the IANA registry); empty for others.
#[must_use]
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400..=499 => client_error(status),
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        _ => "",
    }
}

fn client_error(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_canonical() {
        let mut out = Vec::new();
        write_request_line(&mut out, b"GET", b"/a?b");
        write_request_start(&mut out, b"OPTIONS", b"*", b"");
        write_status_line(&mut out, 204, b"No Content");
        write_status_line(&mut out, 999, b"");
        write_field(&mut out, b"X-A", b"a b");
        write_field(&mut out, b"X-B", b"");
        for number in [0, 9, 10, 1234567890, u64::MAX] {
            write_number_field(&mut out, b"N", number);
        }
        end_head(&mut out);
        let expected = "GET /a?b HTTP/1.1\r\nOPTIONS * HTTP/1.1\r\nHTTP/1.1 204 No Content\r\nHTTP/1.1 999 \r\nX-A: a b\r\nX-B: \r\n\
            N: 0\r\nN: 9\r\nN: 10\r\nN: 1234567890\r\nN: 18446744073709551615\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn chunk_heads_are_lower_hex() {
        for length in [1, 9, 10, 15, 16, 255, 256, 0xabcdef, usize::MAX] {
            let mut out = Vec::new();
            write_chunk_head(&mut out, length);
            assert_eq!(out, format!("{length:x}\r\n").into_bytes());
        }
    }

    #[test]
    #[cfg(debug_assertions)]
    fn line_breaks_do_not_slip_in() {
        type Write = fn(&mut Vec<u8>);
        let writes: [Write; 8] = [
            |out| write_field(out, b"X", b"a\r\nY: b"),
            |out| write_field(out, b"X", b"a\nb"),
            |out| write_field(out, b"X\r", b"a"),
            |out| write_field(out, b"", b"a"),
            |out| write_status_line(out, 200, b"OK\r\nX: a"),
            |out| write_status_line(out, 1000, b""),
            |out| write_request_line(out, b"GET", b"/ HTTP/1.1\r\nX: a"),
            |out| write_chunk_head(out, 0),
        ];
        for (index, write) in writes.into_iter().enumerate() {
            assert!(std::panic::catch_unwind(|| write(&mut Vec::new())).is_err(), "number {index}");
        }
    }

    #[test]
    fn phrases() {
        assert_eq!(
            (reason_phrase(200), reason_phrase(404), reason_phrase(505)),
            ("OK", "Not Found", "HTTP Version Not Supported")
        );
        assert_eq!(
            (reason_phrase(99), reason_phrase(299), reason_phrase(418), reason_phrase(1000)),
            ("", "", "", "")
        );
        for status in [400, 405, 408, 413, 414, 417, 431, 501, 502, 503, 504, 505] {
            assert!(!reason_phrase(status).is_empty(), "{status} is one of our own");
        }
    }
}
