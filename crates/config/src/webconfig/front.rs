//! Sections that concern requests before they reach the app: `<access>`, `<webSocket>`, `<applicationInitialization>`.

use super::strict;
use super::xml::Element;
use crate::code::Code;
use crate::pool::{SslFlags, WarmUpPage};
use crate::report::{Report, Spanned};
use crate::value;

/// An attribute, of the strongest element that has it.
fn attribute(elements: &[Element], name: &str) -> Option<Spanned<String>> {
    elements.iter().rev().find_map(|element| element.attribute(name))
}

fn boolean(elements: &[Element], name: &str, report: &mut Report) -> Option<Spanned<bool>> {
    let text = attribute(elements, name)?;
    match value::boolean(&text.value) {
        Ok(value) => Some(Spanned { value, place: text.place }),
        Err(why) => {
            let message = format!("{name} \"{}\" {why}", text.value);
            report.error(Code::BadValue, &text.place, message).hint("write true or false");
            None
        }
    }
}

/// `security/access sslFlags`.
pub(super) fn ssl_flags(elements: &[Element], report: &mut Report) -> Option<Spanned<SslFlags>> {
    for element in elements {
        strict::refuse_strangers("security/access", *element, report);
    }
    let text = attribute(elements, "sslFlags")?;
    let mut flags = SslFlags::default();
    for word in text.value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().as_str() {
            "none" => {}
            // What TLS 1.2 and 1.3 offer has no fewer bits.
            "ssl" | "ssl128" => flags.ssl = true,
            "sslnegotiatecert" => flags.negotiate_cert = true,
            "sslrequirecert" => (flags.negotiate_cert, flags.require_cert) = (true, true),
            "sslmapcert" => {
                let message = "SslMapCert is not honoured by this version".to_owned();
                let hint =
                    "there are no Windows accounts to map certificates to; the app gets the certificate";
                report.warning(Code::NotHonoured, &text.place, message).hint(hint);
            }
            _ => {
                let message = format!("sslFlags \"{}\" has the unknown flag \"{word}\"", text.value);
                let hint = "write None, or some of Ssl, SslNegotiateCert, SslRequireCert, SslMapCert, Ssl128";
                report.error(Code::BadValue, &text.place, message).hint(hint);
            }
        }
    }
    Some(Spanned { value: flags, place: text.place })
}

/// `webSocket enabled`.
pub(super) fn web_sockets(elements: &[Element], report: &mut Report) -> Option<Spanned<bool>> {
    for element in elements {
        strict::refuse_strangers("webSocket", *element, report);
    }
    for (name, hint) in
        [("receiveBufferLimit", "nothing is buffered whole"), ("pingInterval", "the app sends its own pings")]
    {
        if let Some(text) = attribute(elements, name) {
            let message = format!("{name} of <webSocket> is not honoured by this version");
            report.warning(Code::NotHonoured, &text.place, message).hint(hint);
        }
    }
    boolean(elements, "enabled", report)
}

/// `applicationInitialization`: pages in the order of the file.
pub(super) fn warm_up(elements: &[Element], report: &mut Report) -> Vec<Spanned<WarmUpPage>> {
    let mut pages: Vec<Spanned<WarmUpPage>> = Vec::new();
    for element in elements {
        strict::refuse_strangers("applicationInitialization", *element, report);
    }
    for child in elements.iter().flat_map(|element| element.children()) {
        match child.name() {
            "clear" => pages.clear(),
            "add" => pages.extend(page(child, report)),
            "remove" => {
                if let Some(gone) = page(child, report) {
                    pages.retain(|page| page.value != gone.value);
                }
            }
            // Refused already.
            _ => {}
        }
    }
    for name in ["doAppInitAfterRestart", "skipManagedModules"] {
        boolean(elements, name, report);
    }
    let remap = attribute(elements, "remapManagedRequestsTo").filter(|text| !text.value.trim().is_empty());
    if let Some(text) = remap {
        let message = "remapManagedRequestsTo is not honoured by this version".to_owned();
        let hint = "requests wait until the app has started";
        report.warning(Code::NotHonoured, &text.place, message).hint(hint);
    }
    pages
}

fn page(element: Element, report: &mut Report) -> Option<Spanned<WarmUpPage>> {
    let Some(text) = element.attribute("initializationPage").filter(|text| !text.value.trim().is_empty())
    else {
        let message = format!("<{}> needs an initializationPage", element.name());
        let hint = "add initializationPage=\"/...\"";
        report.error(Code::MissingAttribute, &element.place(), message).hint(hint);
        return None;
    };
    // It will stand in a request line, and a host in a header: neither may hold what ends them.
    let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_graphic());
    let written = text.value.trim();
    if !is_word(written) || written.contains(['#', '\\']) || written.contains("://") {
        let message = format!("initializationPage \"{written}\" is not a path with its query");
        let hint = "write it like /warmup?all=1, escaped as in a URL, without the path base";
        report.error(Code::BadValue, &text.place, message).hint(hint);
        return None;
    }
    let path = if written.starts_with('/') { written.to_owned() } else { format!("/{written}") };
    let host = element.attribute("hostName").filter(|host| !host.value.trim().is_empty());
    if let Some(host) = host.as_ref().filter(|host| !is_word(host.value.trim()) || host.value.contains('/')) {
        let message = format!("hostName \"{}\" is not the name of a host", host.value);
        report.error(Code::BadValue, &host.place, message).hint("write it like shop.example");
        return None;
    }
    let host = host.map(|host| host.value.trim().to_owned());
    Some(Spanned { value: WarmUpPage { path, host }, place: text.place })
}
