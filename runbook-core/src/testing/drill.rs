//! Drills: what is counted while a run goes on, and where it is made to fail or to die.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::{Error, Key, Result};

tokio::task_local! {
    /// The act that the current task is about.
    static AT_WORK: Arc<Work>;
}

/// The acts of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Act {
    Survey,
    Apply,
    Rollback,
    Settle,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Survey => "survey",
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Settle => "settle",
        })
    }
}

/// One act of a step while it goes on. `None` for what an inspector does aside: it is neither counted nor hurt.
struct Work {
    act: Option<(Key, Act, u32)>,
    operations: AtomicU32,
}

/// A moment in an act of a step that comes again, at the same place, in another execution.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Moment {
    pub(crate) key: Key,
    pub(crate) act: Act,
    /// Which time the step does this, from 0.
    pub(crate) nth: u32,
    pub(crate) at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Begin,
    /// At this operation on a host, from 0.
    Operation(u32),
    End,
}

/// What goes wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) moment: Moment,
    pub(crate) how: How,
    /// How many changes the operation makes before it goes wrong; `None` when it does not even begin.
    pub(crate) after: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Fail,
    Die,
}

/// One moment that an execution came by.
#[derive(Debug, Clone)]
pub(crate) struct Tick {
    pub(crate) moment: Moment,
    /// How many changes were made there.
    pub(crate) changes: u64,
}

/// One thing that was done and counted: an operation on a host, the end of an act, a write to the journal.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    /// The step it belongs to, and what the step was doing; of a journal write, only whose it is.
    pub(crate) key: Option<Key>,
    pub(crate) act: Option<Act>,
    /// For people.
    pub(crate) what: String,
    /// Whether something may be different afterwards.
    pub(crate) changed: bool,
}

/// What is counted while one execution goes on, and what goes wrong in it.
#[derive(Default)]
pub(crate) struct Drill {
    state: Mutex<State>,
    dead: CancellationToken,
}

#[derive(Default)]
struct State {
    faults: Vec<Fault>,
    die_after: Option<usize>,
    times: HashMap<(Key, Act), u32>,
    ticks: Vec<Tick>,
    counted: Vec<Counted>,
}

/// How an operation may go on.
#[derive(Default)]
pub(crate) struct Gate {
    fault: Option<Fault>,
    tick: Option<usize>,
    counted: Option<Counted>,
}

impl Drill {
    pub(crate) fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        let state = State { faults: faults.into_iter().collect(), ..State::default() };
        Self { state: Mutex::new(state), dead: CancellationToken::new() }
    }

    /// Dies once this many things were counted.
    pub(crate) fn dying_after(mut self, count: usize) -> Self {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.die_after = Some(count);
        self
    }

    /// The moments in the acts of steps that were come by, in order.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        self.lock().ticks.clone()
    }

    /// What was done, in order.
    pub(crate) fn counted(&self) -> Vec<Counted> {
        self.lock().counted.clone()
    }

    /// Whether all faults have happened.
    pub(crate) fn has_struck(&self) -> bool {
        self.lock().faults.is_empty()
    }

    /// Ends when the runner dies.
    pub(crate) async fn death(&self) {
        self.dead.cancelled().await;
    }

    /// The runner dies here: nothing after this happens.
    pub(crate) async fn die(&self) -> ! {
        self.dead.cancel();
        loop {
            std::future::pending::<()>().await;
        }
    }

    /// Does one act of a step, with what goes wrong at its beginning and end.
    pub(crate) async fn act<T>(&self, key: &Key, act: Act, work: impl Future<Output = Result<T>>) -> Result<T> {
        let nth = {
            let mut state = self.lock();
            let times = state.times.entry((key.clone(), act)).or_default();
            *times += 1;
            *times - 1
        };
        let at_work = Work { act: Some((key.clone(), act, nth)), operations: AtomicU32::new(0) };
        AT_WORK
            .scope(Arc::new(at_work), async {
                self.pass(At::Begin).await?;
                let result = work.await;
                if result.is_ok() {
                    self.pass(At::End).await?;
                }
                result
            })
            .await
    }

    /// Does something that is neither counted nor hurt.
    pub(crate) async fn aside<T>(work: impl Future<Output = T>) -> T {
        AT_WORK.scope(Arc::new(Work { act: None, operations: AtomicU32::new(0) }), work).await
    }

    /// Asks to do an operation on a host. An error is one that the operation fails with before it did anything.
    pub(crate) async fn enter(&self, what: impl FnOnce() -> String) -> Result<Gate> {
        if self.dead.is_cancelled() {
            self.die().await;
        }
        let counted = |key, act| Counted { key, act, what: what(), changed: false };
        let Ok(work) = AT_WORK.try_with(Arc::clone) else {
            return Ok(Gate { counted: Some(counted(None, None)), ..Gate::default() });
        };
        let Some((key, act, nth)) = work.act.clone() else { return Ok(Gate::default()) };
        let at = At::Operation(work.operations.fetch_add(1, Ordering::Relaxed));
        let counted = counted(Some(key.clone()), Some(act));
        let moment = Moment { key, act, nth, at };
        let (fault, tick) = (self.strike(&moment), self.tick(moment));
        match fault {
            Some(Fault { how: How::Die, after: None, .. }) => self.die().await,
            Some(Fault { how: How::Fail, after: None, .. }) => Err(injected("the operation is refused")),
            fault => Ok(Gate { fault, tick: Some(tick), counted: Some(counted) }),
        }
    }

    /// The operation was done, with this many changes. An error is one that it ends in nevertheless.
    pub(crate) async fn leave(&self, gate: Gate, changes: u64) -> Result<()> {
        if let Some(tick) = gate.tick {
            self.lock().ticks[tick].changes = changes;
        }
        if let Some(counted) = gate.counted {
            self.count(Counted { changed: changes > 0, ..counted }).await;
        }
        match gate.fault.map(|fault| fault.how) {
            Some(How::Fail) => Err(injected("the operation was cut off")),
            Some(How::Die) => self.die().await,
            None => Ok(()),
        }
    }

    /// Something was written to the journal.
    pub(crate) async fn written(&self, key: &Key, what: &str) {
        let what = format!("journal: {what}");
        self.count(Counted { key: Some(key.clone()), act: None, what, changed: true }).await;
    }

    /// Goes on only while the runner lives.
    pub(crate) async fn alive(&self) {
        if self.dead.is_cancelled() {
            self.die().await;
        }
    }

    async fn pass(&self, at: At) -> Result<()> {
        let Ok(Some((key, act, nth))) = AT_WORK.try_with(|work| work.act.clone()) else { return Ok(()) };
        if at == At::End && act != Act::Survey {
            let what = format!("end of {act}");
            self.count(Counted { key: Some(key.clone()), act: Some(act), what, changed: true }).await;
        }
        let moment = Moment { key, act, nth, at };
        let fault = self.strike(&moment);
        self.tick(moment);
        match fault.map(|fault| fault.how) {
            Some(How::Die) => self.die().await,
            Some(How::Fail) if at == At::Begin => Err(injected("the step cannot begin")),
            Some(How::Fail) => Err(injected("the step failed at its very end")),
            None => Ok(()),
        }
    }

    fn strike(&self, moment: &Moment) -> Option<Fault> {
        let mut state = self.lock();
        let n = state.faults.iter().position(|fault| fault.moment == *moment)?;
        Some(state.faults.remove(n))
    }

    fn tick(&self, moment: Moment) -> usize {
        let mut state = self.lock();
        state.ticks.push(Tick { moment, changes: 0 });
        state.ticks.len() - 1
    }

    /// Counts one more, and dies if it was the last.
    async fn count(&self, counted: Counted) {
        let last = {
            let mut state = self.lock();
            state.counted.push(counted);
            state.die_after == Some(state.counted.len())
        };
        if last {
            self.die().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// How many changes reach the world; `None` for all.
    pub(crate) fn cut(&self) -> Option<u64> {
        self.fault.as_ref()?.after
    }
}

impl fmt::Debug for Drill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drill").finish_non_exhaustive()
    }
}

fn injected(what: &str) -> Error {
    Error::new(format!("injected fault: {what}"))
}
