//! A step that acts on another host than the run.

use std::sync::Arc;

use async_trait::async_trait;
use runbook::{Context, Description, Host, Result, Rollback, Step, Survey};

/// A step as part of another one, on a host of its own: draining is done where the load balancer is.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct At<S> {
    step: S,
    host: Option<Arc<dyn Host>>,
}

impl<S> At<S> {
    /// Where the run is.
    pub fn here(step: S) -> Self {
        Self { step, host: None }
    }

    /// On this host.
    pub fn host(step: S, host: &Arc<dyn Host>) -> Self {
        Self { step, host: Some(host.clone()) }
    }

    fn cx(&self, cx: &Context) -> Context {
        self.host.as_ref().map_or_else(|| cx.clone(), |host| cx.at(host))
    }
}

#[async_trait]
impl<S: Step> Step for At<S> {
    type Before = S::Before;
    type Output = S::Output;

    fn describe(&self) -> Description {
        self.step.describe()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<S::Before, S::Output>> {
        self.step.survey(&self.cx(cx)).await
    }

    async fn apply(&self, cx: &Context, before: &S::Before) -> Result<S::Output> {
        self.step.apply(&self.cx(cx), before).await
    }

    fn predict(&self) -> Option<S::Output> {
        self.step.predict()
    }
}

#[async_trait]
impl<S: Rollback> Rollback for At<S> {
    async fn rollback(&self, cx: &Context, before: &S::Before) -> Result<()> {
        self.step.rollback(&self.cx(cx), before).await
    }

    async fn settle(&self, cx: &Context, before: &S::Before) -> Result<()> {
        self.step.settle(&self.cx(cx), before).await
    }
}
