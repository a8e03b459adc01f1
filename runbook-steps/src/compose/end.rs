//! Ending services: stopping them, removing them, taking the whole project down.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::patience::{Patience, patient};
use super::project::CONTAINERS;
use super::was::Was;
use super::{Project, facts};
use crate::docker::{Container, ask, container};

impl Project {
    /// Stops these services, all when there are none, and makes sure that they are down.
    ///
    /// On the way back they are started once everything before this step is put back, so that they never meet what is still
    /// to be replaced.
    pub fn stop(&self, services: impl IntoIterator<Item = impl Into<String>>) -> End {
        End::of(self, How::Stop, services.into_iter().map(Into::into).collect())
    }

    /// Stops these services and removes their containers. The way back is that of [`stop`](Self::stop).
    pub fn remove(&self, services: impl IntoIterator<Item = impl Into<String>>) -> End {
        End::of(self, How::Remove, services.into_iter().map(Into::into).collect())
    }

    /// Stops and removes all containers and networks of the project, also those of services its files no longer have.
    /// Volumes and images stay. The way back is that of [`stop`](Self::stop).
    pub fn down(&self) -> End {
        End::of(self, How::Down, Vec::new())
    }
}

/// The step of [`Project::stop`], [`Project::remove`] and [`Project::down`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct End {
    project: Project,
    how: How,
    services: Vec<String>,
    grace: Option<Duration>,
    patience: Patience,
}

patient!(End);

/// How services are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Stop,
    Remove,
    Down,
}

impl How {
    fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Remove => "remove",
            Self::Down => "down",
        }
    }
}

/// Services that have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How many containers of each were up before.
    pub services: BTreeMap<String, u32>,
}

impl End {
    fn of(project: &Project, how: How, services: Vec<String>) -> Self {
        Self { project: project.clone(), how, services, grace: None, patience: Patience::default() }
    }

    /// A container that is asked to end may take this long before it is killed, instead of what the files say: ten seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    fn words(&self) -> Vec<String> {
        let grace = self.grace.map(|grace| format!("--timeout={}", grace.as_secs()));
        let words: &[&str] = match self.how {
            How::Stop => &["stop"],
            How::Remove => &["rm", "--force"],
            How::Down => &["down", "--remove-orphans"],
        };
        let words = words.iter().map(|word| (*word).to_owned());
        words.chain(grace.filter(|_| self.how != How::Remove)).chain(self.services.iter().cloned()).collect()
    }

    /// What is still to be ended.
    fn left<'a>(&self, now: &'a BTreeMap<String, Vec<Container>>) -> Vec<&'a Container> {
        let mine = now.iter().filter(|(service, _)| self.services.is_empty() || self.services.contains(service));
        let all = mine.flat_map(|(_, containers)| containers);
        all.filter(|container| self.how != How::Stop || container.is_up()).collect()
    }

    /// Ends what Compose leaves: it does not know the services of profiles that are not on.
    async fn sweep(&self, cx: &Context) -> Result<()> {
        if self.how != How::Down {
            return Ok(());
        }
        let now = facts::containers(cx, &self.project).await?;
        let left: Vec<&str> = self.left(&now).iter().map(|container| container.id.as_str()).collect();
        container::stop(cx, &left).await?;
        container::remove(cx, &left).await?;
        for network in facts::networks(cx, &self.project).await? {
            container::remove_network(cx, &network).await?;
        }
        Ok(())
    }

    async fn is_over(&self, cx: &Context, now: &BTreeMap<String, Vec<Container>>) -> Result<bool> {
        let networks = self.how == How::Down && !facts::networks(cx, &self.project).await?.is_empty();
        Ok(self.left(now).is_empty() && !networks)
    }
}

#[async_trait]
impl Step for End {
    type Before = Was;
    type Output = Ended;

    fn describe(&self) -> Description {
        let Self { project, services, how, .. } = self;
        let words = self.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let summary = match how {
            How::Stop => format!("stop {}", project.people_say(services)),
            How::Remove => format!("stop and remove {}", project.people_say(services)),
            How::Down => format!("take {} down", project.people_say(services)),
        };
        let up = [&["up", "--detach"], &services.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
        let described = project
            .describe(how.word(), services)
            .summary(summary)
            .command(project.typed(&words))
            .undo_command(project.typed(&up));
        project.resources(CONTAINERS, services).into_iter().fold(described, Description::writes)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Was, Ended>> {
        if !self.services.is_empty() {
            Config::read(cx, &self.project).await?.chosen(&self.project, &self.services)?;
        }
        let now = facts::containers(cx, &self.project).await?;
        if self.is_over(cx, &now).await? {
            return Ok(Survey::Already(Ended::default()));
        }
        let services: Vec<String> =
            if self.services.is_empty() { now.keys().cloned().collect() } else { self.services.clone() };
        let was = Was::look(cx, &self.project, &now, &services).await?;
        let diff = self.left(&now).iter().fold(Diff::none(), |diff, container| {
            diff.and_remove(format!("{} ({}, image {})", container.name, container.state.status, container.image))
        });
        let output = ended(&was);
        Ok(Survey::predict(was, diff, output))
    }

    async fn apply(&self, cx: &Context, before: &Was) -> Result<Ended> {
        let now = facts::containers(cx, &self.project).await?;
        if !self.is_over(cx, &now).await? {
            before.keep_images(cx).await?;
            if self.how == How::Remove {
                let stop = self.project.command(cx, ["stop"]).await?;
                let grace = self.grace.map(|grace| format!("--timeout={}", grace.as_secs()));
                ask::run_compose(cx, &stop.args(grace).args(&self.services)).await?;
            }
            ask::run_compose(cx, &self.project.command(cx, []).await?.args(self.words())).await?;
            self.sweep(cx).await?;
        }
        let now = facts::containers(cx, &self.project).await?;
        match self.left(&now)[..] {
            [] => Ok(ended(before)),
            [first, ..] => {
                let (name, status) = (&first.name, &first.state.status);
                let how = self.how.word();
                Err(Error::new(format!("`{name}` on {} is {status} after `{how}`", cx.host().name())))
            }
        }
    }

    fn predict(&self) -> Option<Ended> {
        Some(Ended::default())
    }
}

fn ended(was: &Was) -> Ended {
    Ended { services: was.services().map(|service| (service.clone(), was.count(service))).collect() }
}

#[async_trait]
impl Rollback for End {
    /// Nothing comes up before everything is put back.
    async fn rollback(&self, cx: &Context, before: &Was) -> Result<()> {
        before.clear(cx, &self.project, false).await
    }

    async fn settle(&self, cx: &Context, before: &Was) -> Result<()> {
        before.bring_back(cx, &self.project, self.patience).await
    }
}
