//! One string to words, as Windows programs see their command line. web.config holds arguments as one string
//! that IIS appends verbatim, so that the rules of Windows decide what the program receives.

/// Splits a command line without its program by the rules of `CommandLineToArgvW`:
///
/// * spaces and tabs separate, quotes join;
/// * 2n backslashes before a quote are n backslashes and the quote opens or closes; 2n+1 are n backslashes and
///   a literal quote; backslashes elsewhere are themselves;
/// * three quotes in a row, or two inside a quoted part, are one literal quote and end the quoted part.
#[must_use]
pub fn split_arguments(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches(BLANK);
    while !rest.is_empty() {
        let (word, after) = first_word(rest);
        words.push(word);
        rest = after.trim_start_matches(BLANK);
    }
    words
}

const BLANK: [char; 2] = [' ', '\t'];

fn first_word(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut quoted = false;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if !quoted && BLANK.contains(&next) {
            break;
        }
        let backslashes = rest.len() - rest.trim_start_matches('\\').len();
        let after = &rest[backslashes..];
        if !after.starts_with('"') {
            let literal = if backslashes == 0 { next.len_utf8() } else { backslashes };
            word.push_str(&rest[..literal]);
            rest = &rest[literal..];
            continue;
        }
        word.extend(std::iter::repeat_n('\\', backslashes / 2));
        if backslashes % 2 == 1 {
            word.push('"');
            rest = &after[1..];
        } else {
            rest = quotes(after, &mut word, &mut quoted);
        }
    }
    (word, rest)
}

/// Consumes a run of bare quotes. Counting an already open one, every third is literal and leaves the quoted
/// part; what remains of the run is one quote (open) or two (opened and closed).
fn quotes<'a>(text: &'a str, word: &mut String, quoted: &mut bool) -> &'a str {
    let after = text.trim_start_matches('"');
    let run = text.len() - after.len() + usize::from(*quoted);
    word.extend(std::iter::repeat_n('"', run / 3));
    *quoted = run % 3 == 1;
    after
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn windows_documents_these() {
        for (line, words) in [
            (r#""abc" d e"#, &["abc", "d", "e"][..]),
            (r#"a\\b d"e f"g h"#, &[r"a\\b", "de fg", "h"]),
            (r#"a\\\"b c d"#, &[r#"a\"b"#, "c", "d"]),
            (r#"a\\\\"b c" d e"#, &[r"a\\b c", "d", "e"]),
            (r#"a"b"" c d"#, &[r#"ab""#, "c", "d"]),
            (r#""a""b c""#, &[r#"a"b"#, "c"]),
            (r#""" x"#, &["", "x"]),
            (r#"""""a b"""""#, &[r#""a b""#]),
            (r#"  \ "\\"  "#, &[r"\", r"\"]),
            (".\\web.dll --Region=eu \"--Title=A B\"", &[".\\web.dll", "--Region=eu", "--Title=A B"]),
            ("", &[]),
            (" \t ", &[]),
        ] {
            assert_eq!(split_arguments(line), words, "{line}");
        }
    }

    /// The inverse, as Windows programs write command lines.
    fn join(words: &[String]) -> String {
        let mut line = String::new();
        for word in words {
            line.push_str(" \"");
            let mut backslashes = 0;
            for next in word.chars() {
                if next == '"' {
                    line.extend(std::iter::repeat_n('\\', backslashes + 1));
                }
                backslashes = if next == '\\' { backslashes + 1 } else { 0 };
                line.push(next);
            }
            line.extend(std::iter::repeat_n('\\', backslashes));
            line.push('"');
        }
        line
    }

    proptest! {
        #[test]
        fn splitting_undoes_joining(words in proptest::collection::vec(r#"([ \t"\\a]|\PC){0,12}"#, 0..6)) {
            prop_assert_eq!(split_arguments(&join(&words)), words);
        }
    }
}
