//! Taking a step in a test, without a run around it.

use runbook_core::{Context, Result, Step, Survey};

/// Surveys, and applies when there is something to change.
pub(crate) async fn take<S: Step>(cx: &Context, step: &S) -> Result<S::Output> {
    match step.survey(cx).await? {
        Survey::Already(output) => Ok(output),
        Survey::Change { before, .. } => step.apply(cx, &before).await,
    }
}

/// The before-state of a step that has something to change.
pub(crate) async fn before<S: Step>(cx: &Context, step: &S) -> S::Before {
    match step.survey(cx).await.expect("is surveyed") {
        Survey::Change { before, .. } => before,
        Survey::Already(_) => panic!("there is nothing to change"),
    }
}

/// Surveys a step that has something to change, and applies it.
pub(crate) async fn change<S: Step>(cx: &Context, step: &S) -> (S::Before, Result<S::Output>) {
    let before = before(cx, step).await;
    let output = step.apply(cx, &before).await;
    (before, output)
}
