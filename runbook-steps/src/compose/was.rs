//! What ran before a step, and how it is brought back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use runbook::{Context, Error, Result};
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::patience::Patience;
use super::watch::Watch;
use super::{Condition, Project, facts, way_back};
use crate::docker::{Container, ImageId, Reference, ask, container, image, tagged};

/// What ran of a project before a step: which containers of which services, of which images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Was {
    /// The containers of the services that the step is about.
    services: BTreeMap<String, Vec<Ran>>,
    /// The networks of the project.
    networks: Vec<String>,
}

/// A container before a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ran {
    id: String,
    image: ImageId,
    reference: String,
    up: bool,
    /// Whether it was as it should be: what was ill need not come back well.
    #[serde(default)]
    well: bool,
    started: Option<Timestamp>,
}

impl Ran {
    fn of(container: &Container) -> Self {
        Self {
            id: container.id.clone(),
            image: container.image.clone(),
            reference: container.reference.clone(),
            up: container.is_up(),
            well: Condition::of(container, container.restarts, false).is_well(),
            started: container.state.started,
        }
    }

    /// Whether this is it, still in the life it was in.
    fn is(&self, now: &Container) -> bool {
        now.id == self.id && now.is_up() && now.state.started == self.started
    }
}

impl Was {
    /// What runs now of these services.
    pub(super) async fn look(
        cx: &Context,
        project: &Project,
        now: &BTreeMap<String, Vec<Container>>,
        services: impl IntoIterator<Item = &String>,
    ) -> Result<Self> {
        let ran = |name: &String| (name.clone(), now.get(name).into_iter().flatten().map(Ran::of).collect());
        Ok(Self { services: services.into_iter().map(ran).collect(), networks: facts::networks(cx, project).await? })
    }

    /// The services it is about.
    pub(super) fn services(&self) -> impl Iterator<Item = &String> {
        self.services.keys()
    }

    fn of(&self, service: &str) -> Target<'_> {
        Target(self.services.get(service).map_or(&[], Vec::as_slice))
    }

    /// How many containers of this service were up.
    pub(super) fn count(&self, service: &str) -> u32 {
        self.of(service).count()
    }

    /// Whether this container was there, in whatever state.
    pub(super) fn knows(&self, container: &Container) -> bool {
        self.of(&container.service).knows(container)
    }

    /// Whether a container is in the life it was in before.
    pub(super) fn lives(&self, container: &Container) -> bool {
        self.of(&container.service).lives(container)
    }

    /// Keeps the images of the containers, which are about to be removed and hold them no more.
    pub(super) async fn keep_images(&self, cx: &Context) -> Result<()> {
        let images: BTreeMap<_, _> = self.services.values().flatten().map(|ran| (&ran.image, &ran.reference)).collect();
        for (id, reference) in images {
            // One that was made of an id has no name to be kept under.
            let reference = Reference::named(reference.as_str());
            if reference.is_tag() {
                tagged::keep_for(cx, &reference, id).await?;
            }
        }
        Ok(())
    }

    /// The way back, first part: what was not there goes away, and what runs otherwise than before is stopped when it must
    /// not meet what is to be put back. The rest is for [`bring_back`](Self::bring_back).
    pub(super) async fn clear(&self, cx: &Context, project: &Project, stops: bool) -> Result<()> {
        way_back::note(cx, project, &self.services).await?;
        let now = facts::containers(cx, project).await?;
        let (mut to_stop, mut to_remove) = (Vec::new(), Vec::new());
        for (service, container) in now.iter().flat_map(|(service, all)| all.iter().map(move |one| (service, one))) {
            if !self.services.contains_key(service) {
                continue;
            }
            let (was, id) = (self.of(service), container.id.as_str());
            match (was.count() > 0, was.knows(container)) {
                (false, false) => to_remove.push(id),
                (false, true) if container.is_up() => to_stop.push(id),
                (true, _) if stops && container.is_up() && !was.lives(container) => to_stop.push(id),
                _ => {}
            }
        }
        container::stop(cx, &[&to_stop[..], &to_remove[..]].concat()).await?;
        container::remove(cx, &to_remove).await?;
        self.clear_networks(cx, project).await
    }

    /// Networks that were not there before go away unless something is in them.
    async fn clear_networks(&self, cx: &Context, project: &Project) -> Result<()> {
        for network in facts::networks(cx, project).await? {
            if !self.networks.contains(&network) {
                ask::answer(cx, &ask::docker(["network", "rm", &network])).await?;
            }
        }
        Ok(())
    }

    /// The way back, second part: what ran runs again, of the images it ran, with the files as they are now; and it is
    /// healthy.
    pub(super) async fn bring_back(&self, cx: &Context, project: &Project, patience: Patience) -> Result<()> {
        let noted = way_back::noted(cx, project, self.services()).await?;
        let now = facts::containers(cx, project).await?;
        let none = Vec::new();
        let there = |service: &String| now.get(service).unwrap_or(&none);
        let gone: Vec<String> = noted
            .iter()
            .filter(|(service, ran)| Target(ran).is_gone(there(service)))
            .map(|(name, _)| name.clone())
            .collect();
        if !gone.is_empty() {
            let config = Config::read(cx, project).await?;
            let watch = |services: &[String], patience: Patience| {
                let well = services.iter().filter(|name| Target(&noted[*name]).was_well());
                let services = well.map(|name| (name.clone(), Target(&noted[name]).count())).collect();
                Watch { project, services, jobs: config.jobs(project), patience }
            };
            let mut left = gone.clone();
            for group in config.in_order(&gone) {
                for service in &group {
                    let back = Back { cx, project, config: &config, service };
                    back.start(Target(&noted[service]), there(service)).await?;
                }
                left.retain(|service| !group.contains(service));
                // One that does not become well keeps nobody from coming back.
                let awaited: Vec<String> = group.into_iter().filter(|name| config.is_awaited(name, &left)).collect();
                if !awaited.is_empty() {
                    watch(&awaited, patience.at_once()).watch(cx).await?;
                }
            }
            for (service, containers) in watch(&gone, patience).require(cx).await? {
                Target(&noted[&service]).require_images(&containers)?;
            }
        }
        way_back::forget(cx, project, noted.keys()).await
    }
}

/// What a service was, and is to be.
#[derive(Debug, Clone, Copy)]
struct Target<'a>(&'a [Ran]);

impl Target<'_> {
    fn up(&self) -> impl Iterator<Item = &Ran> {
        self.0.iter().filter(|ran| ran.up)
    }

    fn count(self) -> u32 {
        u32::try_from(self.up().count()).unwrap_or(u32::MAX)
    }

    fn was_well(self) -> bool {
        self.up().all(|ran| ran.well)
    }

    fn knows(self, container: &Container) -> bool {
        self.0.iter().any(|ran| ran.id == container.id)
    }

    fn lives(self, container: &Container) -> bool {
        self.up().any(|ran| ran.is(container))
    }

    fn images(&self) -> BTreeSet<&ImageId> {
        self.up().map(|ran| &ran.image).collect()
    }

    /// Whether it ran, and does not run as it did.
    fn is_gone(self, there: &[Container]) -> bool {
        let up = there.iter().filter(|container| container.is_up()).count();
        let lives = there.iter().filter(|container| self.lives(container)).count();
        self.up().count() != lives || (lives > 0 && up != lives)
    }

    /// That something runs is not enough.
    fn require_images(&self, now: &[Container]) -> Result<()> {
        let wanted = self.images();
        let Some(other) = now.iter().find(|container| !wanted.contains(&container.image)) else { return Ok(()) };
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let (name, image) = (&other.name, &other.image);
        Err(Error::new(format!("`{name}` came back on image {image} instead of {}", wanted.join(" or "))))
    }
}

/// A service on its way back.
struct Back<'a> {
    cx: &'a Context,
    project: &'a Project,
    config: &'a Config,
    service: &'a str,
}

impl Back<'_> {
    /// Containers that are still there are started as they are. One that runs, but began to while things were different, has
    /// read what is no longer so, and begins again. Where others have taken their place, there are new ones.
    async fn start(&self, target: Target<'_>, there: &[Container]) -> Result<()> {
        let (known, others): (Vec<_>, Vec<_>) = there.iter().partition(|container| target.knows(container));
        let stays = known.iter().any(|container| target.lives(container)) || !known.is_empty() && others.is_empty();
        if !stays {
            return self.on_its_image(target, "--force-recreate").await;
        }
        let others: Vec<&str> = others.iter().map(|container| container.id.as_str()).collect();
        container::stop(self.cx, &others).await?;
        container::remove(self.cx, &others).await?;
        let stale = known.iter().filter(|container| container.is_up() && !target.lives(container));
        let stale: Vec<&str> = stale.map(|container| container.id.as_str()).collect();
        container::restart(self.cx, &stale).await?;
        self.on_its_image(target, "--no-recreate").await
    }

    async fn on_its_image(&self, target: Target<'_>, how: &str) -> Result<()> {
        let aside = self.point_tag(target).await?;
        let started = self.up(target, how).await;
        if let Some((reference, id)) = aside {
            tagged::tag(self.cx, id.as_str(), reference.as_str()).await?;
        }
        started
    }

    async fn up(&self, target: Target<'_>, how: &str) -> Result<()> {
        let scale = format!("--scale={}={}", self.service, target.count());
        let words = ["up", "--detach", "--no-deps", "--no-build", how, &scale, self.service];
        ask::run_compose(self.cx, &self.project.command(self.cx, words).await?).await.map(drop)
    }

    /// Points the tag of the service at the image it ran, where that is another: someone moved it between the start of the
    /// container and this run. Gives what it pointed at.
    async fn point_tag(&self, target: Target<'_>) -> Result<Option<(Reference, ImageId)>> {
        let images = target.images();
        let (Some(reference), Some(ran)) = (self.config.image(self.project, self.service), images.first()) else {
            return Ok(None);
        };
        let now = image(self.cx, reference.clone()).await?.map(|image| image.id);
        if now.as_ref() == Some(*ran) || !reference.is_tag() {
            return Ok(None);
        }
        tagged::tag(self.cx, ran.as_str(), reference.as_str()).await?;
        Ok(now.map(|id| (reference, id)))
    }
}
