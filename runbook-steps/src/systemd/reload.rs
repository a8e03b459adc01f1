//! Reloading the configuration of a unit.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Invocation, Status, Unit, facts, failure, job};

/// Has a unit that is up read its configuration again, in the same life. Test the configuration before.
///
/// On the way back it is reloaded once more when everything before it is put back.
pub fn reload(unit: impl Into<Unit>) -> Reload {
    Reload { unit: unit.into() }
}

/// The step of [`reload`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Reload {
    unit: Unit,
}

/// A unit that was reloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Its name.
    pub unit: Unit,
    /// Its life, the same as before; `None` in a plan.
    pub invocation: Option<Invocation>,
    /// When, in microseconds since the host was booted; 0 in a plan.
    pub at: u64,
}

impl Reload {
    fn expected(&self) -> Reloaded {
        Reloaded { unit: self.unit.clone(), invocation: None, at: 0 }
    }

    fn require_up(&self, now: &Status) -> Result<()> {
        now.require_loaded()?;
        if !now.active.is_up() {
            let error = Error::refused(format!("`{}` cannot be reloaded: {}", self.unit, now.line()));
            return Err(error.hint("start it, with `systemd::start(unit)`"));
        }
        if !now.can_reload {
            let error = Error::refused(format!("`{}` cannot be reloaded: it has no ExecReload=", self.unit));
            return Err(error.hint("restart it, with `systemd::restart(unit)`"));
        }
        Ok(())
    }

    /// That systemd ran the command says little; the state of the unit has to have changed since.
    async fn act(&self, cx: &Context) -> Result<Status> {
        let old = facts::status(cx, &self.unit).await?;
        self.require_up(&old)?;
        job::run(cx, "reload", &self.unit, job::default_limit()).await?;
        let new = facts::status(cx, &self.unit).await?;
        let well = new.reload_result.as_deref().is_none_or(|result| result == "success");
        if !well || !new.active.is_up() || new.invocation != old.invocation || new.changed_at <= old.changed_at {
            return Err(failure::with_status(cx, &new, "was reloaded, and does not say that it went well").await);
        }
        Ok(new)
    }
}

#[async_trait]
impl Step for Reload {
    type Before = Invocation;
    type Output = Reloaded;

    fn describe(&self) -> Description {
        let unit = &self.unit;
        Description::new("systemd.reload", unit.as_str())
            .summary(format!("reload the configuration of {unit}"))
            .command(format!("systemctl reload {unit}"))
            .undo_command(format!("systemctl reload {unit}"))
            .reads(unit.resource())
            .writes(unit.resource())
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Invocation, Reloaded>> {
        let now = facts::status(cx, &self.unit).await?;
        self.require_up(&now)?;
        let diff = Diff::note(format!("{} reads its configuration again", self.unit));
        let Some(life) = now.invocation else {
            return Err(Error::unknown(format!("systemd does not say in which life `{}` is", self.unit)));
        };
        Ok(Survey::predict(life, diff, self.expected()))
    }

    async fn apply(&self, cx: &Context, _before: &Invocation) -> Result<Reloaded> {
        let new = self.act(cx).await?;
        Ok(Reloaded { unit: self.unit.clone(), invocation: new.invocation, at: new.changed_at })
    }

    fn predict(&self) -> Option<Reloaded> {
        Some(self.expected())
    }
}

#[async_trait]
impl Rollback for Reload {
    async fn rollback(&self, _cx: &Context, _before: &Invocation) -> Result<()> {
        Ok(())
    }

    /// One that is down, or in another life, reads its configuration when it comes up.
    async fn settle(&self, cx: &Context, before: &Invocation) -> Result<()> {
        let now = facts::status(cx, &self.unit).await?;
        if now.active.is_up() && now.invocation.as_ref() == Some(before) {
            self.act(cx).await?;
        }
        Ok(())
    }
}
