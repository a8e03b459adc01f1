//! Restarting a unit.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Diff, Result, Rollback, Step, Survey};

use super::ready::Ready;
use super::start::{Running, Was};
use super::{Status, Unit, facts, failure, job, watch};

/// Restarts a unit, or starts one that is down, and sees that it stays up.
///
/// On the way back it is left running (or stopped: [`stops_on_rollback`](Restart::stops_on_rollback)) until everything
/// before it is put back, and restarts then. One that was down before is stopped. One that was never restarted is left
/// alone.
pub fn restart(unit: impl Into<Unit>) -> Restart {
    Restart {
        unit: unit.into(),
        window: watch::default_window(),
        limit: job::default_limit(),
        ready: None,
        stops: false,
    }
}

/// The step of [`restart`].
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Restart {
    unit: Unit,
    window: Duration,
    limit: Duration,
    ready: Option<Ready>,
    stops: bool,
}

impl Restart {
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

    /// While everything before it is put back it is down: for one that must not meet the older files or tables.
    pub fn stops_on_rollback(mut self) -> Self {
        self.stops = true;
        self
    }

    async fn launch(&self, cx: &Context, now: &Status) -> Result<Running> {
        job::launch(cx, "restart", now, self.limit).await?;
        let new = watch::require_stable(cx, &self.unit, self.window).await?;
        if new.invocation.is_some() && new.invocation == now.invocation {
            return Err(failure::with_status(cx, &new, "was restarted, and is in the same life as before").await);
        }
        self.is_ready(cx).await?;
        Ok(Running::of(new))
    }

    async fn is_ready(&self, cx: &Context) -> Result<()> {
        match &self.ready {
            Some(ready) => ready.wait(cx, &self.unit).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Step for Restart {
    type Before = Was;
    type Output = Running;

    fn describe(&self) -> Description {
        let unit = &self.unit;
        Description::new("systemd.restart", unit.as_str())
            .summary(format!("restart {unit}, and see it up for {:?}", self.window))
            .command(format!("systemctl restart {unit}"))
            .undo_command(format!("systemctl restart {unit}"))
            .reads(unit.resource())
            .writes(unit.resource())
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Was, Running>> {
        let now = facts::status(cx, &self.unit).await?;
        now.require_loaded()?;
        let diff = Diff::turn(self.unit.as_str(), now.line(), "restarted");
        Ok(Survey::predict(Was::of(&now), diff, Running::expected(&self.unit)))
    }

    /// A unit that is in another life than the survey saw has been restarted.
    async fn apply(&self, cx: &Context, before: &Was) -> Result<Running> {
        let now = facts::status(cx, &self.unit).await?;
        if now.active.is_up() && now.invocation != before.invocation {
            let status = watch::require_stable(cx, &self.unit, self.window).await?;
            self.is_ready(cx).await?;
            return Ok(Running::of(status));
        }
        self.launch(cx, &now).await
    }

    fn predict(&self) -> Option<Running> {
        Some(Running::expected(&self.unit))
    }
}

#[async_trait]
impl Rollback for Restart {
    async fn rollback(&self, cx: &Context, before: &Was) -> Result<()> {
        let now = facts::status(cx, &self.unit).await?;
        if !before.lives_on(&now) && (self.stops || !before.ran()) {
            job::stop(cx, &self.unit, self.limit).await?;
        }
        Ok(())
    }

    async fn settle(&self, cx: &Context, before: &Was) -> Result<()> {
        let now = facts::status(cx, &self.unit).await?;
        if before.ran() && !before.lives_on(&now) {
            self.launch(cx, &now).await?;
        }
        Ok(())
    }
}
