//! `<requestFiltering>`: the size of a body is honoured, the rest is named as not honoured.

use super::xml::Element;
use super::{schema, strict};
use crate::code::Code;
use crate::report::{Report, Spanned};
use crate::value;

const SECTION: &str = "security/requestFiltering";

/// `maxAllowedContentLength` in bytes.
pub(super) fn request_filtering(elements: &[Element], report: &mut Report) -> Option<Spanned<u64>> {
    let mut body_bytes = None;
    let mut others: Vec<String> = Vec::new();
    for element in elements {
        strict::refuse_strangers(SECTION, *element, report);
        others.extend(element.attributes().map(|(name, _)| name.to_owned()));
        for child in element.children() {
            if child.name() == "requestLimits" {
                others.extend(child.attributes().map(|(name, _)| name.to_owned()));
                others.extend(child.children().map(|child| child.name().to_owned()));
                body_bytes = content_length(child, report).or(body_bytes);
            } else {
                others.push(child.name().to_owned());
            }
        }
    }
    // What the schema does not have was refused above.
    let known = schema::section(SECTION).map(|info| {
        let below = ["", "requestLimits"].map(|at| [info.attributes(at), info.children(at)].concat());
        below.concat()
    });
    others.retain(|name| {
        name != "maxAllowedContentLength"
            && known.as_ref().is_some_and(|known| known.contains(&name.as_str()))
    });
    if let (Some(element), false) = (elements.first(), others.is_empty()) {
        let message = format!("<requestFiltering> is honoured only in part; not yet: {}", others.join(", "));
        report
            .warning(Code::NotHonoured, &element.place(), message)
            .hint("the app has to refuse such requests itself");
    }
    body_bytes
}

fn content_length(limits: Element, report: &mut Report) -> Option<Spanned<u64>> {
    let text = limits.attribute("maxAllowedContentLength")?;
    match value::number(&text.value, 0, u64::from(u32::MAX)) {
        Ok(value) => Some(Spanned { value, place: text.place }),
        Err(why) => {
            let message = format!("maxAllowedContentLength \"{}\" {why}", text.value);
            report
                .error(Code::BadValue, &text.place, message)
                .hint("the value is in bytes; 30000000 is the default");
            None
        }
    }
}
