//! web.config to typed values with places: which sections stand where, and what each of them says. What a
//! value means on this machine (is there such a program?) is not decided here but in [`crate::resolve`].

mod app;
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

/// One section of the file that concerns the whole app.
#[derive(Debug, Clone)]
struct Section<'a, 'i> {
    /// Below `system.webServer`: `aspNetCore`, `security/requestFiltering`.
    path: String,
    /// Whether it stands in a `<location>` for the whole app. That one beats what stands outside.
    wrapped: bool,
    element: Element<'a, 'i>,
}

/// All of a file's sections.
#[derive(Debug, Default)]
struct Sections<'a, 'i>(Vec<Section<'a, 'i>>);

impl<'a, 'i> Sections<'a, 'i> {
    /// The elements of one section, the weaker first: the one outside of a location, the one inside.
    fn get(&self, path: &str) -> Vec<Element<'a, 'i>> {
        let mut found: Vec<&Section> = self.0.iter().filter(|section| section.path == path).collect();
        found.sort_by_key(|section| section.wrapped);
        found.iter().map(|section| section.element).collect()
    }

    /// IIS refuses a section that stands twice for the same location.
    fn add(&mut self, section: Section<'a, 'i>, report: &mut Report) {
        let same = |other: &Section| other.path == section.path && other.wrapped == section.wrapped;
        if let Some(first) = self.0.iter().find(|other| same(other)) {
            let message = format!("section <{}> stands twice", section.element.name());
            let hint = format!(
                "the first is at {}; a section may occur once for each location",
                first.element.place()
            );
            report.error(Code::DuplicateSection, &section.element.place(), message).hint(hint);
            return;
        }
        self.0.push(section);
    }
}

/// Reads the bytes of a web.config. None after a mistake that leaves nothing to read.
pub(crate) fn read(bytes: &[u8], file: &str, report: &mut Report) -> Option<WebConfig> {
    let whole = Place::whole(file);
    if bytes.len() > MOST_BYTES {
        let message = format!("the file is larger than {} KiB", MOST_BYTES / 1024);
        report.error(Code::FileTooLarge, &whole, message).hint("IIS reads no web.config above 250 KB either");
        return None;
    }
    let text = xml::decode(bytes, &whole, report)?;
    let document = xml::parse(&text, file, report)?;
    let root = Element::root(&document, file);
    if root.name() != "configuration" {
        let message = format!("the root element is <{}>; it must be <configuration>", root.name());
        report.error(Code::WrongRoot, &root.place(), message).hint("names in web.config are case-sensitive");
        return None;
    }
    let errors = report.errors();
    support::warn_transforms(root, report);
    let mut sections = Sections::default();
    collect(root, &mut sections, report);
    let read = interpret(&sections, report);
    // A section that was refused is no reason to look for another app in the folder.
    (read.app.is_some() || report.errors() == errors).then_some(read)
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

fn collect<'a, 'i>(root: Element<'a, 'i>, sections: &mut Sections<'a, 'i>, report: &mut Report) {
    let mut strangers = support::Strangers::default();
    for child in root.children() {
        match child.name() {
            "system.webServer" => collect_group(child, "", false, sections, report),
            "location" => collect_location(child, sections, &mut strangers, report),
            _ => strangers.meet(child, report),
        }
    }
    strangers.warn(report);
}

/// A `<location>` for this app, which is how publishing wraps everything; one for a path below is not
/// honoured yet.
fn collect_location<'a, 'i>(
    location: Element<'a, 'i>,
    sections: &mut Sections<'a, 'i>,
    strangers: &mut support::Strangers,
    report: &mut Report,
) {
    if let Some(info) = schema::section("location") {
        strict::refuse_attributes(info, "", location, report);
    }
    let path = location.attribute("path").map(|path| path.value).unwrap_or_default();
    if !matches!(path.trim_matches('/'), "" | ".") {
        let message = format!("<location path=\"{path}\"> is not honoured by this version");
        let hint = "the paths below it are treated like the rest of the app";
        report.warning(Code::NotHonoured, &location.place(), message).hint(hint);
        return;
    }
    for child in location.children() {
        match child.name() {
            "system.webServer" => collect_group(child, "", true, sections, report),
            _ => strangers.meet(child, report),
        }
    }
}

/// Sections of a group and of the groups in it.
fn collect_group<'a, 'i>(
    group: Element<'a, 'i>,
    prefix: &str,
    wrapped: bool,
    sections: &mut Sections<'a, 'i>,
    report: &mut Report,
) {
    for element in group.children() {
        if report.is_full() {
            return;
        }
        let path = format!("{prefix}{}", element.name());
        if support::GROUPS.contains(&path.as_str()) {
            collect_group(element, &format!("{path}/"), wrapped, sections, report);
        } else if !refuse_slip(&path, element, report) {
            sections.add(Section { path, wrapped, element }, report);
        }
    }
}

/// A known section in the wrong case is a mistake that would otherwise go unseen.
fn refuse_slip(path: &str, element: Element, report: &mut Report) -> bool {
    let known: Vec<&str> = support::known().collect();
    if known.contains(&path) {
        return false;
    }
    let almost = nearest(path, &known).filter(|known| known.eq_ignore_ascii_case(path));
    if let Some(almost) = almost {
        let right = almost.rsplit('/').next().unwrap_or(almost);
        let message = format!("unrecognised element <{}>", element.name());
        let hint = format!("write <{right}>: names in web.config are case-sensitive");
        report.error(Code::UnknownElement, &element.place(), message).hint(hint);
    }
    almost.is_some()
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
