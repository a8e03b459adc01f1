//! Restoring a backup.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::host::FileKind;
use runbook_core::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::archive;
use super::handle::VerifiedBackup;
use crate::command::word;
use crate::file::aside;

/// A backup to restore.
#[derive(Debug, Clone)]
#[must_use = "a backup is restored to somewhere: `backup::restore(&backup).to(path)`"]
pub struct Restoring(VerifiedBackup);

/// Restores a backup. The directory that is there is moved aside in one instant, and back with the rollback, as
/// [`file::remove`](crate::file::remove) does.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Restore {
    backup: VerifiedBackup,
    path: PathBuf,
}

/// What a rollback of [`Restore`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreBefore {
    /// Whether there was a directory.
    was_there: bool,
    /// Where it is kept.
    aside: PathBuf,
}

/// A directory that was restored and compared with the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Where.
    pub path: PathBuf,
    /// The directory of the backup.
    pub from: PathBuf,
    /// How many files are in it.
    pub files: u64,
    /// Where the directory that was there is kept.
    pub aside: Option<PathBuf>,
}

impl Restoring {
    pub(super) fn new(backup: &VerifiedBackup) -> Self {
        Self(backup.clone())
    }

    /// To this directory, whatever is in it.
    pub fn to(self, path: impl AsRef<Path>) -> Restore {
        Restore { backup: self.0, path: path.as_ref().to_owned() }
    }
}

impl RestoreBefore {
    /// A place beside what is kept.
    fn place(&self, what: &str) -> PathBuf {
        let name = self.aside.file_name().unwrap_or_default().to_string_lossy();
        self.aside.with_file_name(format!("{name}.{what}"))
    }
}

impl Restore {
    fn restored(&self, aside: Option<PathBuf>) -> Restored {
        let backup = self.backup.backup();
        Restored { path: self.path.clone(), from: backup.path.clone(), files: backup.files, aside }
    }

    async fn is_there(&self, cx: &Context) -> Result<bool> {
        match cx.files().stat(&self.path).await?.map(|stat| stat.kind) {
            None => Ok(false),
            Some(FileKind::Directory) => Ok(true),
            Some(_) => Err(Error::new(format!("`{}` is there, and not a directory", self.path.display()))),
        }
    }

    /// Unpacks under a hidden name, and gives it another once it is known to be whole.
    async fn bring_in(&self, cx: &Context, before: &RestoreBefore) -> Result<PathBuf> {
        let (partial, incoming) = (before.place("partial"), before.place("incoming"));
        if cx.files().stat(&incoming).await?.is_none() {
            aside::make_place(cx, &before.aside).await?;
            cx.files().remove(&partial).await?;
            cx.files().make_dir(&partial).await?;
            archive::unpack_verified(cx, self.backup.backup(), &partial).await?;
            cx.files().rename(&partial, &incoming).await?;
        }
        Ok(incoming)
    }
}

async fn there(cx: &Context, path: &Path) -> Result<bool> {
    Ok(cx.files().stat(path).await?.is_some())
}

#[async_trait]
impl Step for Restore {
    type Before = RestoreBefore;
    type Output = Restored;

    fn describe(&self) -> Description {
        let (backup, path) = (self.backup.backup(), self.path.display());
        let (archive, target) = (word(&backup.archive()), word(&self.path));
        Description::new("backup.restore", path.to_string())
            .summary(format!("restore {path} from {}", backup.path.display()))
            .command(format!("mv {target} {target}.before && mkdir {target} && tar -xpzf {archive} -C {target}"))
            .undo_command(aside::by_hand(&self.path))
            .reads(Resource::path(backup.path.with_file_name(&backup.name)))
            .reads(Resource::path(&backup.path))
            .reads(Resource::path(&self.path))
            .writes(Resource::path(&self.path))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<RestoreBefore, Restored>> {
        let backup = self.backup.backup();
        let was_there = self.is_there(cx).await?;
        if was_there && archive::checksum_of_manifest(cx, &self.path).await? == backup.manifest {
            return Ok(Survey::Already(self.restored(None)));
        }
        let parent = aside::parent(&self.path)?;
        if !there(cx, &parent).await? {
            return Err(Error::new(format!("the directory `{}` does not exist", parent.display())));
        }
        let aside = aside::next(cx, &self.path).await?;
        let from = if was_there { "as it is" } else { "nothing" };
        let diff = Diff::turn(self.path.display().to_string(), from, format!("{} files of the backup", backup.files));
        let restored = self.restored(was_there.then(|| aside.clone()));
        Ok(Survey::predict(RestoreBefore { was_there, aside }, diff, restored))
    }

    async fn apply(&self, cx: &Context, before: &RestoreBefore) -> Result<Restored> {
        let kept = there(cx, &before.aside).await?;
        let done = self.is_there(cx).await? && (kept || !before.was_there);
        if !done {
            let incoming = self.bring_in(cx, before).await?;
            if before.was_there && !kept {
                cx.files().rename(&self.path, &before.aside).await?;
            }
            cx.files().rename(&incoming, &self.path).await?;
            aside::make_room(cx, &self.path).await?;
        }
        aside::tidy(cx, &before.aside).await?;
        Ok(self.restored(before.was_there.then(|| before.aside.clone())))
    }

    fn predict(&self) -> Option<Restored> {
        Some(self.restored(None))
    }
}

#[async_trait]
impl Rollback for Restore {
    async fn rollback(&self, cx: &Context, before: &RestoreBefore) -> Result<()> {
        let discarded = before.place("discarded");
        let kept = there(cx, &before.aside).await?;
        if self.is_there(cx).await? && (kept || !before.was_there) {
            // Out of the way at once; removing it takes its time.
            aside::make_place(cx, &before.aside).await?;
            cx.files().remove(&discarded).await?;
            cx.files().rename(&self.path, &discarded).await?;
        }
        if kept {
            cx.files().rename(&before.aside, &self.path).await?;
        }
        for what in ["discarded", "partial", "incoming"] {
            cx.files().remove(&before.place(what)).await?;
        }
        aside::tidy(cx, &before.aside).await
    }
}
