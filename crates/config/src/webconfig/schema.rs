//! Every section of web.config that is known, every attribute and element of those that are honoured, and what
//! this version does with each. The readers take their lists of known names from here, and
//! `docs/web-config.md` is written from here, so that neither can say what the other does not.

mod app;

use Honoured::{InPart, No, NoEffect, Yes};
pub use app::HANDLER_SETTINGS;
use app::{ASP_NET_CORE, HTTP_PLATFORM};

/// What becomes of a part of web.config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honoured {
    /// It means what it means in IIS.
    Yes,
    /// It is made into what fits this machine.
    Translated,
    /// Some of its parts are honoured.
    InPart,
    /// It is accepted and changes nothing, for an app that takes every path; in IIS neither.
    NoEffect,
    /// It is known and not done; the note says what happens instead.
    No,
}

/// One section of web.config.
#[derive(Debug, Clone, Copy)]
pub struct SectionInfo {
    /// Below `system.webServer`: `security/requestFiltering`. `location` is the one that stands beside it.
    pub path: &'static str,
    /// What becomes of it.
    pub honoured: Honoured,
    /// What it does, or what happens instead.
    pub note: &'static str,
    /// Its attributes and elements, where the section is honoured: what is not listed is refused.
    pub parts: &'static [PartInfo],
}

/// One attribute or element of a section.
#[derive(Debug, Clone, Copy)]
pub struct PartInfo {
    /// Below the section, in the manner of XPath: `@processPath`, `requestLimits/@maxUrl`.
    pub path: &'static str,
    /// What it may be, with its default.
    pub values: &'static str,
    /// What becomes of it.
    pub honoured: Honoured,
    /// What it does, or what happens instead.
    pub note: &'static str,
}

const fn part(path: &'static str, values: &'static str, honoured: Honoured, note: &'static str) -> PartInfo {
    PartInfo { path, values, honoured, note }
}

const fn honoured(
    path: &'static str,
    honoured: Honoured,
    note: &'static str,
    parts: &'static [PartInfo],
) -> SectionInfo {
    SectionInfo { path, honoured, note, parts }
}

const fn idle(path: &'static str, note: &'static str) -> SectionInfo {
    SectionInfo { path, honoured: NoEffect, note, parts: &[] }
}

const fn not(path: &'static str, note: &'static str) -> SectionInfo {
    SectionInfo { path, honoured: No, note, parts: &[] }
}

const ALL_TO_APP: &str = "every request goes to the app";

const HANDLERS: &[PartInfo] = &[
    part("@accessPolicy", "flags", NoEffect, "the app decides"),
    part("add/@name", "text, required", Yes, "a key: two of one name are refused"),
    part("add/@path", "text", No, ALL_TO_APP),
    part("add/@verb", "text", No, ALL_TO_APP),
    part(
        "add/@modules",
        "text",
        InPart,
        "`AspNetCoreModuleV2`, `AspNetCoreModule` and `httpPlatformHandler` are known",
    ),
    part("add/@type", "text", No, ALL_TO_APP),
    part("add/@scriptProcessor", "text", No, ALL_TO_APP),
    part("add/@resourceType", "File, Directory, Either or Unspecified", No, ALL_TO_APP),
    part("add/@requireAccess", "flags", No, ALL_TO_APP),
    part("add/@allowPathInfo", "true or false", No, ALL_TO_APP),
    part("add/@preCondition", "text", No, ALL_TO_APP),
    part("add/@responseBufferLimit", "bytes", No, "responses are passed on as they come"),
];

const REFUSES_ITSELF: &str = "the app has to refuse such requests itself";

const REQUEST_FILTERING: &[PartInfo] = &[
    part("@allowDoubleEscaping", "true or false, false", No, REFUSES_ITSELF),
    part("@allowHighBitCharacters", "true or false, true", No, REFUSES_ITSELF),
    part("@unescapeQueryString", "true or false, true", No, REFUSES_ITSELF),
    part("@removeServerHeader", "true or false, false", No, "the app's `Server` header is passed on"),
    part(
        "requestLimits/@maxAllowedContentLength",
        "0 to 4294967295 bytes, 30000000",
        Yes,
        "a larger request body is answered 413; above 30,000,000 the app has a limit of its own",
    ),
    part(
        "requestLimits/@maxUrl",
        "bytes, 4096",
        No,
        "the server's own limit holds, see `request_line_bytes`",
    ),
    part(
        "requestLimits/@maxQueryString",
        "bytes, 2048",
        No,
        "the server's own limit holds, see `request_line_bytes`",
    ),
    part(
        "requestLimits/headerLimits/add/@header",
        "text",
        No,
        "the server's own limit holds, see `head_bytes`",
    ),
    part(
        "requestLimits/headerLimits/add/@sizeLimit",
        "bytes",
        No,
        "the server's own limit holds, see `head_bytes`",
    ),
    part("fileExtensions/@allowUnlisted", "true or false, true", No, REFUSES_ITSELF),
    part("fileExtensions/@applyToWebDAV", "true or false, true", NoEffect, "there is no WebDAV"),
    part("fileExtensions/add/@fileExtension", "text", No, REFUSES_ITSELF),
    part("fileExtensions/add/@allowed", "true or false", No, REFUSES_ITSELF),
    part("verbs/@allowUnlisted", "true or false, true", No, REFUSES_ITSELF),
    part("verbs/@applyToWebDAV", "true or false, true", NoEffect, "there is no WebDAV"),
    part("verbs/add/@verb", "text", No, REFUSES_ITSELF),
    part("verbs/add/@allowed", "true or false", No, REFUSES_ITSELF),
    part("hiddenSegments/@applyToWebDAV", "true or false, true", NoEffect, "there is no WebDAV"),
    part("hiddenSegments/add/@segment", "text", No, REFUSES_ITSELF),
    part("denyUrlSequences/add/@sequence", "text", No, REFUSES_ITSELF),
    part("denyQueryStringSequences/add/@sequence", "text", No, REFUSES_ITSELF),
    part("alwaysAllowedUrls/add/@url", "text", No, REFUSES_ITSELF),
    part("alwaysAllowedQueryStrings/add/@queryString", "text", No, REFUSES_ITSELF),
    part("filteringRules/filteringRule/@name", "text", No, REFUSES_ITSELF),
    part("filteringRules/filteringRule/@scanUrl", "true or false, false", No, REFUSES_ITSELF),
    part("filteringRules/filteringRule/@scanQueryString", "true or false, false", No, REFUSES_ITSELF),
    part("filteringRules/filteringRule/@scanAllRaw", "true or false, false", No, REFUSES_ITSELF),
    part("filteringRules/filteringRule/@denyUnescapedPercent", "true or false, true", No, REFUSES_ITSELF),
    part("filteringRules/filteringRule/scanHeaders/add/@requestHeader", "text", No, REFUSES_ITSELF),
    part("filteringRules/filteringRule/appliesTo/add/@fileExtension", "text", No, REFUSES_ITSELF),
    part("filteringRules/filteringRule/denyStrings/add/@string", "text", No, REFUSES_ITSELF),
];

const LOCATION: &[PartInfo] = &[
    part(
        "@path",
        "text, empty",
        InPart,
        "`.` or empty: where the file lies; a path to the app or above it counts, paths below it are not honoured yet",
    ),
    part("@inheritInChildApplications", "true or false, true", Yes, "false: not for an app further down"),
    part(
        "@overrideMode",
        "Allow, Deny or Inherit",
        Yes,
        "Deny: files further down may not have these sections",
    ),
    part("@allowOverride", "true or false, true", Yes, "false: as `overrideMode=\"Deny\"`"),
];

const WEB_SOCKET: &[PartInfo] = &[
    part(
        "@enabled",
        "true or false, true",
        Yes,
        "false: requests for WebSockets reach the app as plain ones",
    ),
    part("@receiveBufferLimit", "bytes, 4194304", No, "nothing is buffered whole"),
    part("@pingInterval", "time span, 00:00:00", No, "the app sends its own pings"),
];

const APPLICATION_INITIALIZATION: &[PartInfo] = &[
    part(
        "add/@initializationPage",
        "text, required",
        Yes,
        "asked of every new process, below the path base, before it gets a request",
    ),
    part("add/@hostName", "text, localhost", Yes, "what is sent as `Host`"),
    part("@doAppInitAfterRestart", "true or false, false", NoEffect, "every new process is asked"),
    part("@skipManagedModules", "true or false, false", NoEffect, "there are no managed modules"),
    part(
        "@remapManagedRequestsTo",
        "text, empty",
        No,
        "requests wait until the app has started, rather than get another page",
    ),
];

const ACCESS: &[PartInfo] = &[part(
    "@sslFlags",
    "list of None, Ssl, SslNegotiateCert, SslRequireCert, SslMapCert, Ssl128",
    InPart,
    "`Ssl` and `Ssl128` refuse plain requests (403.4), `SslNegotiateCert` asks clients for a certificate, \
     `SslRequireCert` refuses who has none (403.7), `SslMapCert` is not done; the two in the middle need `--tls-client-ca`",
)];

const OPEN: &str = "every client is let in; restrict access in front of this server";
const AS_SENT: &str = "responses are passed on as the app sends them";
const EVERY_PATH: &str = "the app gets every path";

/// Every section that is known.
pub const SECTIONS: &[SectionInfo] = &[
    honoured("aspNetCore", InPart, "what to run and how", ASP_NET_CORE),
    honoured(
        "httpPlatform",
        InPart,
        "what to run and how, for other programs (HttpPlatformHandler)",
        HTTP_PLATFORM,
    ),
    honoured("handlers", InPart, "which of the two sections describes the app", HANDLERS),
    honoured("security/requestFiltering", InPart, "the size of a request body", REQUEST_FILTERING),
    honoured("security/access", InPart, "whether requests need TLS and a certificate", ACCESS),
    honoured("webSocket", InPart, "whether the app gets WebSockets", WEB_SOCKET),
    honoured(
        "applicationInitialization",
        InPart,
        "pages that are asked of a new process before it gets a request",
        APPLICATION_INITIALIZATION,
    ),
    honoured("location", InPart, "which path the sections in it are for", LOCATION),
    idle("modules", "removing modules is fine; modules of IIS cannot run here"),
    idle("globalModules", "modules of IIS cannot run here"),
    idle("validation", "there is no integrated pipeline to validate for"),
    idle("staticContent", EVERY_PATH),
    idle("defaultDocument", EVERY_PATH),
    idle("directoryBrowse", EVERY_PATH),
    idle("caching", "responses of an app are not cached"),
    idle("asp", EVERY_PATH),
    idle("cgi", EVERY_PATH),
    idle("fastCgi", EVERY_PATH),
    idle("isapiFilters", "ISAPI filters cannot run here"),
    idle("serverSideInclude", EVERY_PATH),
    idle("httpTracing", "there is no ETW here"),
    idle("management", "there is no IIS Manager here"),
    idle("security/applicationDependencies", EVERY_PATH),
    idle("security/isapiCgiRestriction", EVERY_PATH),
    idle("tracing/traceProviderDefinitions", "there is no ETW here"),
    not("rewrite", "nothing is rewritten, redirected or blocked by its rules"),
    not("httpRedirect", "requests go to the app"),
    not("httpProtocol", "its response headers are neither added nor removed"),
    not("httpErrors", "the server's own error pages are used"),
    not("httpCompression", AS_SENT),
    not("urlCompression", AS_SENT),
    not("serverRuntime", "the server's own limits hold"),
    not("httpLogging", "the server's own logging holds"),
    not("odbcLogging", "the server's own logging holds"),
    not("tracing/traceFailedRequests", "no failed request is traced"),
    not("webdav", "there is no WebDAV"),
    not("security/authorization", OPEN),
    not("security/ipSecurity", OPEN),
    not("security/dynamicIpSecurity", OPEN),
    not("security/authentication/anonymousAuthentication", OPEN),
    not("security/authentication/windowsAuthentication", OPEN),
    not("security/authentication/basicAuthentication", OPEN),
    not("security/authentication/digestAuthentication", OPEN),
    not("security/authentication/clientCertificateMappingAuthentication", OPEN),
    not("security/authentication/iisClientCertificateMappingAuthentication", OPEN),
];

/// Attributes that IIS allows on every section. They restrict who may override it, which is nobody here.
const LOCKS: &[&str] =
    &["lockAttributes", "lockAllAttributesExcept", "lockElements", "lockAllElementsExcept", "lockItem"];

pub(super) fn is_lock(attribute: &str) -> bool {
    LOCKS.contains(&attribute)
}

/// What is known of a section.
pub(super) fn section(path: &str) -> Option<&'static SectionInfo> {
    SECTIONS.iter().find(|section| section.path == path)
}

impl SectionInfo {
    /// Attributes that the schema has for the element at this path below the section.
    pub(super) fn attributes(&self, element: &str) -> Vec<&'static str> {
        self.below(element).filter_map(|rest| rest.strip_prefix('@')).collect()
    }

    /// Elements that the schema has below the element at this path.
    pub(super) fn children(&self, element: &str) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = Vec::new();
        for rest in self.below(element).filter(|rest| !rest.starts_with('@')) {
            let name = rest.split('/').next().unwrap_or(rest);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn below(&self, element: &str) -> impl Iterator<Item = &'static str> {
        self.parts.iter().filter_map(move |part| match element {
            "" => Some(part.path),
            _ => part.path.strip_prefix(element)?.strip_prefix('/'),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_knows_its_parts() {
        let filtering = section("security/requestFiltering").expect("it is known");
        assert_eq!(
            filtering.attributes("requestLimits"),
            ["maxAllowedContentLength", "maxUrl", "maxQueryString"]
        );
        assert_eq!(filtering.children("requestLimits"), ["headerLimits"]);
        assert_eq!(filtering.children("verbs"), ["add"]);
        let app = section("aspNetCore").expect("it is known");
        assert_eq!(app.children(""), ["environmentVariables", "handlerSettings", "recycleOnFileChange"]);
        assert_eq!(app.attributes("").len(), 12);
    }

    #[test]
    fn nothing_is_listed_twice() {
        for section in SECTIONS {
            assert_eq!(
                SECTIONS.iter().filter(|other| other.path == section.path).count(),
                1,
                "{}",
                section.path
            );
            for part in section.parts {
                assert_eq!(
                    section.parts.iter().filter(|other| other.path == part.path).count(),
                    1,
                    "{}",
                    part.path
                );
            }
        }
    }
}
