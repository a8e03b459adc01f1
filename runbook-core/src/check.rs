//! A check: a read-only question with evidence for its answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Context, Description, Result};

pub use self::wait::{HoldsFor, InARow, Within};

mod wait;

pub(crate) use self::wait::ask;

/// A read-only question about the world.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a check",
    label = "not a check",
    note = "put `#[check]` on the async function, or implement `Check`",
    note = "a step is taken, `run.step(\"title\", step)`"
)]
pub trait Check: Send + Sync {
    /// What it asks, for people and for the plan.
    fn describe(&self) -> Description;

    /// Asks once. An error counts as [`Finding::Unknown`] when it is transient or unknown, else as an error
    /// of the question itself (a program that does not exist, an address that is none).
    async fn check(&self, cx: &Context) -> Result<Finding>;
}

#[async_trait]
impl<C: Check + ?Sized> Check for Arc<C> {
    fn describe(&self) -> Description {
        (**self).describe()
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        (**self).check(cx).await
    }
}

/// The answer to a check, with evidence. *Unknown* is never *pass*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It is so.
    Pass(Evidence),
    /// It is not so.
    Fail(Evidence),
    /// Nobody knows: no data, no answer, nothing that can be parsed.
    Unknown(Evidence),
}

/// What an answer rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// One line: "200 OK in 12 ms, status = healthy".
    pub summary: String,
    /// Lines worth reading beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

impl Evidence {
    /// Evidence of one line.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), lines: Vec::new() }
    }

    /// With more lines.
    pub fn lines(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.lines.extend(lines.into_iter().map(Into::into));
        self
    }
}

impl<T: Into<String>> From<T> for Evidence {
    fn from(summary: T) -> Self {
        Self::new(summary)
    }
}

impl Finding {
    /// It is so, because of this.
    pub fn pass(evidence: impl Into<Evidence>) -> Self {
        Self::Pass(evidence.into())
    }

    /// It is not so, because of this.
    pub fn fail(evidence: impl Into<Evidence>) -> Self {
        Self::Fail(evidence.into())
    }

    /// Nobody knows, because of this.
    pub fn unknown(evidence: impl Into<Evidence>) -> Self {
        Self::Unknown(evidence.into())
    }

    /// Pass or fail.
    pub fn of(holds: bool, evidence: impl Into<Evidence>) -> Self {
        if holds { Self::pass(evidence) } else { Self::fail(evidence) }
    }

    /// Whether it is known to be so.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Pass(_))
    }

    /// What it rests on.
    pub fn evidence(&self) -> &Evidence {
        match self {
            Self::Pass(evidence) | Self::Fail(evidence) | Self::Unknown(evidence) => evidence,
        }
    }

    /// `pass`, `fail` or `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass(_) => "pass",
            Self::Fail(_) => "fail",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// Waiting, as checks: nothing here sleeps a fixed time and hopes.
pub trait CheckExt: Check + Sized {
    /// Asks again, every second unless told otherwise, until it passes or the deadline is over.
    fn within(self, deadline: Duration) -> Within<Self> {
        Within::new(self, deadline)
    }

    /// Passes when the answer was *pass* all the time for this long.
    fn holds_for(self, duration: Duration) -> HoldsFor<Self> {
        HoldsFor::new(self, duration)
    }

    /// Passes after this many good answers in a row; a bad one ends it at once.
    /// Put it inside [`within`](CheckExt::within) to try again after a bad one.
    fn in_a_row(self, times: u32) -> InARow<Self> {
        InARow::new(self, times)
    }
}

impl<C: Check> CheckExt for C {}

/// Durations as people say them: `5.minutes()`.
pub trait Units {
    /// This many milliseconds.
    fn millis(self) -> Duration;
    /// This many seconds.
    fn seconds(self) -> Duration;
    /// This many minutes.
    fn minutes(self) -> Duration;
    /// This many hours.
    fn hours(self) -> Duration;
    /// This many days of 24 hours.
    fn days(self) -> Duration;
}

impl Units for u64 {
    fn millis(self) -> Duration {
        Duration::from_millis(self)
    }

    fn seconds(self) -> Duration {
        Duration::from_secs(self)
    }

    fn minutes(self) -> Duration {
        Duration::from_secs(self * 60)
    }

    fn hours(self) -> Duration {
        Duration::from_secs(self * 3600)
    }

    fn days(self) -> Duration {
        Duration::from_secs(self * 86_400)
    }
}
