//! Stopping a unit.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::start::Was;
use super::{ActiveState, Invocation, Unit, facts, job, watch};

/// Stops a unit, one that is about to be restarted by itself too, and makes sure that it is down.
///
/// On the way back it is started once everything before this step is put back, so that it never meets what is still to
/// be replaced.
pub fn stop(unit: impl Into<Unit>) -> Stop {
    Stop { unit: unit.into(), window: watch::default_window(), limit: job::default_limit() }
}

/// The step of [`stop`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Stop {
    unit: Unit,
    window: Duration,
    limit: Duration,
}

impl Stop {
    /// When it is started again it has to stay up for this long, instead of two seconds.
    pub fn stable_for(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// systemd has to be done with it within this time, instead of two minutes.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

/// A unit that is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Its name.
    pub unit: Unit,
    /// The life that this ended; `None` when it was down already.
    pub ended: Option<Invocation>,
}

#[async_trait]
impl Step for Stop {
    type Before = Was;
    type Output = Stopped;

    fn describe(&self) -> Description {
        let unit = &self.unit;
        Description::new("systemd.stop", unit.as_str())
            .summary(format!("stop {unit}"))
            .command(format!("systemctl stop {unit}"))
            .undo_command(format!("systemctl start {unit}"))
            .reads(unit.resource())
            .writes(unit.resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Was, Stopped>> {
        let now = facts::status(cx, &self.unit).await?;
        if now.active.is_down() {
            now.require_known()?;
            return Ok(Survey::Already(Stopped { unit: self.unit.clone(), ended: None }));
        }
        let output = Stopped { unit: self.unit.clone(), ended: now.invocation.clone() };
        Ok(Survey::predict(Was::of(&now), Diff::turn(self.unit.as_str(), now.line(), "inactive"), output))
    }

    async fn apply(&self, cx: &Context, before: &Was) -> Result<Stopped> {
        let now = job::stop(cx, &self.unit, self.limit).await?;
        if now.active == ActiveState::Failed {
            cx.warn(format!("`{}` is stopped, but did not end well: {}", self.unit, now.line()));
        }
        Ok(Stopped { unit: self.unit.clone(), ended: before.invocation.clone() })
    }

    fn predict(&self) -> Option<Stopped> {
        Some(Stopped { unit: self.unit.clone(), ended: None })
    }
}

#[async_trait]
impl Rollback for Stop {
    async fn rollback(&self, _cx: &Context, _before: &Was) -> Result<()> {
        Ok(())
    }

    async fn settle(&self, cx: &Context, before: &Was) -> Result<()> {
        let now = facts::status(cx, &self.unit).await?;
        if !before.ran() || now.active.is_up() {
            return Ok(());
        }
        job::launch(cx, "start", &now, self.limit).await?;
        if before.active.is_up() {
            watch::require_stable(cx, &self.unit, self.window).await?;
        }
        Ok(())
    }
}
