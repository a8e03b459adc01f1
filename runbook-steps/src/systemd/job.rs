//! Asking systemd to do something to a unit, and waiting until it is done.

use std::time::Duration;

use runbook::{Context, Error, Result, Units as _};

use super::{ActiveState, Status, Unit, commands, facts, failure};

/// How long a job may take when nobody says: longer than systemd's own 90 seconds, so that its answer comes first.
pub(super) fn default_limit() -> Duration {
    120.seconds()
}

/// Does this to a unit. An error brings the status of the unit and its last journal lines.
pub(super) async fn run(cx: &Context, verb: &str, unit: &Unit, limit: Duration) -> Result<()> {
    let output = match cx.output(&commands::act(verb, unit).deadline(limit)).await {
        Ok(output) if output.success() => return Ok(()),
        Ok(output) => output,
        Err(error) => return Err(error.details(last_words(cx, unit).await)),
    };
    if let Some((kind, hint)) = failure::saying(&output) {
        let error = Error::of(kind, format!("cannot {verb} `{unit}` on {}", cx.host().name()));
        return Err(error.details(output.tail(10)).hint(hint));
    }
    Err(failure::of_unit(cx, unit, &format!("did not {verb}")).await)
}

/// What a unit that took too long says.
async fn last_words(cx: &Context, unit: &Unit) -> Vec<String> {
    let error = failure::of_unit(cx, unit, "is").await;
    std::iter::once(error.message().to_owned()).chain(error.lines().iter().cloned()).collect()
}

/// Starts or restarts it. What the start limit has counted is forgotten first, also that of a unit that is up: this start is
/// meant (`reset-failed` in systemctl(1)). One that is down may not be loaded, and then has nothing to forget.
pub(super) async fn launch(cx: &Context, verb: &str, now: &Status, limit: Duration) -> Result<()> {
    if now.active != ActiveState::Inactive {
        commands::ask(cx, &commands::act("reset-failed", &now.unit)).await?;
    }
    run(cx, verb, &now.unit, limit).await
}

/// Stops it, and makes sure.
pub(super) async fn stop(cx: &Context, unit: &Unit, limit: Duration) -> Result<Status> {
    if !facts::status(cx, unit).await?.active.is_down() {
        run(cx, "stop", unit, limit).await?;
    }
    let now = facts::status(cx, unit).await?;
    if !now.active.is_down() || now.main_pid.is_some() {
        return Err(failure::with_status(cx, &now, "was stopped, and is not down").await);
    }
    Ok(now)
}
