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

/// One thing that was counted.
#[derive(Debug, Clone)]
pub(crate) struct Tick {
    pub(crate) moment: Moment,
    /// What was done, for people.
    pub(crate) what: String,
    /// How many changes it made.
    pub(crate) changes: u64,
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
    die_after: Option<u64>,
    times: HashMap<(Key, Act), u32>,
    ticks: Vec<Tick>,
    counted: u64,
    struck: Vec<Fault>,
}

/// How an operation may go on.
pub(crate) struct Gate {
    fault: Option<Fault>,
    tick: Option<usize>,
    last: bool,
}

impl Drill {
    pub(crate) fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        let state = State { faults: faults.into_iter().collect(), ..State::default() };
        Self { state: Mutex::new(state), dead: CancellationToken::new() }
    }

    /// Dies once this many journal writes and host operations have been made.
    pub(crate) fn dying_after(count: u64) -> Self {
        let state = State { die_after: Some(count), ..State::default() };
        Self { state: Mutex::new(state), dead: CancellationToken::new() }
    }

    /// What was counted in the acts of steps, in order.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        self.lock().ticks.clone()
    }

    /// The faults that happened.
    pub(crate) fn struck(&self) -> Vec<Fault> {
        self.lock().struck.clone()
    }

    /// How many journal writes and host operations were made.
    pub(crate) fn counted(&self) -> u64 {
        self.lock().counted
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
        let Ok(work) = AT_WORK.try_with(Arc::clone) else {
            return Ok(Gate { fault: None, tick: None, last: self.count() });
        };
        let Some((key, act, nth)) = work.act.clone() else { return Ok(Gate { fault: None, tick: None, last: false }) };
        let at = At::Operation(work.operations.fetch_add(1, Ordering::Relaxed));
        let moment = Moment { key, act, nth, at };
        let (fault, tick) = (self.strike(&moment), self.tick(moment, what()));
        match fault {
            Some(Fault { how, after: None, .. }) => match how {
                How::Die => self.die().await,
                How::Fail => Err(injected("the operation is refused")),
            },
            fault => Ok(Gate { fault, tick: Some(tick), last: self.count() }),
        }
    }

    /// The operation was done, with this many changes. An error is one that it ends in nevertheless.
    pub(crate) async fn leave(&self, gate: Gate, changes: u64) -> Result<()> {
        if let Some(tick) = gate.tick {
            self.lock().ticks[tick].changes = changes;
        }
        match gate.fault.map(|fault| fault.how) {
            Some(How::Fail) => Err(injected("the operation was cut off")),
            Some(How::Die) => self.die().await,
            None if gate.last => self.die().await,
            None => Ok(()),
        }
    }

    /// Remembers a memo by `write`, unless the runner dies before or after.
    pub(crate) async fn write<T>(&self, write: impl FnOnce() -> T) -> T {
        if self.dead.is_cancelled() {
            self.die().await;
        }
        let written = write();
        if self.count() {
            self.die().await;
        }
        written
    }

    async fn pass(&self, at: At) -> Result<()> {
        let Ok(Some((key, act, nth))) = AT_WORK.try_with(|work| work.act.clone()) else { return Ok(()) };
        let moment = Moment { key, act, nth, at };
        let fault = self.strike(&moment);
        self.tick(moment, String::new());
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
        let fault = state.faults.remove(n);
        state.struck.push(fault.clone());
        Some(fault)
    }

    fn tick(&self, moment: Moment, what: String) -> usize {
        let mut state = self.lock();
        state.ticks.push(Tick { moment, what, changes: 0 });
        state.ticks.len() - 1
    }

    /// Counts one more; tells whether it is the last before death.
    fn count(&self) -> bool {
        let mut state = self.lock();
        state.counted += 1;
        state.die_after == Some(state.counted)
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
