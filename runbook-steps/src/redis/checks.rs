//! Questions to a Redis.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, ErrorKind, Explain as _, Finding, Resource, Result};

use super::Redis;
use crate::sizes::Amount;
use crate::tool;

/// The check of [`Redis::ping`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Ping {
    redis: Redis,
}

/// The check of [`Redis::version`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Version {
    redis: Redis,
    at_least: Option<String>,
}

/// The memory of a Redis; say how much it may [hold](MemoryUsed::at_most).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say how much it may hold: `.at_most(80.percent())`"]
pub struct MemoryUsed {
    redis: Redis,
}

/// The check of [`Redis::memory`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct MemoryAtMost {
    redis: Redis,
    amount: Amount,
}

/// The check of [`Redis::list_length`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct ListLength {
    redis: Redis,
    key: String,
    max: u64,
}

/// The check of [`Redis::not_growing`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct NotGrowing {
    redis: Redis,
    key: String,
    over: Duration,
}

impl Redis {
    /// Asks whether it answers `PONG` to us, password included.
    pub fn ping(&self) -> Ping {
        Ping { redis: self.clone() }
    }

    /// Asks what version the server is: not the client, whose version `redis-cli --version` tells.
    pub fn version(&self) -> Version {
        Version { redis: self.clone(), at_least: None }
    }

    /// Asks how much memory it holds.
    pub fn memory(&self) -> MemoryUsed {
        MemoryUsed { redis: self.clone() }
    }

    /// Asks how long a list is, in the database that the URL names; at most [`max`](ListLength::max). A key that is
    /// not there is a list of length 0.
    pub fn list_length(&self, key: impl Into<String>) -> ListLength {
        ListLength { redis: self.clone(), key: key.into(), max: u64::MAX }
    }

    /// Asks whether a list is no longer after this time than before: whether the workers of a queue keep up.
    pub fn not_growing(&self, key: impl Into<String>, over: Duration) -> NotGrowing {
        NotGrowing { redis: self.clone(), key: key.into(), over }
    }

    fn url(&self) -> Resource {
        Resource::new("url", &self.url)
    }
}

impl Version {
    /// Wants this version or a newer one.
    pub fn at_least(mut self, version: impl Into<String>) -> Self {
        self.at_least = Some(version.into());
        self
    }
}

impl MemoryUsed {
    /// Wants it to hold no more than this: bytes, or a share of its limit. Where nobody set a limit, a share is one of
    /// the machine's memory.
    pub fn at_most(self, amount: impl Into<Amount>) -> MemoryAtMost {
        MemoryAtMost { redis: self.redis, amount: amount.into() }
    }
}

impl ListLength {
    /// Wants no more than this.
    pub fn max(mut self, max: u64) -> Self {
        self.max = max;
        self
    }
}

#[async_trait]
impl Check for Ping {
    fn describe(&self) -> Description {
        let url = &self.redis.url;
        Description::new("redis.ping", url)
            .summary(format!("{url} answers"))
            .command(self.redis.by_hand(["PING"]))
            .reads(self.redis.url())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let answer = self.redis.ask(cx, ["PING"]).await?;
        self.redis.judged(answer, |said| Ok(Finding::of(said == "PONG", format!("{} says {said}", self.redis.url))))
    }
}

#[async_trait]
impl Check for Version {
    fn describe(&self) -> Description {
        let url = &self.redis.url;
        let wanted = self.at_least.as_ref().map_or_else(String::new, |version| format!(" {version} or newer"));
        Description::new("redis.version", url)
            .summary(format!("{url} is a Redis{wanted}"))
            .command(self.redis.by_hand(["INFO", "server"]))
            .reads(self.redis.url())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let parse =
            |text: &str| tool::Version::find(text).with_context(|| format!("`{text}` is no version like `7.0`"));
        let wanted = self.at_least.as_deref().map(parse).transpose()?;
        let answer = self.redis.ask(cx, ["INFO", "server"]).await?;
        self.redis.judged(answer, |info| {
            let url = &self.redis.url;
            let Some(version) = Redis::field(&info, "redis_version").and_then(tool::Version::find) else {
                return Ok(Finding::unknown(format!("{url} says no version")));
            };
            Ok(match wanted {
                Some(wanted) if version < wanted => {
                    Finding::fail(format!("{url} is Redis {version}, wanted {wanted} or newer"))
                }
                _ => Finding::pass(format!("{url} is Redis {version}")),
            })
        })
    }
}

#[async_trait]
impl Check for MemoryAtMost {
    fn describe(&self) -> Description {
        let url = &self.redis.url;
        Description::new("redis.memory", url)
            .summary(format!("{url} holds at most {} of memory", self.amount))
            .command(self.redis.by_hand(["INFO", "memory"]))
            .reads(self.redis.url())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let answer = self.redis.ask(cx, ["INFO", "memory"]).await?;
        self.redis.judged(answer, |info| {
            let url = &self.redis.url;
            let Some(memory) = Redis::memory_in(&info) else {
                return Ok(Finding::unknown(format!("{url} does not say what memory it holds")));
            };
            let whole = match memory.limit {
                Some(limit) => format!("of at most {limit}"),
                None => format!("without a limit, on a machine with {}", memory.machine),
            };
            let evidence = format!("{url} holds {}, {whole}, {}", memory.used, memory.policy);
            let fits = memory.used <= self.amount.of(memory.whole());
            Ok(Finding::of(fits, if fits { evidence } else { format!("{evidence}; wanted at most {}", self.amount) }))
        })
    }
}

#[async_trait]
impl Check for ListLength {
    fn describe(&self) -> Description {
        let (url, key) = (&self.redis.url, &self.key);
        Description::new("redis.list_length", format!("{url} {key}"))
            .summary(format!("the list {key} of {url} is not too long"))
            .command(self.redis.by_hand(["LLEN", key]))
            .reads(self.redis.url())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let answer = self.redis.ask(cx, ["LLEN", &self.key]).await?;
        self.redis.judged(answer, |said| {
            let length: u64 = self.redis.read(&said)?;
            Ok(if length > self.max {
                Finding::fail(format!("{} holds {length}, wanted at most {}", self.key, self.max))
            } else {
                Finding::pass(format!("{} holds {length}", self.key))
            })
        })
    }
}

#[async_trait]
impl Check for NotGrowing {
    fn describe(&self) -> Description {
        let (url, key) = (&self.redis.url, &self.key);
        Description::new("redis.not_growing", format!("{url} {key}"))
            .summary(format!("the list {key} of {url} does not grow in {:?}", self.over))
            .command(self.redis.by_hand(["LLEN", key]))
            .reads(self.redis.url())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let trend = match self.redis.trend(cx, &self.key, self.over).await {
            Ok(trend) => trend,
            Err(error) if error.kind() == ErrorKind::Failed => return Ok(Finding::fail(error.to_string())),
            Err(error) => return Err(error),
        };
        let how = match trend.per_minute() {
            0 => "steady".to_owned(),
            more @ 1.. => format!("growing by {more} a minute"),
            fewer => format!("draining by {} a minute", -fewer),
        };
        let evidence = format!("{} went from {} to {} in {:?}: {how}", self.key, trend.first, trend.last, trend.over);
        Ok(Finding::of(!trend.is_growing(), evidence))
    }
}
