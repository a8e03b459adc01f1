//! Readiness: what a unit has to answer before it counts as started.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use runbook::{Check, CheckExt as _, Context, Finding, Result};

use super::{Unit, failure};

/// What is asked of a unit once it is up. That its process runs does not say that it serves.
#[derive(Clone)]
pub(super) struct Ready {
    check: Arc<dyn Check>,
    within: Duration,
}

impl Ready {
    pub(super) fn new(check: impl Check + 'static, within: Duration) -> Self {
        Self { check: Arc::new(check), within }
    }

    /// Asks until the answer is *pass*. An error brings the status of the unit and its journal.
    pub(super) async fn wait(&self, cx: &Context, unit: &Unit) -> Result<()> {
        match self.check.clone().within(self.within).check(cx).await? {
            Finding::Pass(_) => Ok(()),
            not => Err(failure::of_unit(cx, unit, &format!("is not ready: {}", not.evidence().summary)).await),
        }
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ready({} within {:?})", self.check.describe().line(), self.within)
    }
}
