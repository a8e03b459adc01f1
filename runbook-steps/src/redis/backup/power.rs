//! Stopping and starting a server.

use async_trait::async_trait;
use runbook::{Context, Description, Result, Step, Survey};

/// How the process of a server is stopped and started. Two steps are one: `(systemd::stop("redis"),
/// systemd::start("redis"))`.
#[async_trait]
pub trait Power: Send + Sync {
    /// Stops it; that it is stopped already is fine.
    async fn stop(&self, cx: &Context) -> Result<()>;
    /// Starts it; that it runs already is fine.
    async fn start(&self, cx: &Context) -> Result<()>;
    /// What a person types to stop it, and to start it.
    fn by_hand(&self) -> (Vec<String>, Vec<String>);
}

#[async_trait]
impl<Stop: Step, Start: Step> Power for (Stop, Start) {
    async fn stop(&self, cx: &Context) -> Result<()> {
        take(&self.0, cx).await
    }

    async fn start(&self, cx: &Context) -> Result<()> {
        take(&self.1, cx).await
    }

    fn by_hand(&self) -> (Vec<String>, Vec<String>) {
        let commands = |description: Description| description.commands;
        (commands(self.0.describe()), commands(self.1.describe()))
    }
}

async fn take<S: Step>(step: &S, cx: &Context) -> Result<()> {
    match step.survey(cx).await? {
        Survey::Already(_) => Ok(()),
        Survey::Change { before, .. } => step.apply(cx, &before).await.map(drop),
    }
}
