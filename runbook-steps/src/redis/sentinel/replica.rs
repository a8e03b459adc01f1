//! One more replica.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Explain as _, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Look, Sentinels, split, until};
use crate::redis::{Redis, Replication};

/// The step of [`Sentinels::add_replica`].
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct AddReplica {
    sentinels: Sentinels,
    server: Redis,
    limit: Duration,
}

/// What a server was before it became a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddReplicaBefore {
    /// The address of the master it followed; `None` when it was one itself, without a key.
    pub followed: Option<String>,
    /// Whether the sentinels knew it.
    pub known: bool,
}

/// A replica that has all of the data, and is known to the sentinels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaAdded {
    /// Its URL.
    pub url: String,
    /// The address of the master.
    pub master: String,
    /// How far it is in the history of the master's data.
    pub offset: u64,
    /// How many sentinels know it.
    pub sentinels: u64,
}

/// How often it is let go.
const TRIES: usize = 3;

impl Sentinels {
    /// Lets a server follow the master, and waits until it has all of the data and every sentinel knows it.
    ///
    /// A server that holds keys of its own is refused: it would lose them.
    pub fn add_replica(&self, server: &Redis) -> AddReplica {
        AddReplica { sentinels: self.clone(), server: server.clone(), limit: Duration::from_secs(120) }
    }

    /// Every one of them, for a person.
    pub(super) fn each_by_hand(&self, words: &[&str]) -> Vec<String> {
        let sentinels = self.addresses.iter().filter_map(|address| self.sentinel(address).ok());
        sentinels.map(|sentinel| sentinel.by_hand(words.iter().copied())).collect()
    }
}

impl AddReplica {
    /// Waits no longer than this until it has all of the data, instead of two minutes.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    fn asking(&self, cx: &Context) -> Context {
        self.sentinels.asking(cx)
    }

    /// How many sentinels know it, by the id of its life.
    async fn known(&self, cx: &Context, look: &Look) -> Result<u64> {
        let run_id = self.server.run_id(&self.asking(cx)).await?;
        let mut known = 0;
        for view in look.views() {
            let replicas = self.sentinels.replicas_of(cx, &view.sentinel).await?;
            known += u64::from(replicas.iter().any(|replica| replica.run_id == run_id && replica.is_well()));
        }
        Ok(known)
    }

    /// Whether it is there; an error that may pass while it is not.
    async fn is_there(&self, cx: &Context) -> Result<ReplicaAdded> {
        let look = self.sentinels.look(cx).await?;
        let (master, asking) = (look.master()?, self.asking(cx));
        let is = self.sentinels.server(&master.address)?.replication_now(&asking).await?;
        self.server.require_caught_up(&asking, &is.history, is.offset).await?;
        let (known, all) = (self.known(cx, &look).await?, look.views().count() as u64);
        if known < all {
            return Err(Error::transient(format!("{known} of {all} sentinels know {}", self.server.url)));
        }
        Ok(ReplicaAdded { url: self.server.url.clone(), master: master.address, offset: is.offset, sentinels: known })
    }

    /// Makes it a master without a key, as it was, that the sentinels do not know. One that still knows it makes it a
    /// replica again after eight seconds: then all of it is done once more.
    async fn leave(&self, cx: &Context, was_known: bool) -> Result<()> {
        let asking = self.asking(cx);
        for _ in 0..TRIES {
            let master = self.sentinels.look(cx).await?.settled()?;
            let now = self.server.replication_now(&asking).await?;
            self.stand_alone(&asking, &now, &master.address).await?;
            if was_known || self.forget(cx).await? {
                return Ok(());
            }
        }
        Err(Error::transient(format!("{} is made a replica again and again", self.server.url)))
    }

    /// Makes it a master without a key. What it holds is flushed only where it came from the master.
    async fn stand_alone(&self, asking: &Context, now: &Replication, master: &str) -> Result<()> {
        let history = self.sentinels.server(master)?.replication_now(asking).await?.history;
        if !now.is_master {
            self.server.follow(asking, None).await?;
        }
        if !now.is_master || now.earlier == history {
            self.server.tell(asking, &["FLUSHALL"]).await?;
        }
        Ok(())
    }

    /// Lets the sentinels forget it: they would make it a replica again. Whether it follows nobody after that.
    async fn forget(&self, cx: &Context) -> Result<bool> {
        let run_id = self.server.run_id(&self.asking(cx)).await?;
        for address in self.sentinels.addresses()? {
            let replicas = self.sentinels.replicas_of(cx, address).await?;
            if replicas.iter().any(|replica| replica.run_id == run_id) {
                let words = ["SENTINEL", "RESET", &self.sentinels.master];
                self.sentinels.sentinel(address)?.number(&self.asking(cx), words).await?;
                // One after the other, so that a majority always knows the others. That takes it a second or two; its
                // replicas it knows after ten, which would be too late for the next one to forget.
                until(cx, self.limit, || self.knows_the_others(cx, address)).await?;
            }
        }
        until(cx, self.limit, || self.is_forgotten(cx, &run_id)).await
    }

    async fn knows_the_others(&self, cx: &Context, address: &str) -> Result<()> {
        let (look, others) = (self.sentinels.look(cx).await?, self.sentinels.addresses()?.len() as u64);
        if look.views().any(|view| view.sentinel == address && view.others + 1 >= others) {
            return Ok(());
        }
        Err(Error::transient(format!("sentinel {address} is still getting to know the others")))
    }

    /// Whether it follows nobody, once all sentinels know the replicas of the master again, and it is none of them.
    async fn is_forgotten(&self, cx: &Context, run_id: &str) -> Result<bool> {
        let asking = self.asking(cx);
        if !self.server.replication_now(&asking).await?.is_master {
            return Ok(false);
        }
        let master = self.sentinels.master_now(cx).await?;
        let followers = self.sentinels.server(&master.address)?.replication_now(&asking).await?.followers.len();
        for address in self.sentinels.addresses()? {
            let replicas = self.sentinels.replicas_of(cx, address).await?;
            if replicas.len() < followers || replicas.iter().any(|replica| replica.run_id == run_id) {
                return Err(Error::transient(format!("sentinel {address} is still getting to know the replicas")));
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl Step for AddReplica {
    type Before = AddReplicaBefore;
    type Output = ReplicaAdded;

    fn describe(&self) -> Description {
        let (url, master) = (&self.server.url, &self.sentinels.master);
        let reset = self.sentinels.each_by_hand(&["SENTINEL", "RESET", master]);
        let description = Description::new("redis.replica_add", url)
            .summary(format!("let {url} follow the master of {master}"))
            .command(self.sentinels.by_hand(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", master]))
            .command(self.server.by_hand(["REPLICAOF", "MASTER_HOST", "MASTER_PORT"]))
            .undo_command(self.server.by_hand(["REPLICAOF", "NO", "ONE"]))
            .reads(self.sentinels.resource())
            .writes(self.sentinels.resource())
            .writes(self.server.resource());
        reset.into_iter().fold(description, Description::undo_command)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<AddReplicaBefore, ReplicaAdded>> {
        let look = self.sentinels.look(cx).await?;
        let (master, asking) = (look.settled()?, self.asking(cx));
        let url = &self.server.url;
        if self.server.run_id(&asking).await? == master.run_id {
            return Err(Error::refused(format!("{url} is the master itself")));
        }
        if let Ok(added) = self.is_there(cx).await {
            return Ok(Survey::Already(added));
        }
        let now = self.server.replication_now(&asking).await?;
        let info = self.server.require(&asking, ["INFO", "keyspace"]).await?;
        if now.is_master && info.lines().any(|line| line.starts_with("db")) {
            let error = Error::refused(format!("{url} holds keys of its own, and would lose them"));
            return Err(error.hint("flush it first, or take another server"));
        }
        let known = self.known(cx, &look).await? > 0;
        let followed = now.link.map(|link| link.master);
        let from = followed.clone().unwrap_or_else(|| "nobody".to_owned());
        let diff = Diff::turn(format!("{url} follows"), from, &master.address);
        Ok(Survey::change(AddReplicaBefore { followed, known }, diff))
    }

    async fn apply(&self, cx: &Context, _: &AddReplicaBefore) -> Result<ReplicaAdded> {
        let (master, asking) = (self.sentinels.look(cx).await?.settled()?, self.asking(cx));
        let now = self.server.replication_now(&asking).await?;
        if now.link.is_none_or(|link| link.master != master.address) {
            self.server.follow(&asking, Some(split(&master.address)?)).await?;
        }
        let there = until(cx, self.limit, || self.is_there(cx)).await;
        there
            .map_err(|error| error.hint("the password of the master has to be its `masterauth`"))
            .with_context(|| format!("let {} follow {}", self.server.url, master.address))
    }
}

#[async_trait]
impl Rollback for AddReplica {
    async fn rollback(&self, cx: &Context, before: &AddReplicaBefore) -> Result<()> {
        let (master, asking) = (self.sentinels.look(cx).await?.settled()?, self.asking(cx));
        if self.server.run_id(&asking).await? == master.run_id {
            let error = Error::refused(format!("{} is the master by now", self.server.url));
            return Err(error.hint("let another one take over first: `sentinels.failover()`"));
        }
        let Some(old) = &before.followed else { return self.leave(cx, before.known).await };
        let now = self.server.replication_now(&asking).await?;
        if now.link.is_none_or(|link| link.master != *old) {
            self.server.follow(&asking, Some(split(old)?)).await?;
        }
        if before.known { Ok(()) } else { self.forget(cx).await.map(drop) }
    }
}
