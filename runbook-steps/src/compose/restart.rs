//! Restarting services.

use std::collections::BTreeMap;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Result, Rollback, Step, Survey};

use super::config::Config;
use super::patience::{Patience, patient};
use super::project::CONTAINERS;
use super::services::Services;
use super::was::Was;
use super::watch::Watch;
use super::{Project, facts};
use crate::docker::{Container, ask};

impl Project {
    /// Restarts the containers of these services, all when there are none, and sees that they are healthy. They stay the
    /// containers they are: new images and settings are for [`up`](Self::up).
    ///
    /// On the way back they are left running (or stopped: [`stops_on_rollback`](Restart::stops_on_rollback)) until
    /// everything before this step is put back, and restart then.
    pub fn restart(&self, services: impl IntoIterator<Item = impl Into<String>>) -> Restart {
        let services = services.into_iter().map(Into::into).collect();
        Restart { project: self.clone(), services, stops: false, patience: Patience::default() }
    }
}

/// The step of [`Project::restart`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Restart {
    project: Project,
    services: Vec<String>,
    stops: bool,
    patience: Patience,
}

patient!(Restart);

impl Restart {
    /// While everything before it is put back, the services are down: for those that must not meet the older files or
    /// tables.
    pub fn stops_on_rollback(mut self) -> Self {
        self.stops = true;
        self
    }

    /// The services to restart: when none was named, those that have containers, and do not run once and end.
    fn targets(&self, config: &Config, services: Vec<String>, now: &BTreeMap<String, Vec<Container>>) -> Vec<String> {
        if !self.services.is_empty() {
            return services;
        }
        let jobs = config.jobs(&self.project);
        services.into_iter().filter(|name| now.contains_key(name) && !jobs.contains(name)).collect()
    }
}

#[async_trait]
impl Step for Restart {
    type Before = Was;
    type Output = Services;

    fn describe(&self) -> Description {
        let Self { project, services, .. } = self;
        let words: Vec<&str> = std::iter::once("restart").chain(services.iter().map(String::as_str)).collect();
        let window = self.patience.window;
        let described = project
            .describe("restart", services)
            .summary(format!("restart {}, and see it healthy for {window:?}", project.people_say(services)))
            .command(project.typed(&words))
            .undo_command(project.typed(&words))
            .repeats();
        project.resources(CONTAINERS, services).into_iter().fold(described, Description::writes)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Was, Services>> {
        let config = Config::read(cx, &self.project).await?;
        let services = config.chosen(&self.project, &self.services)?;
        let now = facts::containers(cx, &self.project).await?;
        if let Some(missing) = self.services.iter().find(|service| !now.contains_key(*service)) {
            let error = Error::new(format!("`{missing}` of `{}` has no container to restart", self.project.name()));
            return Err(error.hint("bring it up: `project.up()`"));
        }
        let services = self.targets(&config, services, &now);
        if services.is_empty() {
            return Err(Error::new(format!("nothing of `{}` has a container to restart", self.project.name())));
        }
        let was = Was::look(cx, &self.project, &now, &services).await?;
        let names = now.iter().filter(|(service, _)| services.contains(service)).flat_map(|(_, all)| all);
        let diff = names
            .fold(Diff::none(), |diff, container| diff.and_turn(&container.name, &container.state.status, "restarted"));
        Ok(Survey::predict(was, diff, Services::default()))
    }

    /// Containers that are in another life than the survey saw have been restarted.
    async fn apply(&self, cx: &Context, before: &Was) -> Result<Services> {
        let config = Config::read(cx, &self.project).await?;
        let jobs = config.jobs(&self.project);
        let mine = |all: BTreeMap<String, Vec<Container>>| -> BTreeMap<String, Vec<Container>> {
            all.into_iter().filter(|(service, _)| before.services().any(|mine| mine == service)).collect()
        };
        let now = mine(facts::containers(cx, &self.project).await?);
        let is_done = now.values().flatten().all(|container| container.is_up() && !before.lives(container));
        if !is_done || now.is_empty() {
            ask::run_compose(cx, &self.project.command(cx, ["restart"]).await?.args(before.services())).await?;
        }
        let services =
            now.iter().map(|(service, all)| (service.clone(), u32::try_from(all.len()).unwrap_or(u32::MAX))).collect();
        let watch = Watch { project: &self.project, services, jobs, patience: self.patience };
        let now = watch.require(cx).await?;
        match now.values().flatten().find(|container| before.lives(container)) {
            Some(same) => Err(Error::new(format!("`{}` was restarted, and is in the same life as before", same.name))),
            None => Ok(Services::of(&now, Some(before))),
        }
    }

    fn predict(&self) -> Option<Services> {
        Some(Services::default())
    }
}

#[async_trait]
impl Rollback for Restart {
    async fn rollback(&self, cx: &Context, before: &Was) -> Result<()> {
        before.clear(cx, &self.project, self.stops).await
    }

    async fn settle(&self, cx: &Context, before: &Was) -> Result<()> {
        before.bring_back(cx, &self.project, self.patience).await
    }
}
