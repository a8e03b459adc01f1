//! More containers of a service, or fewer.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Result, Rollback, Step, Survey};

use super::config::Config;
use super::patience::{Patience, patient};
use super::project::{CONTAINERS, IMAGES};
use super::services::Services;
use super::was::Was;
use super::watch::{Seen, Watch};
use super::{Project, facts};
use crate::docker::{Container, ask, container, image};

impl Project {
    /// Has this many containers of a service. Those that run stay as they are, whatever has become of the files and the
    /// image since: the ones that come are new. Those that go are first the ones of an older image or older settings, then
    /// the ones with the highest number.
    ///
    /// On the way back, the ones that came go away in their turn; those that went come back once everything before this
    /// step is put back.
    pub fn scale(&self, service: impl Into<String>, containers: u32) -> Scale {
        Scale { project: self.clone(), service: service.into(), containers, patience: Patience::default() }
    }
}

/// The step of [`Project::scale`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Scale {
    project: Project,
    service: String,
    containers: u32,
    patience: Patience,
}

patient!(Scale);

impl Scale {
    fn watch<'a>(&'a self, config: &Config, patience: Patience) -> Watch<'a> {
        let services = [(self.service.clone(), self.containers)].into_iter().filter(|_| self.containers > 0).collect();
        Watch { project: &self.project, services, jobs: config.jobs(&self.project), patience }
    }

    async fn there(&self, cx: &Context) -> Result<Vec<Container>> {
        Ok(facts::containers(cx, &self.project).await?.remove(&self.service).unwrap_or_default())
    }

    fn words(&self) -> [String; 6] {
        let scale = format!("--scale={}={}", self.service, self.containers);
        ["up", "--detach", "--no-deps", "--no-build", "--no-recreate", &scale].map(str::to_owned)
    }

    /// The containers that are too many, those first that do not run or are made of something older.
    async fn surplus(&self, cx: &Context, config: &Config, there: &[Container]) -> Result<Vec<String>> {
        let reference = config.image(&self.project, &self.service);
        let now = match reference {
            Some(reference) => image(cx, reference).await?.map(|image| image.id),
            None => None,
        };
        let newest = there.iter().max_by_key(|container| container.created).map(|container| &container.config);
        let is_new =
            |container: &Container| Some(&container.image) == now.as_ref() && Some(&container.config) == newest;
        let mut all: Vec<&Container> = there.iter().collect();
        all.sort_by_key(|container| (container.is_up(), is_new(container), std::cmp::Reverse(container.number)));
        let too_many = all.len().saturating_sub(self.containers as usize);
        Ok(all[..too_many].iter().map(|container| container.id.clone()).collect())
    }
}

#[async_trait]
impl Step for Scale {
    type Before = Was;
    type Output = Services;

    fn describe(&self) -> Description {
        let Self { project, service, containers, .. } = self;
        let services = [service.clone()];
        let words = self.words();
        let words: Vec<&str> = words.iter().map(String::as_str).chain([service.as_str()]).collect();
        let described = project
            .describe("scale", &services)
            .summary(format!("have {containers} containers of {}", project.people_say(&services)))
            .command(project.typed(&words));
        let described = project.resources(IMAGES, &services).into_iter().fold(described, Description::reads);
        project.resources(CONTAINERS, &services).into_iter().fold(described, Description::writes)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Was, Services>> {
        let config = Config::read(cx, &self.project).await?;
        config.chosen(&self.project, std::slice::from_ref(&self.service))?;
        let there = self.there(cx).await?;
        let up = there.iter().filter(|container| container.is_up()).count();
        if up == self.containers as usize
            && let Seen::Well(now) = self.watch(&config, self.patience.none()).watch(cx).await?
        {
            return Ok(Survey::Already(Services::of(&now, None)));
        }
        let now = [(self.service.clone(), there)].into();
        let was = Was::look(cx, &self.project, &now, [&self.service]).await?;
        let diff = Diff::turn(format!("containers of {}", self.service), up, self.containers);
        Ok(Survey::predict(was, diff, Services::default()))
    }

    async fn apply(&self, cx: &Context, before: &Was) -> Result<Services> {
        let config = Config::read(cx, &self.project).await?;
        before.keep_images(cx).await?;
        let surplus = self.surplus(cx, &config, &self.there(cx).await?).await?;
        let surplus: Vec<&str> = surplus.iter().map(String::as_str).collect();
        container::stop(cx, &surplus).await?;
        container::remove(cx, &surplus).await?;
        let up = self.project.command(cx, []).await?.args(self.words()).arg(&self.service);
        ask::run_compose(cx, &up.deadline(self.patience.limit.max(std::time::Duration::from_secs(60)))).await?;
        let now = self.watch(&config, self.patience).require(cx).await?;
        let there = self.there(cx).await?.len();
        if there != self.containers as usize {
            let (service, wanted) = (&self.service, self.containers);
            return Err(Error::new(format!("`{service}` has {there} containers instead of {wanted}")));
        }
        Ok(Services::of(&now, Some(before)))
    }

    fn predict(&self) -> Option<Services> {
        Some(Services::default())
    }
}

#[async_trait]
impl Rollback for Scale {
    async fn rollback(&self, cx: &Context, before: &Was) -> Result<()> {
        let there = self.there(cx).await?;
        let stays = there.iter().filter(|container| before.lives(container)).count();
        // Those that ran still do, so that what came can go before anything else is put back.
        if stays > 0 && stays == before.count(&self.service) as usize {
            let came: Vec<&str> =
                there.iter().filter(|one| !before.knows(one)).map(|container| container.id.as_str()).collect();
            container::stop(cx, &came).await?;
            container::remove(cx, &came).await?;
        }
        before.clear(cx, &self.project, false).await
    }

    async fn settle(&self, cx: &Context, before: &Was) -> Result<()> {
        before.bring_back(cx, &self.project, self.patience).await
    }
}
