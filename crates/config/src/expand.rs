//! `%VAR%` of web.config. IIS expands against the worker's environment when the value is read; here that is
//! Falconer's own. The two names of the port stay as placeholders, because the port is drawn at each start.

use contract::{HTTP_PLATFORM_PORT, PORT};

use crate::input::Input;

/// The text with every known `%NAME%` replaced, names ignoring case. What is unknown stays as it is, and a
/// percent sign that closes nothing may open the next name (`ExpandEnvironmentStrings`). The placeholders of
/// the port come out in upper case. Values are not expanded again.
pub(crate) fn expand(text: &str, input: &Input) -> String {
    replace(text, |name| input.variable(name).map(str::to_owned))
}

/// Only the placeholders of the port, brought to their canonical upper case.
pub(crate) fn canonical_placeholders(text: &str) -> String {
    replace(text, |_| None)
}

fn replace(text: &str, look_up: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('%') {
        out.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        let known = after.find('%').and_then(|close| Some((close, resolve(&after[..close], &look_up)?)));
        match known {
            Some((close, value)) => {
                out.push_str(&value);
                rest = &after[close + 1..];
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn resolve(name: &str, look_up: &impl Fn(&str) -> Option<String>) -> Option<String> {
    if let Some(port) = [PORT, HTTP_PLATFORM_PORT].into_iter().find(|port| port.eq_ignore_ascii_case(name)) {
        return Some(format!("%{port}%"));
    }
    if name.is_empty() { None } else { look_up(name) }
}

/// The first `%NAME%` that is still in an expanded text and is not a placeholder of the port.
pub(crate) fn unresolved(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(open) = rest.find('%') {
        let after = &rest[open + 1..];
        let close = after.find('%')?;
        let name = &after[..close];
        let word = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_()".contains(&byte));
        match word {
            true if name == PORT || name == HTTP_PLATFORM_PORT => rest = &after[close + 1..],
            true => return Some(name),
            false => rest = after,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Input {
        let environment = [("HOME", "/home/ann"), ("Path", "/bin"), ("NEST", "%HOME%")];
        Input { environment: environment.map(|(k, v)| (k.into(), v.into())).to_vec(), ..Input::default() }
    }

    #[test]
    fn known_names_are_replaced_once_and_the_rest_stays() {
        for (text, expected) in [
            ("%HOME%\\data", "/home/ann\\data"),
            ("%home%:%PATH%", "/home/ann:/bin"),
            ("%NEST%", "%HOME%"),
            ("%NOPE%", "%NOPE%"),
            ("100%", "100%"),
            ("%%", "%%"),
            ("%NOPE%HOME%", "%NOPE/home/ann"),
            ("5% of %HOME%", "5% of /home/ann"),
            ("-p %http_platform_port%", "-p %HTTP_PLATFORM_PORT%"),
            ("%AspNetCore_Port%", "%ASPNETCORE_PORT%"),
        ] {
            assert_eq!(expand(text, &input()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_left_is_found() {
        assert_eq!(unresolved("%LAUNCHER_PATH%"), Some("LAUNCHER_PATH"));
        assert_eq!(unresolved("-p %HTTP_PLATFORM_PORT% 5% 6%"), None);
        assert_eq!(unresolved("%ASPNETCORE_PORT%%X%"), Some("X"));
        assert_eq!(unresolved("%"), None);
    }
}
