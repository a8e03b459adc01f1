//! Taking a snapshot.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use runbook::host::Attributes;
use runbook::{Command, Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::node::{Node, Servers};
use super::snapshot::{DUMP, Snapshot};
use super::{rdb, swap};
use crate::backup::Kept as _;
use crate::backup::{archive, handle, place::Place};
use crate::command::word;
use crate::file::DirectoryBefore;

/// A snapshot to take; [`into_dir`](TakingSnapshot::into_dir) says where to.
#[derive(Debug, Clone)]
#[must_use = "a backup goes somewhere: `servers.back_up().into_dir(dir)`"]
pub struct TakingSnapshot(Servers);

/// The step of [`Servers::back_up`].
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct TakeSnapshot {
    servers: Servers,
    dir: PathBuf,
    limit: Duration,
}

/// What a rollback of [`TakeSnapshot`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotBefore {
    /// Where the backup will be.
    path: PathBuf,
    taken_at: Timestamp,
    /// What was there of the directory for backups, when that has to be made.
    dir: Option<DirectoryBefore>,
    /// The server it is taken of.
    server: String,
    layout: Layout,
}

impl Servers {
    /// Backs up the data of the one that is the master.
    pub fn back_up(&self) -> TakingSnapshot {
        TakingSnapshot(self.clone())
    }
}

impl TakingSnapshot {
    /// Into this directory of the step's host, which is made when it is missing.
    pub fn into_dir(self, dir: impl AsRef<Path>) -> TakeSnapshot {
        TakeSnapshot { servers: self.0, dir: dir.as_ref().to_owned(), limit: Duration::from_secs(600) }
    }
}

impl TakeSnapshot {
    /// Waits no longer than this for the server to write its data, instead of ten minutes.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    fn place(&self) -> Place<'_> {
        Place(&self.dir)
    }

    /// The snapshot as far as it is known before it is taken.
    fn foreseen(&self) -> Snapshot {
        let known_later = || "(known once it is taken)".to_owned();
        Snapshot {
            path: self.dir.join(format!("{}-<time>", self.servers.file_name())),
            name: self.servers.file_name(),
            server: known_later(),
            version: known_later(),
            checksum: known_later(),
            bytes: 0,
            keys: 0,
            expires: 0,
            taken_at: None,
        }
    }

    /// Another name for the file that was written: another snapshot, which would replace it, leaves this one as it is.
    fn pinned(node: &Node, before: &SnapshotBefore) -> PathBuf {
        let name = before.path.file_name().unwrap_or_default().to_string_lossy();
        node.data(&before.layout.dir).join(format!(".runbook-{name}.rdb"))
    }

    /// Copies what was written into a directory, and compares it.
    async fn fill(&self, cx: &Context, dir: &Path, before: &SnapshotBefore, node: &Node) -> Result<Snapshot> {
        let (files, pinned) = (node.files(cx), Self::pinned(node, before));
        let dump = before.layout.dump_in(node.data(&before.layout.dir));
        files.run(&Command::new("ln").args(["-f", "--"]).arg(&dump).arg(&pinned)).await?;
        let contents = rdb::check(&files, &pinned).await?;
        let checksum = archive::checksum(&files, &pinned).await?;
        let copy = dir.join(DUMP);
        swap::copy((&files, &pinned), (cx, &copy), &Attributes::mode(0o600)).await?;
        archive::require(cx, &copy, &checksum).await?;
        let bytes = cx.files().stat(&copy).await?.with_context(|| format!("`{}` is gone", copy.display()))?.size;
        let snapshot = Snapshot {
            path: before.path.clone(),
            name: self.servers.file_name(),
            server: before.server.clone(),
            version: contents.version,
            checksum,
            bytes,
            keys: contents.keys,
            expires: contents.expires,
            taken_at: Some(before.taken_at),
        };
        let about = serde_json::to_vec_pretty(&snapshot)?;
        cx.files().write(&dir.join(Snapshot::ABOUT), &about, &Attributes::mode(0o600)).await?;
        files.files().remove(&pinned).await?;
        Ok(snapshot)
    }
}

#[async_trait]
impl Step for TakeSnapshot {
    type Before = SnapshotBefore;
    type Output = Snapshot;

    fn describe(&self) -> Description {
        let (name, dir) = (self.servers.name(), self.dir.display());
        let file = format!("{}-$(date -u +%Y%m%dT%H%M%SZ).rdb", self.servers.file_name());
        let first = self.servers.nodes.first();
        let by_hand = |words: &[&str]| first.map(|node| node.redis.by_hand(words.iter().copied())).unwrap_or_default();
        Description::new("redis.backup", name)
            .summary(format!("back up the data of {name} into {dir}"))
            .command(by_hand(&["BGSAVE"]))
            .command(by_hand(&["INFO", "persistence"]))
            .command(format!("cp dump.rdb {}/{file} && redis-check-rdb {}/{file}", word(&self.dir), word(&self.dir)))
            .undo_command(format!("ls -d {}/{}-*", word(&self.dir), self.servers.file_name()))
            .reads(self.servers.resource())
            .writes(Resource::path(&self.dir))
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<SnapshotBefore, Snapshot>> {
        let (node, _) = self.servers.master(cx).await?;
        let layout = Layout::of(&node.redis, &self.servers.asking(cx)).await?;
        let (dir, taken_at) = (self.place().missing(cx).await?, cx.now());
        let path = self.place().free(cx, &self.servers.file_name(), taken_at).await?;
        let foreseen = self.foreseen();
        let diff = Diff::none().and_add(foreseen.path.display().to_string());
        let before = SnapshotBefore { path, taken_at, dir, server: node.redis.url.clone(), layout };
        Ok(Survey::predict(before, diff, foreseen))
    }

    async fn apply(&self, cx: &Context, before: &SnapshotBefore) -> Result<Snapshot> {
        if let Some(made) = handle::read::<Snapshot>(cx, &before.path).await? {
            archive::require(cx, &made.dump(), &made.checksum).await?;
            return Ok(made);
        }
        let (node, asking) = (self.servers.node(&before.server)?, self.servers.asking(cx));
        let (master, _) = self.servers.master(cx).await?;
        if master.redis.url != node.redis.url {
            let (was, is) = (&node.redis.url, &master.redis.url);
            return Err(Error::new(format!("the master of {} changed from {was} to {is}", self.servers.name())));
        }
        let partial = self.place().begin(cx, &before.path, before.dir.as_ref()).await?;
        node.redis.save(&asking, self.limit).await?;
        let snapshot = self.fill(cx, &partial, before, node).await?;
        cx.files().rename(&partial, &before.path).await?;
        Ok(snapshot)
    }

    fn predict(&self) -> Option<Snapshot> {
        Some(self.foreseen())
    }
}

#[async_trait]
impl Rollback for TakeSnapshot {
    async fn rollback(&self, cx: &Context, before: &SnapshotBefore) -> Result<()> {
        let node = self.servers.node(&before.server)?;
        node.files(cx).files().remove(&Self::pinned(node, before)).await?;
        self.place().take_back(cx, &before.path, before.dir.as_ref()).await
    }
}
