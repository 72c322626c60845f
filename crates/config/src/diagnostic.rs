//! One message to the operator: what, where, why, hint.

use std::fmt;

use crate::code::Code;

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Known but not honoured here, or translated: the app runs.
    Warning,
    /// The file is there and right, but something it names is not (yet): `serve` starts and answers 502.5.
    Missing,
    /// Syntax or range: `serve` refuses.
    Error,
}

/// Where a value or a mistake stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as the operator knows it: `web.config`, or a flag such as `--listen`.
    pub file: String,
    /// Line, from 1; 0 when the place is not inside a text.
    pub line: u32,
    /// Column in characters, from 1; 0 when the place is not inside a text.
    pub column: u32,
}

/// One message to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A searchable code, kebab-case, stable over versions: `bad-value`.
    pub code: Code,
    /// What is wrong, with the value in question, one sentence without a full stop.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Missing | Severity::Error => "error",
        };
        write!(f, "{severity}[{}]: {}", self.code, self.message)?;
        if let Some(place) = &self.place {
            write!(f, "\n  at {place}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}
