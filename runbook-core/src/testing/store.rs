//! A store whose runner may die at each write.

use std::sync::Arc;

use async_trait::async_trait;

use crate::journal::{Began, Effect, Entry, Journal, Memo, MemoryStore, Slot, Store};
use crate::{Key, Result, RunId};

use super::drill::Drill;

/// Another store, with every write counted.
pub(crate) struct Drilled {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) drill: Arc<Drill>,
}

#[async_trait]
impl Store for Drilled {
    async fn begin(&self, run: &RunId, began: &Began) -> Result<Box<dyn Journal>> {
        let journal = self.watch(self.store.begin(run, began).await?);
        self.drill.written(&Key::root(), "the run began").await;
        Ok(journal)
    }

    async fn open(&self, run: &RunId) -> Result<Box<dyn Journal>> {
        Ok(self.watch(self.store.open(run).await?))
    }

    async fn read(&self, run: &RunId) -> Result<Vec<Entry>> {
        self.store.read(run).await
    }

    async fn runs(&self) -> Result<Vec<RunId>> {
        self.store.runs().await
    }

    fn place(&self) -> String {
        self.store.place()
    }
}

impl Drilled {
    fn watch(&self, journal: Box<dyn Journal>) -> Box<dyn Journal> {
        Box::new(Watched { journal, drill: self.drill.clone() })
    }
}

struct Watched {
    journal: Box<dyn Journal>,
    drill: Arc<Drill>,
}

#[async_trait]
impl Journal for Watched {
    async fn once(&self, slot: Slot, effect: Effect<'_>) -> Result<Memo> {
        let key = slot.key.clone();
        let mut fresh = false;
        let watched = Box::pin(async {
            self.drill.alive().await;
            let memo = effect.await?;
            self.drill.alive().await;
            fresh = true;
            Ok(memo)
        });
        let memo = self.journal.once(slot, watched).await?;
        if fresh {
            self.drill.written(&key, word(&memo)).await;
        }
        Ok(memo)
    }

    fn recall(&self, slot: &Slot) -> Option<Memo> {
        self.journal.recall(slot)
    }

    fn entries(&self) -> &[Entry] {
        self.journal.entries()
    }

    async fn close(&self, over: bool) -> Result<()> {
        self.journal.close(over).await
    }
}

/// Loses what was not yet sure to be on the disk when the runner died: all behind the last memo that had to be. Tells
/// whether there was any.
pub(crate) async fn lose_tail(store: &MemoryStore, run: &RunId) -> Result<bool> {
    let mut entries = store.read(run).await?;
    let durable = entries.iter().rposition(|entry| entry.memo.is_barrier()).map_or(0, |last| last + 1);
    let lost = durable < entries.len();
    entries.truncate(durable);
    store.replace(run, entries);
    Ok(lost)
}

fn word(memo: &Memo) -> &'static str {
    match memo {
        Memo::Surveyed { .. } => "surveyed",
        Memo::Applied { .. } => "applied",
        Memo::Failed(_) => "failed",
        Memo::Unwinding(_) => "rolling back",
        Memo::Undone { .. } => "undone",
        Memo::Settled { .. } => "settled",
        Memo::LeftBehind { .. } => "left behind",
        Memo::Ended(_) => "the run ended",
        Memo::Entered { .. } | Memo::Left => "a scope",
        Memo::Found { .. } => "a check was answered",
        _ => "a note",
    }
}
