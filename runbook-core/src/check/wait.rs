//! Checks that wait: with a deadline, for a time, several times in a row.

use std::time::Duration;

use async_trait::async_trait;

use super::{Check, Finding};
use crate::{Context, Description, ErrorKind, Result};

/// Asks once; an error that may pass is an answer too: *unknown*.
pub(crate) async fn ask<C: Check + ?Sized>(check: &C, cx: &Context) -> Result<Finding> {
    match check.check(cx).await {
        Err(error) if matches!(error.kind(), ErrorKind::Transient | ErrorKind::Unknown) => {
            Ok(Finding::unknown(format!("{error:#}")))
        }
        answer => answer,
    }
}

/// A check that is asked again until it passes or its deadline is over.
#[derive(Debug, Clone)]
pub struct Within<C> {
    check: C,
    deadline: Duration,
    every: Duration,
}

impl<C> Within<C> {
    pub(super) fn new(check: C, deadline: Duration) -> Self {
        Self { check, deadline, every: Duration::from_secs(1).min(deadline / 10) }
    }

    /// Asks this often instead of once a second.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }
}

#[async_trait]
impl<C: Check> Check for Within<C> {
    fn describe(&self) -> Description {
        let inner = self.check.describe();
        let line = format!("{}, within {:?}", inner.line(), self.deadline);
        inner.summary(line)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let began = tokio::time::Instant::now();
        loop {
            // The deadline bounds the question too: a server that accepts and never answers must not
            // hold the run for longer.
            let left = self.deadline.saturating_sub(began.elapsed());
            let finding = match tokio::time::timeout(left.max(self.every), ask(&self.check, cx)).await {
                Ok(finding) => finding?,
                Err(_) => Finding::unknown(format!("no answer within {:?}", self.deadline)),
            };
            if finding.passes() {
                return Ok(finding);
            }
            if began.elapsed() + self.every > self.deadline {
                return Ok(late(finding, self.deadline));
            }
            cx.pause(self.every).await?;
        }
    }
}

/// The last answer, saying how long it was waited for.
fn late(finding: Finding, deadline: Duration) -> Finding {
    let say = |mut evidence: super::Evidence| {
        evidence.summary = format!("still so after {deadline:?}: {}", evidence.summary);
        evidence
    };
    match finding {
        Finding::Pass(evidence) => Finding::Pass(evidence),
        Finding::Fail(evidence) => Finding::Fail(say(evidence)),
        Finding::Unknown(evidence) => Finding::Unknown(say(evidence)),
    }
}

/// A check that must pass all the time for a while.
#[derive(Debug, Clone)]
pub struct HoldsFor<C> {
    check: C,
    duration: Duration,
    every: Duration,
}

impl<C> HoldsFor<C> {
    pub(super) fn new(check: C, duration: Duration) -> Self {
        Self { check, duration, every: Duration::from_secs(5).min(duration / 10) }
    }

    /// Asks this often instead of every five seconds.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }
}

#[async_trait]
impl<C: Check> Check for HoldsFor<C> {
    fn describe(&self) -> Description {
        let inner = self.check.describe();
        let line = format!("{}, for {:?}", inner.line(), self.duration);
        inner.summary(line)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let began = tokio::time::Instant::now();
        loop {
            let finding = ask(&self.check, cx).await?;
            if !finding.passes() || began.elapsed() >= self.duration {
                return Ok(finding);
            }
            let left = self.duration.saturating_sub(began.elapsed());
            cx.pause(self.every.min(left)).await?;
        }
    }
}

/// A check that must pass several times in a row.
#[derive(Debug, Clone)]
pub struct InARow<C> {
    check: C,
    times: u32,
    every: Duration,
}

impl<C> InARow<C> {
    pub(super) fn new(check: C, times: u32) -> Self {
        Self { check, times, every: Duration::from_secs(1) }
    }

    /// Asks this often instead of once a second.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }
}

#[async_trait]
impl<C: Check> Check for InARow<C> {
    fn describe(&self) -> Description {
        let inner = self.check.describe();
        let line = format!("{}, {} times in a row", inner.line(), self.times);
        inner.summary(line)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let mut good = 0;
        loop {
            let finding = ask(&self.check, cx).await?;
            good += 1;
            if !finding.passes() || good >= self.times {
                return Ok(finding);
            }
            cx.pause(self.every).await?;
        }
    }
}
