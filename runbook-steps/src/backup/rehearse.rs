//! Proving a backup.

use std::path::PathBuf;

use async_trait::async_trait;
use runbook_core::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::archive;
use super::handle::{self, Backup, VerifiedBackup};
use super::place::make_empty;
use crate::command::word;

/// Restores a backup into a scratch directory beside it, compares every name, mode, size and checksum with its
/// manifest, and removes the scratch directory.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Rehearse(Backup);

/// What a rollback of [`Rehearse`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearseBefore {
    scratch: PathBuf,
}

impl Rehearse {
    pub(super) fn new(backup: &Backup) -> Self {
        Self(backup.clone())
    }
}

#[async_trait]
impl Step for Rehearse {
    type Before = RehearseBefore;
    type Output = VerifiedBackup;

    fn describe(&self) -> Description {
        let Self(backup) = self;
        let path = backup.path.display();
        Description::new("backup.rehearse", path.to_string())
            .summary(format!("prove that {path} restores"))
            .command(format!("mkdir /tmp/rehearsal && tar -xpzf {} -C /tmp/rehearsal", word(&backup.archive())))
            .undo_command(format!("rm -rf {}", word(&backup.beside("rehearsal"))))
            .reads(Resource::path(backup.path.with_file_name(&backup.name)))
            .reads(Resource::path(&backup.path))
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<RehearseBefore, VerifiedBackup>> {
        let Self(backup) = self;
        let path = backup.path.display();
        match handle::read::<Backup>(cx, &backup.path).await? {
            None => return Err(Error::new(format!("the backup `{path}` does not exist"))),
            Some(found) if found != *backup => {
                return Err(Error::new(format!("`{path}` is another backup than the one to be proven")));
            }
            Some(_) => {}
        }
        let before = RehearseBefore { scratch: backup.beside("rehearsal") };
        let files = if backup.files == 1 { "1 file is".to_owned() } else { format!("{} files are", backup.files) };
        let diff = Diff::note(format!("{files} restored beside the backup and compared"));
        Ok(Survey::predict(before, diff, VerifiedBackup::new(backup, None)))
    }

    async fn apply(&self, cx: &Context, before: &RehearseBefore) -> Result<VerifiedBackup> {
        let Self(backup) = self;
        make_empty(cx, &before.scratch).await?;
        // A directory in it, because unpacking gives the outer one the mode of what was backed up.
        let tree = before.scratch.join(&backup.name);
        cx.files().make_dir(&tree).await?;
        let proven = archive::unpack_verified(cx, backup, &tree).await;
        let removed = cx.files().remove(&before.scratch).await;
        proven.and(removed)?;
        Ok(VerifiedBackup::new(backup, Some(cx.now())))
    }

    fn predict(&self) -> Option<VerifiedBackup> {
        Some(VerifiedBackup::new(&self.0, None))
    }
}

#[async_trait]
impl Rollback for Rehearse {
    async fn rollback(&self, cx: &Context, before: &RehearseBefore) -> Result<()> {
        cx.files().remove(&before.scratch).await
    }
}
