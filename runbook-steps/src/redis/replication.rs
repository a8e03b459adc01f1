//! Roles: is it a master, and who follows it; does it follow, and whom?

use std::collections::BTreeMap;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Error, Evidence, Explain as _, Finding, Result};
use serde::{Deserialize, Serialize};

use super::Redis;
use crate::sizes::Bytes;

/// What a server says of its part in the replication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// Whether it is a master.
    pub is_master: bool,
    /// The id of the history of its data: a replica has that of its master.
    pub history: String,
    /// The id of the history it went on from, when it became a master.
    pub earlier: String,
    /// How far in it this server is.
    pub offset: u64,
    /// Those that follow it.
    pub followers: Vec<Follower>,
    /// The link to its master; `None` of a master.
    pub link: Option<Link>,
}

/// A replica, as its master sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follower {
    /// Its address.
    pub address: String,
    /// Whether it has all of the data, and gets what is new.
    pub online: bool,
    /// How far it says it is.
    pub offset: u64,
}

/// The link of a replica to its master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The address of the master, as it was told.
    pub master: String,
    /// Whether the link is up.
    pub up: bool,
    /// Whether all of the data is still being taken over.
    pub syncing: bool,
}

impl Link {
    /// Whether it follows: the link is up, and all of the data is there.
    pub fn follows(&self) -> bool {
        self.up && !self.syncing
    }
}

impl Replication {
    pub(super) fn of(info: &str) -> Option<Self> {
        let field = |name: &str| Redis::field(info, name);
        let is_master = match field("role")? {
            "master" => true,
            "slave" => false,
            _ => return None,
        };
        let own = if is_master { "master_repl_offset" } else { "slave_repl_offset" };
        let link = |host| {
            Some(Link {
                master: format!("{host}:{}", field("master_port")?),
                up: field("master_link_status")? == "up",
                syncing: field("master_sync_in_progress")? != "0",
            })
        };
        Some(Self {
            is_master,
            history: field("master_replid")?.to_owned(),
            earlier: field("master_replid2")?.to_owned(),
            offset: field(own)?.parse().ok()?,
            followers: (0..).map_while(|n| field(&format!("slave{n}"))).map(follower).collect::<Option<_>>()?,
            link: match field("master_host") {
                Some(host) if !is_master => Some(link(host)?),
                _ => None,
            },
        })
    }

    /// Whether this one follows another, and is as far as that was.
    pub(super) fn has_caught_up(&self, history: &str, offset: u64) -> bool {
        self.link.as_ref().is_some_and(Link::follows) && self.history == history && self.offset >= offset
    }

    /// What it is, in words.
    pub(super) fn words(&self) -> String {
        match &self.link {
            None => {
                let online = self.followers.iter().filter(|one| one.online).count();
                format!("is a master, {online} of {} replicas are online", self.followers.len())
            }
            Some(link) => {
                let state = match (link.up, link.syncing) {
                    (_, true) => "is taking over its data",
                    (true, false) => "the link is up",
                    (false, false) => "the link is down",
                };
                format!("is a replica of {}, {state}", link.master)
            }
        }
    }
}

/// `ip=10.0.0.2,port=6379,state=online,offset=425,lag=0`
fn follower(text: &str) -> Option<Follower> {
    let fields: BTreeMap<&str, &str> = text.split(',').filter_map(|pair| pair.split_once('=')).collect();
    Some(Follower {
        address: format!("{}:{}", fields.get("ip")?, fields.get("port")?),
        online: *fields.get("state")? == "online",
        offset: fields.get("offset")?.parse().ok()?,
    })
}

/// The check of [`Redis::is_master`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct IsMaster {
    redis: Redis,
    replicas: usize,
    lag: Option<Bytes>,
}

/// The check of [`Redis::is_replica`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct IsReplica {
    redis: Redis,
    of: Option<String>,
}

impl Redis {
    /// What it says of its part in the replication.
    pub async fn replication_now(&self, cx: &Context) -> Result<Replication> {
        let info = self.require(cx, ["INFO", "replication"]).await?;
        Replication::of(&info).with_context(|| format!("cannot read the replication of {}", self.url))
    }

    /// Asks whether it is a master, and how many replicas [follow](IsMaster::replicas) it.
    pub fn is_master(&self) -> IsMaster {
        IsMaster { redis: self.clone(), replicas: 0, lag: None }
    }

    /// Asks whether it is a replica that follows its master: the link is up, and all of the data is there.
    pub fn is_replica(&self) -> IsReplica {
        IsReplica { redis: self.clone(), of: None }
    }

    /// An error that may pass, unless this one follows the history of another up to there.
    pub(super) async fn require_caught_up(&self, cx: &Context, history: &str, offset: u64) -> Result<()> {
        let now = self.replication_now(cx).await?;
        if now.has_caught_up(history, offset) {
            return Ok(());
        }
        let words = format!("{} {}, at {} of {offset}", self.url, now.words(), now.offset);
        Err(Error::transient(words))
    }

    /// Makes it follow, or with `None` a master.
    pub(super) async fn follow(&self, cx: &Context, master: Option<(&str, &str)>) -> Result<()> {
        let (host, port) = master.unwrap_or(("NO", "ONE"));
        self.tell(cx, &["REPLICAOF", host, port]).await
    }

    /// Closes the connections that sentinels have to it: for the next ones they look its name up again.
    pub(super) async fn send_sentinels_away(&self, cx: &Context) -> Result<()> {
        let list = self.require(cx, ["CLIENT", "LIST"]).await?;
        // `id=8 addr=10.0.0.4:33518 … name=sentinel-d4d037d6-cmd age=23 …`
        for line in list.lines().filter(|line| line.contains(" name=sentinel-")) {
            let id = line.split(' ').find_map(|word| word.strip_prefix("id="));
            let id = id.with_context(|| format!("cannot read the clients of {}", self.url))?;
            self.require(cx, ["CLIENT", "KILL", "ID", id]).await?;
        }
        Ok(())
    }
}

impl IsMaster {
    /// Wants at least so many replicas to be online.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Counts only those replicas that lack no more than this.
    pub fn lag_at_most(mut self, lag: impl Into<Bytes>) -> Self {
        self.lag = Some(lag.into());
        self
    }

    fn judge(&self, now: &Replication) -> Finding {
        let url = &self.redis.url;
        let lag = |one: &Follower| Bytes(now.offset.saturating_sub(one.offset));
        let counts = |one: &&Follower| one.online && self.lag.is_none_or(|most| lag(one) <= most);
        let line = |one: &Follower| {
            let state = if one.online { "is online" } else { "is not online" };
            format!("{} {state}, {} behind", one.address, lag(one))
        };
        let enough = now.followers.iter().filter(counts).count() >= self.replicas;
        let wanted = match (&self.lag, now.is_master && !enough) {
            (_, false) => String::new(),
            (None, true) => format!("; wanted {}", self.replicas),
            (Some(lag), true) => format!("; wanted {}, at most {lag} behind", self.replicas),
        };
        let evidence = Evidence::new(format!("{url} {}{wanted}", now.words()));
        Finding::of(now.is_master && enough, evidence.lines(now.followers.iter().map(line)))
    }
}

impl IsReplica {
    /// Of the master at this address.
    pub fn of(mut self, master: impl Into<String>) -> Self {
        self.of = Some(master.into());
        self
    }

    fn judge(&self, now: &Replication) -> Finding {
        let is = |link: &Link| link.follows() && self.of.as_ref().is_none_or(|master| *master == link.master);
        let wanted = self.of.as_ref().map(|master| format!(" of {master}")).unwrap_or_default();
        let holds = now.link.as_ref().is_some_and(is);
        let wanted = if holds { String::new() } else { format!("; wanted a replica{wanted} that follows") };
        Finding::of(holds, format!("{} {}{wanted}", self.redis.url, now.words()))
    }
}

fn describe(kind: &str, redis: &Redis, summary: String) -> Description {
    Description::new(kind, &redis.url)
        .summary(summary)
        .command(redis.by_hand(["INFO", "replication"]))
        .reads(redis.resource())
}

impl Redis {
    async fn judge_replication(&self, cx: &Context, judge: impl FnOnce(&Replication) -> Finding) -> Result<Finding> {
        let answer = self.ask(cx, ["INFO", "replication"]).await?;
        self.judged(answer, |info| {
            Ok(match Replication::of(&info) {
                Some(now) => judge(&now),
                None => Finding::unknown(format!("{} does not say what its part in the replication is", self.url)),
            })
        })
    }
}

#[async_trait]
impl Check for IsMaster {
    fn describe(&self) -> Description {
        let summary = match self.replicas {
            0 => format!("{} is a master", self.redis.url),
            replicas => format!("{} is a master with {replicas} replicas", self.redis.url),
        };
        describe("redis.role", &self.redis, summary)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        self.redis.judge_replication(cx, |now| self.judge(now)).await
    }
}

#[async_trait]
impl Check for IsReplica {
    fn describe(&self) -> Description {
        let of = self.of.as_deref().unwrap_or("its master");
        describe("redis.replication", &self.redis, format!("{} follows {of}", self.redis.url))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        self.redis.judge_replication(cx, |now| self.judge(now)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_and_replicas_are_read() {
        let master = "role:master\r\nconnected_slaves:1\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=420,lag=1\r\n\
                      master_replid:abc\r\nmaster_replid2:0\r\nmaster_repl_offset:425\r\n";
        let master = Replication::of(master).expect("is read");
        assert!(master.is_master && master.link.is_none() && !master.has_caught_up("abc", 0));
        assert_eq!(master.followers[0].address, "10.0.0.2:6379");

        let replica = "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\n\
                       master_sync_in_progress:0\r\nslave_repl_offset:425\r\nmaster_replid:abc\r\nmaster_replid2:0\r\n";
        let replica = Replication::of(replica).expect("is read");
        assert!(replica.has_caught_up("abc", 425));
        assert!(!replica.has_caught_up("abc", 426) && !replica.has_caught_up("other", 1));
        assert_eq!(replica.words(), "is a replica of 10.0.0.1:6379, the link is up");
        assert_eq!(Replication::of("role:sentinel\r\n"), None);
    }
}
