//! Building and pulling the images of services.

use std::collections::BTreeMap;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::Project;
use super::config::{Config, Service};
use super::patience::for_services;
use super::project::IMAGES;
use crate::docker::tagged::KEPT;
use crate::docker::{ImageId, Pointed, Tagged, ask};

impl Project {
    /// Builds the images of its services, those of one directory after one another. What their tags pointed at before is
    /// kept, and gets its tag back on the way back.
    pub fn build(&self) -> Images {
        Images { project: self.clone(), how: How::Build, services: Vec::new(), fresh: false }
    }

    /// Pulls the images of its services, those apart that are built here or whose `pull_policy` is never to. What their tags
    /// pointed at before is kept, and gets its tag back on the way back.
    pub fn pull(&self) -> Images {
        Images { project: self.clone(), how: How::Pull, services: Vec::new(), fresh: false }
    }
}

/// The step of [`Project::build`] and [`Project::pull`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Images {
    project: Project,
    how: How,
    services: Vec<String>,
    fresh: bool,
}

for_services!(Images);

/// Where images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Build,
    Pull,
}

impl How {
    fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Pull => "pull",
        }
    }
}

/// The images of services, and what they were before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The image of each service.
    pub images: BTreeMap<String, Pointed>,
}

impl Made {
    /// Whether any is another than before. In a plan that cannot know, yes.
    pub fn changed(&self) -> bool {
        self.images.values().any(Pointed::changed)
    }

    /// The image of a service.
    pub fn image(&self, service: &str) -> Option<&ImageId> {
        self.images.get(service)?.image.as_ref()
    }
}

impl Images {
    /// Builds all of it again, whatever was built before.
    pub fn no_cache(mut self) -> Self {
        self.fresh = true;
        self
    }

    fn words(&self) -> Vec<&'static str> {
        let mut words = vec![self.how.word()];
        words.extend((self.fresh && self.how == How::Build).then_some("--no-cache"));
        words
    }

    /// The services that one command is for. BuildKit, told to build several from one directory at once, may run what they
    /// have in common for each of them, keep both results, and take the other one next time: other images, of the same files.
    async fn in_turns<'s>(
        &self,
        cx: &Context,
        services: impl Iterator<Item = &'s String>,
    ) -> Result<Vec<Vec<&'s str>>> {
        Ok(match self.how {
            How::Build => Config::read(cx, &self.project).await?.in_turns(services),
            How::Pull => vec![services.map(String::as_str).collect()],
        })
    }

    /// The services whose images come this way.
    fn chosen(&self, config: &Config) -> Result<Vec<String>> {
        let mut chosen = config.chosen(&self.project, &self.services)?;
        let built = config.built(&self.project);
        chosen.retain(|name| match self.how {
            How::Build => config.service(name).is_some_and(Service::is_built),
            // Nobody has pushed what is built here, for this service or for another.
            How::Pull => {
                config.service(name).is_some_and(Service::is_pulled)
                    && config.image(&self.project, name).is_some_and(|image| !built.contains(&image))
            }
        });
        if chosen.is_empty() {
            let what = self.project.people_say(&self.services);
            return Err(Error::new(format!("there is nothing to {} of {what}", self.how.word())));
        }
        Ok(chosen)
    }
}

#[async_trait]
impl Step for Images {
    type Before = BTreeMap<String, Tagged>;
    type Output = Made;

    fn describe(&self) -> Description {
        let Self { project, services, how, .. } = self;
        let words: Vec<&str> = self.words().into_iter().chain(services.iter().map(String::as_str)).collect();
        let described = project
            .describe(how.word(), services)
            .summary(format!("{} the images of {}", how.word(), project.people_say(services)))
            .command(project.typed(&words))
            .repeats();
        let described = match how {
            How::Build => described,
            How::Pull => described.reads(Resource::new("registry", project.name())),
        };
        // What the images are called, the files alone say.
        let described = described.writes(Resource::new("image", "")).writes(Resource::new(KEPT, ""));
        project.resources(IMAGES, services).into_iter().fold(described, Description::writes)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Self::Before, Made>> {
        let config = Config::read(cx, &self.project).await?;
        let (mut before, mut made, mut diff) = (BTreeMap::new(), Made::default(), Diff::none());
        for service in self.chosen(&config)? {
            let Some(reference) = config.image(&self.project, &service) else { continue };
            let tagged = Tagged::look(cx, &reference).await?;
            // Several services may run one image.
            if !before.values().any(|other: &Tagged| other.reference == reference) {
                let from = tagged.image.as_ref().map_or("nothing", ImageId::short);
                diff = diff.and_turn(reference.as_str(), from, format!("what is there to {}", self.how.word()));
            }
            let pointed = Pointed { reference, image: None, before: tagged.image.clone() };
            made.images.insert(service.clone(), pointed);
            before.insert(service, tagged);
        }
        Ok(Survey::predict(before, diff, made))
    }

    async fn apply(&self, cx: &Context, before: &Self::Before) -> Result<Made> {
        for tagged in before.values() {
            tagged.keep(cx).await?;
        }
        let command = self.project.command(cx, []).await?.args(self.words());
        for services in self.in_turns(cx, before.keys()).await? {
            ask::run(cx, &command.clone().args(services)).await?;
        }
        let mut made = Made::default();
        for (service, tagged) in before {
            let Some(image) = tagged.moved(cx).await? else {
                let (word, reference) = (self.how.word(), &tagged.reference);
                return Err(Error::new(format!("no image `{reference}` after the {word} of `{service}`")));
            };
            let (reference, before) = (tagged.reference.clone(), tagged.image.clone());
            made.images.insert(service.clone(), Pointed { reference, image: Some(image.id), before });
        }
        Ok(made)
    }

    fn predict(&self) -> Option<Made> {
        None
    }
}

#[async_trait]
impl Rollback for Images {
    async fn rollback(&self, cx: &Context, before: &Self::Before) -> Result<()> {
        for tagged in before.values() {
            tagged.put_back(cx).await?;
        }
        Ok(())
    }
}
