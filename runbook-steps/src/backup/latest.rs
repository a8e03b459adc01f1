//! Finding the newest backup.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::{Context, Description, Error, Resource, Result, Rollback, Step, Survey};

use super::handle::{self, Backup, Kept};
use crate::command::word;

/// Finds the newest backup in a directory. As a step, it is remembered: a resumed run goes on with the same one.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Latest<B = Backup> {
    dir: PathBuf,
    name: Option<String>,
    kind: PhantomData<fn() -> B>,
}

impl Latest {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), name: None, kind: PhantomData }
    }

    /// A dump of a database, not a backup of a directory.
    #[cfg(feature = "postgres")]
    pub fn dump(self) -> Latest<super::Dump> {
        Latest { dir: self.dir, name: self.name, kind: PhantomData }
    }
}

#[cfg(feature = "redis")]
impl Latest {
    /// A snapshot of a Redis, not a backup of a directory.
    pub fn snapshot(self) -> Latest<crate::redis::Snapshot> {
        Latest { dir: self.dir, name: self.name, kind: PhantomData }
    }
}

impl<B: Kept> Latest<B> {
    /// Of what has this name only, where a directory holds backups of several.
    pub fn of(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    async fn find(&self, cx: &Context) -> Result<B> {
        let newest = handle::all(cx, &self.dir, self.name.as_deref()).await?.into_iter().next();
        match newest {
            // A damaged one is an error and not passed over: nobody asked for an older state.
            Some((_, backup)) => backup,
            None => Err(Error::new(format!("there is no backup{} in `{}`", self.of_what(), self.dir.display()))),
        }
    }

    fn of_what(&self) -> String {
        self.name.as_ref().map(|name| format!(" of `{name}`")).unwrap_or_default()
    }
}

#[async_trait]
impl<B: Kept> Step for Latest<B> {
    type Before = ();
    type Output = B;

    fn describe(&self) -> Description {
        let dir = self.dir.display();
        Description::new("backup.latest", dir.to_string())
            .summary(format!("find the newest backup{} in {dir}", self.of_what()))
            .command(format!("ls -dt {}/*-*Z", word(&self.dir)))
            .reads(Resource::path(&self.dir))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), B>> {
        self.find(cx).await.map(Survey::Already)
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<B> {
        self.find(cx).await
    }
}

#[async_trait]
impl<B: Kept> Rollback for Latest<B> {
    async fn rollback(&self, _: &Context, (): &()) -> Result<()> {
        Ok(())
    }
}
