//! Waiting for what others do.

use std::time::Duration;

use runbook::{Context, Error, ErrorKind, Result};
use tokio::time::Instant;

/// How often is looked.
const EVERY: Duration = Duration::from_millis(250);

/// Looks until it is so. That it is not yet so is an error that may pass; any other one ends the wait.
pub(in crate::redis) async fn until<T, F, L>(cx: &Context, limit: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> L,
    L: Future<Output = Result<T>>,
{
    let began = Instant::now();
    loop {
        match look().await {
            Err(error) if may_pass(&error) && began.elapsed() < limit => cx.pause(EVERY).await?,
            Err(error) if may_pass(&error) => {
                return Err(error.context(format!("still so after {limit:?}")).kind_of(ErrorKind::Failed));
            }
            seen => return seen,
        }
    }
}

fn may_pass(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Transient | ErrorKind::Unknown)
}
