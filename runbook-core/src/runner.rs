//! The runner: executes, resumes, plans and verifies the procedures of a book.

use std::sync::Arc;

use crate::event::RunEnded;
use crate::{Book, Clock, Host, Outcome, People, Plan, Reader, Result, RunId, Stored, journal::Store};

/// What happens when a step or a check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum OnFailure {
    /// Everything is put back.
    #[default]
    RollBack,
    /// The run pauses for a person, who resumes it.
    Pause,
    /// Someone is asked; when nobody is there, the run pauses.
    Ask,
}

/// How a run is taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resume {
    /// From where it stopped; a step that failed is tried again.
    #[default]
    Continue,
    /// Backwards: everything is put back.
    RollBack,
}

/// Executes, resumes, plans and verifies the procedures of a [`Book`].
pub struct Runner {}

/// A run that ended, or stopped for now.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub ended: RunEnded,
}

impl Finished {
    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.ended.outcome
    }
}

impl Runner {
    /// A runner of this book on this machine, with a journal in memory, that nobody listens to.
    pub fn new(book: Book) -> Self {
        todo!()
    }

    /// Keeping journals here.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        todo!()
    }

    /// With one more reader of events.
    pub fn reader(mut self, reader: impl Reader + 'static) -> Self {
        todo!()
    }

    /// Asking these people.
    pub fn people(mut self, people: impl People + 'static) -> Self {
        todo!()
    }

    /// Acting on this host unless the procedure says otherwise.
    pub fn host(mut self, host: impl Host + 'static) -> Self {
        todo!()
    }

    /// Telling the time with this clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        todo!()
    }

    /// With a port for its steps, which they find with [`Context::port`](crate::Context::port).
    pub fn port<T: std::any::Any + Send + Sync>(mut self, port: T) -> Self {
        todo!()
    }

    /// Doing this on failure.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        todo!()
    }

    /// How the run is asked to stop.
    pub fn interrupts(&self) -> Interrupts {
        todo!()
    }

    /// Runs a procedure.
    pub async fn run(self, procedure: &str, inputs: Stored) -> Result<Finished> {
        todo!()
    }

    /// Runs a procedure if the world is still as it was when the plan was made.
    pub async fn run_plan(self, procedure: &str, inputs: Stored, plan: &Plan) -> Result<Finished> {
        todo!()
    }

    /// Takes a run up again.
    pub async fn resume(self, run: &RunId, how: Resume) -> Result<Finished> {
        todo!()
    }

    /// Answers what a waiting run waits for, and takes it up again.
    pub async fn approve(self, run: &RunId, by: &str, note: &str) -> Result<Finished> {
        todo!()
    }

    /// Plans a procedure: surveys only, changes nothing.
    pub async fn plan(self, procedure: &str, inputs: Stored) -> Result<Plan> {
        todo!()
    }

    /// Replays a saved journal against the code, changing nothing.
    pub async fn verify(self, run: &RunId) -> Result<()> {
        todo!()
    }
}

/// How a run is asked to stop, from a signal handler or another task.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {}

impl Interrupts {
    /// Asks the run to stop. The first time, the current step is finished; the second time, the current command is
    /// ended. Then the run is rolled back or parked, as its policy says.
    pub fn interrupt(&self) {
        todo!()
    }
}
