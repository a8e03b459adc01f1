//! Putting a volume back from an archive.

use std::path::PathBuf;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::helper::{self, Helper};
use super::{VolumeArchive, users};
use crate::docker::Reference;

/// Has in a volume what is in an archive that [`archive`](super::archive) made, through a container of this image.
///
/// It refuses while a container uses the volume. The archive is unpacked beside the volume and proven first; what was in the
/// volume is kept in another one, `…-runbook-before`, and comes back on the way back. That one stays until the next restore.
pub fn restore(volume: impl Into<String>, archive: impl Into<PathBuf>, image: impl Into<Reference>) -> Restore {
    Restore { volume: volume.into(), archive: archive.into(), helper: Helper { image: image.into() } }
}

/// The step of [`restore`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Restore {
    volume: String,
    archive: PathBuf,
    helper: Helper,
}

/// What was in a volume before: a digest; `None` when there was no such volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeBefore {
    content: Option<String>,
}

/// A volume that was put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The volume.
    pub volume: String,
    /// The digest of what is in it, which is what the archive holds.
    pub content: String,
    /// How many files there are.
    pub files: u64,
}

impl Restore {
    fn before(&self) -> String {
        format!("{}-runbook-before", self.volume)
    }

    fn new_one(&self) -> String {
        format!("{}-runbook-new", self.volume)
    }

    async fn require_unused(&self, cx: &Context) -> Result<()> {
        let users = users(cx, &self.volume).await?;
        if users.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = users.iter().map(|container| container.name.as_str()).collect();
        let error = Error::refused(format!("the volume `{}` is in use by {}", self.volume, names.join(", ")));
        Err(error.hint("stop the services that use it first"))
    }

    /// Keeps what is in the volume, unless that is done.
    async fn keep(&self, cx: &Context, content: &str) -> Result<()> {
        let before = self.before();
        if helper::exists(cx, &before).await? && self.helper.content(cx, &before).await?.0 == content {
            return Ok(());
        }
        helper::remove(cx, &before).await?;
        helper::create(cx, &before).await?;
        self.copy(cx, &self.volume, &before, content).await
    }

    async fn copy(&self, cx: &Context, from: &str, to: &str, content: &str) -> Result<()> {
        self.helper.copy(cx, from, to).await?;
        let (found, _) = self.helper.content(cx, to).await?;
        if found == content {
            return Ok(());
        }
        Err(helper::differs(&format!("the volume `{to}` does not hold what `{from}` should"), content, &found))
    }

    async fn unpack(&self, cx: &Context, archive: &VolumeArchive) -> Result<()> {
        let new = self.new_one();
        helper::remove(cx, &new).await?;
        helper::create(cx, &new).await?;
        self.helper.unpack(cx, &archive.path, &new).await?;
        let (found, _) = self.helper.content(cx, &new).await?;
        if found == archive.content {
            return Ok(());
        }
        let what = format!("`{}` does not unpack to what was kept in it", archive.path.display());
        Err(helper::differs(&what, &archive.content, &found))
    }
}

#[async_trait]
impl Step for Restore {
    type Before = VolumeBefore;
    type Output = Restored;

    fn describe(&self) -> Description {
        let (volume, path, image) = (&self.volume, self.archive.display(), &self.helper.image);
        Description::new("docker.restore", format!("{volume} {path}"))
            .summary(format!("have in the volume `{volume}` what is in `{path}`"))
            .command(format!("docker run --rm -i -v {volume}:/volume {image} tar -xpf - -C /volume < {path}"))
            .reads(Resource::path(&self.archive))
            .writes(Resource::new("volume", volume))
            .writes(Resource::new("volume", self.before()))
            .writes(Resource::new("volume", self.new_one()))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<VolumeBefore, Restored>> {
        self.helper.require(cx).await?;
        let archive = VolumeArchive::at(cx, &self.archive).await?;
        archive.require_whole(cx).await?;
        let content = if helper::exists(cx, &self.volume).await? {
            Some(self.helper.content(cx, &self.volume).await?.0)
        } else {
            None
        };
        let (volume, files) = (self.volume.clone(), archive.files);
        let output = Restored { volume, content: archive.content.clone(), files };
        let is_tidy = !helper::exists(cx, &self.new_one()).await?;
        if content.as_ref() == Some(&archive.content) && is_tidy {
            return Ok(Survey::Already(output));
        }
        self.require_unused(cx).await?;
        let short = |content: &str| content.get(..12).unwrap_or(content).to_owned();
        let from = content.as_deref().map_or_else(|| "nothing".to_owned(), short);
        let diff = Diff::turn(&self.volume, from, format!("{} ({files} files)", short(&archive.content)));
        Ok(Survey::predict(VolumeBefore { content }, diff, output))
    }

    async fn apply(&self, cx: &Context, before: &VolumeBefore) -> Result<Restored> {
        self.require_unused(cx).await?;
        let archive = VolumeArchive::at(cx, &self.archive).await?;
        archive.require_whole(cx).await?;
        helper::create(cx, &self.volume).await?;
        if self.helper.content(cx, &self.volume).await?.0 != archive.content {
            self.unpack(cx, &archive).await?;
            if let Some(content) = &before.content {
                self.keep(cx, content).await?;
            }
            self.copy(cx, &self.new_one(), &self.volume, &archive.content).await?;
        }
        helper::remove(cx, &self.new_one()).await?;
        Ok(Restored { volume: self.volume.clone(), content: archive.content, files: archive.files })
    }
}

#[async_trait]
impl Rollback for Restore {
    async fn rollback(&self, cx: &Context, before: &VolumeBefore) -> Result<()> {
        helper::remove(cx, &self.new_one()).await?;
        let Some(content) = &before.content else { return helper::remove(cx, &self.volume).await };
        if self.helper.content(cx, &self.volume).await?.0 != *content {
            self.require_unused(cx).await?;
            self.copy(cx, &self.before(), &self.volume, content).await?;
        }
        helper::remove(cx, &self.before()).await
    }
}
