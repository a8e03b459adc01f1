//! Replacing one instance behind a load balancer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, CheckExt as _, Context, Description, Error, Finding, Host, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::At;

/// Replaces an instance by this step: `systemd::restart(unit)`, a container made anew.
pub fn replace<R: Rollback>(instance: impl Into<String>, by: R) -> Replace<Undrained, R> {
    Replace { instance: instance.into(), drain: At::here(Undrained), by, ready: None }
}

/// The step of [`replace`]: drains an instance, replaces it, sees that it is well, and gives it requests again.
///
/// It is put back in the same manner, when everything before it has been.
#[derive(Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Replace<D, R> {
    instance: String,
    drain: At<D>,
    by: R,
    ready: Option<(Arc<dyn Check>, Duration)>,
}

/// What an instance was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceBefore<D, R> {
    requests: Requests<D>,
    instance: R,
}

/// Whether an instance got requests before. Not an `Option`: in JSON, nothing and something empty are the same there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requests<D> {
    /// None, and it will get none.
    None,
    /// It did: how to give it some again.
    Some {
        /// What draining found.
        before: D,
    },
}

/// The evidence that an instance was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced<O> {
    /// Its name.
    pub instance: String,
    /// The evidence of the step that replaced it.
    pub by: O,
    /// What it answered before it got requests again; `None` where nothing was asked.
    pub ready: Option<String>,
}

impl<D, R> Replace<D, R> {
    /// Takes it out of the traffic first, by this step on this host: `nginx::upstream("api").drain("api-3:8000")`.
    pub fn drained_by<N: Rollback>(self, drain: N, host: &Arc<dyn Host>) -> Replace<N, R> {
        Replace { instance: self.instance, drain: At::host(drain, host), by: self.by, ready: self.ready }
    }

    /// It gets no requests before this passes within this time.
    pub fn until(mut self, check: impl Check + 'static, within: Duration) -> Self {
        self.ready = Some((Arc::new(check), within));
        self
    }

    async fn ready(&self, cx: &Context) -> Result<Option<String>> {
        let Some((check, within)) = &self.ready else { return Ok(None) };
        match check.clone().within(*within).check(cx).await? {
            Finding::Pass(evidence) => Ok(Some(evidence.summary)),
            not => {
                let evidence = not.evidence();
                let error = Error::new(format!("{} is not well after {within:?}: {}", self.instance, evidence.summary));
                Err(error.details(evidence.lines.clone()))
            }
        }
    }
}

impl<D: Rollback, R: Rollback> Replace<D, R> {
    async fn drain(&self, cx: &Context, before: &ReplaceBefore<D::Before, R::Before>) -> Result<()> {
        match &before.requests {
            Requests::Some { before } => self.drain.apply(cx, before).await.map(drop),
            Requests::None => Ok(()),
        }
    }

    async fn undrain(&self, cx: &Context, before: &ReplaceBefore<D::Before, R::Before>) -> Result<()> {
        let Requests::Some { before } = &before.requests else { return Ok(()) };
        self.drain.rollback(cx, before).await?;
        self.drain.settle(cx, before).await
    }
}

#[async_trait]
impl<D: Rollback, R: Rollback> Step for Replace<D, R> {
    type Before = ReplaceBefore<D::Before, R::Before>;
    type Output = Replaced<R::Output>;

    fn describe(&self) -> Description {
        let (drain, by) = (self.drain.describe(), self.by.describe());
        let mut description = Description::new("rollout.replace", &self.instance)
            .summary(format!("{} while {} gets no requests", by.summary, self.instance));
        description.commands = [&*drain.commands, &by.commands, &drain.undo_commands].concat();
        description.undo_commands = [&*drain.commands, &by.undo_commands, &drain.undo_commands].concat();
        description.reads = [&*drain.reads, &by.reads].concat();
        description.writes = [&*drain.writes, &by.writes].concat();
        description.repeats = by.repeats;
        description
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Self::Before, Self::Output>> {
        let (instance, diff) = match self.by.survey(cx).await? {
            Survey::Already(by) => {
                return Ok(Survey::Already(Replaced { instance: self.instance.clone(), by, ready: None }));
            }
            Survey::Change { before, diff, .. } => (before, diff),
        };
        let (requests, diff) = match self.drain.survey(cx).await? {
            Survey::Already(_) => (Requests::None, diff),
            Survey::Change { before, .. } => {
                (Requests::Some { before }, diff.and_note(format!("{} gets no requests meanwhile", self.instance)))
            }
        };
        Ok(Survey::change(ReplaceBefore { requests, instance }, diff))
    }

    async fn apply(&self, cx: &Context, before: &Self::Before) -> Result<Self::Output> {
        self.drain(cx, before).await?;
        let by = self.by.apply(cx, &before.instance).await?;
        let ready = self.ready(cx).await?;
        self.undrain(cx, before).await?;
        Ok(Replaced { instance: self.instance.clone(), by, ready })
    }
}

#[async_trait]
impl<D: Rollback, R: Rollback> Rollback for Replace<D, R> {
    /// Nothing yet. Instances are put back one after the other, once what they are made of has been: if all that were
    /// replaced went away first, nobody would serve.
    async fn rollback(&self, _cx: &Context, _before: &Self::Before) -> Result<()> {
        Ok(())
    }

    async fn settle(&self, cx: &Context, before: &Self::Before) -> Result<()> {
        self.drain(cx, before).await?;
        self.by.rollback(cx, &before.instance).await?;
        self.by.settle(cx, &before.instance).await?;
        self.ready(cx).await?;
        self.undrain(cx, before).await
    }
}

impl<D, R> fmt::Debug for Replace<D, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replace({})", self.instance)
    }
}

/// Where nothing has to be drained.
#[derive(Debug, Clone, Copy)]
pub struct Undrained;

#[async_trait]
impl Step for Undrained {
    type Before = ();
    type Output = ();

    fn describe(&self) -> Description {
        Description::new("rollout.undrained", "nothing")
    }

    async fn survey(&self, _cx: &Context) -> Result<Survey<(), ()>> {
        Ok(Survey::Already(()))
    }

    async fn apply(&self, _cx: &Context, (): &()) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Rollback for Undrained {
    async fn rollback(&self, _cx: &Context, (): &()) -> Result<()> {
        Ok(())
    }
}
