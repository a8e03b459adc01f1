//! Pulling an image.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};

use super::ask::{docker, run};
use super::tag::{Pointed, kept, resource};
use super::tagged::Tagged;
use super::{ImageId, Reference};

/// Pulls an image from its registry. The image its tag pointed at before is kept, and gets its tag back on the way back.
pub fn pull(reference: impl Into<Reference>) -> Pull {
    Pull { reference: reference.into() }
}

/// The step of [`pull`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Pull {
    reference: Reference,
}

#[async_trait]
impl Step for Pull {
    type Before = Tagged;
    type Output = Pointed;

    fn describe(&self) -> Description {
        let reference = &self.reference;
        Description::new("docker.pull", reference.as_str())
            .summary(format!("pull `{reference}`"))
            .command(format!("docker pull {reference}"))
            .reads(Resource::new("registry", reference.repository()))
            .writes(resource(reference))
            .writes(kept(reference))
            .repeats()
    }

    /// What the registry has is known once it was pulled.
    async fn survey(&self, cx: &Context) -> Result<Survey<Tagged, Pointed>> {
        let before = Tagged::look(cx, &self.reference).await?;
        let from = before.image.as_ref().map_or("nothing", ImageId::short).to_owned();
        let output = Pointed { reference: self.reference.clone(), image: None, before: before.image.clone() };
        Ok(Survey::predict(before, Diff::turn(self.reference.as_str(), from, "what the registry has"), output))
    }

    async fn apply(&self, cx: &Context, before: &Tagged) -> Result<Pointed> {
        before.keep(cx).await?;
        run(cx, &docker(["pull", self.reference.as_str()])).await?;
        match before.moved(cx).await? {
            Some(now) => {
                Ok(Pointed { reference: self.reference.clone(), image: Some(now.id), before: before.image.clone() })
            }
            None => Err(Error::new(format!("`{}` was pulled, and is not there", self.reference))),
        }
    }

    fn predict(&self) -> Option<Pointed> {
        Some(Pointed { reference: self.reference.clone(), image: None, before: None })
    }
}

#[async_trait]
impl Rollback for Pull {
    async fn rollback(&self, cx: &Context, before: &Tagged) -> Result<()> {
        before.put_back(cx).await
    }
}
