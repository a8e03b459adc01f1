//! Pointing a tag at another image.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::tagged::{self, Tagged};
use super::{ImageId, Reference};

/// Points the tag `target` at the image `source`. The image it pointed at before is kept, and gets its tag back on the
/// way back.
pub fn tag(source: impl Into<Reference>, target: impl Into<Reference>) -> Tag {
    Tag { source: source.into(), target: target.into() }
}

/// The step of [`tag`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Tag {
    source: Reference,
    target: Reference,
}

/// A tag, and the image it points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointed {
    /// The tag.
    pub reference: Reference,
    /// The image it points at; `None` in a plan that cannot know.
    pub image: Option<ImageId>,
    /// The image it pointed at before; `None` when there was no such tag.
    pub before: Option<ImageId>,
}

impl Pointed {
    /// Whether it points at another image than before. In a plan that cannot know, yes.
    pub fn changed(&self) -> bool {
        self.image.is_none() || self.image != self.before
    }
}

pub(crate) fn resource(reference: &Reference) -> Resource {
    Resource::new("image", reference.as_str())
}

/// The images that are kept of its repository.
pub(crate) fn kept(reference: &Reference) -> Resource {
    Resource::new(tagged::KEPT, reference.repository())
}

#[async_trait]
impl Step for Tag {
    type Before = Tagged;
    type Output = Pointed;

    fn describe(&self) -> Description {
        let Self { source, target } = self;
        Description::new("docker.tag", target.as_str())
            .summary(format!("point `{target}` at `{source}`"))
            .command(format!("docker tag {source} {target}"))
            .undo_command(format!("docker tag {}:{}… {target}", target.repository(), tagged::BEFORE))
            .reads(resource(source))
            .writes(resource(target))
            .writes(kept(target))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Tagged, Pointed>> {
        let wanted = tagged::require(cx, &self.source).await?.id;
        let before = Tagged::look(cx, &self.target).await?.to(&wanted);
        let output =
            Pointed { reference: self.target.clone(), image: Some(wanted.clone()), before: before.image.clone() };
        if before.image.as_ref() == Some(&wanted) {
            return Ok(Survey::Already(output));
        }
        let from = before.image.as_ref().map_or("nothing", ImageId::short).to_owned();
        Ok(Survey::predict(before, Diff::turn(self.target.as_str(), from, wanted), output))
    }

    async fn apply(&self, cx: &Context, before: &Tagged) -> Result<Pointed> {
        before.keep(cx).await?;
        tagged::tag(cx, self.source.as_str(), self.target.as_str()).await?;
        let now = before.moved(cx).await?;
        Ok(Pointed { reference: self.target.clone(), image: now.map(|image| image.id), before: before.image.clone() })
    }

    fn predict(&self) -> Option<Pointed> {
        Some(Pointed { reference: self.target.clone(), image: None, before: None })
    }
}

#[async_trait]
impl Rollback for Tag {
    async fn rollback(&self, cx: &Context, before: &Tagged) -> Result<()> {
        before.put_back(cx).await
    }
}
