//! A dump, as later steps know it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::host::Attributes;
use runbook_core::{Context, Error, Result};
use serde::{Deserialize, Serialize};

use super::super::handle::Kept;
use crate::postgres::{Ask, Database, Notice, Open};

/// How a dump is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// PostgreSQL's own, of which `pg_restore` can take parts, and with many hands.
    #[default]
    Custom,
    /// SQL, for people and for `psql`.
    Plain,
}

impl Format {
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Custom => "dump.zst",
            Self::Plain => "dump.sql.zst",
        }
    }

    pub(super) fn option(self) -> &'static str {
        match self {
            Self::Custom => "--format=custom",
            Self::Plain => "--format=plain",
        }
    }
}

/// What is in a database: what a restored one is compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// What alembic says its schema is; `None` when alembic does not know it.
    pub revisions: Option<Vec<String>>,
    /// The number of rows of every table.
    pub rows: BTreeMap<String, u64>,
}

impl Contents {
    /// What is in there now, all of one moment if the session has a snapshot.
    pub(crate) async fn read(session: &mut Open) -> Result<Self> {
        Ok(Self { revisions: session.ask(&Ask::Revisions).await?, rows: session.ask(&Ask::RowCounts).await? })
    }

    /// All rows of all tables.
    pub fn total(&self) -> u64 {
        self.rows.values().sum()
    }

    /// How another one differs, a line for each table.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let tables: std::collections::BTreeSet<&String> = self.rows.keys().chain(other.rows.keys()).collect();
        let count = |rows: Option<&u64>| rows.map_or_else(|| "no table".to_owned(), |rows| format!("{rows} rows"));
        let mut lines: Vec<String> = tables
            .into_iter()
            .filter(|table| self.rows.get(*table) != other.rows.get(*table))
            .map(|table| format!("{table}: {} -> {}", count(self.rows.get(table)), count(other.rows.get(table))))
            .collect();
        if self.revisions != other.revisions {
            lines.push(format!("revision: {:?} -> {:?}", self.revisions, other.revisions));
        }
        lines
    }

    /// An error unless this is what was dumped.
    pub(super) fn require(&self, dump: &Dump) -> Result<()> {
        if *self == dump.contents {
            return Ok(());
        }
        let error = Error::new(format!("`{}` does not restore to what was backed up", dump.path.display()));
        Err(error.details(dump.contents.differences(self)))
    }
}

/// A dump that was made whole, with a manifest of what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// The directory that holds it.
    pub path: PathBuf,
    /// The name of the database.
    pub name: String,
    /// The database, without any password.
    pub database: Database,
    /// How it is written.
    pub format: Format,
    /// The SHA-256 checksum of its file, in hexadecimal digits.
    pub checksum: String,
    /// The size of its file.
    pub bytes: u64,
    /// What was in the database.
    pub contents: Contents,
    /// What the server said of itself; `None` in a plan.
    pub server: Option<Notice>,
    /// The versions of the programs that made it.
    pub tools: Vec<String>,
    /// When it was begun; `None` in a plan.
    pub taken_at: Option<Timestamp>,
}

/// The note in the directory of a dump that somebody needs: why.
const NEEDED: &str = "needed";

/// Why a dump must stay, when it must.
pub(super) async fn needed(cx: &Context, path: &Path) -> Result<Option<String>> {
    let note = path.join(NEEDED);
    match cx.files().stat(&note).await? {
        Some(_) => Ok(Some(String::from_utf8_lossy(&cx.files().read(&note).await?).trim().to_owned())),
        None => Ok(None),
    }
}

impl Dump {
    /// Keeps it, whatever is rolled back: it is the only way to put something right.
    pub(crate) async fn pin(&self, cx: &Context, why: &str) -> Result<()> {
        let note = self.path.join(NEEDED);
        cx.files().write(&note, why.as_bytes(), &Attributes::mode(0o600)).await
    }

    /// It is needed no more.
    pub(crate) async fn unpin(&self, cx: &Context) -> Result<()> {
        cx.files().remove(&self.path.join(NEEDED)).await
    }

    /// Its file.
    pub fn file(&self) -> PathBuf {
        self.path.join(self.format.file())
    }

    /// An error unless the file still has its checksum, and this is the dump that is described there.
    pub(super) async fn require_whole(&self, cx: &Context) -> Result<()> {
        let path = self.path.display();
        match super::super::handle::read::<Self>(cx, &self.path).await? {
            None => return Err(Error::new(format!("the backup `{path}` does not exist"))),
            Some(found) if found != *self => {
                return Err(Error::new(format!("`{path}` is another backup than the one meant")));
            }
            Some(_) => {}
        }
        super::super::archive::require(cx, &self.file(), &self.checksum).await
    }
}

impl Kept for Dump {
    const ABOUT: &'static str = "dump.json";

    fn found_at(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }

    fn place(&self) -> &Path {
        &self.path
    }

    fn of_what(&self) -> &str {
        &self.name
    }

    fn content(&self) -> (PathBuf, u64) {
        (self.file(), self.bytes)
    }

    fn begun_at(&self) -> Option<Timestamp> {
        self.taken_at
    }

    fn amount(&self) -> String {
        format!("{} rows in {} tables, {} bytes", self.contents.total(), self.contents.rows.len(), self.bytes)
    }
}
