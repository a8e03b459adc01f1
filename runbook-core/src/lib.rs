//! The core of `runbook`: the vocabulary, and the engine that replays procedures.
//!
//! Read it in this order. The **vocabulary** ([`Step`], [`Rollback`], [`Check`], [`Description`], [`Error`],
//! [`Secret`], [`Command`], [`Host`], [`Outline`]) knows nothing of execution. The **memory** ([`journal`]) and the
//! **voice** ([`event`]) are what an execution leaves behind. The **run** ([`Run`]) is the handle a procedure works
//! through, and the [`Runner`] is what executes, resumes, plans and verifies procedures of a [`Book`].

mod check;
mod clock;
mod context;
mod description;
mod diff;
mod engine;
mod error;
mod explain;
mod imagine;
mod key;
mod outline;
mod people;
mod plan;
mod private;
mod procedure;
mod run;
mod runner;
mod secret;
mod step;
mod stored;

pub mod command;
pub mod event;
pub mod host;
pub mod journal;
pub mod redact;
pub mod report;
#[cfg(feature = "testing")]
pub mod testing;

/// What stands over an `impl Step` that is written by hand.
pub use async_trait::async_trait;
pub use check::{Check, CheckExt, Evidence, Finding, HoldsFor, InARow, Units, Within};
pub use clock::{Clock, SystemClock};
pub use command::Command;
pub use context::Context;
pub use description::{Description, Resource};
pub use diff::{Change, Diff};
pub use error::{Error, ErrorKind, Explain, Result};
pub use event::{CheckRole, Event, Left, LeftBecause, Outcome, Reader, RunId, ScopeKind};
pub use explain::{Explained, Explanation};
pub use host::{Host, Local};
pub use key::Key;
pub use outline::{Item, ItemKind, Outline};
pub use people::{Nobody, People, Question, QuestionKind, Reply, Verdict, whoami};
pub use plan::{Plan, Planned, PlannedStep};
pub use procedure::{Book, Definition, Input, NoInput, Part, Procedure};
pub use run::{AtOnce, EachBody, Gauge, Items, Reaction, Retry, Run, StepCall, Trigger, Window};
pub use runner::{Finished, Interrupts, OnFailure, Resume, Runner};
pub use secret::Secret;
pub use step::{Rollback, Step, Survey};
pub use stored::{Record, Stored};

/// What generated code calls. Nothing here is for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::private::*;
}
