//! What an execution found in its journal when it began, by slot.

use std::collections::HashMap;

use super::{Entry, Memo, Slot};

/// The entries of a journal, and where the value of each slot is among them.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
    slots: HashMap<Slot, usize>,
}

impl Index {
    /// The last value of a slot counts.
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let kept = entries.iter().enumerate().filter(|(_, entry)| entry.memo.is_kept());
        let slots = kept.map(|(n, entry)| (Slot::new(&entry.key, entry.part), n)).collect();
        Self { entries, slots }
    }

    pub(super) fn recall(&self, slot: &Slot) -> Option<Memo> {
        // A run that begins has nothing to look for; not even a hash is computed then.
        if self.slots.is_empty() {
            return None;
        }
        self.slots.get(slot).map(|n| self.entries[*n].memo.clone())
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}
