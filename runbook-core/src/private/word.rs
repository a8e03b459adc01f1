//! The arguments that `cmd!` puts together.

use std::ffi::OsString;

use crate::command::CommandArg;

/// An argument being put together.
#[derive(Default)]
pub struct Word(OsString);

/// An empty argument.
pub fn word() -> Word {
    Word::default()
}

impl Word {
    /// And this text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.0.push(text);
        self
    }

    /// And this value.
    #[must_use]
    pub fn value<T: CommandArg + ?Sized>(mut self, value: &T) -> Self {
        value.append_to(&mut self.0);
        self
    }

    /// The argument.
    pub fn done(self) -> OsString {
        self.0
    }
}
