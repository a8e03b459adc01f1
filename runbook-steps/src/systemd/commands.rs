//! The commands, as values. None asks for a password or pages, and all speak English.

use std::path::Path;

use runbook::command::Output;
use runbook::{Command, Context, Result};

use super::{Unit, failure};

/// What [`show`] asks for. Source: org.freedesktop.systemd1(5).
const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,UnitFileState,Result,Type,MainPID,InvocationID,NRestarts,\
    ExecMainCode,ExecMainStatus,FragmentPath,DropInPaths,MemoryCurrent,NeedDaemonReload,CanReload,ReloadResult,\
    StateChangeTimestampMonotonic";

/// When systemd last read all units.
pub(super) const UNITS_READ: &str = "UnitsLoadTimestampMonotonic";

fn systemctl() -> Command {
    Command::new("systemctl").args(["--no-ask-password", "--no-pager"]).env("LC_ALL", "C")
}

fn show_properties(names: &str) -> Command {
    systemctl().args(["show", &format!("--property={names}")])
}

/// The properties a status is made of.
pub(super) fn show(unit: &Unit) -> Command {
    show_properties(PROPERTIES).arg("--").arg(unit.as_str())
}

pub(super) fn show_exec_start(unit: &Unit) -> Command {
    show_properties("ExecStart").arg("--").arg(unit.as_str())
}

/// When a timer fires next.
pub(super) fn show_timer(unit: &Unit) -> Command {
    show_properties("NextElapseUSecRealtime,NextElapseUSecMonotonic,LastTriggerUSec").arg("--").arg(unit.as_str())
}

pub(super) fn show_manager() -> Command {
    show_properties(UNITS_READ)
}

/// `start`, `stop`, `restart`, `reload`, `enable`, `disable`, `mask`, `unmask`, `reset-failed` a unit.
pub(super) fn act(verb: &str, unit: &Unit) -> Command {
    systemctl().args([verb, "--", unit.as_str()])
}

/// The same until the next boot.
pub(super) fn act_for_now(verb: &str, unit: &Unit) -> Command {
    systemctl().args([verb, "--runtime", "--", unit.as_str()])
}

pub(super) fn daemon_reload() -> Command {
    systemctl().arg("daemon-reload")
}

/// Reads a unit file as systemd would. Only what is wrong with this unit counts, not with those it wants.
pub(super) fn verify(file: &Path) -> Command {
    Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no", "--"])
        .arg(file)
        .env("LC_ALL", "C")
}

/// Runs a command; one that fails is an error that says what systemd says, and what to do.
pub(super) async fn ask(cx: &Context, command: &Command) -> Result<Output> {
    let output = cx.output(command).await?;
    if output.success() { Ok(output) } else { Err(failure::of(cx, command, &output)) }
}
