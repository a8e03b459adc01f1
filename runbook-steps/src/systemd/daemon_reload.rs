//! Having systemd read all unit files again.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{commands, facts};

/// Has systemd read all unit files again. [`install`](super::install), [`drop_in`](super::drop_in) and
/// [`edit`](super::edit) do that by themselves; this is for files that come another way.
pub fn daemon_reload() -> DaemonReload {
    DaemonReload(())
}

/// The step of [`daemon_reload`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct DaemonReload(());

/// Proof that systemd has read its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerReloaded {
    /// When, in microseconds since the host was booted; 0 in a plan.
    pub at: u64,
}

/// Has systemd read its files, and makes sure that it did.
pub(super) async fn reread(cx: &Context, before: u64) -> Result<u64> {
    commands::ask(cx, &commands::daemon_reload()).await?;
    let at = facts::units_read_at(cx).await?;
    if at <= before {
        return Err(Error::new(format!("systemd on {} has not read its files again", cx.host().name())));
    }
    Ok(at)
}

#[async_trait]
impl Step for DaemonReload {
    type Before = u64;
    type Output = ManagerReloaded;

    fn describe(&self) -> Description {
        Description::new("systemd.daemon_reload", "systemd")
            .summary("have systemd read all unit files again")
            .command("systemctl daemon-reload")
            .undo_command("systemctl daemon-reload")
            .reads(Resource::path(super::unit_file::UNITS))
            .writes(Resource::new("unit", ""))
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<u64, ManagerReloaded>> {
        let before = facts::units_read_at(cx).await?;
        Ok(Survey::predict(before, Diff::note("systemd reads all unit files again"), ManagerReloaded { at: 0 }))
    }

    async fn apply(&self, cx: &Context, before: &u64) -> Result<ManagerReloaded> {
        reread(cx, *before).await.map(|at| ManagerReloaded { at })
    }

    fn predict(&self) -> Option<ManagerReloaded> {
        Some(ManagerReloaded { at: 0 })
    }
}

#[async_trait]
impl Rollback for DaemonReload {
    async fn rollback(&self, _cx: &Context, _before: &u64) -> Result<()> {
        Ok(())
    }

    /// The files are as they were now.
    async fn settle(&self, cx: &Context, before: &u64) -> Result<()> {
        reread(cx, *before).await.map(drop)
    }
}
