//! What a step would change, for the plan.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a step would change: lines that say from what to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Diff(Vec<Change>);

/// One line of a [`Diff`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Something comes to be.
    Add(String),
    /// Something goes away.
    Remove(String),
    /// Something named turns from one value into another.
    Turn {
        /// What changes.
        what: String,
        /// Its value now.
        from: String,
        /// Its value afterwards.
        to: String,
    },
    /// Anything else worth saying.
    Note(String),
}

impl Diff {
    /// No difference that can be shown.
    pub fn none() -> Self {
        Self::default()
    }

    /// One line that says what will happen.
    pub fn note(text: impl Into<String>) -> Self {
        Self(vec![Change::Note(text.into())])
    }

    /// One value turning into another.
    pub fn turn(what: impl Into<String>, from: impl fmt::Display, to: impl fmt::Display) -> Self {
        Self::none().and_turn(what, from, to)
    }

    /// And one more value turning into another.
    pub fn and_turn(mut self, what: impl Into<String>, from: impl fmt::Display, to: impl fmt::Display) -> Self {
        self.0.push(Change::Turn { what: what.into(), from: from.to_string(), to: to.to_string() });
        self
    }

    /// And something that comes to be.
    pub fn and_add(mut self, line: impl Into<String>) -> Self {
        self.0.push(Change::Add(line.into()));
        self
    }

    /// And something that goes away.
    pub fn and_remove(mut self, line: impl Into<String>) -> Self {
        self.0.push(Change::Remove(line.into()));
        self
    }

    /// And one more thing worth saying.
    pub fn and_note(mut self, line: impl Into<String>) -> Self {
        self.0.push(Change::Note(line.into()));
        self
    }

    /// Its lines.
    pub fn changes(&self) -> &[Change] {
        &self.0
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, change) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{change}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(line) => write!(f, "+ {line}"),
            Self::Remove(line) => write!(f, "- {line}"),
            Self::Turn { what, from, to } => write!(f, "~ {what}: {from} -> {to}"),
            Self::Note(line) => write!(f, "· {line}"),
        }
    }
}
