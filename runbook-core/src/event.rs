//! Events: what happens in a run, in one order, for people and programs. The engine prints nothing; everything
//! visible is a reader of this stream.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Change, Diff, Error, Evidence, Finding, Key, Stored, redact};

/// One thing that happened, numbered in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in this execution, from 0.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(rename = "event")]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// A run began, or was taken up again.
    RunBegan(RunBegan),
    /// A scope, an `each`, a hold, a guard or a called procedure began.
    ScopeBegan {
        /// Where.
        key: Key,
        /// For people.
        title: Arc<str>,
        /// What kind of scope.
        kind: ScopeKind,
    },
    /// It ended.
    ScopeEnded {
        /// Where.
        key: Key,
        /// Why it failed, when it did.
        error: Option<Error>,
    },
    /// A step began.
    StepBegan {
        /// Where.
        key: Key,
        /// For people.
        title: Arc<str>,
        /// The kind of step.
        kind: Arc<str>,
        /// What it does, in one line.
        summary: Arc<str>,
        /// Where its commands run.
        host: Arc<str>,
        /// Why it cannot be undone, when it cannot.
        irreversible: Option<Arc<str>>,
    },
    /// The step has looked, and will change this.
    StepSurveyed {
        /// Where.
        key: Key,
        /// What will change.
        changes: Vec<Change>,
    },
    /// The step ended well.
    StepEnded {
        /// Where.
        key: Key,
        /// How.
        how: StepEnd,
        /// How long it took.
        took: Duration,
        /// Its output.
        output: Stored,
    },
    /// The step failed and will be tried again.
    StepRetried {
        /// Where.
        key: Key,
        /// Which try failed, from 1.
        attempt: u32,
        /// How long it waits.
        after: Duration,
        /// Why.
        error: Error,
    },
    /// The step failed for good.
    StepFailed {
        /// Where.
        key: Key,
        /// Why.
        error: Error,
    },
    /// A command was started.
    CommandBegan {
        /// The step or check it belongs to.
        key: Key,
        /// The command, rendered, secrets masked.
        command: String,
    },
    /// A command printed a line.
    Line {
        /// The step or check it belongs to.
        key: Key,
        /// The line, redacted.
        line: String,
        /// Whether it came from standard error.
        error: bool,
    },
    /// A check, a precondition or an observation began.
    CheckBegan {
        /// Where.
        key: Key,
        /// For people.
        title: Arc<str>,
        /// The kind of check.
        kind: Arc<str>,
        /// What it asks, in one line.
        summary: Arc<str>,
        /// Where it looks.
        #[serde(default)]
        host: Arc<str>,
        /// What follows from a bad answer.
        role: CheckRole,
    },
    /// It was answered.
    CheckEnded {
        /// Where.
        key: Key,
        /// The answer.
        finding: Finding,
        /// How long it took.
        took: Duration,
    },
    /// The run waits for a person.
    Asked {
        /// Where.
        key: Key,
        /// What is asked.
        title: Arc<str>,
        /// Who can answer, when not just anyone.
        of: Option<String>,
    },
    /// A person, or the clock, answered.
    Answered {
        /// Where.
        key: Key,
        /// What was asked.
        title: Arc<str>,
        /// Who, and what they said.
        evidence: Evidence,
    },
    /// Something worth knowing that fails nothing.
    Warned {
        /// Where.
        key: Key,
        /// What.
        text: String,
    },
    /// A note from a step or a procedure.
    Said {
        /// Where.
        key: Key,
        /// What.
        text: String,
    },
    /// Something was watched while the steps went on, and this is what users saw of it.
    Watched {
        /// Where.
        key: Key,
        /// What was watched.
        of: Arc<str>,
        /// What was seen.
        outage: Outage,
    },
    /// A trigger of a guard fired.
    Triggered {
        /// The guard.
        key: Key,
        /// The trigger.
        title: String,
        /// What it saw.
        evidence: Evidence,
    },
    /// From here on nothing before is undone.
    PointOfNoReturn {
        /// Where.
        key: Key,
        /// Why.
        why: Arc<str>,
    },
    /// Rolling a scope back began.
    RollbackBegan {
        /// The scope; the root key for the whole run.
        key: Key,
        /// Why.
        cause: Error,
    },
    /// The undo of a step began.
    UndoBegan {
        /// The step.
        key: Key,
        /// Its title.
        title: Arc<str>,
        /// Whether this is its second act, once everything earlier is back.
        settling: bool,
    },
    /// The step is undone, or settled.
    UndoEnded {
        /// The step.
        key: Key,
        /// Whether this was its second act.
        settling: bool,
        /// How long it took.
        took: Duration,
    },
    /// The undo was not possible.
    Left(Left),
    /// The scope has been rolled back as far as possible.
    RollbackEnded {
        /// The scope.
        key: Key,
    },
    /// Someone asked the run to stop.
    Interrupted {
        /// Whether the current command is ended too.
        force: bool,
    },
    /// The run ended, or stopped for now.
    RunEnded(RunEnded),
}

/// The beginning of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunBegan {
    /// The run.
    pub run: RunId,
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
    /// Who started it.
    pub by: String,
    /// The machine the runner is on.
    pub host: String,
    /// Whether it was begun before, and is taken up again.
    pub resumed: bool,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEnded {
    /// How.
    pub outcome: Outcome,
    /// Why it did not end well.
    pub error: Option<Error>,
    /// What could not be put back.
    pub left: Vec<Left>,
    /// Warnings on the way.
    pub warnings: u32,
    /// What the procedure returned.
    pub output: Option<Stored>,
    /// How long this execution took.
    pub took: Duration,
}

/// What users saw of something that was watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// How often it was asked.
    pub asked: u64,
    /// How often there was no good answer.
    pub failed: u64,
    /// How long there was none, in all.
    pub total: Duration,
    /// How long there was none at a stretch.
    pub longest: Duration,
    /// When there was none; of very many stretches the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub down: Vec<Stretch>,
}

/// From one moment to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub to: Timestamp,
}

impl std::fmt::Display for Outage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { asked, failed, total, longest, .. } = self;
        if *failed == 0 {
            return write!(f, "no downtime, all of {asked} requests were answered well");
        }
        write!(f, "downtime {:.1} s, {failed} of {asked} requests failed", total.as_secs_f64())?;
        if longest < total {
            write!(f, ", the longest stretch was {:.1} s", longest.as_secs_f64())?;
        }
        Ok(())
    }
}

/// A change that is still there after a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The step.
    pub key: Key,
    /// Its title.
    pub title: Arc<str>,
    /// Why it was not undone.
    pub why: LeftBecause,
    /// What a person would type to undo it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

/// Why a change was not undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftBecause {
    /// Its undo failed.
    UndoFailed(Error),
    /// It was declared irreversible, for this reason.
    Irreversible(Arc<str>),
    /// A point of no return was passed, for this reason.
    PointOfNoReturn(Arc<str>),
}

/// The name of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kinds of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// A procedure called from another.
    Procedure,
    /// `run.scope`
    Scope,
    /// `run.each`
    Each,
    /// One item of an `each`.
    Item,
    /// `run.both`, or one side of it.
    Both,
    /// The body of `run.hold`.
    Hold,
    /// The body of `run.guard`.
    Guard,
}

/// How a step ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// The world was already so.
    Already,
    /// It changed the world now.
    Changed,
    /// It was found done after an interruption.
    FoundDone,
    /// The journal remembered it.
    Remembered,
}

/// What follows from a bad answer to a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckRole {
    /// The procedure fails.
    #[default]
    Check,
    /// The procedure refuses to begin, or to go on after an interruption.
    Require,
    /// A warning.
    Observe,
    /// What the procedure makes of it.
    Probe,
}

impl CheckRole {
    /// Whether a bad answer ends the procedure.
    pub fn is_binding(self) -> bool {
        matches!(self, Self::Check | Self::Require)
    }

    /// Whether the procedure fails; a journal need not say so.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    pub(crate) fn is_check(&self) -> bool {
        *self == Self::Check
    }
}

/// How a run ended. Each has an exit code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything happened.
    Done,
    /// Refused before any change.
    Refused,
    /// Failed, and everything was put back but what the author said would stay: irreversible steps, and all before a point
    /// of no return. Both are named.
    RolledBack,
    /// Failed, and an undo failed too; resuming the run tries it again.
    RollbackIncomplete,
    /// Paused, or waiting for a person; it can be continued.
    Paused,
    /// Interrupted, and everything was put back.
    Interrupted,
}

impl Outcome {
    /// The exit code of a program that ran this.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 3,
            Self::RolledBack => 4,
            Self::RollbackIncomplete => 5,
            Self::Paused => 6,
            Self::Interrupted => 7,
        }
    }

    /// Whether the run is over for good; a run that is not can be resumed.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Paused | Self::RollbackIncomplete)
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused before any change",
            Self::RolledBack => "failed and rolled back",
            Self::RollbackIncomplete => "failed, rollback incomplete",
            Self::Paused => "paused",
            Self::Interrupted => "interrupted and rolled back",
        }
    }
}

/// Reads the events of a run, in order.
pub trait Reader: Send {
    /// One more event. A reader that cannot write keeps its trouble to itself: the run does not depend on it.
    fn read(&mut self, event: &Event);
}

impl<F: FnMut(&Event) + Send> Reader for F {
    fn read(&mut self, event: &Event) {
        self(event);
    }
}

/// Puts events in one order and hands them to the readers.
#[derive(Default)]
pub(crate) struct Voice(Mutex<Spoken>);

#[derive(Default)]
struct Spoken {
    next: u64,
    warnings: u32,
    readers: Vec<Box<dyn Reader>>,
    /// What the journal would not tell otherwise, and does not hold yet.
    untold: Vec<Event>,
}

/// How much may be said between two things that the journal remembers, before the rest is left out of it.
const UNTOLD: usize = 1_000;

impl Voice {
    pub(crate) fn new(readers: Vec<Box<dyn Reader>>) -> Self {
        Self(Mutex::new(Spoken { readers, ..Spoken::default() }))
    }

    pub(crate) fn say(&self, at: Timestamp, what: What) {
        let mut spoken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let event = redacted(Event { seq: spoken.next, at, what });
        spoken.next += 1;
        spoken.warnings += u32::from(matches!(event.what, What::Warned { .. }));
        for reader in &mut spoken.readers {
            reader.read(&event);
        }
        if event.what.is_told() && spoken.untold.len() < UNTOLD {
            spoken.untold.push(event);
        }
    }

    /// What was said since the last time and the journal does not hold yet.
    pub(crate) fn take_untold(&self) -> Vec<Event> {
        let mut spoken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut spoken.untold)
    }
}

impl Voice {
    /// How many warnings there were, whoever gave them: the engine, a step, or a trigger.
    pub(crate) fn warnings(&self) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).warnings
    }
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Voice")
    }
}

/// The event without secrets. Going through its text catches every field, also those added later; it costs
/// something only once a secret was exposed.
fn redacted(event: Event) -> Event {
    if !redact::is_needed() {
        return event;
    }
    let Ok(text) = serde_json::to_string(&event) else { return event };
    match redact::text(&text) {
        std::borrow::Cow::Borrowed(_) => event,
        std::borrow::Cow::Owned(clean) => serde_json::from_str(&clean).unwrap_or_else(|_| Event {
            what: What::Warned { key: Key::root(), text: "an event was withheld: it held a secret".into() },
            ..event
        }),
    }
}

impl What {
    /// Whether the journal keeps the event itself, because nothing else it remembers tells of it.
    fn is_told(&self) -> bool {
        use What::{Interrupted, Said, StepRetried, Warned, Watched};
        matches!(self, Said { .. } | Warned { .. } | StepRetried { .. } | Interrupted { .. } | Watched { .. })
    }

    /// The key of what it is about; the root key for the run itself.
    pub fn key(&self) -> Key {
        match self {
            Self::ScopeBegan { key, .. }
            | Self::ScopeEnded { key, .. }
            | Self::StepBegan { key, .. }
            | Self::StepSurveyed { key, .. }
            | Self::StepEnded { key, .. }
            | Self::StepRetried { key, .. }
            | Self::StepFailed { key, .. }
            | Self::CommandBegan { key, .. }
            | Self::Line { key, .. }
            | Self::CheckBegan { key, .. }
            | Self::CheckEnded { key, .. }
            | Self::Asked { key, .. }
            | Self::Answered { key, .. }
            | Self::Warned { key, .. }
            | Self::Said { key, .. }
            | Self::Watched { key, .. }
            | Self::Triggered { key, .. }
            | Self::PointOfNoReturn { key, .. }
            | Self::RollbackBegan { key, .. }
            | Self::UndoBegan { key, .. }
            | Self::UndoEnded { key, .. }
            | Self::Left(Left { key, .. })
            | Self::RollbackEnded { key } => key.clone(),
            Self::RunBegan(_) | Self::Interrupted { .. } | Self::RunEnded(_) => Key::root(),
        }
    }
}

impl From<Diff> for Vec<Change> {
    fn from(diff: Diff) -> Self {
        diff.changes().to_vec()
    }
}
