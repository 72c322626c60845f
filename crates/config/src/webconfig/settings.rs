//! handlerSettings: names ignore case, the last one of a name wins, unknown ones are ignored as in IIS.

use super::schema::{self, Honoured};
use crate::code::Code;
use crate::report::{Report, Spanned};

/// Those that have a meaning here.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) console_redirection: Option<Spanned<bool>>,
    pub(crate) forward_connection: Option<Spanned<bool>>,
    pub(crate) disallow_rotation: Option<Spanned<bool>>,
    pub(crate) debug_file: Option<Spanned<String>>,
    pub(crate) debug_level: Option<Spanned<String>>,
}

/// Of name and value, in the order of the file.
pub(super) fn read(entries: Vec<(Spanned<String>, String)>, report: &mut Report) -> Settings {
    let mut settings = Settings::default();
    let mut idle: Vec<&str> = Vec::new();
    let mut first = None;
    for (Spanned { value: name, place }, value) in entries {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("enableOutOfProcessConsoleRedirection") {
            let value = !value.eq_ignore_ascii_case("false");
            settings.console_redirection = Some(Spanned { value, place });
        } else if is("forwardResponseConnectionHeader") {
            let value = value.eq_ignore_ascii_case("true");
            settings.forward_connection = Some(Spanned { value, place });
        } else if is("disallowRotationOnConfigChange") {
            let value = value.eq_ignore_ascii_case("true");
            settings.disallow_rotation = Some(Spanned { value, place });
        } else if is("debugFile") {
            settings.debug_file = Some(Spanned { value, place });
        } else if is("debugLevel") {
            settings.debug_level = Some(Spanned { value, place });
        } else if let Some(known) = idle_setting(&name) {
            idle.push(known);
            first.get_or_insert(place);
        }
    }
    if let Some(place) = first {
        let message = format!("handlerSettings that are not honoured by this version: {}", idle.join(", "));
        report.warning(Code::NotHonoured, &place, message).hint("the rest of the section is honoured");
    }
    settings
}

/// A setting of the module that would change something and does not here.
fn idle_setting(name: &str) -> Option<&'static str> {
    let known = schema::HANDLER_SETTINGS.iter().find(|known| name.eq_ignore_ascii_case(known.path))?;
    (known.honoured == Honoured::No).then_some(known.path)
}
