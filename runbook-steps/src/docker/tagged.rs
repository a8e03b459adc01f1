//! What a tag pointed at before it moved, and how it is put back.

use runbook::{Context, Error, Explain as _, Result};
use serde::{Deserialize, Serialize};

use super::ask::{answer, docker, run};
use super::image::image;
use super::{Image, ImageId, Reference, failure};

/// The tag under which an image is kept whose own tag has moved on. An image without any tag is what everybody prunes.
pub(crate) const BEFORE: &str = "runbook-before-";

/// The kind of the resource that such tags are: all those of a repository.
pub(crate) const KEPT: &str = "kept-image";

/// What a tag pointed at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tagged {
    /// The tag.
    pub reference: Reference,
    /// The image it pointed at; `None` when there was no such tag.
    pub image: Option<ImageId>,
    /// Whether the image was kept already, by an earlier change.
    #[serde(default)]
    kept: bool,
    /// The image it is to point at, where that is known.
    #[serde(default)]
    to: Option<ImageId>,
}

impl Tagged {
    /// What this tag points at now.
    pub(crate) async fn look(cx: &Context, reference: &Reference) -> Result<Self> {
        let now = image(cx, reference.clone()).await?;
        let kept = now.as_ref().is_some_and(|image| image.tags.contains(&kept_as(reference, &image.id)));
        Ok(Self { reference: reference.clone(), image: now.map(|image| image.id), kept, to: None })
    }

    /// It is to point at this image. When it points elsewhere on the way back, somebody else has moved it: another step that
    /// was taken back sooner, say.
    pub(crate) fn to(self, image: &ImageId) -> Self {
        Self { to: Some(image.clone()), ..self }
    }

    fn is_ours(&self, now: Option<&ImageId>) -> bool {
        self.to.is_none() || now.is_none() || now == self.to.as_ref()
    }

    /// Keeps the image, for the time when the tag has moved. One that was kept already is kept anew: it is the newest now.
    pub(crate) async fn keep(&self, cx: &Context) -> Result<()> {
        let (true, Some(id)) = (self.reference.is_tag(), &self.image) else { return Ok(()) };
        tag(cx, id.as_str(), &kept_as(&self.reference, id)).await
    }

    /// Lets the image go unless the tag has moved. Says what the tag points at now.
    pub(crate) async fn moved(&self, cx: &Context) -> Result<Option<Image>> {
        let now = image(cx, self.reference.clone()).await?;
        if now.as_ref().map(|image| &image.id) == self.image.as_ref() {
            self.release(cx).await?;
        }
        Ok(now)
    }

    /// Points the tag at what it pointed at.
    pub(crate) async fn put_back(&self, cx: &Context) -> Result<()> {
        if !self.reference.is_tag() {
            return Ok(());
        }
        let now = image(cx, self.reference.clone()).await?.map(|image| image.id);
        match (&self.image, &now) {
            _ if !self.is_ours(now.as_ref()) => {}
            (Some(before), now) if Some(before) != now.as_ref() => {
                tag(cx, before.as_str(), self.reference.as_str())
                    .await
                    .with_context(|| format!("point `{}` at {before} again, where it was before", self.reference))?;
            }
            (None, Some(_)) => untag(cx, self.reference.as_str()).await?,
            _ => {}
        }
        self.release(cx).await
    }

    async fn release(&self, cx: &Context) -> Result<()> {
        match &self.image {
            Some(id) if self.reference.is_tag() && !self.kept => untag(cx, &kept_as(&self.reference, id)).await,
            _ => Ok(()),
        }
    }
}

/// Where an image is kept that this tag pointed at.
pub(crate) fn kept_as(reference: &Reference, id: &ImageId) -> String {
    format!("{}:{BEFORE}{}", reference.repository(), id.short())
}

/// Keeps an image that a container was made of, unless some tag does. A container that is removed keeps nothing.
pub(crate) async fn keep_for(cx: &Context, reference: &Reference, id: &ImageId) -> Result<()> {
    match image(cx, id.as_str()).await? {
        Some(image) if image.tags.is_empty() && !reference.repository().is_empty() => {
            let name = Reference::named(reference.repository());
            tag(cx, id.as_str(), &kept_as(&name, id)).await
        }
        _ => Ok(()),
    }
}

/// Points a tag at an image.
pub(crate) async fn tag(cx: &Context, source: &str, target: &str) -> Result<()> {
    run(cx, &docker(["image", "tag", source, target])).await.map(drop)
}

/// Removes a tag, and the image only when nothing else names or uses it. One that is not there is fine.
pub(crate) async fn untag(cx: &Context, name: &str) -> Result<()> {
    let command = docker(["image", "rm", "--force", "--no-prune", name]);
    let output = answer(cx, &command).await?;
    if output.success() || failure::is_missing(&output) {
        return Ok(());
    }
    Err(failure::of(cx, &command, &output))
}

/// The image a name points to; without one, an error that says so.
pub(crate) async fn require(cx: &Context, reference: &Reference) -> Result<Image> {
    let found = image(cx, reference.clone()).await?;
    found.ok_or_else(|| {
        Error::new(format!("no image `{reference}` on {}", cx.host().name())).hint("pull or build it first")
    })
}
