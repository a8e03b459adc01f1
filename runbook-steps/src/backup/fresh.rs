//! Whether there is a recent backup.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use runbook_core::{Check, Context, Description, Finding, Resource, Result};

use super::handle::{self, Backup, Kept};

/// Whether the newest backup in a directory is whole and recent. It does not rehearse it.
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until a run asks it: `run.check(\"…\", check).await?`"]
pub struct Fresh<B = Backup> {
    dir: PathBuf,
    name: Option<String>,
    max_age: Duration,
    kind: PhantomData<fn() -> B>,
}

impl Fresh {
    pub(super) fn new(dir: &Path, max_age: Duration) -> Self {
        Self { dir: dir.to_owned(), name: None, max_age, kind: PhantomData }
    }

    /// A dump of a database, not a backup of a directory.
    #[cfg(feature = "postgres")]
    pub fn dump(self) -> Fresh<super::Dump> {
        Fresh { dir: self.dir, name: self.name, max_age: self.max_age, kind: PhantomData }
    }
}

#[cfg(feature = "redis")]
impl Fresh {
    /// A snapshot of a Redis, not a backup of a directory.
    pub fn snapshot(self) -> Fresh<crate::redis::Snapshot> {
        Fresh { dir: self.dir, name: self.name, max_age: self.max_age, kind: PhantomData }
    }
}

impl<B: Kept> Fresh<B> {
    /// Of what has this name only, where a directory holds backups of several.
    pub fn of(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    fn judge(&self, backup: &B, now: Timestamp) -> Finding {
        let path = backup.place().display();
        let Some(taken_at) = backup.begun_at() else {
            return Finding::unknown(format!("`{path}` does not say when it was taken"));
        };
        let age = now.duration_since(taken_at);
        if age.is_negative() {
            return Finding::unknown(format!("`{path}` was taken in the future, at {taken_at}"));
        }
        let seconds = SignedDuration::from_secs(age.as_secs());
        let evidence = format!("`{path}` is {seconds:#} old, {}", backup.amount());
        Finding::of(age.unsigned_abs() <= self.max_age, evidence)
    }
}

#[async_trait]
impl<B: Kept> Check for Fresh<B> {
    fn describe(&self) -> Description {
        let (dir, age) = (self.dir.display(), SignedDuration::try_from(self.max_age).unwrap_or(SignedDuration::MAX));
        let of = self.name.as_ref().map(|name| format!(" of `{name}`")).unwrap_or_default();
        Description::new("backup.fresh", dir.to_string())
            .summary(format!("the newest backup{of} in {dir} is at most {age:#} old"))
            .reads(Resource::path(&self.dir))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let newest = handle::all::<B>(cx, &self.dir, self.name.as_deref()).await?.into_iter().next();
        Ok(match newest {
            None => Finding::fail(format!("there is no backup in `{}`", self.dir.display())),
            Some((_, Err(error))) => Finding::fail(format!("{error:#}")),
            Some((_, Ok(backup))) => self.judge(&backup, cx.now()),
        })
    }
}
