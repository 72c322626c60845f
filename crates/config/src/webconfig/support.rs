//! Which sections of IIS are known, and what this version does with each. Says so once for each section that
//! it does not honour, so that nobody has to find out from the outside.

use super::Section;
use super::xml::Element;
use crate::code::Code;
use crate::diagnostic::Place;
use crate::report::Report;

/// What happens with a section.
#[derive(Debug, Clone, Copy)]
enum Support {
    /// Another file of this folder reads it.
    Read,
    /// Without meaning for an app that takes every path, in IIS too.
    NoEffect,
    /// Known, and not done; the text says what that means.
    NotHonoured(&'static str),
}

use Support::{NoEffect, NotHonoured, Read};

/// Elements of `system.webServer` that hold sections, not settings.
pub(super) const GROUPS: &[&str] = &["security", "security/authentication", "tracing"];

const OPEN: &str = "every client is let in; restrict access in front of this server";

const SECTIONS: &[(&str, Support)] = &[
    ("aspNetCore", Read),
    ("httpPlatform", Read),
    ("handlers", Read),
    ("security/requestFiltering", Read),
    ("modules", NoEffect),
    ("globalModules", NoEffect),
    ("validation", NoEffect),
    ("staticContent", NoEffect),
    ("defaultDocument", NoEffect),
    ("directoryBrowse", NoEffect),
    ("caching", NoEffect),
    ("asp", NoEffect),
    ("cgi", NoEffect),
    ("fastCgi", NoEffect),
    ("isapiFilters", NoEffect),
    ("serverSideInclude", NoEffect),
    ("httpTracing", NoEffect),
    ("management", NoEffect),
    ("security/applicationDependencies", NoEffect),
    ("security/isapiCgiRestriction", NoEffect),
    ("rewrite", NotHonoured("nothing is rewritten, redirected or blocked by its rules")),
    ("httpRedirect", NotHonoured("requests go to the app")),
    ("httpProtocol", NotHonoured("its response headers are neither added nor removed")),
    ("httpErrors", NotHonoured("the server's own error pages are used")),
    ("httpCompression", NotHonoured("responses are passed on as the app sends them")),
    ("urlCompression", NotHonoured("responses are passed on as the app sends them")),
    ("webSocket", NotHonoured("WebSockets are passed to the app")),
    ("applicationInitialization", NotHonoured("no page is requested at the start")),
    ("serverRuntime", NotHonoured("the server's own limits hold")),
    ("httpLogging", NotHonoured("the server's own logging holds")),
    ("odbcLogging", NotHonoured("the server's own logging holds")),
    ("tracing/traceFailedRequests", NotHonoured("no failed request is traced")),
    ("tracing/traceProviderDefinitions", NoEffect),
    ("security/access", NotHonoured(OPEN)),
    ("security/authorization", NotHonoured(OPEN)),
    ("security/ipSecurity", NotHonoured(OPEN)),
    ("security/dynamicIpSecurity", NotHonoured(OPEN)),
    ("security/authentication/anonymousAuthentication", NotHonoured(OPEN)),
    ("security/authentication/windowsAuthentication", NotHonoured(OPEN)),
    ("security/authentication/basicAuthentication", NotHonoured(OPEN)),
    ("security/authentication/digestAuthentication", NotHonoured(OPEN)),
    ("security/authentication/clientCertificateMappingAuthentication", NotHonoured(OPEN)),
    ("security/authentication/iisClientCertificateMappingAuthentication", NotHonoured(OPEN)),
];

/// Every section and group that is known.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().map(|(path, _)| *path).chain(GROUPS.iter().copied())
}

/// One warning for each section that is not honoured and asks for something.
pub(super) fn warn(sections: &[Section], report: &mut Report) {
    let mut told: Vec<&str> = Vec::new();
    for section in sections {
        let path = section.path.as_str();
        let support = SECTIONS.iter().find(|(known, _)| *known == path).map(|(_, support)| *support);
        let (code, what, hint) = match support {
            Some(Read) => continue,
            Some(NoEffect) if path != "modules" => continue,
            Some(NoEffect) => {
                (Code::NotHonoured, "adds modules of IIS, which cannot run here", "removing modules is fine")
            }
            Some(NotHonoured(hint)) => (Code::NotHonoured, "is not honoured by this version", hint),
            None => (Code::UnknownSection, "is not a section of IIS and is ignored", "check its name"),
        };
        if asks_for_nothing(path, section.element) || told.contains(&path) {
            continue;
        }
        told.push(path);
        report.warning(code, &section.element.place(), format!("<{path}> {what}")).hint(hint);
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
        "webSocket" | "anonymousAuthentication" => !says("enabled", "false"),
        "httpRedirect" => !says("enabled", "true"),
        "urlCompression" => says("doDynamicCompression", "false") && !says("doStaticCompression", "true"),
        "applicationInitialization" => element.children().next().is_none(),
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
            Some(&"configSections") if name == "configSections" => self.declare(element),
            Some(&"system.applicationHost") if name == "system.applicationHost" => {
                let message =
                    "<system.applicationHost> belongs in applicationHost.config and is ignored".to_owned();
                report
                    .warning(Code::NotHonoured, &element.place(), message)
                    .hint("sites and pools are not set up here");
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
        for (name, _) in &self.framework {
            if !names.iter().any(|known| known == &format!("<{name}>")) {
                names.push(format!("<{name}>"));
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
