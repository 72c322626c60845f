//! Evaluates SPDX licence expressions against a list of allowed licences.
//!
//! Pure text work for the licence check; knows nothing of packages.

/// Whether the expression can be satisfied with allowed licences alone.
///
/// `AND` binds tighter than `OR` (SPDX annex D.4); `X WITH Y` is one licence; the old form `MIT/Apache-2.0`
/// means `OR`, as cargo documented it.
///
/// # Errors
/// A sentence when the expression cannot be read: an unknown licence must not pass as a known one.
pub(crate) fn satisfied(expression: &str, allowed: &[String]) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    let result = reader.any();
    match result {
        Some(satisfied) if reader.words.is_empty() => Ok(satisfied),
        _ => Err(format!("`{expression}` is no licence expression")),
    }
}

struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Reader<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut satisfied = self.all()?;
        while self.eat("OR") {
            satisfied |= self.all()?;
        }
        Some(satisfied)
    }

    fn all(&mut self) -> Option<bool> {
        let mut satisfied = self.one()?;
        while self.eat("AND") {
            satisfied &= self.one()?;
        }
        Some(satisfied)
    }

    fn one(&mut self) -> Option<bool> {
        if self.eat("(") {
            let satisfied = self.any()?;
            return self.eat(")").then_some(satisfied);
        }
        let mut licence = self.word()?.to_owned();
        if self.eat("WITH") {
            licence = format!("{licence} WITH {}", self.word()?);
        }
        Some(self.allowed.contains(&licence))
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn word(&mut self) -> Option<&str> {
        let (word, rest) = self.words.split_first()?;
        self.words = rest;
        (!["AND", "OR", "WITH", "(", ")"].contains(word)).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_in_every_shape() {
        let allowed =
            ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        for (expression, expected) in [
            ("MIT", Ok(true)),
            ("GPL-3.0-only", Ok(false)),
            ("MIT OR GPL-3.0-only", Ok(true)),
            ("MIT AND GPL-3.0-only", Ok(false)),
            ("GPL-3.0-only AND X OR MIT", Ok(true)),
            ("GPL-3.0-only OR X AND MIT", Ok(false)),
            ("(MIT OR GPL-3.0-only) AND Unicode-3.0", Ok(true)),
            ("(MIT OR Apache-2.0) AND (X OR Y)", Ok(false)),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", Ok(true)),
            ("MIT WITH LLVM-exception", Ok(false)),
            ("MIT/Apache-2.0", Ok(true)),
            ("", Err(())),
            ("MIT OR", Err(())),
            ("(MIT", Err(())),
            ("MIT Apache-2.0", Err(())),
            ("AND", Err(())),
        ] {
            assert_eq!(satisfied(expression, &allowed).map_err(|_| ()), expected, "{expression}");
        }
    }
}
