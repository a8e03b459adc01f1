//! Watching a unit stay up.

use std::time::Duration;

use runbook::{Context, Result, Units as _};
use tokio::time::Instant;

use super::{Status, Unit, facts, failure};

/// How soon a unit is looked at again; then every look is twice as far from the one before, up to [`RARELY`]. What
/// happens between two looks is not lost: any restart leaves another invocation id.
const SOON: Duration = Duration::from_millis(100);
const RARELY: Duration = Duration::from_secs(1);

/// What became of a unit that was watched.
#[derive(Debug)]
pub(super) enum Seen {
    /// It was up all the time, in one life.
    Stable(Status),
    /// It is not, for this reason.
    Not(Status, String),
}

/// Looks at a unit for this long.
pub(super) async fn watch(cx: &Context, unit: &Unit, window: Duration) -> Result<Seen> {
    let began = Instant::now();
    let first = facts::status(cx, unit).await?;
    if !first.active.is_up() {
        return Ok(Seen::Not(first, "is not up".to_owned()));
    }
    let (mut last, mut pause) = (first.clone(), SOON);
    loop {
        let left = window.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(Seen::Stable(last));
        }
        cx.pause(pause.min(left)).await?;
        pause = (pause * 2).min(RARELY);
        last = facts::status(cx, unit).await?;
        let after = began.elapsed().as_millis();
        if !last.active.is_up() {
            return Ok(Seen::Not(last, format!("was up, and went down within {after} ms")));
        }
        if last.invocation != first.invocation || last.restarts != first.restarts {
            return Ok(Seen::Not(last, format!("was up, and restarted by itself within {after} ms")));
        }
    }
}

/// The status of a unit that was started, once it has been up for this long. An error brings its journal.
pub(super) async fn require_stable(cx: &Context, unit: &Unit, window: Duration) -> Result<Status> {
    match watch(cx, unit, window).await? {
        Seen::Stable(status) => Ok(status),
        Seen::Not(status, _) if status.is_oneshot() && status.active.is_down() && status.succeeded() => Ok(status),
        Seen::Not(status, why) => Err(failure::with_status(cx, &status, &why).await),
    }
}

/// How long a unit has to stay up when nobody says: two seconds. One that dies of its configuration mostly dies sooner.
pub(super) fn default_window() -> Duration {
    2.seconds()
}
