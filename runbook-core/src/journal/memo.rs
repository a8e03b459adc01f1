//! What a journal remembers: few kinds, small, and apart from the events, which are many and rich.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::What;
use crate::{Change, CheckRole, Error, Event, Evidence, Finding, LeftBecause, OnFailure, Outcome, ScopeKind, Stored};

/// One remembered thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memo {
    /// The run began.
    Began(Box<Began>),
    /// A scope was entered.
    Entered {
        /// Its title.
        title: Arc<str>,
        /// Its kind.
        kind: ScopeKind,
        /// The inputs of a called procedure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inputs: Option<Stored>,
    },
    /// A scope ended well.
    Left,
    /// A step looked at the world.
    Surveyed {
        /// Its kind.
        kind: Arc<str>,
        /// What it acts on.
        subject: Arc<str>,
        /// Its title.
        title: Arc<str>,
        /// Where its commands run.
        #[serde(default = "here", skip_serializing_if = "is_here")]
        host: Arc<str>,
        /// Why it cannot be undone, when it cannot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        irreversible: Option<Arc<str>>,
        /// What it saw.
        looked: Looked,
    },
    /// A step was applied.
    Applied {
        /// Its output.
        output: Stored,
        /// How long it took.
        took: Duration,
        /// Whether it was found done after an interruption.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        found: bool,
    },
    /// A step, a check or a survey failed for good.
    Failed(Error),
    /// A check was answered.
    Found {
        /// Its kind.
        kind: Arc<str>,
        /// What it asks about.
        subject: Arc<str>,
        /// Its title.
        title: Arc<str>,
        /// Where it looked.
        #[serde(default = "here", skip_serializing_if = "is_here")]
        host: Arc<str>,
        /// What follows from a bad answer.
        #[serde(default, skip_serializing_if = "CheckRole::is_check")]
        role: CheckRole,
        /// The answer.
        finding: Finding,
        /// How long it took.
        took: Duration,
    },
    /// A person or the clock answered.
    Answered(Answer),
    /// A person was asked, and nobody was there: the run waits for `approve`.
    Asked {
        /// What is asked.
        title: Arc<str>,
        /// Who can answer, when not just anyone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
    },
    /// A value that would differ at another time: the time itself, for one.
    Value(Stored),
    /// A trigger of a guard fired.
    Triggered {
        /// The trigger.
        title: Arc<str>,
        /// What it saw.
        evidence: Evidence,
        /// What follows.
        error: Error,
    },
    /// Nothing before this is undone.
    PointOfNoReturn {
        /// Why.
        why: Arc<str>,
    },
    /// A scope is being rolled back.
    Unwinding(Error),
    /// A step was undone.
    Undone {
        /// How long it took.
        took: Duration,
    },
    /// A step has settled after the rollback of those before it.
    Settled {
        /// How long it took.
        took: Duration,
    },
    /// A change is still there.
    LeftBehind {
        /// Its title.
        title: Arc<str>,
        /// Why.
        why: LeftBecause,
        /// What a person would type to undo it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        commands: Vec<String>,
    },
    /// An event that nothing else here tells of: a note, a warning, a try that failed, a wish to stop, a downtime.
    Told(Box<Event>),
    /// The run stopped for now.
    Parked(Error),
    /// The run was taken up again.
    Resumed {
        /// By whom.
        by: String,
    },
    /// The run ended.
    Ended(Box<Ended>),
}

/// The name of the host that is this machine.
fn here() -> Arc<str> {
    "localhost".into()
}

/// Most steps run on this machine, and a journal need not say so.
fn is_here(host: &Arc<str>) -> bool {
    **host == *"localhost"
}

/// How a run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Began {
    /// The version of the journal's format.
    pub format: u32,
    /// The book.
    pub book: String,
    /// The procedure, by name.
    pub procedure: String,
    /// Its title.
    pub title: String,
    /// What it runs against.
    pub target: String,
    /// Its inputs.
    pub inputs: Stored,
    /// The fingerprint of its source.
    pub fingerprint: u64,
    /// Who started it.
    pub by: String,
    /// The machine the runner is on.
    pub host: String,
    /// The process of the runner.
    pub pid: u32,
    /// What happens on failure.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// Why it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// What the procedure returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Stored>,
}

/// What a step saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Looked {
    /// It is already so.
    Already(Stored),
    /// It will change.
    Change {
        /// What a rollback needs.
        before: Stored,
        /// What will change.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
    },
}

/// An answer: what was asked, who answered, with what evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What was asked.
    pub title: String,
    /// Whether it was a yes.
    pub yes: bool,
    /// Who, and what they said.
    pub evidence: Evidence,
}

/// The parts of an effect that are remembered, each in a slot of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Of the run: how it began.
    Began,
    /// Of a scope: that it was entered.
    Entered,
    /// Of a scope: that it ended well.
    Left,
    /// Of a step: what it saw.
    Survey,
    /// Of a step: what came of it.
    Apply,
    /// Of a check: its answer. Of a person: theirs. Of the clock: the time.
    Value,
    /// Of a guard: that it fired.
    Trigger,
    /// Of a scope: that it is being rolled back.
    Unwind,
    /// Of a step: that it was undone.
    Undo,
    /// Of a step: that it settled.
    Settle,
    /// Of the run: how it ended.
    End,
    /// Anything that is only noted, and never asked for again.
    Note,
}

impl Memo {
    /// The event in it.
    pub(crate) fn told(&self) -> Option<What> {
        match self {
            Self::Told(event) => Some(event.what.clone()),
            _ => None,
        }
    }

    /// Whether it is remembered as the value of its slot. The others are only noted: the effect happens again on replay.
    pub fn is_kept(&self) -> bool {
        match self {
            Self::LeftBehind { .. } | Self::Parked(_) | Self::Asked { .. } | Self::Resumed { .. } | Self::Told(_) => {
                false
            }
            Self::Ended(ended) => ended.outcome.is_final(),
            _ => true,
        }
    }

    /// Whether it must be durable before anything else happens: what was there before a change, every decision, and every
    /// undo. An undo is only repeated as long as nothing before it was undone, too: a checkout cannot be put back twice when
    /// the clone it lies in is gone.
    pub fn is_barrier(&self) -> bool {
        match self {
            Self::Surveyed { looked, .. } => matches!(looked, Looked::Change { .. }),
            Self::Began(_)
            | Self::Undone { .. }
            | Self::Settled { .. }
            | Self::Answered(_)
            | Self::Triggered { .. }
            | Self::PointOfNoReturn { .. }
            | Self::Unwinding(_)
            | Self::Parked(_)
            | Self::Asked { .. }
            | Self::Resumed { .. }
            | Self::Ended(_) => true,
            _ => false,
        }
    }
}
