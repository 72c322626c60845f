//! How a test fails: with one text that says what was expected and what came.

use std::fmt::Display;

/// Why a test failed.
#[derive(Debug)]
pub struct Failure(pub String);

/// What a test or a step of it gives.
pub type Outcome<T = ()> = Result<T, Failure>;

// Failure is not Display itself, so that every error type, and plain text, turn into one by `?`.
impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Says during which step something failed.
pub trait Context<T> {
    /// Puts `step` before the text of the error.
    ///
    /// # Errors
    /// The same error, with the step named.
    fn context(self, step: impl Display) -> Outcome<T>;
}

impl<T, E: Into<Failure>> Context<T> for Result<T, E> {
    fn context(self, step: impl Display) -> Outcome<T> {
        self.map_err(|error| {
            let Failure(text) = error.into();
            Failure(format!("{step}: {text}"))
        })
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, step: impl Display) -> Outcome<T> {
        self.ok_or_else(|| Failure(step.to_string()))
    }
}

/// Ends the test as failed unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::Failure(format!($($text)+)));
        }
    };
}

/// Ends the test as failed.
#[macro_export]
macro_rules! fail {
    ($($text:tt)+) => {
        return Err($crate::Failure(format!($($text)+)))
    };
}
