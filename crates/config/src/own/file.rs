//! The text of a `falconer.toml` to typed values with places. Knows the names of [`OPTIONS`] and no others; what a value
//! means is not decided here.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::iis::{IIS_SETTINGS, IisSetting};
use super::options::{OPTIONS, OptionInfo};
use crate::code::Code;
use crate::diagnostic::Place;
use crate::report::{Report, Spanned, nearest};
use crate::value;
use crate::webconfig::schema::SECTIONS;

const SPAN_HINT: &str =
    "write \"hh:mm:ss\" or \"d.hh:mm:ss\"; \"00:20:00\" is twenty minutes, \"00:00:00\" is none";

const WAIT_HINT: &str = "write \"hh:mm:ss\"; \"00:02:00\" is two minutes";
/// In seconds: IIS holds them in 16 bits.
const WAIT_MOST: u64 = 65_535;

/// Settings that were written, each taken out by whoever reads it.
#[derive(Debug, Default)]
pub(super) struct Settings {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    key: &'static str,
    place: Place,
    value: Value,
}

/// A value as far as any setting has one.
#[derive(Debug)]
enum Value {
    Boolean(bool),
    /// A text, a number or a time of day, without quotes.
    Word(String),
    /// Of words.
    List(Vec<Spanned<String>>),
    /// Anything else, as it is written.
    Other(String),
}

/// Reads the text; a file that is no TOML says nothing.
pub(super) fn read(text: &str, file: &str, report: &mut Report) -> Settings {
    let mut settings = Settings::default();
    match DeTable::parse(text) {
        Ok(table) => {
            let mut reader = Reader { text, file, settings: &mut settings, report };
            reader.table("", table.get_ref());
        }
        Err(error) => {
            let place = Place::within(text, error.span().map_or(0, |span| span.start), file);
            let message = format!("malformed TOML: {}", error.message().replace('\n', " "));
            report
                .error(Code::MalformedToml, &place, message)
                .hint("see https://toml.io for how it is written");
        }
    }
    settings
}

struct Reader<'r> {
    text: &'r str,
    file: &'r str,
    settings: &'r mut Settings,
    report: &'r mut Report,
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        Place::within(self.text, offset, self.file)
    }

    fn table(&mut self, prefix: &str, table: &DeTable) {
        let mut entries: Vec<_> = table.iter().collect();
        // As they stand in the file, not by name.
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            if self.report.is_full() {
                return;
            }
            let key = match prefix {
                "" => name.get_ref().to_string(),
                _ => format!("{prefix}.{}", name.get_ref()),
            };
            let place = self.place(name.span().start);
            let is_table = !key.is_empty() && OPTIONS.iter().any(|option| below(option.key, &key).is_some());
            match (OPTIONS.iter().find(|option| option.key == key), value.get_ref()) {
                (None, DeValue::Table(inner)) if is_table || holds_setting_of_iis(&key, inner) => {
                    self.table(&key, inner);
                }
                (None, _) if is_table => {
                    let message = format!("{key} is a table");
                    self.report
                        .error(Code::BadValue, &place, message)
                        .hint(format!("write [{key}] above its settings"));
                }
                (None, _) => self.refuse(prefix, name.get_ref(), &place),
                (Some(option), found) => {
                    let span = value.span();
                    let place = self.place(span.start);
                    let value = self.value(found, span);
                    self.settings.entries.push(Entry { key: option.key, place, value });
                }
            }
        }
    }

    fn value(&self, value: &DeValue, span: std::ops::Range<usize>) -> Value {
        let written = || self.text.get(span.clone()).unwrap_or_default();
        match value {
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::String(text) => Value::Word(text.to_string()),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => {
                Value::Word(written().to_owned())
            }
            DeValue::Array(items) => {
                let word = |item: &toml::Spanned<DeValue>| match self.value(item.get_ref(), item.span()) {
                    Value::Word(value) => Some(Spanned { value, place: self.place(item.span().start) }),
                    Value::Boolean(_) | Value::List(_) | Value::Other(_) => None,
                };
                match items.iter().map(word).collect() {
                    Some(words) => Value::List(words),
                    None => Value::Other(short(written())),
                }
            }
            DeValue::Table(_) => Value::Other(short(written())),
        }
    }

    /// A name that no setting has: a slip, or the right one in the wrong table.
    fn refuse(&mut self, prefix: &str, name: &str, place: &Place) {
        let mut known: Vec<&str> = Vec::new();
        for rest in OPTIONS.iter().filter_map(|option| below(option.key, prefix)) {
            let first = rest.split('.').next().unwrap_or(rest);
            if !known.contains(&first) {
                known.push(first);
            }
        }
        let hint = setting_of_iis(prefix, name)
            .map(IisSetting::hint)
            .or_else(|| nearest(name, &known).map(|almost| format!("did you mean {almost}?")))
            .or_else(|| elsewhere(prefix, name))
            .unwrap_or_else(|| match &known[..] {
                [] => format!("no setting of [{prefix}] is known here"),
                known => format!("known here: {}", known.join(", ")),
            });
        let message = format!("unrecognised setting \"{}\"", short(name));
        self.report.error(Code::UnknownSetting, place, message).hint(hint);
    }
}

/// A table of IIS that has no setting of ours, so that each of its settings is answered at its own place.
fn holds_setting_of_iis(key: &str, table: &DeTable) -> bool {
    let is_table = |one: &IisSetting| below(one.key, key).is_some_and(|rest| !rest.is_empty());
    !key.is_empty() && table.iter().next().is_some() && IIS_SETTINGS.iter().any(is_table)
}

fn setting_of_iis(prefix: &str, name: &str) -> Option<&'static IisSetting> {
    IIS_SETTINGS.iter().find(|one| below(one.key, prefix).is_some_and(|rest| rest.eq_ignore_ascii_case(name)))
}

/// A setting of IIS in another of its tables. Many names are too common to say more than that.
fn setting_of_iis_elsewhere(prefix: &str, name: &str) -> Option<&'static IisSetting> {
    let top = prefix.split('.').next().unwrap_or_default();
    let near = |one: &&IisSetting| top.is_empty() || one.key.split('.').next() == Some(top);
    IIS_SETTINGS.iter().filter(near).find(|one| one.name().eq_ignore_ascii_case(name))
}

/// The table of this name, where it stands; none for one that stands there.
fn table_named(prefix: &str, name: &str) -> Option<&'static str> {
    let keys = OPTIONS.iter().map(|option| option.key).chain(IIS_SETTINGS.iter().map(|one| one.key));
    let mut tables = keys.filter_map(|key| {
        let found = key.find(&format!(".{name}."))?;
        key.get(..found + 1 + name.len())
    });
    tables.find(|table| below(table, prefix) != Some(name))
}

/// Where a name belongs that is right in another table, as a flag, in IIS, or in web.config.
fn elsewhere(prefix: &str, name: &str) -> Option<String> {
    let split = |option: &OptionInfo| option.key.rsplit_once('.').unwrap_or(("", option.key));
    let table = OPTIONS.iter().map(split).find(|(_, last)| *last == name).map(|(table, _)| table);
    let flag = format!("--{name}");
    let same = OPTIONS.iter().find(|option| option.flag.split(' ').next() == Some(flag.as_str()));
    let is_attribute = || {
        let section = SECTIONS.iter().filter(|section| section.path == "aspNetCore");
        let mut parts = section.flat_map(|section| section.parts);
        parts.any(|part| part.path.strip_prefix('@').is_some_and(|known| known.eq_ignore_ascii_case(name)))
    };
    match (table, same) {
        (Some(""), _) => Some(format!("{name} stands at the top of the file, before the first [table]")),
        (Some(table), _) => Some(format!("{name} belongs to [{table}]")),
        (None, Some(option)) => Some(format!("what {flag} says is {} here", option.key)),
        (None, None) => setting_of_iis_elsewhere(prefix, name)
            .map(IisSetting::hint)
            .or_else(|| table_named(prefix, name).map(|table| format!("write [{table}]")))
            .or_else(|| is_attribute().then(|| format!("{name} belongs to <aspNetCore> of web.config"))),
    }
}

/// What of a key is below a table; all of it below the top.
fn below<'a>(key: &'a str, table: &str) -> Option<&'a str> {
    match table {
        "" => Some(key),
        _ => key.strip_prefix(table)?.strip_prefix('.'),
    }
}

/// Enough of a text to know it again.
fn short(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("...".chars()).collect()
}

fn name_of(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

impl Settings {
    fn take(&mut self, key: &'static str) -> Option<Entry> {
        debug_assert!(OPTIONS.iter().any(|option| option.key == key), "{key} is not in the table");
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// Names of settings that nobody took: none, unless the table has a setting that has no reader.
    pub(super) fn unread(&self) -> Vec<&'static str> {
        self.entries.iter().map(|entry| entry.key).collect()
    }

    pub(super) fn boolean(&mut self, key: &'static str, report: &mut Report) -> Option<Spanned<bool>> {
        let Entry { place, value, .. } = self.take(key)?;
        match value {
            Value::Boolean(value) => Some(Spanned { value, place }),
            other => {
                refuse(key, &place, &other, "must be true or false", report).hint("without quotes");
                None
            }
        }
    }

    pub(super) fn text(&mut self, key: &'static str, report: &mut Report) -> Option<Spanned<String>> {
        self.checked(key, "write it in quotes", report, |text| Ok(text.to_owned()))
    }

    pub(super) fn number(
        &mut self,
        key: &'static str,
        most: u64,
        report: &mut Report,
    ) -> Option<Spanned<u64>> {
        let check = |text: &str| value::number(&text.replace('_', ""), 0, most);
        self.checked(key, "0 is the default, and no limit", report, check)
    }

    /// Where nothing stands for no limit.
    pub(super) fn count(
        &mut self,
        key: &'static str,
        within: RangeInclusive<u64>,
        report: &mut Report,
    ) -> Option<Spanned<u64>> {
        let check = |text: &str| value::number(&text.replace('_', ""), *within.start(), *within.end());
        self.checked(key, "write a number without quotes, or leave it out", report, check)
    }

    /// In seconds at most; zero is none, and stays zero.
    pub(super) fn span(
        &mut self,
        key: &'static str,
        most: u64,
        report: &mut Report,
    ) -> Option<Spanned<Duration>> {
        self.checked(key, SPAN_HINT, report, |text| value::time_span(text, 0..=most, 1))
    }

    /// How long a client may take; some time it always has.
    pub(super) fn wait(&mut self, key: &'static str, report: &mut Report) -> Option<Spanned<Duration>> {
        self.checked(key, WAIT_HINT, report, |text| value::time_span(text, 1..=WAIT_MOST, 1))
    }

    /// One word out of the text.
    pub(super) fn checked<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        report: &mut Report,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Spanned<T>> {
        let Entry { place, value, .. } = self.take(key)?;
        let checked = match &value {
            Value::Word(word) => check(word),
            Value::Boolean(_) | Value::List(_) | Value::Other(_) => {
                Err("is not one word or number".to_owned())
            }
        };
        match checked {
            Ok(value) => Some(Spanned { value, place }),
            Err(why) => {
                refuse(key, &place, &value, &why, report).hint(hint);
                None
            }
        }
    }

    /// The items of a list, and the place of the list.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        report: &mut Report,
    ) -> Option<Spanned<Vec<Spanned<String>>>> {
        let Entry { place, value, .. } = self.take(key)?;
        match value {
            Value::List(value) => Some(Spanned { value, place }),
            other => {
                let name = name_of(key);
                refuse(key, &place, &other, "is not a list", report)
                    .hint(format!("write {name} = [\"...\", \"...\"]"));
                None
            }
        }
    }
}

fn refuse<'r>(
    key: &str,
    place: &Place,
    value: &Value,
    why: &str,
    report: &'r mut Report,
) -> &'r mut crate::Diagnostic {
    let shown = match value {
        Value::Boolean(value) => value.to_string(),
        Value::Word(word) => format!("\"{}\"", short(word)),
        Value::List(_) => "[...]".to_owned(),
        Value::Other(text) => text.clone(),
    };
    report.error(Code::BadValue, place, format!("{} {shown} {why}", name_of(key)))
}
