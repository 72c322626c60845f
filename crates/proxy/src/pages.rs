//! The one template of every page of our own: light and dark, phone and desktop, no external resource.

use std::fmt::Write as _;

use supervisor::StartReport;

/// What the module's own page points to.
const DOCUMENTATION: &str = "https://go.microsoft.com/fwlink/?linkid=808681";

const STYLE: &str = "\
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --mark: #c2410c }
@media (prefers-color-scheme: dark) { :root { --mark: #fb923c } }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 9vh auto 4rem; padding: 0 1.25rem }
h1 { font-size: 1.45rem; line-height: 1.3; margin: 0 0 .75rem } h1 b { color: var(--mark); font-weight: 600 }
h2 { font-size: 1rem; margin: 2rem 0 .5rem }
dl { display: grid; grid-template-columns: minmax(6rem, auto) 1fr; gap: .35rem 1.25rem; margin: 1.5rem 0;
  border-top: 1px solid var(--line); padding-top: 1rem } dt { opacity: .7 } dd { margin: 0; overflow-wrap: anywhere }
code, pre { font: .85rem/1.5 ui-monospace, monospace } .hint { border-left: 3px solid var(--mark); padding-left: .9rem }
pre { border: 1px solid var(--line); border-radius: 6px; padding: .9rem; overflow: auto; max-height: 26rem;
  white-space: pre-wrap; overflow-wrap: anywhere } footer { margin-top: 2.5rem; font-size: .8125rem; opacity: .7 }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .6rem } }";

/// What one page says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) status: u16,
    pub(crate) substatus: u8,
    /// May hold what a client sent, so it is escaped.
    pub(crate) sentence: &'a str,
    pub(crate) id: &'a str,
    /// Where the page of a failed start points to besides the documentation.
    pub(crate) link: Option<&'a str>,
    /// Only for a reader who may see it.
    pub(crate) report: Option<&'a StartReport>,
}

impl Page<'_> {
    /// IIS's name for a substatus that has one; otherwise RFC 9110's phrase for the status.
    fn title(&self) -> &'static str {
        if self.is_failed_start() {
            "ANCM Out-Of-Process Startup Failure"
        } else {
            http1::reason_phrase(self.status)
        }
    }

    fn is_failed_start(&self) -> bool {
        (self.status, self.substatus) == (502, 5)
    }

    fn number(&self) -> String {
        if self.substatus == 0 {
            self.status.to_string()
        } else {
            format!("{}.{}", self.status, self.substatus)
        }
    }

    pub(crate) fn html(&self) -> String {
        let (number, title, id) = (self.number(), self.title(), self.id);
        let sentence = sentence(self.sentence);
        let report = self.report.map(journey).unwrap_or_default();
        let further = if self.is_failed_start() { further(self.link) } else { String::new() };
        // IIS's pages end so, and tools that know them look for it.
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>HTTP Error {number} - {title}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n\
             <h1>HTTP Error <b>{number}</b> - {title}</h1>\n<p>{sentence}</p>\n{report}{further}\
             <footer>Request {id} · Falconer</footer>\n</body>\n</html>\r\n"
        )
    }

    /// RFC 9457.
    pub(crate) fn problem(&self) -> String {
        let mut out = String::from("{");
        let _ = write!(out, "\"title\":{},\"status\":{}", json(self.title()), self.status);
        if self.substatus != 0 {
            let _ = write!(out, ",\"substatus\":{}", self.substatus);
        }
        let _ = write!(out, ",\"detail\":{},\"requestId\":{}", json(self.sentence), json(self.id));
        if let Some(report) = self.report {
            let _ = write!(
                out,
                ",\"stage\":{},\"reason\":{},\"hint\":{},\"command\":{},\"folder\":{},\"attempts\":{},\"output\":{}",
                json(report.stage),
                json(&report.reason),
                report.hint.as_deref().map_or_else(|| "null".to_owned(), json),
                json(&report.command),
                json(&report.folder),
                report.attempts,
                json(&report.output),
            );
        }
        out.push_str("}\n");
        out
    }
}

/// A failed start from the command to the last line that the app printed.
fn journey(report: &StartReport) -> String {
    let mut out = format!("<p>{}</p>\n", sentence(&report.reason));
    if let Some(hint) = &report.hint {
        let _ = writeln!(out, "<p class=\"hint\">{}</p>", sentence(hint));
    }
    let _ = writeln!(
        out,
        "<dl><dt>Command</dt><dd><code>{}</code></dd><dt>Folder</dt><dd><code>{}</code></dd><dt>Stage</dt><dd>{}</dd>",
        escape(&report.command),
        escape(&report.folder),
        escape(report.stage)
    );
    if report.port != 0 {
        let _ = writeln!(out, "<dt>Port</dt><dd>{}</dd>", report.port);
    }
    let _ = writeln!(out, "<dt>Attempts</dt><dd>{}</dd></dl>", report.attempts);
    if !report.output.trim().is_empty() {
        let _ = writeln!(
            out,
            "<h2>What the app printed last</h2>\n<pre>{}</pre>",
            escape(report.output.trim_end())
        );
    }
    out
}

/// Where to read on, in the words of the ASP.NET Core Module's page, which tools look for.
fn further(link: Option<&str>) -> String {
    let link = link.map(escape);
    let own = link.map(|link| format!("<a href=\"{link}\"> <cite> {link} </cite></a> and "));
    format!(
        "<p>For more information visit: {}<a href=\"{DOCUMENTATION}\"> <cite> {DOCUMENTATION} </cite></a></p>\n",
        own.unwrap_or_default()
    )
}

/// With a capital and a full stop, escaped.
fn sentence(text: &str) -> String {
    let mut text = escape(text);
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            '\r' => {}
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A JSON string (RFC 8259 §7).
fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(status: u16, substatus: u8, sentence: &str) -> Page<'_> {
        Page { status, substatus, sentence, id: "1", link: None, report: None }
    }

    fn report() -> StartReport {
        StartReport {
            command: "dotnet <x>.dll".to_owned(),
            folder: "/srv/shop".to_owned(),
            stage: "PostStartCheck",
            reason: "the process ended with exit code 150".to_owned(),
            hint: Some("install .NET 8".to_owned()),
            port: 12345,
            attempts: 2,
            output: "line \"1\"\nline 2\u{1b}[0m\n".to_owned(),
        }
    }

    #[test]
    fn what_a_client_sent_stays_text() {
        let html = page(400, 0, "bad <script>\u{1b}[31m \"x\"").html();
        assert!(html.contains("Bad &lt;script&gt;\u{fffd}[31m &quot;x&quot;."));
        assert!(!html.contains("<script>"));
    }

    #[test]
    fn a_failed_start_is_named_as_on_iis() {
        let html = page(502, 5, "x").html();
        assert!(html.contains("<title>HTTP Error 502.5 - ANCM Out-Of-Process Startup Failure</title>"));
        assert!(html.ends_with("</html>\r\n"));
        assert!(
            html.contains("visit: <a href=\"https://go.microsoft.com/fwlink/?linkid=808681\">"),
            "{html}"
        );
        let linked = Page { link: Some("https://help.example/?a&b"), ..page(502, 5, "x") }.html();
        let link = "<a href=\"https://help.example/?a&amp;b\"> <cite> https://help.example/?a&amp;b </cite></a> and ";
        assert!(linked.contains(link), "{linked}");
        assert!(
            !Page { link: Some("https://help.example"), ..page(502, 3, "x") }.html().contains("help.example")
        );
        assert!(page(404, 0, "x").html().contains("<title>HTTP Error 404 - Not Found</title>"));
    }

    #[test]
    fn a_report_tells_the_journey_and_stays_text() {
        let report = report();
        let page = Page { report: Some(&report), ..page(502, 5, "x") };
        let html = page.html();
        for part in [
            "dotnet &lt;x&gt;.dll",
            "/srv/shop",
            "PostStartCheck",
            "exit code 150.",
            "Install .NET 8.",
            "12345",
        ] {
            assert!(html.contains(part), "{part}");
        }
        let problem = page.problem();
        assert!(problem.contains(r#""output":"line \"1\"\u000aline 2\u001b[0m\u000a""#), "{problem}");
    }
}
