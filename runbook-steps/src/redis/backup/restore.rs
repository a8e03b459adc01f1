//! Restoring a snapshot.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Explain as _, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::node::{Node, Servers};
use super::rdb;
use super::snapshot::Snapshot;
use super::swap::Swap;
use crate::backup::handle;
use crate::command::word;
use crate::redis::cli::Answer;
use crate::redis::sentinel::{split, until};
use crate::redis::{Redis, SetBefore};

/// The step of [`Servers::restore`].
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct RestoreSnapshot {
    servers: Servers,
    snapshot: Snapshot,
    limit: Duration,
}

/// What there was before a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreSnapshotBefore {
    /// The master.
    server: String,
    /// Its address, as the sentinels know it.
    address: Option<String>,
    layout: Layout,
    /// The name of the directory beside its data.
    work: String,
    /// What the sentinels are set to, who are held back meanwhile.
    held: Option<SetBefore>,
}

/// A master that runs on the data of a snapshot, and is followed by its replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredSnapshot {
    /// The URL of the master.
    pub server: String,
    /// The directory of the backup.
    pub from: PathBuf,
    /// How many keys it loaded when it started.
    pub loaded: u64,
    /// How many of the snapshot it left out, because their time was over.
    pub expired: u64,
    /// The replicas that have taken this data over.
    pub replicas: Vec<String>,
    /// Where the data before is kept, on the host that has the files of the master.
    pub kept: PathBuf,
}

impl Servers {
    /// Restores a snapshot: the master is started on it, and the replicas take it over. All servers are down for that
    /// time, and the sentinels are held back.
    pub fn restore(&self, snapshot: &Snapshot) -> RestoreSnapshot {
        RestoreSnapshot { servers: self.clone(), snapshot: snapshot.clone(), limit: Duration::from_secs(600) }
    }
}

/// What the master says of the data it loaded.
struct Loaded {
    keys: u64,
    expired: u64,
}

impl RestoreSnapshot {
    /// Waits no longer than this for each server to stop, to load its data or to take it over, instead of ten minutes.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    fn replicas(&self, before: &RestoreSnapshotBefore) -> impl Iterator<Item = &Node> {
        let master = before.server.clone();
        self.servers.nodes.iter().filter(move |node| node.redis.url != master)
    }

    /// An error unless everyone is in reach who could bring newer data back.
    async fn require_all(&self, cx: &Context) -> Result<()> {
        let asking = self.servers.asking(cx);
        let mut known = Vec::new();
        for node in &self.servers.nodes {
            node.switch()?;
            known.push(node.redis.run_id(&asking).await?);
        }
        let Some(sentinels) = &self.servers.sentinels else { return self.require_alone(&asking).await };
        for view in sentinels.views(cx).await? {
            let replicas = sentinels.replicas_of(cx, &view.sentinel).await?;
            for replica in replicas.iter().filter(|replica| !known.contains(&replica.run_id)) {
                // Of one that was started of late the sentinel has the id of its last life, for ten seconds.
                let is = sentinels.server(&replica.address)?.run_id(&asking).await;
                if !is.is_ok_and(|run_id| known.contains(&run_id)) {
                    let words = format!("the replica {} is none of the servers that are given", replica.address);
                    let error = Error::refused(format!("{words}, and could bring newer data back"));
                    return Err(error.hint("give it as well, or let the sentinels forget it: SENTINEL RESET"));
                }
            }
        }
        Ok(())
    }

    async fn require_alone(&self, asking: &Context) -> Result<()> {
        let node = self.servers.nodes.first().context("no server is given")?;
        let is = node.redis.replication_now(asking).await?;
        match is.followers.first() {
            None => Ok(()),
            Some(one) => {
                Err(Error::refused(format!("{} does not stand alone: {} follows", node.redis.url, one.address)))
            }
        }
    }

    async fn require_snapshot(&self, cx: &Context) -> Result<()> {
        let path = self.snapshot.path.display();
        match handle::read::<Snapshot>(cx, &self.snapshot.path).await? {
            Some(found) if found == self.snapshot => Ok(()),
            Some(_) => Err(Error::new(format!("`{path}` is another backup than the one to be restored"))),
            None => Err(Error::new(format!("the backup `{path}` does not exist"))),
        }
    }

    /// Keeps the sentinels from letting another one take over.
    async fn hold_back(&self, cx: &Context, before: &RestoreSnapshotBefore) -> Result<()> {
        match (&self.servers.sentinels, &before.held) {
            (Some(sentinels), Some(held)) => sentinels.hold_back().apply(cx, held).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Lets the sentinels do as they did, and sees that they find the master where it was.
    async fn let_go(&self, cx: &Context, before: &RestoreSnapshotBefore) -> Result<()> {
        until(cx, self.limit, || self.is_found(cx, before)).await?;
        match (&self.servers.sentinels, &before.held) {
            (Some(sentinels), Some(held)) => sentinels.hold_back().rollback(cx, held).await,
            _ => Ok(()),
        }
    }

    /// Whether the sentinels find the master in good order; an error that may pass.
    async fn is_found(&self, cx: &Context, before: &RestoreSnapshotBefore) -> Result<()> {
        let (Some(sentinels), Some(address)) = (&self.servers.sentinels, &before.address) else { return Ok(()) };
        let look = sentinels.look(cx).await?;
        let master = look.settled()?;
        if master.address != *address {
            let error = Error::new(format!("the sentinels name {} the master, and not {address}", master.address));
            return Err(error.details(look.lines()));
        }
        let asking = sentinels.asking(cx);
        let (found, own) = (sentinels.server(address)?, &self.servers.node(&before.server)?.redis);
        if found.run_id(&asking).await? != own.run_id(&asking).await? {
            let error = Error::new(format!("{address}, which the sentinels hold for the master, is not {}", own.url));
            return Err(error.hint("its address changed when it started again: give it a fixed one, or host names"));
        }
        // One that goes by when it last heard of it before the restart would find it down at once.
        look.require_heard()
    }

    /// What was there is that of one server: put back where another one is the master, it would be overwritten.
    async fn require_same_master(&self, cx: &Context, before: &RestoreSnapshotBefore) -> Result<()> {
        let (Some(sentinels), Some(address)) = (&self.servers.sentinels, &before.address) else { return Ok(()) };
        let now = sentinels.look(cx).await?.settled()?;
        if now.address == *address {
            return Ok(());
        }
        let error = Error::refused(format!("{} is the master by now, and was not when it was restored", now.address));
        Err(error.hint(format!("let {address} take over first: `sentinels.failover().to(\"{address}\")`")))
    }

    /// Stops all of them: the replicas first, so that none is left that could take over.
    async fn stop_all(&self, cx: &Context, before: &RestoreSnapshotBefore) -> Result<()> {
        let asking = self.servers.asking(cx);
        for node in self.replicas(before).chain([self.servers.node(&before.server)?]) {
            node.stop(cx, &asking, self.limit).await?;
        }
        Ok(())
    }

    /// Starts the master, as one, whatever its configuration says.
    async fn start_master(&self, cx: &Context, before: &RestoreSnapshotBefore) -> Result<()> {
        let (node, asking) = (self.servers.node(&before.server)?, self.servers.asking(cx));
        node.start(cx, &asking, self.limit).await?;
        if !node.redis.replication_now(&asking).await?.is_master {
            node.redis.follow(&asking, None).await?;
        }
        Ok(())
    }

    /// Starts the replicas, and waits until they have taken the master's data over.
    async fn start_replicas(&self, cx: &Context, before: &RestoreSnapshotBefore) -> Result<Vec<String>> {
        let (master, asking) = (&self.servers.node(&before.server)?.redis, self.servers.asking(cx));
        let mut follow = Vec::new();
        for node in self.replicas(before) {
            node.start(cx, &asking, self.limit).await?;
            let now = node.redis.replication_now(&asking).await?;
            if now.link.map(|link| link.master) != before.address {
                node.redis.follow(&asking, before.address.as_deref().map(split).transpose()?).await?;
            }
        }
        self.introduce(&asking, master).await?;
        let is = master.replication_now(&asking).await?;
        for node in self.replicas(before) {
            let caught_up = || node.redis.require_caught_up(&asking, &is.history, is.offset);
            until(cx, self.limit, caught_up).await?;
            follow.push(node.redis.url.clone());
        }
        Ok(follow)
    }

    /// Has the sentinels look up all names anew, now that everyone is there again, and sees that the master still is one.
    ///
    /// The name of a container that is down is not known. A sentinel then goes by its last address, where the master may be
    /// by now, takes it for that replica, and has it follow the master: itself.
    async fn introduce(&self, asking: &Context, master: &Redis) -> Result<()> {
        if self.servers.sentinels.is_none() {
            return Ok(());
        }
        for node in &self.servers.nodes {
            node.redis.send_sentinels_away(asking).await?;
        }
        if !master.replication_now(asking).await?.is_master {
            master.follow(asking, None).await?;
        }
        Ok(())
    }

    /// What the master loaded, which has to be the snapshot.
    async fn loaded(&self, cx: &Context, redis: &Redis) -> Result<Loaded> {
        let info = redis.require(&self.servers.asking(cx), ["INFO", "persistence"]).await?;
        let number = |name| Redis::field(&info, name)?.parse::<u64>().ok();
        let read = || {
            Some(Loaded { keys: number("rdb_last_load_keys_loaded")?, expired: number("rdb_last_load_keys_expired")? })
        };
        let unreadable = || format!("{} does not say how many keys it loaded: that takes Redis 7.0", redis.url);
        let loaded = read().with_context(unreadable)?;
        let (found, wanted) = (loaded.keys + loaded.expired, self.snapshot.keys);
        if found == wanted {
            return Ok(loaded);
        }
        Err(Error::new(format!("{} loaded {found} keys, and the snapshot has {wanted}", redis.url)))
    }

    fn swap<'a>(files: &'a Context, node: &'a Node, before: &'a RestoreSnapshotBefore) -> Swap<'a> {
        let data = node.data(&before.layout.dir);
        Swap { files, data, work: data.join(&before.work), layout: &before.layout }
    }

    /// Puts the data of the snapshot in the place of what is there.
    async fn exchange(&self, cx: &Context, before: &RestoreSnapshotBefore, swap: &Swap<'_>) -> Result<()> {
        if !swap.has_begun().await? {
            swap.bring_in(cx, &self.snapshot).await?;
            let contents = rdb::check(swap.files, &swap.brought()).await?;
            if contents.keys != self.snapshot.keys {
                return Err(Error::new(format!("the snapshot has {} keys, not {}", contents.keys, self.snapshot.keys)));
            }
            self.save_first(cx, before).await?;
        }
        self.stop_all(cx, before).await?;
        swap.put_in().await
    }

    /// Has the master write what it holds, and take no more: what is kept is to have all it ever said it had. One that
    /// is down has done so.
    async fn save_first(&self, cx: &Context, before: &RestoreSnapshotBefore) -> Result<()> {
        let (redis, asking) = (&self.servers.node(&before.server)?.redis, self.servers.asking(cx));
        match redis.ask(&asking, ["PING"]).await? {
            Answer::Silent(_) => Ok(()),
            _ => redis.save_frozen(&asking, self.limit).await.map(drop),
        }
    }
}

#[async_trait]
impl Step for RestoreSnapshot {
    type Before = RestoreSnapshotBefore;
    type Output = RestoredSnapshot;

    fn describe(&self) -> Description {
        let (name, path) = (self.servers.name(), self.snapshot.path.display());
        let description = Description::new("redis.restore", name)
            .summary(format!("restore {name} from {path}: the master first, then what follows it"))
            .reads(runbook::Resource::path(&self.snapshot.path))
            .reads(runbook::Resource::path(self.snapshot.path.with_file_name(&self.snapshot.name)))
            .reads(self.servers.resource())
            .writes(self.servers.resource())
            .repeats();
        let places = self.servers.data().map(runbook::Resource::path);
        let description = places.fold(description, Description::writes);
        let hold = self.servers.sentinels.iter().flat_map(|sentinels| sentinels.hold_back().describe().commands);
        let by_hand = || self.servers.nodes.iter().filter_map(|node| Some(node.switch().ok()?.by_hand()));
        let copy = format!("mv dump.rdb dump.rdb.before && cp {} dump.rdb", word(&self.snapshot.dump()));
        let commands = hold
            .chain(by_hand().flat_map(|(stop, _)| stop))
            .chain([copy])
            .chain(by_hand().flat_map(|(_, start)| start));
        let undo = by_hand()
            .flat_map(|(stop, _)| stop)
            .chain(["mv dump.rdb.before dump.rdb".to_owned()])
            .chain(by_hand().flat_map(|(_, start)| start));
        let description = commands.fold(description, Description::command);
        undo.fold(description, Description::undo_command)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<RestoreSnapshotBefore, RestoredSnapshot>> {
        self.require_snapshot(cx).await?;
        let (node, master) = self.servers.master(cx).await?;
        self.require_all(cx).await?;
        let layout = Layout::of(&node.redis, &self.servers.asking(cx)).await?;
        let held = match &self.servers.sentinels {
            Some(sentinels) => match sentinels.hold_back().survey(cx).await? {
                Survey::Change { before, .. } => Some(before),
                // Somebody holds them back already, and lets them go as well.
                Survey::Already(_) => None,
            },
            None => None,
        };
        let url = &node.redis.url;
        let from = "what it holds";
        let diff = Diff::turn(format!("data of {url}"), from, format!("{} keys of the snapshot", self.snapshot.keys));
        let diff = self.servers.nodes.iter().filter(|other| other.redis.url != *url).fold(diff, |diff, other| {
            diff.and_turn(format!("data of {}", other.redis.url), from, "that of the master")
        });
        let work = format!(".runbook-restore-{}", cx.now().strftime("%Y%m%dT%H%M%SZ"));
        let server = url.clone();
        let address = master.map(|master| master.address);
        Ok(Survey::change(RestoreSnapshotBefore { server, address, layout, work, held }, diff))
    }

    async fn apply(&self, cx: &Context, before: &RestoreSnapshotBefore) -> Result<RestoredSnapshot> {
        let node = self.servers.node(&before.server)?;
        let files = node.files(cx);
        let swap = Self::swap(&files, node, before);
        if !swap.is_done().await? {
            self.hold_back(cx, before).await?;
            self.exchange(cx, before, &swap).await?;
        }
        self.start_master(cx, before).await?;
        let loaded = self.loaded(cx, &node.redis).await?;
        let replicas = self.start_replicas(cx, before).await?;
        self.let_go(cx, before).await?;
        Ok(RestoredSnapshot {
            server: before.server.clone(),
            from: self.snapshot.path.clone(),
            loaded: loaded.keys,
            expired: loaded.expired,
            replicas,
            kept: swap.old(),
        })
    }
}

#[async_trait]
impl Rollback for RestoreSnapshot {
    async fn rollback(&self, cx: &Context, before: &RestoreSnapshotBefore) -> Result<()> {
        let node = self.servers.node(&before.server)?;
        let files = node.files(cx);
        let swap = Self::swap(&files, node, before);
        if swap.has_begun().await? {
            self.require_same_master(cx, before).await?;
            self.hold_back(cx, before).await?;
            self.stop_all(cx, before).await?;
            swap.put_back().await?;
        }
        self.start_master(cx, before).await?;
        node.redis.thaw(&self.servers.asking(cx)).await?;
        self.start_replicas(cx, before).await?;
        self.let_go(cx, before).await?;
        swap.tidy().await
    }
}
