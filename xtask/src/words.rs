//! The repository speaks of the product: no paths of one machine, no notes to self.

use std::path::Path;

use crate::command;

/// What may not stand in any file, and why. Cut in two, so that this file does not find itself.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("TO", "DO"), "a note to self; say it in an issue"),
    (concat!("FIX", "ME"), "a note to self; say it in an issue"),
    (concat!("<<<<", "<<< "), "an unfinished merge"),
];

/// Every forbidden word, as sentences.
pub(crate) fn check() -> Result<Vec<String>, String> {
    let mut wrong = Vec::new();
    for file in command::files()? {
        let bytes = std::fs::read(command::root().join(&file))
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        // What is not text (a picture, an archive) cannot be read by people either.
        if let Ok(text) = String::from_utf8(bytes) {
            wrong.extend(words_in(&file, &text));
        }
    }
    Ok(wrong)
}

fn words_in(file: &Path, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (word, reason) in FORBIDDEN.iter().filter(|(word, _)| line.contains(word)) {
            wrong.push(format!("{}:{}: `{word}`: {reason}", file.display(), number + 1));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_with_its_place() {
        for (word, _) in FORBIDDEN {
            let found = words_in(Path::new("a.md"), &format!("fine\nsee {word} there\n"));
            assert!(found.len() == 1 && found[0].starts_with("a.md:2: "), "{found:?}");
        }
        assert_eq!(words_in(Path::new("a.md"), "network/ and /rooted/\n"), Vec::<String>::new());
    }
}
