//! The four acts of a step, as the engine calls them. With the testing kit, an inspector that was given to the run
//! as a port stands between: it looks on, and makes acts fail or the runner die.

use crate::{Context, Result, Rollback, Step, Survey};

/// Looks at the world.
pub(crate) async fn survey<S: Step>(step: &S, cx: &Context) -> Result<Survey<S::Before, S::Output>> {
    #[cfg(feature = "testing")]
    if let Some(inspector) = cx.port::<crate::testing::Inspector>() {
        return inspector.survey(step, cx).await;
    }
    step.survey(cx).await
}

/// Changes the world.
pub(crate) async fn apply<S: Step>(step: &S, cx: &Context, before: &S::Before) -> Result<S::Output> {
    #[cfg(feature = "testing")]
    if let Some(inspector) = cx.port::<crate::testing::Inspector>() {
        return inspector.apply(step, cx, before).await;
    }
    step.apply(cx, before).await
}

/// Puts the state before back.
pub(crate) async fn rollback<S: Rollback>(step: &S, cx: &Context, before: &S::Before) -> Result<()> {
    #[cfg(feature = "testing")]
    if let Some(inspector) = cx.port::<crate::testing::Inspector>() {
        return inspector.rollback(step, cx, before).await;
    }
    step.rollback(cx, before).await
}

/// Comes back once everything earlier is back.
pub(crate) async fn settle<S: Rollback>(step: &S, cx: &Context, before: &S::Before) -> Result<()> {
    #[cfg(feature = "testing")]
    if let Some(inspector) = cx.port::<crate::testing::Inspector>() {
        return inspector.settle(step, cx, before).await;
    }
    step.settle(cx, before).await
}
