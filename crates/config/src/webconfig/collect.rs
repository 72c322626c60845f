//! Which sections concern the app, and which of them is the stronger: files further down beat those above, locations
//! beat what stands outside of them (IIS: configuration hierarchy).

use super::schema;
use super::strict;
use super::support::{self, Strangers};
use super::xml::Element;
use crate::code::Code;
use crate::report::{Report, Spanned, nearest};
use crate::value;

/// How near to the app a section stands; the greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Segments of the path that it is for.
    target: usize,
    /// Segments of the path that its file lies at.
    file: usize,
    /// Whether it stands in a `<location>`.
    wrapped: bool,
}

/// One section of a file that concerns the whole app.
#[derive(Debug, Clone)]
pub(super) struct Section<'a, 'i> {
    /// Below `system.webServer`: `aspNetCore`, `security/requestFiltering`.
    pub(super) path: String,
    rank: Rank,
    /// A location says that no file further down may have this section.
    locked: bool,
    pub(super) element: Element<'a, 'i>,
}

/// All sections of all files.
#[derive(Debug, Default)]
pub(super) struct Sections<'a, 'i>(pub(super) Vec<Section<'a, 'i>>);

impl<'a, 'i> Sections<'a, 'i> {
    /// The elements of one section, the weaker first.
    pub(super) fn get(&self, path: &str) -> Vec<Element<'a, 'i>> {
        let mut found: Vec<&Section> = self.0.iter().filter(|section| section.path == path).collect();
        found.sort_by_key(|section| section.rank);
        found.iter().map(|section| section.element).collect()
    }

    /// IIS refuses a section that stands twice for the same location, and one that a file above has locked.
    fn add(&mut self, section: Section<'a, 'i>, report: &mut Report) {
        let same = |other: &&Section| other.path == section.path;
        let place = section.element.place();
        if let Some(first) = self.0.iter().filter(same).find(|other| other.rank == section.rank) {
            let message = format!("section <{}> stands twice", section.element.name());
            let hint = format!(
                "the first is at {}; a section may occur once for each location",
                first.element.place()
            );
            report.error(Code::DuplicateSection, &place, message).hint(hint);
            return;
        }
        let above = |other: &&Section| other.locked && other.rank.file < section.rank.file;
        if let Some(lock) = self.0.iter().filter(same).find(above) {
            let message = format!("section <{}> is locked by a web.config above", section.element.name());
            let hint = format!("{} allows no file below to have it", lock.element.place());
            report.error(Code::LockedSection, &place, message).hint(hint);
        }
        // A locked one is read all the same, so that its own mistakes are told and none that only follow.
        self.0.push(section);
    }
}

/// One file on its way into [`Sections`].
pub(super) struct Collector<'c, 'a, 'i> {
    pub(super) sections: &'c mut Sections<'a, 'i>,
    /// The names from the root of the site to the app.
    pub(super) app: &'c [String],
    /// How many of them lead to the file.
    pub(super) depth: usize,
    pub(super) report: &'c mut Report,
}

/// Where the sections of a group stand.
#[derive(Clone, Copy)]
struct Frame {
    rank: Rank,
    locked: bool,
}

impl<'a, 'i> Collector<'_, 'a, 'i> {
    /// Takes everything that the file has for the app.
    pub(super) fn collect(&mut self, root: Element<'a, 'i>) {
        let mut strangers = Strangers::default();
        let rank = Rank { target: self.depth, file: self.depth, wrapped: false };
        for child in root.children() {
            match child.name() {
                "system.webServer" => self.group(child, "", Frame { rank, locked: false }),
                "location" => self.location(child, &mut strangers),
                _ => strangers.meet(child, self.report),
            }
        }
        strangers.warn(self.report);
    }

    /// A `<location>` for this app, which is how publishing wraps everything, or for a path above it. One for a path below
    /// is not honoured yet; one for another part of the site is not ours.
    fn location(&mut self, location: Element<'a, 'i>, strangers: &mut Strangers) {
        if let Some(info) = schema::section("location") {
            strict::refuse_attributes(info, "", location, self.report);
        }
        let path = location.attribute("path").map(|path| path.value).unwrap_or_default();
        let inherited = self.boolean(location, "inheritInChildApplications").is_none_or(|said| said.value);
        let locked = self.locks(location);
        let segments = path.split('/').filter(|segment| !matches!(*segment, "" | "."));
        let target: Vec<&str> = self.app[..self.depth].iter().map(String::as_str).chain(segments).collect();
        let same = |segment: &str, name: &str| segment.to_lowercase() == name.to_lowercase();
        let leads = target.iter().zip(self.app).all(|(segment, name)| same(segment, name));
        if !leads || (!inherited && target.len() < self.app.len()) {
            return;
        }
        if target.len() > self.app.len() {
            let message = format!("<location path=\"{path}\"> is not honoured by this version");
            let hint = "the paths below it are treated like the rest of the app";
            self.report.warning(Code::NotHonoured, &location.place(), message).hint(hint);
            return;
        }
        let rank = Rank { target: target.len(), file: self.depth, wrapped: true };
        for child in location.children() {
            match child.name() {
                "system.webServer" => self.group(child, "", Frame { rank, locked }),
                _ => strangers.meet(child, self.report),
            }
        }
    }

    /// `overrideMode="Deny"`, and the older way to say it.
    fn locks(&mut self, location: Element) -> bool {
        let older = self.boolean(location, "allowOverride").is_some_and(|allowed| !allowed.value);
        let Some(mode) = location.attribute("overrideMode") else { return older };
        let is = |word: &str| mode.value.trim().eq_ignore_ascii_case(word);
        if !["Allow", "Deny", "Inherit"].into_iter().any(is) {
            let message = format!("overrideMode \"{}\" is not known", mode.value);
            self.report.error(Code::BadValue, &mode.place, message).hint("write Allow, Deny or Inherit");
        }
        older || is("Deny")
    }

    fn boolean(&mut self, element: Element, name: &str) -> Option<Spanned<bool>> {
        let text = element.attribute(name)?;
        match value::boolean(&text.value) {
            Ok(value) => Some(Spanned { value, place: text.place }),
            Err(why) => {
                let message = format!("{name} \"{}\" {why}", text.value);
                self.report.error(Code::BadValue, &text.place, message).hint("write true or false");
                None
            }
        }
    }

    /// Sections of a group and of the groups in it.
    fn group(&mut self, group: Element<'a, 'i>, prefix: &str, frame: Frame) {
        for element in group.children() {
            if self.report.is_full() {
                return;
            }
            let path = format!("{prefix}{}", element.name());
            if support::GROUPS.contains(&path.as_str()) {
                self.group(element, &format!("{path}/"), frame);
            } else if !refuse_slip(&path, element, self.report) {
                self.warn_locks(element);
                let Frame { rank, locked } = frame;
                self.sections.add(Section { path, rank, locked, element }, self.report);
            }
        }
    }

    /// A file above the app may lock a part of a section, which nothing here would notice.
    fn warn_locks(&mut self, element: Element) {
        if self.depth == self.app.len() {
            return;
        }
        let lock = element.attributes().find(|(name, _)| schema::is_lock(name));
        if let Some((name, place)) = lock {
            let message = format!("{name} of <{}> is not honoured by this version", element.name());
            let hint = "to lock the whole section, wrap it in <location path=\".\" overrideMode=\"Deny\">";
            self.report.warning(Code::NotHonoured, &place, message).hint(hint);
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
