//! Refuses what the schema does not have, in sections that are honoured: a slip there would otherwise change
//! what the operator asked for, in silence. Elsewhere a warning about the section is enough.

use super::refuse_unknown;
use super::schema::{self, SectionInfo};
use super::xml::Element;
use crate::code::Code;
use crate::diagnostic::Place;
use crate::report::Report;

/// Every attribute and element of a section that its schema does not have.
pub(super) fn refuse_strangers(section: &str, element: Element, report: &mut Report) {
    if let Some(info) = schema::section(section) {
        walk(info, "", element, report);
    }
}

fn walk(info: &SectionInfo, at: &str, element: Element, report: &mut Report) {
    refuse_attributes(info, at, element, report);
    let known = info.children(at);
    // A collection that can be added to can be removed from and cleared; what is removed is named by its key.
    let entry = known.iter().copied().find(|name| matches!(*name, "add" | "filteringRule"));
    for child in element.children() {
        if report.is_full() {
            return;
        }
        let name = match child.name() {
            "clear" if entry.is_some() => continue,
            "remove" if entry.is_some() => entry.unwrap_or("add"),
            name if known.contains(&name) => name,
            other => {
                let mut shown = known.clone();
                shown.extend(entry.map(|_| ["remove", "clear"]).into_iter().flatten());
                refuse_unknown("element", other, &child.place(), &shown, report);
                continue;
            }
        };
        let below = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
        walk(info, &below, child, report);
    }
}

/// Attributes of one element alone.
pub(super) fn refuse_attributes(info: &SectionInfo, at: &str, element: Element, report: &mut Report) {
    let known = info.attributes(at);
    for (name, place) in element.attributes() {
        if !known.contains(&name) {
            refuse_attribute(name, &place, &known, report);
        }
    }
}

/// An attribute that the element's own schema does not have.
pub(super) fn refuse_attribute(name: &str, place: &Place, known: &[&str], report: &mut Report) {
    if name == "configSource" || name == "configProtectionProvider" {
        let message = format!("{name} is not supported: the section must stand in this file, in the clear");
        report.error(Code::NotSupported, place, message).hint("write the section's attributes here");
    } else if !schema::is_lock(name) {
        refuse_unknown("attribute", name, place, known, report);
    }
}
