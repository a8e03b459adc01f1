//! Two sketches that froze the port: would [`Journal`] fit a team's PostgreSQL, and an engine for durable execution like
//! Restate? Both compile against the trait and pass one drill; neither is shipped.
//!
//! What they settled:
//!
//! - **`once` takes the effect.** PostgreSQL would do with `get` and `append`. Restate would not: its `ctx.run(name, effect)`
//!   decides itself whether the effect happens, and a journal that is asked first and told later cannot be built on it.
//! - **Durability belongs to the memo.** PostgreSQL holds back what need not be durable and commits it with the next memo
//!   that must, one round trip a step, as the file does with its sync. Restate streams its journal and ignores it.
//! - **`recall` and `entries` are about the past only.** Both can be filled once, when the journal is opened: from a
//!   `SELECT`, and from the state that a Restate object keeps beside its journal, where `once` copies each memo.
//! - **The lock is the store's.** In PostgreSQL it is a row with a fencing number that every write names; an execution
//!   that lost its lease cannot write any more, and its `once` fails like a full disk does: nothing more is changed. In
//!   Restate an object runs one invocation at a time, which is the lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;

use super::index::Index;
use super::{Effect, Entry, Journal, Memo, Part, Slot};
use crate::engine::locked;
use crate::{Error, ErrorKind, Key, Result};

/// The journal of a team, in a table: `run, n, entry`, fenced by `lease.fence`.
struct Postgres {
    index: Index,
    table: Arc<Mutex<Table>>,
    fence: u64,
    /// What waits for the next commit.
    held_back: Mutex<Vec<Entry>>,
}

/// What stands for the server in this sketch.
#[derive(Default)]
struct Table {
    fence: u64,
    rows: Vec<Entry>,
    commits: u32,
}

impl Postgres {
    /// `UPDATE lease SET fence = fence + 1, until = now() + '30 s' WHERE … RETURNING fence`, then `SELECT entry`.
    fn open(table: &Arc<Mutex<Table>>) -> Self {
        let mut held = locked(table);
        held.fence += 1;
        let index = Index::new(held.rows.clone());
        Self { index, table: table.clone(), fence: held.fence, held_back: Mutex::default() }
    }

    /// `BEGIN; INSERT … SELECT … FROM lease WHERE fence = $1; COMMIT`
    fn commit(&self) -> Result<()> {
        let mut table = locked(&self.table);
        if table.fence != self.fence {
            return Err(Error::of(ErrorKind::Journal, "another runner has taken this run over"));
        }
        table.rows.append(&mut locked(&self.held_back));
        table.commits += 1;
        Ok(())
    }
}

#[async_trait]
impl Journal for Postgres {
    async fn once(&self, slot: Slot, effect: Effect<'_>) -> Result<Memo> {
        if let Some(memo) = self.index.recall(&slot) {
            return Ok(memo);
        }
        let memo = effect.await?;
        let entry = Entry { at: Timestamp::UNIX_EPOCH, key: slot.key, part: slot.part, memo: memo.clone() };
        locked(&self.held_back).push(entry);
        if memo.is_barrier() {
            self.commit()?;
        }
        Ok(memo)
    }

    fn recall(&self, slot: &Slot) -> Option<Memo> {
        self.index.recall(slot)
    }

    fn entries(&self) -> &[Entry] {
        self.index.entries()
    }

    async fn close(&self, _over: bool) -> Result<()> {
        self.commit()
    }
}

/// The journal of a durable-execution engine, which owns the decision whether an effect happens.
struct Restate {
    index: Index,
    context: Arc<Invocation>,
}

/// What stands for Restate's context in this sketch: `run` and the state of an object.
#[derive(Default)]
struct Invocation {
    journal: Mutex<BTreeMap<String, String>>,
    state: Mutex<Vec<Entry>>,
}

impl Invocation {
    /// `ctx.run(|| effect).name(name)`
    async fn run(&self, name: String, effect: impl Future<Output = Result<String>> + Send) -> Result<String> {
        if let Some(value) = locked(&self.journal).get(&name).cloned() {
            return Ok(value);
        }
        let value = effect.await?;
        locked(&self.journal).insert(name, value.clone());
        Ok(value)
    }
}

#[async_trait]
impl Journal for Restate {
    async fn once(&self, slot: Slot, effect: Effect<'_>) -> Result<Memo> {
        let name = format!("{}/{:?}", slot.key, slot.part);
        let text = async {
            let memo = effect.await?;
            let entry = Entry { at: Timestamp::UNIX_EPOCH, key: slot.key, part: slot.part, memo: memo.clone() };
            locked(&self.context.state).push(entry);
            Ok(serde_json::to_string(&memo)?)
        };
        Ok(serde_json::from_str(&self.context.run(name, text).await?)?)
    }

    fn recall(&self, slot: &Slot) -> Option<Memo> {
        self.index.recall(slot)
    }

    fn entries(&self) -> &[Entry] {
        self.index.entries()
    }

    async fn close(&self, _over: bool) -> Result<()> {
        Ok(())
    }
}

/// An effect that counts how often it happens.
fn counting(count: &Mutex<u32>, memo: Memo) -> Effect<'_> {
    Box::pin(async move {
        *locked(count) += 1;
        Ok(memo)
    })
}

async fn happens_once(first: &dyn Journal, reopen: impl FnOnce() -> Box<dyn Journal>) -> Result<()> {
    let (count, key) = (Mutex::new(0), Key::root().child(0));
    let took = std::time::Duration::ZERO;
    let slot = || Slot::new(&key, Part::Undo);
    first.once(slot(), counting(&count, Memo::Undone { took })).await?;
    first.close(false).await?;
    let again = reopen();
    assert_eq!(again.recall(&slot()), Some(Memo::Undone { took }));
    assert_eq!(again.entries().len(), 1);
    again.once(slot(), counting(&count, Memo::Left)).await?;
    assert_eq!(*locked(&count), 1, "an effect that is remembered does not happen again");
    Ok(())
}

#[tokio::test]
async fn the_port_fits_postgresql_and_a_lost_lease_stops_the_run() -> Result<()> {
    let table = Arc::new(Mutex::new(Table::default()));
    let first = Postgres::open(&table);
    happens_once(&first, || Box::new(Postgres::open(&table))).await?;
    let late =
        first.once(Slot::new(&Key::root(), Part::Unwind), Box::pin(async { Ok(Memo::Unwinding(Error::new("no"))) }));
    assert_eq!(late.await.map_err(|error| error.kind()), Err(ErrorKind::Journal));
    Ok(())
}

#[tokio::test]
async fn on_postgresql_a_step_costs_one_round_trip() -> Result<()> {
    let table = Arc::new(Mutex::new(Table::default()));
    let journal = Postgres::open(&table);
    for n in 0..10 {
        let key = Key::root().child(n);
        let before = crate::Stored::of(&n)?;
        let looked = super::Looked::Change { before: before.clone(), changes: Vec::new() };
        let (kind, subject, title) = ("k".into(), "s".into(), "t".into());
        let surveyed = Memo::Surveyed { kind, subject, title, host: "h".into(), irreversible: None, looked };
        journal.once(Slot::new(&key, Part::Survey), Box::pin(async { Ok(surveyed) })).await?;
        let applied = Memo::Applied { output: before, took: std::time::Duration::ZERO, found: false };
        journal.once(Slot::new(&key, Part::Apply), Box::pin(async { Ok(applied) })).await?;
    }
    assert_eq!(locked(&table).commits, 10);
    Ok(())
}

#[tokio::test]
async fn the_port_fits_restate() -> Result<()> {
    let context = Arc::new(Invocation::default());
    let open = || Restate { index: Index::new(locked(&context.state).clone()), context: context.clone() };
    happens_once(&open(), || Box::new(open())).await
}
