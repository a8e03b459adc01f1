//! Where a server keeps its data.

use std::path::{Path, PathBuf};

use runbook::{Context, Error, Explain as _, Result};
use serde::{Deserialize, Serialize};

use crate::redis::Redis;

/// Where a server keeps its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    /// Its directory, as the server sees it.
    pub(super) dir: PathBuf,
    /// The name of its snapshot.
    pub(super) dump: String,
    /// Its append-only file, when it uses one: then it reads that when it starts, and not the snapshot.
    pub(super) log: Option<Log>,
}

/// An append-only file: a directory of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Log {
    /// The name of the directory.
    pub(super) dir: String,
    /// What the names of its files begin with.
    pub(super) file: String,
}

impl Layout {
    pub(super) async fn of(redis: &Redis, cx: &Context) -> Result<Self> {
        let tell = async |name: &str| {
            let value = redis.parameter(cx, name).await?.filter(|value| !value.is_empty());
            value.with_context(|| format!("{} does not tell its `{name}`", redis.url))
        };
        let log = match tell("appendonly").await?.as_str() {
            "yes" => Some(Log { dir: tell("appenddirname").await.map_err(old)?, file: tell("appendfilename").await? }),
            _ => None,
        };
        Ok(Self { dir: tell("dir").await?.into(), dump: tell("dbfilename").await?, log })
    }

    /// What the server reads when it starts.
    pub(super) fn read_at_start(&self) -> &str {
        self.log.as_ref().map_or(&self.dump, |log| &log.dir)
    }

    /// All that its data may lie in.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.dump.as_str()).chain(self.log.as_ref().map(|log| log.dir.as_str()))
    }

    /// The path of its snapshot.
    pub(super) fn dump_in(&self, data: &Path) -> PathBuf {
        data.join(&self.dump)
    }
}

impl Log {
    /// The name of its base: a snapshot, to which the other files add.
    pub(super) fn base(&self) -> String {
        format!("{}.1.base.rdb", self.file)
    }

    /// The name of its manifest, and what that says of a base without more.
    pub(super) fn manifest(&self) -> (String, String) {
        (format!("{}.manifest", self.file), format!("file {} seq 1 type b\n", self.base()))
    }
}

fn old(error: Error) -> Error {
    error.hint("an append-only file in one piece is that of a Redis before 7.0, which this step does not know")
}
