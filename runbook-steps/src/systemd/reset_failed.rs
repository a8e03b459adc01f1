//! Forgetting that a unit failed.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Result, Rollback, Step, Survey};

use super::{ActiveState, Unit, commands, facts};

/// Forgets that a unit failed, and how often it was started of late: a start limit that was hit no longer holds.
///
/// [`start`](super::start) and [`restart`](super::restart) do that by themselves. Nothing brings the failure back; a
/// rollback leaves it forgotten.
pub fn reset_failed(unit: impl Into<Unit>) -> ResetFailed {
    ResetFailed { unit: unit.into() }
}

/// The step of [`reset_failed`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct ResetFailed {
    unit: Unit,
}

#[async_trait]
impl Step for ResetFailed {
    type Before = ();
    type Output = ActiveState;

    fn describe(&self) -> Description {
        let unit = &self.unit;
        Description::new("systemd.reset_failed", unit.as_str())
            .summary(format!("forget that {unit} failed"))
            .command(format!("systemctl reset-failed {unit}"))
            .reads(unit.resource())
            .writes(unit.resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), ActiveState>> {
        let now = facts::status(cx, &self.unit).await?;
        now.require_known()?;
        if now.active != ActiveState::Failed {
            return Ok(Survey::Already(now.active));
        }
        Ok(Survey::predict((), Diff::turn(self.unit.as_str(), now.line(), "inactive"), ActiveState::Inactive))
    }

    async fn apply(&self, cx: &Context, _before: &()) -> Result<ActiveState> {
        if facts::status(cx, &self.unit).await?.active == ActiveState::Failed {
            commands::ask(cx, &commands::act("reset-failed", &self.unit)).await?;
        }
        let now = facts::status(cx, &self.unit).await?;
        if now.active == ActiveState::Failed {
            return Err(Error::new(format!("`{}` is failed again: {}", self.unit, now.line())));
        }
        Ok(now.active)
    }

    fn predict(&self) -> Option<ActiveState> {
        Some(ActiveState::Inactive)
    }
}

#[async_trait]
impl Rollback for ResetFailed {
    async fn rollback(&self, _cx: &Context, _before: &()) -> Result<()> {
        Ok(())
    }
}
