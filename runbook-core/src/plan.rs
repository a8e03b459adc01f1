//! The plan of a procedure: what each step would do, without doing it.

use serde::{Deserialize, Serialize};

use crate::{Change, CheckRole, Finding, Key, Stored};

/// What a procedure would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The book.
    pub book: String,
    /// The procedure.
    pub procedure: String,
    /// What it would run against.
    pub target: String,
    /// Its inputs.
    pub inputs: Stored,
    /// What it would do, in order.
    pub steps: Vec<PlannedStep>,
    /// What the plan could not reach, from the static outline: titles.
    pub unreached: Vec<String>,
    /// Why it went no further, when it did not.
    pub ends_because: Option<String>,
}

/// One step or check of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Where.
    pub key: Key,
    /// Its title, with those of the scopes around it.
    pub title: Vec<String>,
    /// Its kind.
    pub kind: String,
    /// What it does, in one line.
    pub summary: String,
    /// The commands a person would type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Why it cannot be undone, when it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// What would happen.
    pub what: Planned,
}

/// What would happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Planned {
    /// Nothing: the world is already so.
    Already,
    /// This would change.
    WillChange(Vec<Change>),
    /// It reads what an earlier step writes, and is known once that has happened.
    KnownAfter {
        /// The title of that step.
        step: String,
    },
    /// A check, asked now.
    Asked {
        /// What follows from a bad answer.
        role: CheckRole,
        /// The answer.
        finding: Finding,
    },
    /// A person will be asked.
    Person,
    /// Looking failed.
    Unknown(String),
}
