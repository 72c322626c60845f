//! Says so once for each section that is not honoured or not known, so that nobody has to find out from the
//! outside. What is known stands in [`schema`].

use super::collect::Section;
use super::schema::{self, Honoured, SECTIONS};
use super::xml::Element;
use crate::code::Code;
use crate::diagnostic::Place;
use crate::report::Report;

/// Elements of `system.webServer` that hold sections, not settings.
pub(super) const GROUPS: &[&str] = &["security", "security/authentication", "tracing"];

/// Every section and group that is known.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    SECTIONS
        .iter()
        .map(|section| section.path)
        .filter(|path| *path != "location")
        .chain(GROUPS.iter().copied())
}

/// One warning for each section that is not honoured and asks for something.
pub(super) fn warn(sections: &[Section], report: &mut Report) {
    let mut told: Vec<&str> = Vec::new();
    for section in sections {
        let path = section.path.as_str();
        let (code, what, hint) = match schema::section(path).map(|info| (info.honoured, info.note)) {
            Some((Honoured::Yes | Honoured::Translated | Honoured::InPart, _)) => continue,
            Some((Honoured::NoEffect, hint)) if path == "modules" => {
                (Code::NotHonoured, "adds modules of IIS, which cannot run here", hint)
            }
            Some((Honoured::NoEffect, hint)) => (Code::NoEffect, "changes nothing here", hint),
            Some((Honoured::No, hint)) => (Code::NotHonoured, "is not honoured by this version", hint),
            None => (Code::UnknownSection, "is not a section of IIS and is ignored", "check its name"),
        };
        if asks_for_nothing(path, section.element) || told.contains(&path) {
            continue;
        }
        told.push(path);
        report.warning(code, &section.element.place(), format!("<{path}> {what}")).hint(hint);
    }
}

/// One warning for all that a transform left behind: a file for `xdt` was copied in place of its result, or a tool
/// kept its marks.
pub(super) fn warn_transforms(root: Element, report: &mut Report) {
    let mut names: Vec<&str> = Vec::new();
    let mut first = None;
    root.visit(&mut |element| {
        for (name, place) in element.transforms() {
            first.get_or_insert(place);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    });
    if let Some(place) = first {
        let list = names.iter().map(|name| format!("xdt:{name}")).collect::<Vec<_>>().join(", ");
        let message = format!("leftovers of a transform are ignored: {list}");
        report
            .warning(Code::TransformLeftover, &place, message)
            .hint("is this the file that publishing wrote?");
    }
}

/// Whether a section only says what would be so without it.
fn asks_for_nothing(path: &str, element: Element) -> bool {
    let says = |name: &str, value: &str| {
        element.attribute(name).is_some_and(|found| found.value.trim().eq_ignore_ascii_case(value))
    };
    let last = path.rsplit('/').next().unwrap_or(path);
    match last {
        "modules" => element.children().all(|child| child.name() != "add"),
        // Written by habit, and asks for what is so: see the module documentation of IIS on migrated apps.
        "validation" => !says("validateIntegratedModeConfiguration", "true"),
        "anonymousAuthentication" => !says("enabled", "false"),
        "httpRedirect" => !says("enabled", "true"),
        "urlCompression" => says("doDynamicCompression", "false") && !says("doStaticCompression", "true"),
        "httpErrors" => says("existingResponse", "PassThrough") && element.children().next().is_none(),
        _ if path.starts_with("security/authentication/") => !says("enabled", "true"),
        _ => false,
    }
}

/// Sections beside `system.webServer`: leftovers of .NET Framework that no ASP.NET Core app reads.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    framework: Vec<(String, Place)>,
    declared: Vec<String>,
}

const FRAMEWORK: &[&str] = &[
    "appSettings",
    "connectionStrings",
    "configProtectedData",
    "mscorlib",
    "runtime",
    "startup",
    "system.codedom",
    "system.data",
    "system.diagnostics",
    "system.identityModel",
    "system.identityModel.services",
    "system.net",
    "system.runtime.caching",
    "system.runtime.serialization",
    "system.serviceModel",
    "system.transactions",
    "system.web",
    "system.web.extensions",
    "system.web.webPages.razor",
    "system.xml",
    "uri",
];

const STRUCTURE: &[&str] = &["system.webServer", "location", "configSections", "system.applicationHost"];

impl Strangers {
    /// Takes note of an element beside `system.webServer`.
    pub(super) fn meet(&mut self, element: Element, report: &mut Report) {
        let name = element.name();
        let slip = STRUCTURE.iter().chain(FRAMEWORK).find(|known| known.eq_ignore_ascii_case(name));
        match slip {
            Some(&"configSections") if name == "configSections" => {
                self.declare(element);
                self.framework.push((name.to_owned(), element.place()));
            }
            Some(&"system.applicationHost") if name == "system.applicationHost" => {
                let message =
                    "<system.applicationHost> belongs in applicationHost.config and is ignored".to_owned();
                report
                    .warning(Code::NotHonoured, &element.place(), message)
                    .hint("what of it is known here goes into falconer.toml");
            }
            Some(known) if *known != name => {
                let message = format!("unrecognised element <{name}>");
                let hint = format!("write <{known}>: names in web.config are case-sensitive");
                report.error(Code::UnknownElement, &element.place(), message).hint(hint);
            }
            Some(known) if STRUCTURE.contains(known) => {
                let message = format!("<{name}> cannot stand here");
                report.error(Code::MisplacedElement, &element.place(), message).hint("locations do not nest");
            }
            Some(_) => self.framework.push((name.to_owned(), element.place())),
            None if self.declared.iter().any(|declared| declared == name) => {
                self.framework.push((name.to_owned(), element.place()));
            }
            None => {
                let message = format!("<{name}> is not a section of IIS and is ignored");
                report.warning(Code::UnknownSection, &element.place(), message).hint("check its name");
            }
        }
    }

    /// `configSections` names the sections that other programs brought along.
    fn declare(&mut self, element: Element) {
        for child in element.children().filter(|child| matches!(child.name(), "section" | "sectionGroup")) {
            self.declared.extend(child.attribute("name").map(|name| name.value));
        }
    }

    /// One warning for all leftovers together.
    pub(super) fn warn(self, report: &mut Report) {
        let Some((_, place)) = self.framework.first() else { return };
        let mut names: Vec<String> = Vec::new();
        let mut told: Vec<&str> = Vec::new();
        for (name, place) in &self.framework {
            if !told.contains(&name.as_str()) {
                told.push(name);
                names.push(format!("<{name}> (line {})", place.line));
            }
        }
        let verb = if names.len() == 1 {
            "concerns .NET Framework and is"
        } else {
            "concern .NET Framework and are"
        };
        let message = format!("{} {verb} ignored", names.join(", "));
        let hint = "an ASP.NET Core app reads appsettings.json and environment variables";
        report.warning(Code::FrameworkSection, place, message).hint(hint);
    }
}
