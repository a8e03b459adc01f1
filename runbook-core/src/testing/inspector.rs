//! The inspector: stands between the engine and the steps of a run under test.

use std::sync::Arc;

use crate::{Context, Result, Rollback, Step, Survey};

use super::drill::{Act, Drill};

/// Stands between the engine and the steps. The engine finds it as a port.
pub(crate) struct Inspector {
    drill: Arc<Drill>,
}

impl Inspector {
    pub(crate) fn new(drill: Arc<Drill>) -> Self {
        Self { drill }
    }

    pub(crate) async fn survey<S: Step>(&self, step: &S, cx: &Context) -> Result<Survey<S::Before, S::Output>> {
        self.drill.act(cx.key(), Act::Survey, step.survey(cx)).await
    }

    pub(crate) async fn apply<S: Step>(&self, step: &S, cx: &Context, before: &S::Before) -> Result<S::Output> {
        self.drill.act(cx.key(), Act::Apply, step.apply(cx, before)).await
    }

    pub(crate) async fn rollback<S: Rollback>(&self, step: &S, cx: &Context, before: &S::Before) -> Result<()> {
        self.drill.act(cx.key(), Act::Rollback, step.rollback(cx, before)).await
    }

    pub(crate) async fn settle<S: Rollback>(&self, step: &S, cx: &Context, before: &S::Before) -> Result<()> {
        self.drill.act(cx.key(), Act::Settle, step.settle(cx, before)).await
    }
}
