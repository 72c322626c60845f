//! Files that are written for an app: `stdoutLogFile` and `debugFile`, with the paths of Windows.

use std::path::PathBuf;

use crate::code::Code;
use crate::diagnostic::Place;
use crate::expand;
use crate::input::Input;
use crate::paths;
use crate::plan::{Handler, StdoutLog};
use crate::pool::{DebugLevel, DebugLog};
use crate::report::{Report, Spanned};
use crate::webconfig::AppSection;

/// `stdoutLogFile` is the start of a name: relative to the folder, with the backslashes of Windows.
pub(crate) fn stdout_log(section: &AppSection, input: &Input, report: &mut Report) -> Option<StdoutLog> {
    section.stdout_log_enabled.as_ref().filter(|enabled| enabled.value)?;
    let default = match section.handler {
        Handler::AspNetCore => "aspnetcore-stdout",
        Handler::HttpPlatform => "httpplatform-stdout",
    };
    let (folder, prefix) = match &section.stdout_log_file {
        Some(file) => place(file, ("stdoutLogFile", ".\\logs\\stdout"), input, report),
        None => (input.folder.clone(), default.to_owned()),
    };
    Some(StdoutLog { folder, prefix, max_size: None, max_files: None })
}

/// The folder and the rest of a path that was written for Windows.
fn place(
    file: &Spanned<String>,
    (name, example): (&str, &str),
    input: &Input,
    report: &mut Report,
) -> (PathBuf, String) {
    let text = expand::expand(file.value.trim(), input);
    let linux = paths::to_linux(&text);
    let (dir, rest) = linux.rsplit_once('/').unwrap_or((".", &linux));
    let dir = if linux.starts_with('/') && dir.is_empty() { "/" } else { dir };
    let folder = if paths::has_drive(&linux) || expand::unresolved(&linux).is_some() {
        let message = format!("{name} \"{text}\" is a path of another machine");
        let hint = format!("the log goes into the folder of the app; write {example}");
        report.warning(Code::ForeignPath, &file.place, message).hint(hint);
        input.folder.clone()
    } else {
        paths::join(&input.folder, dir)
    };
    (folder, rest.to_owned())
}

/// `debugFile` and `debugLevel`, else `ASPNETCORE_MODULE_DEBUG_FILE` and `ASPNETCORE_MODULE_DEBUG` of our own
/// environment.
pub(crate) fn debug_log(section: Option<&AppSection>, input: &Input, report: &mut Report) -> Option<Debug> {
    let settings = section.map(|section| &section.settings);
    let variable = |name: &str| {
        let value = input.variable(name)?.to_owned();
        Some(Spanned { value, place: Place::whole(name) })
    };
    let written = |text: Option<Spanned<String>>| text.filter(|text| !text.value.trim().is_empty());
    let file = written(settings.and_then(|settings| settings.debug_file.clone()))
        .or_else(|| written(variable("ASPNETCORE_MODULE_DEBUG_FILE")));
    let level = written(settings.and_then(|settings| settings.debug_level.clone()))
        .or_else(|| written(variable("ASPNETCORE_MODULE_DEBUG")));
    let asked = match &level {
        Some(level) => levels(level, report),
        None => Asked { level: Some(DebugLevel::Information), file: false },
    };
    if file.is_none() && !asked.file {
        return None;
    }
    const NAME: &str = "aspnetcore-debug.log";
    let (folder, name) = match &file {
        Some(file) => self::place(file, ("debugFile", ".\\logs\\debug.log"), input, report),
        None => (input.folder.clone(), NAME.to_owned()),
    };
    let name = if name.is_empty() { NAME } else { &name };
    let log = DebugLog { file: folder.join(name), level: asked.level? };
    Some(Debug { log, file: file.map(|file| file.place), level: level.map(|level| level.place) })
}

/// A debug log, and where it was asked for.
#[derive(Debug)]
pub(crate) struct Debug {
    pub(crate) log: DebugLog,
    pub(crate) file: Option<Place>,
    pub(crate) level: Option<Place>,
}

/// What `debugLevel` asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// None for nothing.
    level: Option<DebugLevel>,
    file: bool,
}

/// A number, or a list of levels and sinks, each known by its start (ASP.NET Core Module: `SetDebugFlags`).
fn levels(text: &Spanned<String>, report: &mut Report) -> Asked {
    let word = text.value.trim();
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        let level = match word.trim_start_matches('0') {
            "" => None,
            "1" => Some(DebugLevel::Error),
            "2" => Some(DebugLevel::Warning),
            _ => Some(DebugLevel::Information),
        };
        return Asked { level, file: false };
    }
    let mut asked = Asked { level: None, file: false };
    let mut sink = false;
    for item in word.split(',').map(|item| item.trim().to_ascii_lowercase()).filter(|item| !item.is_empty()) {
        let starts = |known: &[&str]| known.iter().any(|known| item.starts_with(known));
        let level = match () {
            () if starts(&["error"]) => Some(DebugLevel::Error),
            () if starts(&["warning"]) => Some(DebugLevel::Warning),
            () if starts(&["info", "trace"]) => Some(DebugLevel::Information),
            () => None,
        };
        asked.file |= starts(&["file"]);
        sink |= starts(&["file", "console", "eventlog"]);
        if level.is_none() && !starts(&["file", "console", "eventlog"]) {
            let message = format!("debugLevel \"{item}\" is not known and is ignored");
            let hint = "write some of error, warning, info, trace, file, console, eventlog";
            report.warning(Code::NotHonoured, &text.place, message).hint(hint);
        }
        asked.level = asked.level.max(level);
    }
    if sink && asked.level.is_none() {
        asked.level = Some(DebugLevel::Information);
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_by_their_start() {
        let read = |text: &str| {
            let text = Spanned { value: text.to_owned(), place: Place::whole("x") };
            let asked = levels(&text, &mut Report::default());
            (asked.level, asked.file)
        };
        for (text, level, file) in [
            ("error", Some(DebugLevel::Error), false),
            ("FILE,TRACE", Some(DebugLevel::Information), true),
            ("warnings, file", Some(DebugLevel::Warning), true),
            ("error,info,console", Some(DebugLevel::Information), false),
            ("file", Some(DebugLevel::Information), true),
            ("eventlog", Some(DebugLevel::Information), false),
            ("verbose", None, false),
            ("0", None, false),
            ("1", Some(DebugLevel::Error), false),
            ("2", Some(DebugLevel::Warning), false),
            ("4", Some(DebugLevel::Information), false),
            ("99999999999999999999", Some(DebugLevel::Information), false),
            (",", None, false),
        ] {
            assert_eq!(read(text), (level, file), "{text}");
        }
    }
}
