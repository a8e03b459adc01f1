//! Starting a unit.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Diff, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::ready::Ready;
use super::watch::Seen;
use super::{ActiveState, Invocation, Status, Unit, facts, job, watch};

/// Starts a unit, and sees that it stays up. Its rollback stops it.
pub fn start(unit: impl Into<Unit>) -> Start {
    Start { unit: unit.into(), window: watch::default_window(), limit: job::default_limit(), ready: None }
}

/// The step of [`start`].
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Start {
    unit: Unit,
    window: Duration,
    limit: Duration,
    ready: Option<Ready>,
}

impl Start {
    /// It has to stay up for this long in the same life, instead of two seconds.
    pub fn stable_for(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// systemd has to be done with it within this time, instead of two minutes.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Once it is up, this has to pass within this time, on the way back as well: that a process runs does not say that it
    /// serves.
    pub fn ready(mut self, check: impl Check + 'static, within: Duration) -> Self {
        self.ready = Some(Ready::new(check, within));
        self
    }
}

/// How a unit was before a step: up or not, and in which life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Was {
    pub(super) active: ActiveState,
    pub(super) invocation: Option<Invocation>,
}

impl Was {
    pub(crate) fn of(status: &Status) -> Self {
        Self { active: status.active, invocation: status.invocation.clone() }
    }

    /// Whether it ran, or was about to.
    pub(super) fn ran(&self) -> bool {
        !self.active.is_down()
    }

    /// Whether it is still in the life it was in.
    pub(super) fn lives_on(&self, now: &Status) -> bool {
        now.active.is_up() && now.invocation == self.invocation
    }
}

/// A unit that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its name.
    pub unit: Unit,
    /// Its life, new with every start; `None` in a plan, and for a service that runs once and is over.
    pub invocation: Option<Invocation>,
    /// Its main process.
    pub main_pid: Option<u32>,
}

impl Running {
    pub(super) fn of(status: Status) -> Self {
        Self { unit: status.unit, invocation: status.invocation, main_pid: status.main_pid }
    }

    pub(super) fn expected(unit: &Unit) -> Self {
        Self { unit: unit.clone(), invocation: None, main_pid: None }
    }
}

#[async_trait]
impl Step for Start {
    type Before = Was;
    type Output = Running;

    fn describe(&self) -> Description {
        let unit = &self.unit;
        Description::new("systemd.start", unit.as_str())
            .summary(format!("start {unit}, and see it up for {:?}", self.window))
            .command(format!("systemctl start {unit}"))
            .undo_command(format!("systemctl stop {unit}"))
            .reads(unit.resource())
            .writes(unit.resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Was, Running>> {
        let now = facts::status(cx, &self.unit).await?;
        now.require_loaded()?;
        if !now.active.is_up() {
            return Ok(change(&now, now.line()));
        }
        // One that is up for a moment of a crash loop is not started.
        Ok(match watch::watch(cx, &self.unit, self.window).await? {
            Seen::Stable(status) => Survey::Already(Running::of(status)),
            Seen::Not(status, why) => change(&status, format!("{}: it {why}", status.line())),
        })
    }

    async fn apply(&self, cx: &Context, _before: &Was) -> Result<Running> {
        let now = facts::status(cx, &self.unit).await?;
        if !now.active.is_up() {
            job::launch(cx, "start", &now, self.limit).await?;
        }
        let status = watch::require_stable(cx, &self.unit, self.window).await?;
        if let Some(ready) = &self.ready {
            ready.wait(cx, &self.unit).await?;
        }
        Ok(Running::of(status))
    }

    fn predict(&self) -> Option<Running> {
        Some(Running::expected(&self.unit))
    }
}

fn change(now: &Status, from: String) -> Survey<Was, Running> {
    let diff = Diff::turn(now.unit.as_str(), from, "active");
    Survey::predict(Was::of(now), diff, Running::expected(&now.unit))
}

#[async_trait]
impl Rollback for Start {
    async fn rollback(&self, cx: &Context, before: &Was) -> Result<()> {
        if !before.ran() {
            job::stop(cx, &self.unit, self.limit).await?;
        }
        Ok(())
    }
}
