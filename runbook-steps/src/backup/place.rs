//! Where a backup is made: under a hidden name, until it is whole.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::host::Attributes;
use runbook_core::{Context, Result, Rollback as _, Step as _, Survey};

use super::handle;
use crate::file::{self, DirectoryBefore, MakeDirectory};

/// A directory for backups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a>(pub(crate) &'a Path);

impl Place<'_> {
    /// The step that makes it.
    fn make(self) -> MakeDirectory {
        file::directory(self.0)
    }

    /// What is there of it, when it has to be made.
    pub(crate) async fn missing(self, cx: &Context) -> Result<Option<DirectoryBefore>> {
        match self.make().survey(cx).await? {
            Survey::Already(_) => Ok(None),
            Survey::Change { before, .. } => Ok(Some(before)),
        }
    }

    /// A name that is free now: the time, and a number when there is one already.
    pub(crate) async fn free(self, cx: &Context, name: &str, now: Timestamp) -> Result<PathBuf> {
        let first = format!("{name}-{}", now.strftime("%Y%m%dT%H%M%SZ"));
        let mut path = self.0.join(&first);
        let mut number = 2;
        while cx.files().stat(&path).await?.is_some() {
            path = self.0.join(format!("{first}.{number}"));
            number += 1;
        }
        Ok(path)
    }

    /// The hidden directory, empty, in which the backup of this name is made.
    pub(crate) async fn begin(self, cx: &Context, path: &Path, missing: Option<&DirectoryBefore>) -> Result<PathBuf> {
        self.make().apply(cx, &missing.cloned().unwrap_or_default()).await?;
        let partial = partial(path);
        make_empty(cx, &partial).await?;
        Ok(partial)
    }

    /// Removes the backup of this name, whole or not, and the directory if that was missing.
    pub(crate) async fn take_back(self, cx: &Context, path: &Path, missing: Option<&DirectoryBefore>) -> Result<()> {
        let partial = partial(path);
        if cx.files().stat(path).await?.is_some() {
            // Half a backup must not be found under its name.
            cx.files().remove(&partial).await?;
            cx.files().rename(path, &partial).await?;
        }
        cx.files().remove(&partial).await?;
        match missing {
            Some(dir) => self.make().rollback(cx, dir).await,
            None => Ok(()),
        }
    }
}

/// The hidden place where a backup is made.
fn partial(path: &Path) -> PathBuf {
    handle::beside(path, "partial")
}

/// Makes a directory that is empty, whatever was there, and that only its owner reads.
pub(super) async fn make_empty(cx: &Context, dir: &Path) -> Result<()> {
    cx.files().remove(dir).await?;
    cx.files().make_dir(dir).await?;
    cx.files().set(dir, &Attributes::mode(0o700)).await
}
