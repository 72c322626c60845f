//! web.config to typed values with places: which sections stand where, and what each of them says. What a
//! value means on this machine (is there such a program?) is not decided here but in [`crate::resolve`].

mod app;
mod collect;
mod content;
mod front;
mod handlers;
pub(crate) mod schema;
mod settings;
mod strict;
mod support;
mod xml;

use crate::code::Code;
use crate::diagnostic::Place;
use crate::pool::{SslFlags, WarmUpPage};
use crate::report::{Report, Spanned, nearest};
pub(crate) use app::AppSection;
use collect::{Collector, Sections};
use xml::Element;
pub(crate) use xml::MOST_BYTES;

/// What a web.config says.
#[derive(Debug, Default)]
pub(crate) struct WebConfig {
    /// The section that describes the app, unless no section does.
    pub(crate) app: Option<AppSection>,
    /// `requestLimits maxAllowedContentLength`.
    pub(crate) body_bytes: Option<Spanned<u64>>,
    /// `security/access sslFlags`.
    pub(crate) ssl_flags: Option<Spanned<SslFlags>>,
    /// `webSocket enabled`.
    pub(crate) web_sockets: Option<Spanned<bool>>,
    /// `applicationInitialization`.
    pub(crate) warm_up: Vec<Spanned<WarmUpPage>>,
}

/// One web.config.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) bytes: Vec<u8>,
    /// As the operator knows it.
    pub(crate) name: String,
    /// How many names lead from the root of the site to its folder.
    pub(crate) depth: usize,
}

/// Reads every web.config that counts for an app, the uppermost first; `app` are the names from the root of the site to
/// the app. None after a mistake that leaves nothing to read.
pub(crate) fn read(sources: &[Source], app: &[String], report: &mut Report) -> Option<WebConfig> {
    let errors = report.errors();
    let mut texts = Vec::new();
    for source in sources {
        texts.push((text(source, report)?, source));
    }
    let mut documents = Vec::new();
    for (text, source) in &texts {
        documents.push((xml::parse(text, &source.name, report)?, *source));
    }
    let mut sections = Sections::default();
    for (document, source) in &documents {
        let root = Element::root(document, &source.name);
        if root.name() != "configuration" {
            let message = format!("the root element is <{}>; it must be <configuration>", root.name());
            let hint = "names in web.config are case-sensitive";
            report.error(Code::WrongRoot, &root.place(), message).hint(hint);
            return None;
        }
        support::warn_transforms(root, report);
        Collector { sections: &mut sections, app, depth: source.depth, report }.collect(root);
    }
    let read = interpret(&sections, report);
    // A section that was refused is no reason to look for another app in the folder.
    (read.app.is_some() || report.errors() == errors).then_some(read)
}

fn text(source: &Source, report: &mut Report) -> Option<String> {
    let whole = Place::whole(source.name.as_str());
    if source.bytes.len() > MOST_BYTES {
        let message = format!("the file is larger than {} KiB", MOST_BYTES / 1024);
        report.error(Code::FileTooLarge, &whole, message).hint("IIS reads no web.config above 250 KB either");
        return None;
    }
    xml::decode(&source.bytes, &whole, report)
}

fn interpret(sections: &Sections, report: &mut Report) -> WebConfig {
    let mapped = handlers::read(&sections.get("handlers"), report);
    let app = app::choose(sections, mapped.as_ref(), report);
    let body_bytes = content::request_filtering(&sections.get("security/requestFiltering"), report);
    let ssl_flags = front::ssl_flags(&sections.get("security/access"), report);
    let web_sockets = front::web_sockets(&sections.get("webSocket"), report);
    let warm_up = front::warm_up(&sections.get("applicationInitialization"), report);
    support::warn(&sections.0, report);
    WebConfig { app, body_bytes, ssl_flags, web_sockets, warm_up }
}

/// Refuses an attribute or element that the schema does not have, naming the one that was probably meant.
fn refuse_unknown(what: &str, name: &str, place: &Place, known: &[&str], report: &mut Report) {
    let code = if what == "attribute" { Code::UnknownAttribute } else { Code::UnknownElement };
    let shown = if what == "attribute" { format!("\"{name}\"") } else { format!("<{name}>") };
    let hint = match nearest(name, known) {
        Some(almost) => format!("did you mean {almost}?"),
        None => format!("known here: {}", known.join(", ")),
    };
    report.error(code, place, format!("unrecognised {what} {shown}")).hint(hint);
}
