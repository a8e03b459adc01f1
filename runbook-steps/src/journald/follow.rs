//! Following the journal of a unit, for a time.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Resource, Result};
use tokio::time::Instant;

use super::commands::{From, Query};
use super::{Entry, facts};
use crate::systemd::{self, LoadState, Unit};

/// How often the journal is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How many entries one look reads.
const AT_ONCE: u32 = 500;
/// How many entries an answer shows.
const SHOWN: usize = 50;

/// Shows what a unit writes for this long from now, and is content; or waits [until](Follow::until) it says something.
pub fn follow(unit: impl Into<Unit>, time: Duration) -> Follow {
    Follow { unit: unit.into(), time, text: None }
}

/// The check of [`follow`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Follow {
    unit: Unit,
    time: Duration,
    text: Option<String>,
}

impl Follow {
    /// Passes as soon as an entry contains this text, and fails when none does in time. What was written since the unit
    /// was last started counts too.
    pub fn until(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    async fn begin(&self, cx: &Context) -> Result<Option<From>> {
        match self.text {
            Some(_) => facts::beginning(cx, &self.unit).await.map(Some),
            None => facts::end(cx, &self.unit).await,
        }
    }

    fn is_it(&self, entry: &Entry) -> bool {
        self.text.as_ref().is_some_and(|text| entry.message.contains(text))
    }
}

#[async_trait]
impl Check for Follow {
    fn describe(&self) -> Description {
        let Self { unit, time, text } = self;
        let summary = match text {
            Some(text) => format!("{unit} says `{text}` within {time:?}"),
            None => format!("watch what {unit} writes for {time:?}"),
        };
        Description::new("journald.follow", unit.as_str())
            .summary(summary)
            .command(format!("timeout {} journalctl --unit={unit} --follow", time.as_secs()))
            .reads(unit.resource())
            .reads(Resource::new("journal", unit.as_str()))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let (unit, began) = (&self.unit, Instant::now());
        if systemd::status(cx, unit).await?.load == LoadState::NotFound {
            return Ok(Finding::unknown(format!("the unit {unit} does not exist")));
        }
        let mut from = self.begin(cx).await?;
        let mut seen: Vec<String> = Vec::new();
        let mut count = 0;
        loop {
            let query = Query { unit, from: from.as_ref(), priority: None, pattern: None, most: AT_ONCE };
            for entry in facts::read(cx, &query).await? {
                cx.say(entry.to_string());
                count += 1;
                seen.push(entry.to_string());
                if self.is_it(&entry) {
                    return Ok(Finding::pass(format!("{unit} says: {}", entry.message)));
                }
                from = Some(From::After(entry.cursor));
            }
            seen.drain(..seen.len().saturating_sub(SHOWN));
            let left = self.time.saturating_sub(began.elapsed());
            if left.is_zero() {
                let evidence = Evidence::new(format!("{unit} wrote {count} entries in {:?}", self.time)).lines(seen);
                return Ok(Finding::of(self.text.is_none(), evidence));
            }
            cx.pause(EVERY.min(left)).await?;
        }
    }
}
