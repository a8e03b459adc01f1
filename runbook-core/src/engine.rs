//! The engine: what stands behind a [`Run`](crate::Run).
//!
//! A procedure is replayed: running, resuming and rolling back are the same code. Every effect goes through the
//! journal's `once`; what is remembered returns at once, and the first effect that is not passes the [`gate`] and happens
//! for real. A [`scope`] keeps what to undo; [`unwind`] undoes it. Nothing else recovers from a crash, so nothing can
//! disagree with it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::context::World;
use crate::event::{Left, What};
use crate::explain::Sketch;
use crate::journal::{Effect, Journal, Memo, Part, Slot};
use crate::plan::Draft;
use crate::{Error, ErrorKind, Key, OnFailure, People, Result};

pub(crate) use self::ask::Asking;
pub(crate) use self::check::failed as check_failed;
pub(crate) use self::erased::{DynStep, Irreversible, Reversible};
pub(crate) use self::gate::{Again, Condition, in_words, mismatch};
pub(crate) use self::scope::Scope;
pub(crate) use self::take::{Taking, is_inside_a_step};
pub(crate) use self::undo::{Armed, Undo};

mod ask;
mod check;
mod erased;
mod gate;
mod scope;
mod take;
#[cfg(test)]
mod tests;
mod undo;

/// One execution of a procedure.
pub(crate) struct Engine {
    pub(crate) world: Arc<World>,
    pub(crate) journal: Box<dyn Journal>,
    pub(crate) people: Arc<dyn People>,
    pub(crate) on_failure: OnFailure,
    pub(crate) mode: Mode,
    pub(crate) again: Again,
    /// Why the run as a whole stops, once an effect was refused for it. A procedure that swallows this error does not end well.
    pub(crate) refused: OnceLock<Error>,
    /// Whether anything was, or may have been, changed.
    pub(crate) changed: AtomicBool,
    pub(crate) left: Mutex<Vec<Left>>,
}

/// What an execution is for.
pub(crate) enum Mode {
    /// Changing the world.
    Live,
    /// Looking what would change.
    Plan(Mutex<Draft>),
    /// Telling what the steps are, without looking at anything.
    Explain(Mutex<Sketch>),
    /// Comparing a journal with the code.
    Verify,
}

impl Engine {
    /// The value of a slot: the remembered one, or that of an effect.
    pub(crate) async fn once(&self, key: &Key, part: Part, effect: Effect<'_>) -> Result<Memo> {
        self.again.visit(key);
        self.same_sort(key, part)?;
        self.remember_told().await?;
        self.journal.once(Slot::new(key, part), effect).await
    }

    /// Remembers what was said since the last time, so that a run that is over still tells it.
    async fn remember_told(&self) -> Result<()> {
        let untold = self.world.voice.take_untold();
        if untold.is_empty() || !matches!(self.mode, Mode::Live) {
            return Ok(());
        }
        for event in untold.into_iter().filter(|event| !self.again.was_told(&event.what)) {
            let slot = Slot::new(&event.what.key(), Part::Note);
            self.journal.once(slot, Box::pin(async move { Ok(Memo::Told(Box::new(event))) })).await?;
        }
        Ok(())
    }

    /// An error when the journal remembers something of another sort under this key: a step where there is a check now.
    fn same_sort(&self, key: &Key, part: Part) -> Result<()> {
        let found = match part {
            Part::Entered => "a scope",
            Part::Survey => "a step",
            Part::Value => "a check or a value",
            _ => return Ok(()),
        };
        let mut others = [Part::Entered, Part::Survey, Part::Value].into_iter().filter(|other| *other != part);
        match others.find_map(|other| self.recall(key, other)) {
            Some(recorded) => Err(mismatch(key, &in_words(&recorded), found)),
            None => Ok(()),
        }
    }

    /// Remembers something that is never asked for again.
    pub(crate) async fn note(&self, key: &Key, memo: Memo) -> Result<()> {
        self.once(key, Part::Note, Box::pin(async { Ok(memo) })).await.map(drop)
    }

    /// Whether a slot has a value from an earlier execution.
    pub(crate) fn recall(&self, key: &Key, part: Part) -> Option<Memo> {
        self.journal.recall(&Slot::new(key, part))
    }

    pub(crate) fn say(&self, what: What) {
        if let What::Left(left) = &what {
            locked(&self.left).push(left.clone());
        }
        self.world.voice.say(self.world.clock.now(), what);
    }

    /// Whether nothing happens, in the world or in the journal: this only plans, or explains.
    pub(crate) fn is_dry(&self) -> bool {
        matches!(self.mode, Mode::Plan(_) | Mode::Explain(_))
    }

    /// The plan being drafted, when this execution makes one.
    pub(crate) fn draft(&self) -> Option<MutexGuard<'_, Draft>> {
        match &self.mode {
            Mode::Plan(draft) => Some(locked(draft)),
            _ => None,
        }
    }

    /// Stops the run for a person. It can be continued.
    pub(crate) async fn park(&self, key: &Key, error: Error) -> Error {
        let error = error.kind_of(ErrorKind::Parked);
        let parked = self.note(key, Memo::Parked(error.clone())).await.err().unwrap_or(error);
        self.refused.get_or_init(|| parked).clone()
    }
}

/// Whether a failed scope is left as it is: the run stops for now, or cannot go on at all.
pub(crate) fn stops_here(error: &Error) -> bool {
    use ErrorKind::{Horizon, Journal, Mismatch, Parked};
    matches!(error.kind(), Parked | Journal | Mismatch | Horizon)
}

/// The value in a mutex, whoever panicked while holding it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
