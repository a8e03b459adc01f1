//! Making nginx load its configuration.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::facts::{self, Living};
use super::{Nginx, commands};

/// The step of [`reload`](super::reload()).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Reload {
    server: Nginx,
}

/// A master and its workers that take requests, by process number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workers {
    /// The master.
    pub master: u32,
    /// Its workers.
    pub workers: Vec<u32>,
}

/// The evidence of a reload: other workers under the same master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Who took requests before.
    pub before: Workers,
    /// Who takes them now.
    pub now: Workers,
}

/// How long new workers may take to come.
const PATIENCE: Duration = Duration::from_secs(15);

impl Reload {
    pub(super) fn new(server: Nginx) -> Self {
        Self { server }
    }
}

/// Tests the configuration, makes nginx load it, and waits until only new workers take requests.
pub(super) async fn prove(cx: &Context, server: &Nginx) -> Result<Reloaded> {
    load(cx, server).await.map(|(reloaded, _)| reloaded)
}

/// As above, and which workers there are then: those of before may still end what they have begun.
pub(super) async fn load(cx: &Context, server: &Nginx) -> Result<(Reloaded, Vec<Living>)> {
    let (accepted, before) = tokio::join!(facts::ensure_accepted(cx, server), facts::workers(cx, server));
    accepted?;
    let before = before?;
    cx.run(&commands::reload(server)).await?;
    let began = tokio::time::Instant::now();
    loop {
        let living = facts::living(cx, before.master).await;
        let now = living.and_then(|living| Ok((facts::serving(before.master, &living)?, living)));
        let error = match now {
            Ok((now, living)) if now.workers.iter().all(|worker| !before.workers.contains(worker)) => {
                return Ok((Reloaded { before, now }, living));
            }
            other => other.err(),
        };
        if began.elapsed() > PATIENCE {
            let message = format!("nginx was told to reload, and after {PATIENCE:?} its workers are the old ones");
            let error = error.into_iter().fold(Error::new(message), Error::caused_by);
            return Err(error.hint("its error log says why; it goes on with the configuration it had"));
        }
        cx.pause(Duration::from_millis(50)).await?;
    }
}

#[async_trait]
impl Step for Reload {
    type Before = Workers;
    type Output = Reloaded;

    fn describe(&self) -> Description {
        Description::new("nginx.reload", self.server.root.to_string_lossy())
            .summary("test the configuration of nginx and load it")
            .command(commands::test(&self.server).to_string())
            .command(commands::reload(&self.server).to_string())
            .undo_command(commands::reload(&self.server).to_string())
            .reads(Resource::path(&self.server.root))
            .writes(Resource::new("unit", "nginx"))
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Workers, Reloaded>> {
        facts::ensure_accepted(cx, &self.server).await?;
        let workers = facts::workers(cx, &self.server).await?;
        let diff = Diff::note(format!("{} workers of nginx are replaced", workers.workers.len()));
        Ok(Survey::change(workers, diff))
    }

    async fn apply(&self, cx: &Context, _before: &Workers) -> Result<Reloaded> {
        prove(cx, &self.server).await
    }
}

#[async_trait]
impl Rollback for Reload {
    /// Nothing yet: the files that nginx would load have not been put back.
    async fn rollback(&self, _cx: &Context, _before: &Workers) -> Result<()> {
        Ok(())
    }

    async fn settle(&self, cx: &Context, _before: &Workers) -> Result<()> {
        prove(cx, &self.server).await.map(drop)
    }
}
