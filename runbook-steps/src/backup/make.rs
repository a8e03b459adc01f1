//! Making a backup.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use runbook_core::host::{Attributes, FileKind};
use runbook_core::{Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::archive;
use super::handle::{self, ABOUT, ARCHIVE, Backup, MANIFEST};
use super::place::Place;
use crate::command::word;
use crate::file::DirectoryBefore;

/// What stands for the time in the name of a backup that is yet to be made.
const TIME: &str = "<time>";

/// A directory to back up.
#[derive(Debug, Clone)]
#[must_use = "a backup goes somewhere: `backup::directory(path).into_dir(dir)`"]
pub struct Source(PathBuf);

/// Makes a backup of a directory.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct BackUp {
    source: PathBuf,
    dir: PathBuf,
}

/// What a rollback of [`BackUp`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackUpBefore {
    /// Where the backup will be.
    path: PathBuf,
    taken_at: Timestamp,
    /// What was there of the directory for backups, when that has to be made.
    dir: Option<DirectoryBefore>,
}

impl Source {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Into this directory, which is made when it is missing. It must not lie in the one that is backed up.
    pub fn into_dir(self, dir: impl AsRef<Path>) -> BackUp {
        BackUp { source: self.0, dir: dir.as_ref().to_owned() }
    }
}

impl BackUp {
    fn name(&self) -> String {
        self.source.file_name().map_or_else(|| "root".into(), |name| name.to_string_lossy().into_owned())
    }

    fn place(&self) -> Place<'_> {
        Place(&self.dir)
    }

    /// The backup as far as it is known before it is made.
    fn foreseen(&self) -> Backup {
        let known_later = "(known once the backup is made)".to_owned();
        Backup {
            path: self.dir.join(format!("{}-{TIME}", self.name())),
            name: self.name(),
            source: self.source.clone(),
            checksum: known_later.clone(),
            manifest: known_later,
            bytes: 0,
            files: 0,
            taken_at: None,
        }
    }

    async fn require_source(&self, cx: &Context) -> Result<()> {
        let source = self.source.display();
        let stat = cx.files().stat(&self.source).await?.with_context(|| format!("`{source}` does not exist"))?;
        match stat.kind {
            FileKind::Directory => {}
            FileKind::Symlink(to) => {
                let error = Error::new(format!("`{source}` is a symbolic link to `{}`", to.display()));
                return Err(error.hint("name the directory it leads to"));
            }
            FileKind::File | FileKind::Other => return Err(Error::new(format!("`{source}` is not a directory"))),
        }
        if self.dir.starts_with(&self.source) {
            let dir = self.dir.display();
            return Err(Error::new(format!("the backups in `{dir}` would lie in `{source}`, and hold themselves")));
        }
        Ok(())
    }

    /// Fills a directory with the three files of the backup.
    async fn fill(&self, cx: &Context, dir: &Path, before: &BackUpBefore) -> Result<Backup> {
        let (archive, manifest) = (dir.join(ARCHIVE), dir.join(MANIFEST));
        cx.run(&archive::write_manifest(&self.source, &manifest)).await?;
        cx.run(&archive::pack(&self.source, &archive)).await.map_err(|error| self.changing(error))?;
        cx.run(&archive::compare(&self.source, &archive)).await.map_err(|error| self.changing(error))?;
        let bytes = cx.files().stat(&archive).await?.context(format!("`{}` is gone", archive.display()))?.size;
        let backup = Backup {
            path: before.path.clone(),
            name: self.name(),
            source: self.source.clone(),
            checksum: archive::checksum(cx, &archive).await?,
            manifest: archive::checksum(cx, &manifest).await?,
            bytes,
            files: archive::count_files(cx, &manifest).await?,
            taken_at: Some(before.taken_at),
        };
        let about = serde_json::to_vec_pretty(&backup)?;
        cx.files().write(&dir.join(ABOUT), &about, &Attributes::mode(0o600)).await?;
        archive::sync(cx, &archive).await?;
        archive::sync(cx, &manifest).await?;
        Ok(backup)
    }

    fn changing(&self, error: Error) -> Error {
        let error = error.context(format!("back up `{}`", self.source.display()));
        error.hint("if it changed meanwhile, stop what writes to it for the time of the backup")
    }
}

#[async_trait]
impl Step for BackUp {
    type Before = BackUpBefore;
    type Output = Backup;

    fn describe(&self) -> Description {
        let (source, dir, name) = (self.source.display(), self.dir.display(), self.name());
        let archive = format!("{name}-$(date -u +%Y%m%dT%H%M%SZ).tar.gz");
        Description::new("backup.directory", source.to_string())
            .summary(format!("back up {source} into {dir}"))
            .command(format!("tar -czf {}/{archive} -C {} .", word(&self.dir), word(&self.source)))
            .undo_command(format!("ls -d {}/{name}-*; rm -r {}/{name}-TIME", word(&self.dir), word(&self.dir)))
            .reads(Resource::path(&self.source))
            .writes(Resource::path(self.dir.join(name)))
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<BackUpBefore, Backup>> {
        self.require_source(cx).await?;
        let (dir, taken_at) = (self.place().missing(cx).await?, cx.now());
        let path = self.place().free(cx, &self.name(), taken_at).await?;
        let foreseen = self.foreseen();
        let diff = Diff::none().and_add(foreseen.path.display().to_string());
        Ok(Survey::predict(BackUpBefore { path, taken_at, dir }, diff, foreseen))
    }

    async fn apply(&self, cx: &Context, before: &BackUpBefore) -> Result<Backup> {
        if let Some(made) = handle::read::<Backup>(cx, &before.path).await? {
            archive::require(cx, &made.archive(), &made.checksum).await?;
            return Ok(made);
        }
        let partial = self.place().begin(cx, &before.path, before.dir.as_ref()).await?;
        let backup = self.fill(cx, &partial, before).await?;
        cx.files().rename(&partial, &before.path).await?;
        Ok(backup)
    }

    fn predict(&self) -> Option<Backup> {
        Some(self.foreseen())
    }
}

#[async_trait]
impl Rollback for BackUp {
    async fn rollback(&self, cx: &Context, before: &BackUpBefore) -> Result<()> {
        self.place().take_back(cx, &before.path, before.dir.as_ref()).await
    }
}
