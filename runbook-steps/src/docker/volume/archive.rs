//! Keeping a volume in an archive.

use std::path::PathBuf;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};

use super::helper::{self, Helper};
use super::{VolumeArchive, about, checksum};
use crate::docker::Reference;

/// Keeps a volume in an archive at this path (`.tar`, or `.tar.gz`), through a container of this image. It is there once it
/// is whole: it was unpacked into another volume, and is the same. What changes the volume meanwhile makes that fail.
pub fn archive(volume: impl Into<String>, path: impl Into<PathBuf>, image: impl Into<Reference>) -> Archive {
    Archive { volume: volume.into(), path: path.into(), helper: Helper { image: image.into() } }
}

/// The step of [`archive`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Archive {
    volume: String,
    path: PathBuf,
    helper: Helper,
}

impl Archive {
    fn scratch(&self) -> String {
        format!("{}-runbook-proof", self.volume)
    }

    /// What is in the archive, seen by unpacking it.
    async fn prove(&self, cx: &Context) -> Result<String> {
        let scratch = self.scratch();
        helper::remove(cx, &scratch).await?;
        helper::create(cx, &scratch).await?;
        self.helper.unpack(cx, &self.path, &scratch).await?;
        let (content, _) = self.helper.content(cx, &scratch).await?;
        helper::remove(cx, &scratch).await?;
        Ok(content)
    }
}

#[async_trait]
impl Step for Archive {
    type Before = ();
    type Output = VolumeArchive;

    fn describe(&self) -> Description {
        let (volume, path) = (&self.volume, self.path.display());
        Description::new("docker.archive", format!("{volume} {path}"))
            .summary(format!("keep the volume `{volume}` in `{path}`, and unpack it to see that it is whole"))
            .command(format!(
                "docker run --rm -v {volume}:/volume {} tar -cf - -C /volume . > {path}",
                self.helper.image
            ))
            .undo_command(format!("rm {path}"))
            .reads(Resource::new("volume", volume))
            .writes(Resource::path(&self.path))
            .writes(Resource::path(about(&self.path)))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), VolumeArchive>> {
        if cx.files().stat(&about(&self.path)).await?.is_some() {
            let archive = VolumeArchive::at(cx, &self.path).await?;
            archive.require_whole(cx).await?;
            return Ok(Survey::Already(archive));
        }
        self.helper.require(cx).await?;
        if !helper::exists(cx, &self.volume).await? {
            return Err(Error::new(format!("no volume `{}` on {}", self.volume, cx.host().name())));
        }
        if cx.files().stat(&self.path).await?.is_some() {
            let path = self.path.display();
            return Err(Error::new(format!("`{path}` is there already, and is no archive that was made here")));
        }
        let (path, volume) = (self.path.clone(), self.volume.clone());
        let output = VolumeArchive { path, volume, checksum: String::new(), content: String::new(), files: 0 };
        Ok(Survey::predict((), Diff::none().and_add(self.path.display().to_string()), output))
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<VolumeArchive> {
        let (content, files) = self.helper.content(cx, &self.volume).await?;
        self.helper.pack(cx, &self.volume, &self.path).await?;
        let found = self.prove(cx).await?;
        if found != content {
            let what = format!("what `{}` holds is not what is in `{}`", self.path.display(), self.volume);
            let error = helper::differs(&what, &content, &found);
            return Err(error.hint(helper::WRITTEN));
        }
        let (path, volume) = (self.path.clone(), self.volume.clone());
        let archive = VolumeArchive { checksum: checksum(cx, &path).await?, path, volume, content, files };
        archive.describe(cx).await?;
        Ok(archive)
    }
}

#[async_trait]
impl Rollback for Archive {
    async fn rollback(&self, cx: &Context, (): &()) -> Result<()> {
        helper::remove(cx, &self.scratch()).await?;
        cx.files().remove(&about(&self.path)).await?;
        cx.files().remove(&self.path).await
    }
}
