//! One screen, one thought: no Rust file is longer than 500 lines.
//!
//! The limit of functions (60 lines) is clippy's `too_many_lines`; clippy has none for files.

use std::path::Path;

use crate::command;

/// Lines of a Rust file, tests and comments included.
const FILE_LINES: usize = 500;

/// Every Rust file that is too long, as sentences.
pub(crate) fn check() -> Result<Vec<String>, String> {
    let files = command::files()?;
    let rust = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let mut wrong = Vec::new();
    for file in rust {
        wrong.extend(too_long(file, &command::read(&file.to_string_lossy())?));
    }
    Ok(wrong)
}

fn too_long(file: &Path, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > FILE_LINES).then(|| format!("{}: {lines} lines, the limit is {FILE_LINES}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_allowed() {
        assert_eq!(too_long(Path::new("a.rs"), &"x\n".repeat(FILE_LINES)), None);
        let message = too_long(Path::new("a.rs"), &"x\n".repeat(FILE_LINES + 1));
        assert_eq!(message.as_deref(), Some("a.rs: 501 lines, the limit is 500"));
    }

    #[test]
    fn this_file_is_seen() {
        let files = command::files().expect("a git repository");
        assert!(files.iter().any(|file| file.ends_with("xtask/src/limits.rs")), "{files:?}");
    }
}
