//! Journals in memory: for tests, and for runs that need not survive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;

use super::index::Index;
use super::{Began, Effect, Entry, Journal, Memo, Part, Slot, Store};
use crate::engine::locked;
use crate::{Error, ErrorKind, Key, Result, RunId};

/// Keeps journals in memory, as long as the store lives. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Runs>>);

#[derive(Debug, Default)]
struct Runs {
    journals: BTreeMap<RunId, Shared>,
    locks: BTreeMap<(String, String), Holder>,
}

#[derive(Debug, Clone)]
struct Holder {
    run: RunId,
    live: bool,
}

type Shared = Arc<Mutex<Vec<Entry>>>;

impl MemoryStore {
    /// Puts entries in the place of what a run's journal holds, for tests that cut it.
    pub fn replace(&self, run: &RunId, entries: Vec<Entry>) {
        locked(&self.0).journals.insert(run.clone(), Arc::new(Mutex::new(entries)));
    }

    fn journal(&self, run: &RunId, lock: (String, String)) -> Result<Box<dyn Journal>> {
        let mut runs = locked(&self.0);
        if let Some(holder) = runs.locks.get(&lock).filter(|holder| holder.live || holder.run != *run) {
            let state = if holder.live { "is running" } else { "stopped half way" };
            let message = format!("`{}` on `{}` is locked by run `{}`, which {state}", lock.0, lock.1, holder.run);
            return Err(Error::refused(message).hint(format!("resume it: resume {}", holder.run)));
        }
        runs.locks.insert(lock.clone(), Holder { run: run.clone(), live: true });
        let shared = runs.journals.entry(run.clone()).or_default().clone();
        let index = Index::new(locked(&shared).clone());
        Ok(Box::new(MemoryJournal { index, shared, lock, store: self.clone(), over: Mutex::new(false) }))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn begin(&self, run: &RunId, began: &Began) -> Result<Box<dyn Journal>> {
        let journal = self.journal(run, (began.book.clone(), began.target.clone()))?;
        let memo = Memo::Began(Box::new(began.clone()));
        journal.once(Slot::new(&Key::root(), Part::Began), Box::pin(async { Ok(memo) })).await?;
        Ok(journal)
    }

    async fn open(&self, run: &RunId) -> Result<Box<dyn Journal>> {
        let entries = self.read(run).await?;
        let Some(Memo::Began(began)) = entries.first().map(|entry| &entry.memo) else {
            return Err(Error::of(ErrorKind::Journal, format!("the journal of run `{run}` does not say how it began")));
        };
        self.journal(run, (began.book.clone(), began.target.clone()))
    }

    async fn read(&self, run: &RunId) -> Result<Vec<Entry>> {
        let runs = locked(&self.0);
        let shared = runs.journals.get(run).ok_or_else(|| Error::new(format!("there is no run `{run}`")))?;
        Ok(locked(shared).clone())
    }

    async fn runs(&self) -> Result<Vec<RunId>> {
        Ok(locked(&self.0).journals.keys().cloned().collect())
    }

    fn place(&self) -> String {
        "memory".into()
    }
}

/// The journal of one run in memory.
struct MemoryJournal {
    index: Index,
    shared: Shared,
    lock: (String, String),
    store: MemoryStore,
    over: Mutex<bool>,
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn once(&self, slot: Slot, effect: Effect<'_>) -> Result<Memo> {
        if let Some(memo) = self.index.recall(&slot) {
            return Ok(memo);
        }
        let memo = effect.await?;
        let entry = Entry { at: Timestamp::now(), key: slot.key, part: slot.part, memo: memo.clone() };
        locked(&self.shared).push(entry);
        Ok(memo)
    }

    fn recall(&self, slot: &Slot) -> Option<Memo> {
        self.index.recall(slot)
    }

    fn entries(&self) -> &[Entry] {
        self.index.entries()
    }

    async fn close(&self, over: bool) -> Result<()> {
        *locked(&self.over) = over;
        Ok(())
    }
}

impl Drop for MemoryJournal {
    fn drop(&mut self) {
        let mut runs = locked(&self.store.0);
        if *locked(&self.over) {
            runs.locks.remove(&self.lock);
        } else if let Some(holder) = runs.locks.get_mut(&self.lock) {
            holder.live = false;
        }
    }
}
