//! The one template of every page of our own: light and dark, phone and desktop, no external resource.

/// IIS's name for a substatus that has one; otherwise RFC 9110's phrase for the status.
fn title(status: u16, substatus: u8) -> &'static str {
    match (status, substatus) {
        (502, 5) => "ANCM Out-Of-Process Startup Failure",
        _ => http1::reason_phrase(status),
    }
}

/// One page. `sentence` may hold what a client sent, so it is escaped.
pub(crate) fn error(status: u16, substatus: u8, sentence: &str, id: &str) -> String {
    let number = if substatus == 0 { status.to_string() } else { format!("{status}.{substatus}") };
    let title = title(status, substatus);
    let mut sentence = escape(sentence);
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>HTTP Error {number} - {title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 12vh auto; padding: 0 1.25rem }}
h1 {{ font-size: 1.5rem; line-height: 1.25 }}
footer {{ margin-top: 2.5rem; font-size: .8125rem; opacity: .7 }}
</style>
</head>
<body>
<h1>HTTP Error {number} - {title}</h1>
<p>{sentence}.</p>
<footer>Request {id} · Falconer</footer>
</body>
</html>
"#
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sent_stays_text() {
        let page = error(400, 0, "bad <script>\u{1b}[31m \"x\"", "1");
        assert!(page.contains("Bad &lt;script&gt;\u{fffd}[31m &quot;x&quot;."));
        assert!(!page.contains("<script>"));
    }

    #[test]
    fn a_failed_start_is_named_as_on_iis() {
        assert!(error(502, 5, "x", "1").contains("HTTP Error 502.5 - ANCM Out-Of-Process Startup Failure"));
        assert!(error(404, 0, "x", "1").contains("HTTP Error 404 - Not Found"));
    }
}
