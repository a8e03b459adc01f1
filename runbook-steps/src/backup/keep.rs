//! Retention.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::{Context, Description, Diff, Resource, Result, Step, Survey, ensure};
use serde::{Deserialize, Serialize};

use super::handle::{self, Backup, Kept};
use crate::command::word;

/// Removes old backups. Nothing brings them back.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.irreversible(\"why\", \"…\", step).await?`"]
pub struct Keep {
    dir: PathBuf,
    newest: usize,
    but: Vec<PathBuf>,
}

/// Backups that were removed, and those that were kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// No longer there.
    pub removed: Vec<PathBuf>,
    /// Still there, newest first.
    pub kept: Vec<PathBuf>,
}

impl Keep {
    pub(super) fn new(dir: &Path, newest: usize) -> Self {
        Self { dir: dir.to_owned(), newest, but: Vec::new() }
    }

    /// Never this one, however old.
    pub fn but(mut self, backup: &impl Kept) -> Self {
        self.but.push(backup.place().to_owned());
        self
    }

    async fn plan(&self, cx: &Context) -> Result<Pruned> {
        ensure!(self.newest > 0, "at least one backup in `{}` has to be kept", self.dir.display());
        let mut pruned = Pruned::default();
        self.sort::<Backup>(cx, &mut pruned).await?;
        #[cfg(feature = "postgres")]
        self.sort::<super::Dump>(cx, &mut pruned).await?;
        Ok(pruned)
    }

    /// Sorts the backups of one kind.
    async fn sort<B: Kept>(&self, cx: &Context, pruned: &mut Pruned) -> Result<()> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (path, backup) in handle::all::<B>(cx, &self.dir, None).await? {
            // A damaged one counts for nothing: the whole ones behind it stay. It stays too, for a person to see.
            let Ok(backup) = backup else {
                cx.warn(format!("`{}` is damaged, and left alone", path.display()));
                continue;
            };
            let count = seen.entry(backup.of_what().to_owned()).or_default();
            *count += 1;
            let keep = *count <= self.newest || self.but.contains(&path);
            if keep { pruned.kept.push(path) } else { pruned.removed.push(path) }
        }
        Ok(())
    }
}

#[async_trait]
impl Step for Keep {
    type Before = Pruned;
    type Output = Pruned;

    fn describe(&self) -> Description {
        let dir = self.dir.display();
        Description::new("backup.keep", dir.to_string())
            .summary(format!("keep the newest {} backups in {dir}, remove the others", self.newest))
            .command(format!("ls -dt {0}/*-*Z; rm -r {0}/NAME-TIME", word(&self.dir)))
            .reads(Resource::path(&self.dir))
            .writes(Resource::path(&self.dir))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Pruned, Pruned>> {
        let pruned = self.plan(cx).await?;
        if pruned.removed.is_empty() {
            return Ok(Survey::Already(pruned));
        }
        let diff = pruned.removed.iter().fold(Diff::none(), |diff, path| diff.and_remove(path.display().to_string()));
        Ok(Survey::predict(pruned.clone(), diff, pruned))
    }

    async fn apply(&self, cx: &Context, before: &Pruned) -> Result<Pruned> {
        for path in &before.removed {
            // Half a backup must not be found under its name.
            let hidden = handle::beside(path, "removed");
            if cx.files().stat(path).await?.is_some() {
                cx.files().remove(&hidden).await?;
                cx.files().rename(path, &hidden).await?;
            }
            cx.files().remove(&hidden).await?;
        }
        Ok(before.clone())
    }
}
