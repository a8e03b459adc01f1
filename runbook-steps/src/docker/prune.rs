//! Removing images that nobody needs.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use runbook::{Context, Description, Diff, Resource, Result, Step, Survey};
use serde::{Deserialize, Serialize};

use super::ask::{answer, docker};
use super::tagged::{BEFORE, KEPT};
use super::{Image, ImageId, Reference, container, failure, images};
use crate::sizes::Bytes;

/// Removes images without a tag, and images that were kept for a way back and have been followed by a newer one.
///
/// What a way back needs is never removed: the image that a tag pointed at before it last moved, what is
/// [to be kept](Prune::keep), and what any container is made of, running or not. There is no way back from this, so it is
/// taken with `run.irreversible`. Volumes are left alone.
pub fn prune() -> Prune {
    Prune { keep: BTreeSet::new(), unused: false, generations: 1 }
}

/// The step of [`prune`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.irreversible(\"why\", \"title\", step).await?`"]
pub struct Prune {
    keep: BTreeSet<Reference>,
    unused: bool,
    generations: usize,
}

impl Prune {
    /// These images stay, whatever else is said of them.
    pub fn keep(mut self, references: impl IntoIterator<Item = impl Into<Reference>>) -> Self {
        self.keep.extend(references.into_iter().map(Into::into));
        self
    }

    /// Images with a tag go too when no container is made of them: as `docker image prune --all`, but for what is to be kept.
    pub fn unused_too(mut self) -> Self {
        self.unused = true;
        self
    }

    /// Of each repository, this many images stay that a tag pointed at before, instead of one.
    pub fn generations(mut self, count: usize) -> Self {
        self.generations = count.max(1);
        self
    }

    /// What is to be done with each image.
    async fn judge(&self, cx: &Context) -> Result<Vec<Judged>> {
        let images = images(cx).await?;
        let used: BTreeSet<ImageId> = container::matching(cx, &[]).await?.into_iter().map(|one| one.image).collect();
        let recorded = self.recorded(&images);
        Ok(images.into_iter().map(|image| self.judge_one(image, &used, &recorded)).collect())
    }

    /// The newest of the tags under which images of each repository are kept. An image that has got its tag back, by a
    /// rollback, is not what the next one needs, and takes nobody's place.
    fn recorded(&self, images: &[Image]) -> BTreeSet<String> {
        let mut all: BTreeMap<&str, Vec<(Option<Timestamp>, &String)>> = BTreeMap::new();
        let mut recorded = BTreeSet::new();
        for (image, tag) in images.iter().flat_map(|image| image.tags.iter().map(move |tag| (image, tag))) {
            let Some((repository, _)) = tag.rsplit_once(':').filter(|_| is_record(tag)) else { continue };
            let is_back =
                |other: &String| !is_record(other) && other.rsplit_once(':').is_some_and(|(of, _)| of == repository);
            if image.tags.iter().any(is_back) {
                recorded.insert(tag.clone());
            } else {
                all.entry(repository).or_default().push((image.tagged, tag));
            }
        }
        let newest = all.into_values().flat_map(|mut tags| {
            tags.sort();
            tags.into_iter().rev().take(self.generations).map(|(_, tag)| tag.clone())
        });
        recorded.extend(newest);
        recorded
    }

    fn judge_one(&self, image: Image, used: &BTreeSet<ImageId>, recorded: &BTreeSet<String>) -> Judged {
        let keeps = |tag: &String| self.keep.iter().any(|kept| kept.as_str() == tag);
        let stays = if used.contains(&image.id) {
            Some("a container is made of it")
        } else if image.tags.iter().chain(&image.digests).any(keeps) {
            Some("it is to be kept")
        } else if image.tags.iter().any(|tag| recorded.contains(tag)) {
            Some("a rollback needs it")
        } else if !self.unused && !image.tags.iter().all(|tag| is_record(tag)) {
            Some("it has a tag")
        } else {
            None
        };
        Judged { image, stays }
    }
}

/// Whether it is a tag under which an image is kept.
fn is_record(tag: &str) -> bool {
    tag.rsplit_once(':').is_some_and(|(_, name)| name.starts_with(BEFORE))
}

/// An image, and why it stays.
struct Judged {
    image: Image,
    stays: Option<&'static str>,
}

/// What was removed, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// The images that are gone.
    pub removed: Vec<ImageId>,
    /// How much they took, with the layers they shared with others.
    pub size: Bytes,
    /// Those that stay because a rollback needs them, by a tag.
    pub kept: Vec<String>,
}

impl Pruned {
    fn of(judged: &[Judged]) -> Self {
        let gone = || judged.iter().filter(|one| one.stays.is_none()).map(|one| &one.image);
        let kept = judged.iter().filter(|one| one.stays == Some("a rollback needs it"));
        Self {
            removed: gone().map(|image| image.id.clone()).collect(),
            size: Bytes(gone().map(|image| image.size.0).sum()),
            kept: kept.flat_map(|one| one.image.tags.iter().cloned()).collect(),
        }
    }
}

#[async_trait]
impl Step for Prune {
    type Before = ();
    type Output = Pruned;

    fn describe(&self) -> Description {
        let what = if self.unused { "images that nothing uses" } else { "images without a tag" };
        let keep: Vec<&str> = self.keep.iter().map(Reference::as_str).collect();
        let keep = if keep.is_empty() { String::new() } else { format!(", and {}", keep.join(", ")) };
        Description::new("docker.prune", what)
            .summary(format!("remove {what}, except what a rollback needs{keep}"))
            .command(if self.unused { "docker image prune --all" } else { "docker image prune" })
            .reads(Resource::new("service", ""))
            .writes(Resource::new("image", ""))
            .writes(Resource::new(KEPT, ""))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), Pruned>> {
        let judged = self.judge(cx).await?;
        let output = Pruned::of(&judged);
        if output.removed.is_empty() {
            return Ok(Survey::Already(output));
        }
        let diff = judged.iter().fold(Diff::none(), |diff, one| {
            let Image { id, tags, size, .. } = &one.image;
            let name = tags.first().map_or_else(String::new, |tag| format!(" {tag}"));
            match one.stays {
                None => diff.and_remove(format!("{id}{name}, {size}")),
                Some("a rollback needs it") => diff.and_note(format!("{id}{name} stays: a rollback needs it")),
                Some(_) => diff,
            }
        });
        Ok(Survey::predict((), diff, output))
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Pruned> {
        let judged = self.judge(cx).await?;
        for image in judged.iter().filter(|one| one.stays.is_none()).map(|one| &one.image) {
            let names = if image.tags.is_empty() { vec![image.id.as_str().to_owned()] } else { image.tags.clone() };
            for name in names {
                remove(cx, &name).await?;
            }
        }
        let mut output = Pruned::of(&judged);
        let left: BTreeSet<ImageId> = images(cx).await?.into_iter().map(|image| image.id).collect();
        output.removed.retain(|id| !left.contains(id));
        Ok(output)
    }
}

/// Without force: what Docker itself finds in use stays.
async fn remove(cx: &Context, name: &str) -> Result<()> {
    let command = docker(["image", "rm", name]);
    let output = answer(cx, &command).await?;
    if output.success() || failure::is_missing(&output) {
        return Ok(());
    }
    if String::from_utf8_lossy(&output.stderr).contains("conflict") {
        cx.warn(format!("the image {name} stays: {}", output.tail(1).concat()));
        return Ok(());
    }
    Err(failure::of(cx, &command, &output))
}
