//! Finding a fault: a symptom, its suspects, a cause. What follows from a cause is plain Rust.
//!
//! ```no_run
//! # use std::fmt;
//! # use runbook_core::{CheckExt as _, Result, Run, Units as _};
//! # use runbook_steps::{command, diagnosis::{self, Risk}, disk, port, sizes::Sizes as _};
//! #[derive(Debug, Clone, Copy)]
//! enum Cause { Disk, Database }
//! # impl fmt::Display for Cause {
//! #     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Debug::fmt(self, f) }
//! # }
//! # async fn make_room(run: &Run) -> Result<()> { Ok(()) }
//! # async fn start_database(run: &Run) -> Result<()> { Ok(()) }
//!
//! # async fn no_answer(run: &Run) -> Result<()> {
//! let found = diagnosis::of("the API does not answer", port::open("127.0.0.1", 8000))
//!     .suspect(Cause::Disk, disk::free("/srv").at_least(1.gib()))
//!     .suspect(Cause::Database, port::open("127.0.0.1", 5432))
//!     .ask(run)
//!     .await?;
//!
//! match found.cause()? {
//!     None => return Ok(()),
//!     Some(Cause::Disk) => make_room(run).await?,
//!     Some(Cause::Database) => {
//!         Risk::Noticeable.gate(run, "Start the database").await?;
//!         start_database(run).await?;
//!     }
//! }
//! found.cured(run, 60.seconds()).await
//! # }
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use runbook::{Check, CheckExt as _, Error, Finding, Result, Run};

use crate::probes::{self, Probes, Report};

/// A symptom, and what may cause it.
#[must_use = "a diagnosis asks nothing until `.ask(run).await?`"]
pub struct Diagnosis<C> {
    title: Arc<str>,
    healthy: Arc<dyn Check>,
    causes: Vec<C>,
    suspects: Probes,
}

/// The diagnosis of a symptom, which is there while this check does not pass.
pub fn of<C: fmt::Display>(symptom: impl Into<Arc<str>>, healthy: impl Check + 'static) -> Diagnosis<C> {
    Diagnosis {
        title: symptom.into(),
        healthy: Arc::new(healthy),
        causes: Vec::new(),
        suspects: probes::of("Suspects"),
    }
}

impl<C: fmt::Display> Diagnosis<C> {
    /// One more suspect, and the check that clears it. The first one that is not cleared is the cause, so the ones that
    /// explain others come first.
    pub fn suspect(mut self, cause: C, clears: impl Check + 'static) -> Self {
        self.suspects = self.suspects.shared(cause.to_string(), Arc::new(clears));
        self.causes.push(cause);
        self
    }

    /// Looks for the symptom, and when it is there asks about all suspects at once. Changes nothing.
    pub async fn ask(self, run: &Run) -> Result<Diagnosed<C>> {
        let Self { title, healthy, causes, suspects } = self;
        let (symptom, report) = run
            .scope(format!("Diagnose: {title}"), async |run| {
                let symptom = run.probe(title.clone(), healthy.clone()).await?;
                if symptom.passes() {
                    return Ok((symptom, None));
                }
                Ok((symptom, Some(suspects.ask(run).await?)))
            })
            .await?;
        Ok(Diagnosed { title, healthy, symptom, causes, report })
    }
}

/// What a diagnosis found.
pub struct Diagnosed<C> {
    title: Arc<str>,
    healthy: Arc<dyn Check>,
    symptom: Finding,
    causes: Vec<C>,
    report: Option<Report>,
}

impl<C: fmt::Display> Diagnosed<C> {
    /// Whether the symptom is not there (any more).
    pub fn is_healthy(&self) -> bool {
        self.symptom.passes()
    }

    /// The symptom as it was found.
    pub fn symptom(&self) -> &Finding {
        &self.symptom
    }

    /// The answers about the suspects; `None` when there was no symptom.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// The causes that were found, most telling first. A suspect nobody knows about is none.
    pub fn causes(&self) -> impl Iterator<Item = &C> {
        let answers = self.report.iter().flat_map(|report| &report.answers);
        let guilty =
            |(cause, answer): (_, &probes::Answer)| matches!(answer.finding, Finding::Fail(_)).then_some(cause);
        self.causes.iter().zip(answers).filter_map(guilty)
    }

    /// The cause; an error that says what was ruled out when there is a symptom and none was found.
    pub fn cause(&self) -> Result<Option<&C>> {
        match self.causes().next() {
            Some(cause) => Ok(Some(cause)),
            None if self.is_healthy() => Ok(None),
            None => Err(self.unexplained()),
        }
    }

    fn unexplained(&self) -> Error {
        let answers = self.report.iter().flat_map(|report| &report.answers).map(ToString::to_string);
        Error::new(format!("{}, and none of the known causes is there", self.title))
            .details(answers.collect::<Vec<_>>())
            .hint("what was found is listed; the cause is another one")
    }

    /// Asks for the symptom again until it is gone: the remedy worked. Fails when it is still there after this long.
    pub async fn cured(&self, run: &Run, within: Duration) -> Result<()> {
        run.check(format!("Cured: {}", self.title), self.healthy.clone().within(within)).await
    }
}

/// What a remedy may cost, and so who has to agree to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// It can be done at any time: it is.
    Harmless,
    /// Someone may notice it, like a restart: a person confirms it.
    Noticeable,
    /// It loses something, like queued work: a person of this role approves it.
    Destructive(&'static str),
}

impl Risk {
    /// Lets a remedy pass, once whoever has to has agreed to it.
    pub async fn gate(self, run: &Run, remedy: &str) -> Result<()> {
        match self {
            Self::Harmless => Ok(()),
            Self::Noticeable => run.confirm(format!("{remedy}?")).await,
            Self::Destructive(role) => {
                run.confirm(format!("{remedy}? It loses something.")).await?;
                run.approve(role).await
            }
        }
    }
}
