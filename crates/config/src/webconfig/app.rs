//! `<aspNetCore>` and `<httpPlatform>` by their schemas (`aspnetcore_schema_v2.xml`, HttpPlatformHandler's
//! configuration reference): every attribute and child, checked, with its place.

use std::time::Duration;

use super::collect::Sections;
use super::handlers::Mapped;
use super::schema;
use super::settings::{self, Settings};
use super::xml::Element;
use super::{refuse_unknown, strict};
use crate::code::Code;
use crate::diagnostic::Place;
use crate::own;
use crate::plan::Handler;
use crate::report::{Report, Spanned};
use crate::value;

/// What the section says. None stands for the default of the schema.
#[derive(Debug)]
pub(crate) struct AppSection {
    pub(crate) handler: Handler,
    /// The element that is nearest to the app.
    pub(crate) place: Place,
    pub(crate) process_path: Option<Spanned<String>>,
    pub(crate) arguments: Option<Spanned<String>>,
    pub(crate) startup_time_limit: Option<Spanned<u64>>,
    pub(crate) shutdown_time_limit: Option<Spanned<u64>>,
    pub(crate) rapid_fails_per_minute: Option<Spanned<u64>>,
    pub(crate) processes_per_application: Option<Spanned<u64>>,
    pub(crate) request_timeout: Option<Spanned<Duration>>,
    pub(crate) stdout_log_enabled: Option<Spanned<bool>>,
    pub(crate) stdout_log_file: Option<Spanned<String>>,
    pub(crate) disable_start_up_error_page: Option<Spanned<bool>>,
    /// Name and value, as written, in the order of the file.
    pub(crate) environment: Vec<(Spanned<String>, String)>,
    /// Where `hostingModel="inprocess"` stands.
    pub(crate) inprocess: Option<Place>,
    pub(crate) settings: Settings,
}

impl AppSection {
    /// Where the time of a request to the app was said, or what implies it.
    pub(crate) fn request_timeout_place(&self) -> Option<&Place> {
        self.request_timeout.as_ref().map(|timeout| &timeout.place).or(self.inprocess.as_ref())
    }
}

/// The section that the mapped handler reads; without a mapping, the one that is there.
pub(super) fn choose(
    sections: &Sections,
    mapped: Option<&Mapped>,
    report: &mut Report,
) -> Option<AppSection> {
    let sides = [(Handler::AspNetCore, "aspNetCore"), (Handler::HttpPlatform, "httpPlatform")];
    let found: Vec<_> = sides
        .into_iter()
        .map(|(handler, name)| (handler, name, sections.get(name)))
        .filter(|(_, _, elements)| !elements.is_empty())
        .collect();
    let wanted = mapped.and_then(|mapped| found.iter().position(|(handler, ..)| *handler == mapped.handler));
    let chosen = wanted.unwrap_or(0);
    for (_, name, elements) in found.iter().enumerate().filter(|(at, _)| *at != chosen).map(|(_, side)| side)
    {
        let message = format!("<{name}> is ignored, as another section describes the app");
        report
            .warning(Code::NotHonoured, &elements[0].place(), message)
            .hint("<handlers> decides which one counts");
    }
    let (handler, name, elements) = found.into_iter().nth(chosen)?;
    warn_mapping(name, handler, elements.last().map(|element| element.place()), mapped, report);
    Some(read(handler, &elements, report))
}

/// IIS would not give the app a single request without its handler; here the section is enough.
fn warn_mapping(
    name: &str,
    handler: Handler,
    place: Option<Place>,
    mapped: Option<&Mapped>,
    report: &mut Report,
) {
    if mapped.is_some_and(|mapped| mapped.handler == handler) {
        return;
    }
    let place = mapped.map(|mapped| mapped.place.clone()).or(place);
    let message = format!("no handler is mapped for <{name}>; requests are sent to it all the same");
    let hint = "IIS needs <add name=\"...\" path=\"*\" verb=\"*\" modules=\"...\" /> in <handlers>";
    report.add(crate::Severity::Warning, Code::NoHandler, place, message).hint(hint);
}

fn read(handler: Handler, elements: &[Element], report: &mut Report) -> AppSection {
    refuse_strangers(handler, elements, report);
    let mut section = Reader { elements, report };
    // HttpPlatformHandler: up to 30 days in whole minutes; the ASP.NET Core Module: up to 360 hours.
    let (most, step) = if handler == Handler::HttpPlatform { (2_592_000, 60) } else { (1_296_000, 1) };
    let inprocess = match handler {
        Handler::AspNetCore => section.hosting_model(),
        Handler::HttpPlatform => {
            section.startup_retry_count();
            None
        }
    };
    section.boolean("forwardWindowsAuthToken");
    let settings = section.settings();
    let place = elements.last().map_or_else(|| Place::whole("web.config"), |element| element.place());
    AppSection {
        handler,
        place,
        process_path: section.text("processPath"),
        arguments: section.text("arguments"),
        startup_time_limit: section.number("startupTimeLimit", (0, 3600), "the value is in seconds"),
        shutdown_time_limit: section.number("shutdownTimeLimit", (0, 600), "the value is in seconds"),
        rapid_fails_per_minute: section.number("rapidFailsPerMinute", (0, 100), "10 is the default"),
        processes_per_application: section.number("processesPerApplication", (1, 100), "1 is the default"),
        request_timeout: section.time_span("requestTimeout", most, step),
        stdout_log_enabled: section.boolean("stdoutLogEnabled"),
        stdout_log_file: section.text("stdoutLogFile").filter(|file| !file.value.trim().is_empty()),
        disable_start_up_error_page: section.boolean("disableStartUpErrorPage"),
        environment: section.environment(),
        inprocess,
        settings,
    }
}

fn refuse_strangers(handler: Handler, elements: &[Element], report: &mut Report) {
    let (own, other) = match handler {
        Handler::AspNetCore => ("aspNetCore", "httpPlatform"),
        Handler::HttpPlatform => ("httpPlatform", "aspNetCore"),
    };
    let (Some(own), Some(other)) = (schema::section(own), schema::section(other)) else { return };
    let (attributes, foreign, children) = (own.attributes(""), other.attributes(""), own.children(""));
    for element in elements {
        for (name, place) in element.attributes() {
            let known = attributes.contains(&name);
            if !known && foreign.contains(&name) {
                let message = format!("unrecognised attribute \"{name}\"");
                let hint = format!("it belongs to <{}>", other.path);
                report.error(Code::UnknownAttribute, &place, message).hint(hint);
            } else if let Some(hint) = own::of_pool(name).filter(|_| !known) {
                let message = format!("unrecognised attribute \"{name}\"");
                report.error(Code::UnknownAttribute, &place, message).hint(hint);
            } else if !known {
                strict::refuse_attribute(name, &place, &attributes, report);
            }
        }
        for child in element.children() {
            if !children.contains(&child.name()) {
                refuse_unknown("element", child.name(), &child.place(), &children, report);
            } else if child.name() == "recycleOnFileChange" {
                refuse_in_recycle(child, report);
            }
        }
    }
}

/// In both schemas and read by no version of the module: checked, without effect.
fn refuse_in_recycle(element: Element, report: &mut Report) {
    for child in element.children().filter(|child| !matches!(child.name(), "file" | "clear" | "remove")) {
        refuse_unknown("element", child.name(), &child.place(), &["file", "clear"], report);
    }
}

struct Reader<'r, 'a, 'i> {
    /// The weaker first.
    elements: &'r [Element<'a, 'i>],
    report: &'r mut Report,
}

impl Reader<'_, '_, '_> {
    /// Attributes merge one by one; the stronger element wins.
    fn text(&self, name: &str) -> Option<Spanned<String>> {
        self.elements.iter().rev().find_map(|element| element.attribute(name))
    }

    fn checked<T>(
        &mut self,
        name: &str,
        hint: &str,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Spanned<T>> {
        let text = self.text(name)?;
        match check(&text.value) {
            Ok(value) => Some(Spanned { value, place: text.place }),
            Err(why) => {
                let message = format!("{name} \"{}\" {why}", text.value);
                self.report.error(Code::BadValue, &text.place, message).hint(hint);
                None
            }
        }
    }

    fn number(&mut self, name: &str, (least, most): (u64, u64), hint: &str) -> Option<Spanned<u64>> {
        self.checked(name, hint, |text| value::number(text, least, most))
    }

    fn boolean(&mut self, name: &str) -> Option<Spanned<bool>> {
        self.checked(name, "write true or false", value::boolean)
    }

    fn time_span(&mut self, name: &str, most: u64, step: u64) -> Option<Spanned<Duration>> {
        let hint = "write hh:mm:ss or d.hh:mm:ss; 00:02:00 is two minutes, 00:00:00 no limit";
        self.checked(name, hint, |text| value::time_span(text, 0..=most, step))
    }

    fn startup_retry_count(&mut self) {
        if let Some(count) = self.number("startupRetryCount", (0, 100), "10 is the default") {
            let message = "startupRetryCount is not honoured by this version".to_owned();
            let hint = "a start that fails for its port is tried once more, on another port";
            self.report.warning(Code::NotHonoured, &count.place, message).hint(hint);
        }
    }

    /// IIS applies no requestTimeout to what it runs in its own process.
    fn hosting_model(&mut self) -> Option<Place> {
        let model = self.text("hostingModel")?;
        let word = model.value.trim();
        if word.eq_ignore_ascii_case("inprocess") {
            let message = "hostingModel=\"inprocess\" is run out of process".to_owned();
            let mut hint =
                "the app runs on Kestrel in a process of its own; nothing in the app has to change"
                    .to_owned();
            if self.text("requestTimeout").is_none() {
                hint.push_str("; no requestTimeout holds, as in IIS, until one is written");
            }
            self.report.warning(Code::Inprocess, &model.place, message).hint(hint);
            return Some(model.place);
        }
        if !word.is_empty() && !word.eq_ignore_ascii_case("outofprocess") {
            let message = format!("unknown hosting model \"{}\"", model.value);
            let hint = "write hostingModel=\"inprocess\" or hostingModel=\"outofprocess\"";
            self.report.error(Code::BadValue, &model.place, message).hint(hint);
        }
        None
    }

    /// Name and value of the entries of a collection, in the order of the file; `<clear/>` forgets those
    /// before it.
    fn entries(&mut self, collection: &str, entry: &str) -> Vec<(Spanned<String>, String)> {
        let mut entries = Vec::new();
        let groups = self.elements.iter().flat_map(|element| element.children());
        for child in groups.filter(|group| group.name() == collection).flat_map(Element::children) {
            if self.report.is_full() {
                break;
            }
            match child.name() {
                "clear" => entries.clear(),
                name if name == entry => entries.extend(self.entry(child)),
                other => refuse_unknown("element", other, &child.place(), &[entry, "clear"], self.report),
            }
        }
        entries
    }

    fn entry(&mut self, child: Element) -> Option<(Spanned<String>, String)> {
        for (name, place) in child.attributes().filter(|(name, _)| !matches!(*name, "name" | "value")) {
            refuse_unknown("attribute", name, &place, &["name", "value"], self.report);
        }
        let name = child.attribute("name").filter(|name| !name.value.is_empty());
        let value = child.attribute("value");
        for (attribute, there) in [("name", name.is_some()), ("value", value.is_some())] {
            if !there {
                let message = format!("<{}> needs a {attribute}", child.name());
                let hint = format!("add {attribute}=\"...\"");
                self.report.error(Code::MissingAttribute, &child.place(), message).hint(hint);
            }
        }
        Some((name?, value?.value))
    }

    fn environment(&mut self) -> Vec<(Spanned<String>, String)> {
        let entries = self.entries("environmentVariables", "environmentVariable");
        for (name, _) in entries.iter().filter(|(name, _)| name.value.contains('=')) {
            // What follows may be a value, and a secret.
            let start = name.value.split('=').next().unwrap_or_default();
            let message =
                format!("the name \"{start}=...\" holds an equals sign, which no variable's name can");
            self.report
                .error(Code::BadVariable, &name.place, message)
                .hint("the value goes into the attribute value");
        }
        entries
    }

    /// Of the ASP.NET Core Module; the schema of HttpPlatformHandler has none.
    fn settings(&mut self) -> Settings {
        let entries = self.entries("handlerSettings", "handlerSetting");
        settings::read(entries, self.report)
    }
}
