//! Collects every [`Diagnostic`] of one load, and knows how to make one in few words. Used by all of config.

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Place, Severity};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// Everything said so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    diagnostics: Vec<Diagnostic>,
    /// Where messages beyond the cap end up.
    unheard: Option<Diagnostic>,
}

/// Nobody reads more, and a file that is not a web.config at all could ask for tens of thousands.
const MOST: usize = 200;

impl Report {
    pub(crate) fn error(&mut self, code: Code, place: &Place, message: String) -> &mut Diagnostic {
        self.add(Severity::Error, code, Some(place.clone()), message)
    }

    pub(crate) fn missing(&mut self, code: Code, place: Option<Place>, message: String) -> &mut Diagnostic {
        self.add(Severity::Missing, code, place, message)
    }

    pub(crate) fn warning(&mut self, code: Code, place: &Place, message: String) -> &mut Diagnostic {
        self.add(Severity::Warning, code, Some(place.clone()), message)
    }

    pub(crate) fn add(
        &mut self,
        severity: Severity,
        code: Code,
        place: Option<Place>,
        message: String,
    ) -> &mut Diagnostic {
        let diagnostic = Diagnostic { severity, code, message, place, hint: None };
        if self.is_full() {
            return self.unheard.insert(diagnostic);
        }
        self.diagnostics.push(diagnostic);
        if self.diagnostics.len() == MOST - 1 {
            let (severity, code) = (Severity::Error, Code::TooManyMessages);
            let message = format!("{} messages, and maybe more; the rest is left out", MOST - 1);
            let hint = Some("is this the right file?".to_owned());
            let place = self.diagnostics.last().and_then(|last| last.place.clone());
            self.diagnostics.push(Diagnostic { severity, code, message, place, hint });
        }
        let last = self.diagnostics.len() - 1;
        let own = if last == MOST - 1 { last - 1 } else { last };
        &mut self.diagnostics[own]
    }

    /// Whether more messages would go unheard, so that looking for more mistakes is idle.
    pub(crate) fn is_full(&self) -> bool {
        self.diagnostics.len() >= MOST
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    pub(crate) fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}

impl Diagnostic {
    /// Adds what to do about it.
    pub(crate) fn hint(&mut self, text: impl Into<String>) {
        self.hint = Some(text.into());
    }
}

impl Place {
    /// The place of a byte of a text.
    pub(crate) fn within(text: &str, offset: usize, file: &str) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let line = count(before.matches('\n').count() + 1);
        let column = count(before.rsplit('\n').next().unwrap_or(before).chars().count() + 1);
        Self { file: file.to_owned(), line, column }
    }

    /// A place that is not inside a text: a flag, or a folder.
    pub(crate) fn whole(name: impl Into<String>) -> Self {
        Self { file: name.into(), line: 0, column: 0 }
    }
}

/// The candidate that `written` is most likely a slip of: the same in another case first, otherwise the one
/// with the fewest edits, when they are few for its length.
pub(crate) fn nearest<'a>(written: &str, candidates: &[&'a str]) -> Option<&'a str> {
    candidates
        .iter()
        .map(|candidate| (distance(&written.to_lowercase(), &candidate.to_lowercase()), *candidate))
        .filter(|(edits, candidate)| *edits <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance over characters, one row at a time; long words are not slips of short ones.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    if left.chars().count() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_capped_and_the_cap_is_told() {
        let mut report = Report::default();
        for at in 0..1000 {
            let place = Place::whole("web.config");
            report.warning(Code::NotHonoured, &place, format!("{at}")).hint(format!("hint {at}"));
        }
        assert!(report.has_errors());
        let all = report.into_diagnostics();
        assert_eq!((all.len(), all[MOST - 1].code.as_str()), (MOST, "too-many-messages"));
        for (at, diagnostic) in all[..MOST - 1].iter().enumerate() {
            assert_eq!(diagnostic.hint, Some(format!("hint {at}")));
        }
    }

    #[test]
    fn nearest_finds_slips_and_leaves_strangers_alone() {
        let known = ["processPath", "arguments", "startupTimeLimit"];
        assert_eq!(nearest("ProcessPath", &known), Some("processPath"));
        assert_eq!(nearest("argument", &known), Some("arguments"));
        assert_eq!(nearest("startTimeLimit", &known), Some("startupTimeLimit"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest(&"x".repeat(100_000), &known), None);
    }
}
