//! The journal: the durable memory of a run.
//!
//! A procedure is replayed, so a journal needs one verb: [`Journal::once`] gives the value remembered in a
//! [`Slot`], or runs an effect, remembers what came of it and gives that. Beside it stand reading and,
//! for a place that keeps many runs, the [`Store`].

use std::pin::Pin;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Key, Result, RunId};

pub use self::file::FileStore;
pub use self::memo::{Answer, Began, Ended, Looked, Memo, Part};
pub use self::memory::MemoryStore;

mod file;
mod index;
mod line;
mod lock;
mod memo;
mod memory;
#[cfg(test)]
mod sketches;

/// The version of the journal's format. A reader refuses a newer one; an older one it reads.
///
/// 1: the first. 2: what was said, warned of and tried again, and on which hosts.
pub const FORMAT: u32 = 2;

/// Where something is remembered: the key of the effect and the part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Whose.
    pub key: Key,
    /// Which part of it.
    pub part: Part,
}

impl Slot {
    /// The slot of this part of this key.
    pub fn new(key: &Key, part: Part) -> Self {
        Self { key: key.clone(), part }
    }
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was remembered.
    pub at: Timestamp,
    /// Whose it is.
    #[serde(rename = "k")]
    pub key: Key,
    /// Which part of it.
    #[serde(rename = "p")]
    pub part: Part,
    /// What is remembered.
    #[serde(rename = "m")]
    pub memo: Memo,
}

/// Something that happens once: it runs only when the journal does not remember it.
pub type Effect<'a> = Pin<Box<dyn Future<Output = Result<Memo>> + Send + 'a>>;

/// The memory of one run.
#[async_trait]
pub trait Journal: Send + Sync {
    /// The memo in this slot. When there is none, runs the effect and remembers its memo; an effect that ends in an
    /// error is not remembered.
    ///
    /// When this returns, the memo is durable if it [must be](Memo::is_barrier), with all that came before it;
    /// else it becomes durable with the next that must.
    async fn once(&self, slot: Slot, effect: Effect<'_>) -> Result<Memo>;

    /// The memo in this slot, when it was remembered before this execution began.
    fn recall(&self, slot: &Slot) -> Option<Memo>;

    /// Everything remembered before this execution began, oldest first.
    fn entries(&self) -> &[Entry];

    /// Ends this execution. A run that is over for good gives its lock back.
    async fn close(&self, over: bool) -> Result<()>;
}

/// A place that keeps the journals of many runs, and their locks.
#[async_trait]
pub trait Store: Send + Sync {
    /// Begins a run: takes the lock of its book and target, and remembers how it began. Refused, naming the holder,
    /// when another run holds the lock.
    async fn begin(&self, run: &RunId, began: &Began) -> Result<Box<dyn Journal>>;

    /// Opens the journal of a run to go on with it, taking its lock over from an execution that is gone.
    async fn open(&self, run: &RunId) -> Result<Box<dyn Journal>>;

    /// Reads the journal of a run, live or not, without touching it.
    async fn read(&self, run: &RunId) -> Result<Vec<Entry>>;

    /// The runs it keeps, oldest first.
    async fn runs(&self) -> Result<Vec<RunId>>;

    /// Where it is, for people.
    fn place(&self) -> String;

    /// A file beside the journal of a run, where the run may note which processes it started.
    fn scratch(&self, run: &RunId) -> Option<std::path::PathBuf> {
        let _ = run;
        None
    }
}
