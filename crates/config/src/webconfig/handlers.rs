//! `<handlers>`: which module gets the requests. Only whether one of ours is mapped matters yet.

use super::strict;
use super::xml::Element;
use crate::code::Code;
use crate::diagnostic::Place;
use crate::plan::Handler;
use crate::report::Report;

/// The first handler that maps requests to an app.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) handler: Handler,
    pub(super) place: Place,
}

#[derive(Debug)]
struct Entry {
    name: String,
    place: Place,
    handler: Option<Handler>,
    narrow: bool,
}

/// Applies `add`, `remove` and `clear` in the order of the file.
pub(super) fn read(elements: &[Element], report: &mut Report) -> Option<Mapped> {
    let mut entries: Vec<Entry> = Vec::new();
    for element in elements {
        strict::refuse_strangers("handlers", *element, report);
    }
    for child in elements.iter().flat_map(|element| element.children()) {
        let name = child.attribute("name").map(|name| name.value);
        match (child.name(), name) {
            ("clear", _) => entries.clear(),
            // Removing what is not there is a no-op: IIS has handlers of its own that no file here adds.
            ("remove", Some(name)) => entries.retain(|entry| !entry.name.eq_ignore_ascii_case(&name)),
            ("add", Some(name)) => add(entry(name, child), &mut entries, report),
            ("add" | "remove", None) => {
                let message = format!("<{}> needs a name", child.name());
                report.error(Code::MissingAttribute, &child.place(), message).hint("add name=\"...\"");
            }
            // Refused already.
            (_, _) => {}
        }
    }
    warn(&entries, report);
    let app = entries.into_iter().find(|entry| entry.handler.is_some())?;
    Some(Mapped { handler: app.handler?, place: app.place })
}

fn entry(name: String, element: Element) -> Entry {
    let text = |name: &str| element.attribute(name).map(|value| value.value).unwrap_or_default();
    let modules = text("modules");
    let handler =
        modules.split(',').map(str::trim).find_map(|module| match module.to_ascii_lowercase().as_str() {
            "aspnetcoremodulev2" | "aspnetcoremodule" => Some(Handler::AspNetCore),
            "httpplatformhandler" => Some(Handler::HttpPlatform),
            _ => None,
        });
    let narrow = text("path").trim() != "*" || text("verb").trim() != "*";
    Entry { name, place: element.place(), handler, narrow }
}

fn add(entry: Entry, entries: &mut Vec<Entry>, report: &mut Report) {
    if let Some(first) = entries.iter().find(|other| other.name.eq_ignore_ascii_case(&entry.name)) {
        let message = format!("duplicate collection entry: handler \"{}\" stands twice", entry.name);
        let hint = format!(
            "the first is at {}; put <remove name=\"{}\" /> before the second",
            first.place, entry.name
        );
        report.error(Code::DuplicateHandler, &entry.place, message).hint(hint);
        return;
    }
    entries.push(entry);
}

/// One warning for all mappings that divide the paths: here the app gets every one.
fn warn(entries: &[Entry], report: &mut Report) {
    let dividing: Vec<&Entry> =
        entries.iter().filter(|entry| entry.narrow || entry.handler.is_none()).collect();
    let Some(first) = dividing.first() else { return };
    let names: Vec<String> = dividing.iter().map(|entry| format!("\"{}\"", entry.name)).collect();
    let message =
        format!("<handlers> that divide the requests are not honoured by this version: {}", names.join(", "));
    report.warning(Code::NotHonoured, &first.place, message).hint("every request goes to the app");
}
