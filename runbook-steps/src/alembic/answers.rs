//! What the script answers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A migration, as the code has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// Its revision: any word.
    pub revision: String,
    /// The first line of what is written over it.
    pub title: String,
    /// What is known of its way back, when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
}

/// What is known of the way back from a migration. It is read from the SQL that the `downgrade()` of it would run, and
/// no database is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Back {
    /// There is one.
    Works {
        /// What it drops, tables and columns, with all that was written into them since.
        #[serde(default)]
        loses: Vec<String>,
    },
    /// `downgrade()` does nothing although `upgrade()` does something.
    Empty,
    /// There is no `downgrade()`.
    Missing,
    /// It raises an error.
    Raises {
        /// What the error says.
        said: String,
    },
    /// It needs a database to tell.
    Unknown {
        /// Why.
        said: String,
    },
}

/// A migration that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// Its revision.
    pub revision: String,
    /// The first line of what is written over it.
    pub title: String,
    /// How long it took.
    #[serde(rename = "seconds", with = "seconds")]
    pub took: Duration,
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}

impl Migration {
    /// Whether it is known that it cannot be taken back.
    pub fn is_irreversible(&self) -> bool {
        self.back.as_ref().is_some_and(Back::is_none)
    }
}

impl Back {
    /// Whether it is known that there is no way back.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Empty | Self::Missing | Self::Raises { .. })
    }
}

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(f, &self.revision, &self.title)
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(f, &self.revision, &self.title)
    }
}

fn named(f: &mut fmt::Formatter<'_>, revision: &str, title: &str) -> fmt::Result {
    match title {
        "" => write!(f, "`{revision}`"),
        title => write!(f, "`{revision}` ({title})"),
    }
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works { loses } if loses.is_empty() => f.write_str("it has a way back"),
            Self::Works { loses } => write!(f, "its way back drops {}", loses.join(", ")),
            Self::Empty => f.write_str("its downgrade() does nothing"),
            Self::Missing => f.write_str("it has no downgrade()"),
            Self::Raises { said } => write!(f, "its downgrade() says: {said}"),
            Self::Unknown { said } => write!(f, "nobody knows whether it has a way back: {said}"),
        }
    }
}

/// The tables and types of a database, each with a hash.
pub(super) type Shape = BTreeMap<String, String>;

/// What is in the database, and what the code says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) current: Vec<String>,
    /// Those of them that the code does not know.
    pub(super) unknown: Vec<String>,
    #[serde(default)]
    pub(super) heads: Vec<String>,
    #[serde(default)]
    pub(super) target: Option<String>,
    /// What leads to the target, first to last; or what a downgrade takes back, last first.
    #[serde(default)]
    pub(super) pending: Vec<Migration>,
    /// Columns of tables, and values of enumerations.
    pub(super) tables: Shape,
    /// Indexes, constraints and defaults.
    pub(super) details: Shape,
}

/// What came of an upgrade or a downgrade.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Moved {
    pub(super) ran: Vec<Ran>,
    pub(super) failed: Option<Failed>,
    /// What is there now, when that could be read.
    pub(super) now: Option<Seen>,
}

/// Why it went no further.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) migration: Option<Migration>,
    pub(super) error: Words,
}

/// The last words of an error in Python.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Words {
    pub(super) kind: String,
    pub(super) said: String,
    pub(super) lines: Vec<String>,
}

/// Something that the script knows by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trouble {
    pub(super) kind: String,
    pub(super) said: String,
    pub(super) revisions: Vec<String>,
}

/// The whole answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer<T> {
    Done(T),
    Trouble(Trouble),
    Error(Words),
}

/// A schema as it was: what a way back leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    pub(super) revisions: Vec<String>,
    pub(super) tables: Shape,
    pub(super) details: Shape,
}

impl Schema {
    /// The revisions: one, unless branches were not merged; none in an empty database.
    pub fn revisions(&self) -> &[String] {
        &self.revisions
    }
}

impl Seen {
    /// What is to be put back.
    pub(super) fn schema(&self) -> Schema {
        Schema { revisions: self.current.clone(), tables: self.tables.clone(), details: self.details.clone() }
    }
}

/// A migration, as the history of the code has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its revision: any word.
    pub revision: String,
    /// The first line of what is written over it.
    pub title: String,
    /// The revisions it comes after: one, none for the first, several for a merge.
    pub after: Vec<String>,
    /// Whether nothing comes after it.
    pub head: bool,
    /// Its file.
    pub file: PathBuf,
}

/// A migration, with all that is written in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Which it is, and what is known of its way back.
    #[serde(flatten)]
    pub migration: Migration,
    /// Its file.
    pub file: PathBuf,
    /// What is in that file.
    pub source: String,
}

/// How one shape differs from another: the names that do.
pub(super) fn different(one: &Shape, other: &Shape) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}
