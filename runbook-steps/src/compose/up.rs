//! Bringing services up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, ErrorKind, Result, Rollback, Step, Survey};

use super::config::{self, Config};
use super::patience::{Patience, for_services, patient};
use super::project::{CONTAINERS, IMAGES};
use super::services::Services;
use super::was::Was;
use super::watch::{Seen, Watch, summary};
use super::{Project, facts};
use crate::docker::{self, Container, Image, Reference, ask, failure};

impl Project {
    /// Brings its services up, with what they depend on, as the files and the tags of their images are now; and sees that
    /// they are healthy. It builds nothing. Services that are so already are left alone.
    ///
    /// On the way back, services that did not run before go away in their turn. Those that ran are left running (or
    /// stopped: [`stops_on_rollback`](Up::stops_on_rollback)) until everything before this step is put back, and come back
    /// then on the images they ran. Volumes stay.
    pub fn up(&self) -> Up {
        Up {
            project: self.clone(),
            services: Vec::new(),
            scales: BTreeMap::new(),
            alone: false,
            anew: false,
            stops: false,
            patience: Patience::default(),
        }
    }
}

/// The step of [`Project::up`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Up {
    project: Project,
    services: Vec<String>,
    scales: BTreeMap<String, u32>,
    alone: bool,
    anew: bool,
    stops: bool,
    patience: Patience,
}

for_services!(Up);
patient!(Up);

impl Up {
    /// Without what they depend on.
    pub fn no_deps(mut self) -> Self {
        self.alone = true;
        self
    }

    /// With new containers, even where nothing has changed.
    pub fn force_recreate(mut self) -> Self {
        self.anew = true;
        self
    }

    /// With this many containers of a service, instead of what the files say.
    pub fn scale(mut self, service: impl Into<String>, containers: u32) -> Self {
        self.scales.insert(service.into(), containers);
        self
    }

    /// While everything before it is put back, the services are down: for those that must not meet the older files or
    /// tables.
    pub fn stops_on_rollback(mut self) -> Self {
        self.stops = true;
        self
    }

    fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = ["up", "--detach", "--no-build"].map(str::to_owned).into();
        words.extend(self.alone.then(|| "--no-deps".to_owned()));
        words.extend(self.anew.then(|| "--force-recreate".to_owned()));
        words.extend(self.scales.iter().map(|(service, count)| format!("--scale={service}={count}")));
        words.extend(self.services.iter().cloned());
        words
    }

    /// The services that may change, and those of them that were asked for.
    fn touched(&self, config: &Config) -> Result<(Vec<String>, Vec<String>)> {
        let chosen = config.chosen(&self.project, &self.services)?;
        let all = if self.alone { chosen.clone() } else { config.with_dependencies(&chosen) };
        Ok((all, chosen))
    }

    fn wanted(&self, config: &Config, service: &str) -> u32 {
        let said = || config.service(service).map_or(1, config::Service::replicas);
        self.scales.get(service).copied().unwrap_or_else(said)
    }

    fn watch(&self, config: &Config, services: &[String], patience: Patience) -> Watch<'_> {
        let wanted = services.iter().map(|service| (service.clone(), self.wanted(config, service)));
        let services = wanted.filter(|(_, wanted)| *wanted > 0).collect();
        Watch { project: &self.project, services, jobs: config.jobs(&self.project), patience }
    }

    /// What would change, by service.
    async fn differences(
        &self,
        cx: &Context,
        config: &Config,
        services: &[String],
        now: &BTreeMap<String, Vec<Container>>,
    ) -> Result<BTreeMap<String, String>> {
        let references: Vec<Reference> = services.iter().filter_map(|name| config.image(&self.project, name)).collect();
        let (hashes, images) = tokio::try_join!(config::hashes(cx, &self.project), docker::pointed(cx, &references))?;
        let jobs = config.jobs(&self.project);
        let look = |service: &String| {
            let image = config.image(&self.project, service).and_then(|reference| images.get(&reference));
            let wanted = Wanted {
                count: self.wanted(config, service) as usize,
                image,
                hash: hashes.get(service),
                is_job: jobs.contains(service),
            };
            let there = now.get(service).map_or(&[][..], Vec::as_slice);
            wanted.difference(there).map(|difference| (service.clone(), difference))
        };
        let mut differences: BTreeMap<String, String> = services.iter().filter_map(look).collect();
        let doubtful = |difference: &String| difference == OTHER_SETTINGS;
        if differences.values().any(doubtful) {
            let recreated = self.recreated(cx).await?;
            let stays = |service: &String| {
                let mut there = now.get(service).into_iter().flatten();
                recreated.as_ref().is_some_and(|names| !there.any(|container| names.contains(&container.name)))
            };
            differences.retain(|service, difference| !doubtful(difference) || !stays(service));
        }
        Ok(differences)
    }

    /// The containers that Compose would make anew. It alone knows of some what they are to be: the digest it shows leaves
    /// out what is in an `env_file`. A Compose that cannot say so is believed to make all anew.
    async fn recreated(&self, cx: &Context) -> Result<Option<BTreeSet<String>>> {
        let words = self.words().into_iter().filter(|word| word != "--force-recreate");
        let command = self.project.command(cx, ["--dry-run"]).await?.args(words);
        let output = ask::answer(cx, &command).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        let name = |line: &str| {
            let (name, what) = line.split_once("Container ")?.1.split_once(' ')?;
            (what.trim() == "Recreate").then(|| name.to_owned())
        };
        Ok(output.success().then(|| said.lines().filter_map(name).collect()))
    }

    async fn launch(&self, cx: &Context, config: &Config, services: &[String]) -> Result<()> {
        let references: Vec<Reference> = services.iter().filter_map(|name| config.image(&self.project, name)).collect();
        let known: BTreeSet<_> = docker::pointed(cx, &references).await?.into_keys().collect();
        let pulls = references.iter().any(|reference| !known.contains(reference));
        let limit = self.patience.limit.max(STARTS) + if pulls { PULLS } else { Duration::ZERO };
        let command = self.project.command(cx, []).await?.args(self.words()).deadline(limit);
        let failed = match ask::compose(cx, &command).await {
            Ok(output) if output.success() => return Ok(()),
            Ok(output) => failure::of(cx, &command, &output),
            Err(error) if error.kind() == ErrorKind::Stopped => return Err(error),
            Err(error) => error,
        };
        // What the containers are says more than what Compose says of them.
        let watch = self.watch(config, services, self.patience.none());
        match watch.watch(cx).await {
            Ok(Seen::Ill(ill)) => Err(watch.error(cx, &ill).await.kind_of(failed.kind()).caused_by(failed)),
            _ => Err(failed),
        }
    }

    /// Whether all containers of the services that were asked for have been made anew, since the survey.
    fn is_anew(was: &Was, chosen: &[String], now: &BTreeMap<String, Vec<Container>>) -> bool {
        chosen.iter().all(|service| {
            let there = now.get(service).map_or(&[][..], Vec::as_slice);
            !there.is_empty() && there.iter().all(|container| !was.knows(container))
        })
    }
}

/// How long Compose may take, however little patience there is.
const STARTS: Duration = Duration::from_secs(30);
/// How much longer it may take where images have to be pulled.
const PULLS: Duration = Duration::from_secs(900);

const OTHER_SETTINGS: &str = "made of other settings";

/// What a service is to be.
struct Wanted<'a> {
    count: usize,
    image: Option<&'a Image>,
    hash: Option<&'a String>,
    is_job: bool,
}

impl Wanted<'_> {
    /// How it differs from what is there.
    fn difference(&self, there: &[Container]) -> Option<String> {
        let is_fine = |container: &&Container| {
            container.is_up() || self.is_job && container.state.status == "exited" && container.state.exit_code == 0
        };
        let fine = there.iter().filter(is_fine).count();
        if fine != self.count || there.len() != self.count {
            return Some(format!("{fine} of {} up", self.count));
        }
        let image = self.image.map(|image| &image.id);
        if let Some(container) = there.iter().find(|container| Some(&container.image) != image) {
            return Some(match image {
                Some(image) => format!("image {} -> {image}", container.image),
                None => format!("image {} -> one that is still to be pulled", container.image),
            });
        }
        let other = |container: &Container| self.hash.is_none_or(|hash| *hash != container.config);
        there.iter().any(other).then(|| OTHER_SETTINGS.to_owned())
    }
}

#[async_trait]
impl Step for Up {
    type Before = Was;
    type Output = Services;

    fn describe(&self) -> Description {
        let Self { project, services, .. } = self;
        let words = self.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let how = if self.anew { "with new containers, " } else { "" };
        let window = self.patience.window;
        let described = project
            .describe("up", services)
            .summary(format!("bring up {}, {how}and see it healthy for {window:?}", project.people_say(services)))
            .command(project.typed(&words))
            .undo_command(project.typed(&words));
        let described = project.resources(IMAGES, services).into_iter().fold(described, Description::reads);
        let described = project.resources(CONTAINERS, services).into_iter().fold(described, Description::writes);
        if self.anew { described.repeats() } else { described }
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Was, Services>> {
        let config = Config::read(cx, &self.project).await?;
        let (services, chosen) = self.touched(&config)?;
        let now = facts::containers(cx, &self.project).await?;
        let mut differences = self.differences(cx, &config, &services, &now).await?;
        if self.anew {
            for service in &chosen {
                differences.entry(service.clone()).or_insert_with(|| "made anew".to_owned());
            }
        }
        if differences.is_empty() {
            match self.watch(&config, &services, self.patience.none()).watch(cx).await? {
                Seen::Well(now) => return Ok(Survey::Already(Services::of(&now, None))),
                Seen::Ill(ill) => drop(differences.insert("but".to_owned(), summary(&ill))),
            }
        }
        let was = Was::look(cx, &self.project, &now, &services).await?;
        let diff =
            differences.iter().fold(Diff::none(), |diff, (service, how)| diff.and_note(format!("{service}: {how}")));
        Ok(Survey::predict(was, diff, Services::default()))
    }

    async fn apply(&self, cx: &Context, before: &Was) -> Result<Services> {
        let config = Config::read(cx, &self.project).await?;
        let (services, chosen) = self.touched(&config)?;
        before.keep_images(cx).await?;
        let now = facts::containers(cx, &self.project).await?;
        let is_done = self.anew
            && Self::is_anew(before, &chosen, &now)
            && self.differences(cx, &config, &services, &now).await?.is_empty();
        if !is_done {
            self.launch(cx, &config, &services).await?;
        }
        let now = self.watch(&config, &services, self.patience).require(cx).await?;
        Ok(Services::of(&now, Some(before)))
    }

    fn predict(&self) -> Option<Services> {
        Some(Services::default())
    }
}

#[async_trait]
impl Rollback for Up {
    async fn rollback(&self, cx: &Context, before: &Was) -> Result<()> {
        before.clear(cx, &self.project, self.stops).await
    }

    async fn settle(&self, cx: &Context, before: &Was) -> Result<()> {
        before.bring_back(cx, &self.project, self.patience).await
    }
}
