//! Response heads: no input panics, and pieces come to the same result as the whole.

#![no_main]

use http1::{BadResponse, Body, HeadLimits, Parsed, ResponseHead, SentRequest, parse_response};
use libfuzzer_sys::fuzz_target;

const LIMITS: HeadLimits = HeadLimits { head_bytes: 1024, lines: 16, line_bytes: 256 };

fn parse(buffer: &[u8], request: &SentRequest) -> Result<Option<ResponseHead>, BadResponse> {
    let mut head = ResponseHead::default();
    let parsed = parse_response(buffer, &LIMITS, request, &mut head)?;
    Ok((parsed == Parsed::Complete).then_some(head))
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    let request = SentRequest { head: choice & 1 != 0, upgrade: choice & 2 != 0 };
    let whole = parse(data, &request);
    let cut = usize::from(choice) % (data.len() + 1);
    match (parse(&data[..cut], &request), &whole) {
        (Ok(None), _) => {}
        (Ok(Some(early)), Ok(Some(head))) => assert_eq!(format!("{early:?}"), format!("{head:?}")),
        (Err(early), Err(bad)) => assert_eq!(early, *bad),
        (early, whole) => panic!("cut at {cut}: {early:?}, whole: {whole:?}"),
    }
    let Ok(Some(head)) = whole else { return };
    assert!((100..1000).contains(&head.status) && head.length <= data.len());
    assert!(head.status != 101 || request.upgrade);
    assert!(!(head.keep_alive && head.body == Body::UntilClose));
    let mut out = Vec::new();
    http1::write_status_line(&mut out, head.status, head.reason.of(data));
    for field in &head.fields {
        http1::write_field(&mut out, field.name.of(data), field.value.of(data));
    }
});
