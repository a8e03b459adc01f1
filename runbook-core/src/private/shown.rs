//! What `#[step]` and `#[check]` say of their arguments.

use std::fmt::Display;
use std::path::Path;

/// The subject of a step: its arguments that can be shown, in order.
pub fn subject<const N: usize>(shown: [Option<String>; N]) -> String {
    shown.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The summary of a step that says nothing else of itself.
pub fn summary(words: &str, subject: &str) -> String {
    format!("{words} {subject}").trim_end().to_owned()
}

/// An argument of a step, to be shown if it can be. The three traits below are implemented for different numbers of
/// references, and the compiler takes the first that fits: what can be displayed, else a path, else nothing.
pub struct Shown<'a, T: ?Sized>(pub &'a T);

/// Shows what can be displayed.
pub trait ShowDisplay {
    /// The text.
    fn shown(&self) -> Option<String>;
}

impl<T: Display + ?Sized> ShowDisplay for &&Shown<'_, T> {
    fn shown(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// Shows paths.
pub trait ShowPath {
    /// The text.
    fn shown(&self) -> Option<String>;
}

impl<T: AsRef<Path> + ?Sized> ShowPath for &Shown<'_, T> {
    fn shown(&self) -> Option<String> {
        Some(self.0.as_ref().display().to_string())
    }
}

/// Shows nothing.
pub trait ShowNothing {
    /// No text.
    fn shown(&self) -> Option<String>;
}

impl<T: ?Sized> ShowNothing for Shown<'_, T> {
    fn shown(&self) -> Option<String> {
        None
    }
}
