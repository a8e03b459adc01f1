//! Errors in the journal of a unit.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, ErrorKind, Evidence, Finding, Gauge, Resource, Result, Units as _};
use tokio::time::Instant;

use super::commands::{From, Query};
use super::{Entry, Priority, facts};
use crate::systemd::Unit;

/// What an entry says that is an error, whatever its priority: the words of loggers, alone and in JSON, and the beginning
/// of a Python traceback. A regular expression; case counts.
pub const ERROR_WORDS: &str =
    r#"\b(ERROR|CRITICAL|FATAL)\b|^Traceback \(most recent|"level": ?"(error|critical|fatal)""#;

/// More errors than this are not counted.
const ENOUGH: u32 = 1000;
/// How many errors an answer shows.
const SHOWN: usize = 10;

/// The errors of a unit since it was last started; say [how many](Errors::max) there may be.
pub fn errors(unit: impl Into<Unit>) -> Errors {
    Errors { unit: unit.into(), since: None, priority: Priority::Error, pattern: Some(ERROR_WORDS.to_owned()) }
}

/// Errors of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say how many there may be: `.max(0)`"]
pub struct Errors {
    unit: Unit,
    since: Option<Duration>,
    priority: Priority,
    pattern: Option<String>,
}

impl Errors {
    /// Those of this time, instead of those since the unit was last started.
    pub fn since(mut self, time: Duration) -> Self {
        self.since = Some(time);
        self
    }

    /// Entries of this priority and worse are errors, instead of [`Priority::Error`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Entries whose text matches this regular expression are errors too, instead of [`ERROR_WORDS`]. Case counts.
    pub fn matching(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// What an entry says does not matter.
    pub fn by_priority_alone(mut self) -> Self {
        self.pattern = None;
        self
    }

    /// Asks whether there are at most this many.
    pub fn max(self, most: u32) -> ErrorsAtMost {
        ErrorsAtMost { errors: self, most }
    }

    /// The entries themselves, oldest first; at most a thousand of each kind.
    pub async fn list(&self, cx: &Context) -> Result<Vec<Entry>> {
        self.from(cx, &self.begin(cx).await?).await
    }

    async fn begin(&self, cx: &Context) -> Result<From> {
        self.unit.require_name()?;
        let begin = facts::beginning(cx, &self.unit);
        match self.since {
            None => begin.await,
            Some(time) => match begin.await {
                // A unit that does not exist has no errors either, and nobody should hear that it is well.
                Err(error) if error.message().ends_with("does not exist") => Err(error),
                _ => Ok(From::Ago(time)),
            },
        }
    }

    /// By priority and by text, each entry once.
    async fn from(&self, cx: &Context, from: &From) -> Result<Vec<Entry>> {
        let query = Query { unit: &self.unit, from: Some(from), priority: None, pattern: None, most: ENOUGH };
        let mut all = facts::read(cx, &Query { priority: Some(self.priority), ..query.clone() }).await?;
        if let Some(pattern) = &self.pattern {
            let said = facts::read(cx, &Query { pattern: Some(pattern), ..query }).await?;
            for entry in said {
                if all.iter().all(|known| known.cursor != entry.cursor) {
                    all.push(entry);
                }
            }
        }
        all.sort_by_key(|entry| entry.at);
        Ok(all)
    }

    fn describe(&self, most: u32) -> Description {
        let unit = &self.unit;
        let since = match self.since {
            Some(time) => format!("within {time:?}"),
            None => "since it was started".to_owned(),
        };
        let ago = self.since.map(|time| format!(" --since=-{}s", time.as_secs())).unwrap_or_default();
        let command = |filter: &str| format!("journalctl --unit={unit}{ago} {filter}");
        let summary = match most {
            0 => format!("no errors in the journal of {unit} {since}"),
            _ => format!("at most {most} errors in the journal of {unit} {since}"),
        };
        let described = Description::new("journald.errors", unit.as_str())
            .summary(summary)
            .command(command(&format!("--priority={}", self.priority.number())))
            .reads(unit.resource())
            .reads(Resource::new("journal", unit.as_str()));
        match &self.pattern {
            Some(pattern) => described.command(command(&format!("--grep='{pattern}'"))),
            None => described,
        }
    }
}

/// How many errors there are; missing data when the journal cannot be read.
#[async_trait]
impl Gauge for Errors {
    #[allow(clippy::cast_precision_loss, reason = "there are at most a thousand")]
    async fn measure(&self, cx: &Context) -> Result<Option<f64>> {
        match self.list(cx).await {
            Ok(all) => Ok(Some(all.len() as f64)),
            Err(error) if error.kind() == ErrorKind::Unknown => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The check of [`errors`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct ErrorsAtMost {
    errors: Errors,
    most: u32,
}

impl ErrorsAtMost {
    /// Asks again and again for this long, and fails as soon as there are more.
    ///
    /// All entries count from where the first question began, those of later lives too: a unit that crashes and comes
    /// back does not begin with a clean record.
    pub fn holds_for(self, time: Duration) -> ErrorsHold {
        ErrorsHold { check: self, time, every: 5.seconds().min(time / 10) }
    }

    async fn judge(&self, cx: &Context, from: &From) -> Result<Finding> {
        let all = self.errors.from(cx, from).await?;
        let (unit, count) = (&self.errors.unit, all.len());
        let counted = match count {
            0 => "no errors".to_owned(),
            1 => "1 error".to_owned(),
            n if n >= ENOUGH as usize => format!("{n} errors or more"),
            n => format!("{n} errors"),
        };
        let evidence = Evidence::new(format!("{counted} in the journal of {unit}, at most {} fine", self.most));
        let few = u32::try_from(count).is_ok_and(|count| count <= self.most);
        Ok(Finding::of(few, evidence.lines(all[count.saturating_sub(SHOWN)..].iter().map(ToString::to_string))))
    }
}

#[async_trait]
impl Check for ErrorsAtMost {
    fn describe(&self) -> Description {
        self.errors.describe(self.most)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        self.judge(cx, &self.errors.begin(cx).await?).await
    }
}

/// The check of [`ErrorsAtMost::holds_for`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct ErrorsHold {
    check: ErrorsAtMost,
    time: Duration,
    every: Duration,
}

impl ErrorsHold {
    /// Asks this often instead of every five seconds.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }
}

#[async_trait]
impl Check for ErrorsHold {
    fn describe(&self) -> Description {
        let inner = self.check.describe();
        let line = format!("{}, for {:?}", inner.line(), self.time);
        inner.summary(line)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let began = Instant::now();
        let mut from = self.check.errors.begin(cx).await?;
        if let From::Ago(time) = from {
            // What was new at the beginning must not grow old and be forgotten.
            from = From::Ago(time + self.time);
        }
        loop {
            let finding = self.check.judge(cx, &from).await?;
            let left = self.time.saturating_sub(began.elapsed());
            if !finding.passes() || left.is_zero() {
                return Ok(finding);
            }
            cx.pause(self.every.min(left)).await?;
        }
    }
}
