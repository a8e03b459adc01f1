//! When a timer fires.

use runbook::{Context, Result};

use super::properties::Properties;
use super::{Unit, commands};

/// When a timer fires next, and when it did last, as systemd says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Elapses {
    pub(crate) next: Option<String>,
    pub(crate) last: Option<String>,
}

pub(crate) async fn elapses(cx: &Context, timer: &Unit) -> Result<Elapses> {
    let output = commands::ask(cx, &commands::show_timer(timer)).await?;
    let properties = Properties::parse(output.text()?);
    let time = |name| properties.get(name).filter(|at| !matches!(*at, "0" | "n/a" | "infinity"));
    let since_boot = || time("NextElapseUSecMonotonic").map(|_| "some time after boot");
    let next = time("NextElapseUSecRealtime").or_else(since_boot);
    Ok(Elapses { next: next.map(str::to_owned), last: time("LastTriggerUSec").map(str::to_owned) })
}
