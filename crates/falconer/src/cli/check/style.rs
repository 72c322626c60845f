//! Colours and wrapping for people. Without colours the text is the same.

/// Whether colours are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    colours: bool,
}

/// Columns that a report keeps to, where words can be broken.
pub(super) const WIDTH: usize = 100;

impl Style {
    pub(super) const fn of_stdout(colours: bool) -> Self {
        Self { colours }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colours && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn heading(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(super) fn doubtful(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn hint(self, text: &str) -> String {
        self.paint("36", text)
    }
}

/// Text in lines of [`WIDTH`] columns, all but the first indented.
pub(super) fn wrap(text: &str, first: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut column = first;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > indent && column + 1 + length > WIDTH && !out.is_empty() {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_time() {
        let text = "word ".repeat(60);
        let wrapped = wrap(text.trim(), 10, 4);
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with("    word") && line.len() <= WIDTH));
        assert_eq!(wrapped.split_whitespace().count(), 60);
        assert_eq!(wrap(&"x".repeat(200), 0, 2).lines().count(), 1);
        assert_eq!(Style::of_stdout(false).bad("x"), "x");
    }
}
