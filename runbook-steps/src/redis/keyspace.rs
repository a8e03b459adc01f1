//! How many keys a Redis holds, and how often it finds what it is asked for.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, ErrorKind, Explain as _, Finding, Result};
use serde::{Deserialize, Serialize};

use super::Redis;
use crate::sizes::{Amount, Bytes};

/// How often a Redis found what it was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookups {
    /// It was there.
    pub hits: u64,
    /// It was not there.
    pub misses: u64,
}

impl Lookups {
    /// Those of the time since.
    pub fn since(self, before: Self) -> Self {
        Self { hits: self.hits.saturating_sub(before.hits), misses: self.misses.saturating_sub(before.misses) }
    }

    /// How many there were.
    pub fn all(self) -> u64 {
        self.hits + self.misses
    }
}

/// The check of [`Redis::key_count`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct KeyCount {
    redis: Redis,
    least: u64,
    most: u64,
}

/// How often a Redis finds what it is asked for; say how often it [has to](HitRate::at_least).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say how often: `.at_least(80.percent())`"]
pub struct HitRate {
    redis: Redis,
    over: Option<Duration>,
}

/// The check of [`Redis::hit_rate`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct HitRateAtLeast {
    rate: HitRate,
    share: Amount,
}

impl Redis {
    /// Asks how many keys the database holds that the URL names.
    pub fn key_count(&self) -> KeyCount {
        KeyCount { redis: self.clone(), least: 0, most: u64::MAX }
    }

    /// Asks how often it finds what it is asked for: since it was started, or [in a time](HitRate::over).
    pub fn hit_rate(&self) -> HitRate {
        HitRate { redis: self.clone(), over: None }
    }

    /// How often it has found what it was asked for since it was started.
    pub async fn lookups_now(&self, cx: &Context) -> Result<Lookups> {
        let info = self.require(cx, ["INFO", "stats"]).await?;
        let number = |name| Self::field(&info, name)?.parse().ok();
        let read = || Some(Lookups { hits: number("keyspace_hits")?, misses: number("keyspace_misses")? });
        read().with_context(|| format!("cannot read the statistics of {}", self.url))
    }
}

impl KeyCount {
    /// Wants at least so many.
    pub fn at_least(mut self, keys: u64) -> Self {
        self.least = keys;
        self
    }

    /// Wants no more than so many.
    pub fn at_most(mut self, keys: u64) -> Self {
        self.most = keys;
        self
    }

    fn wanted(&self) -> String {
        match (self.least, self.most) {
            (0, u64::MAX) => "any number of".to_owned(),
            (least, u64::MAX) => format!("at least {least}"),
            (0, most) => format!("at most {most}"),
            (least, most) => format!("{least} to {most}"),
        }
    }
}

impl HitRate {
    /// Of what it is asked in this time, which the check takes. Since its start says little of a server that has run
    /// for months.
    pub fn over(mut self, time: Duration) -> Self {
        self.over = Some(time);
        self
    }

    /// Wants it to find this share of what it is asked for.
    pub fn at_least(self, share: impl Into<Amount>) -> HitRateAtLeast {
        HitRateAtLeast { rate: self, share: share.into() }
    }

    async fn lookups(&self, cx: &Context) -> Result<Lookups> {
        let Some(time) = self.over else { return self.redis.lookups_now(cx).await };
        let before = self.redis.lookups_now(cx).await?;
        cx.pause(time).await?;
        Ok(self.redis.lookups_now(cx).await?.since(before))
    }

    fn when(&self) -> String {
        self.over.map_or_else(|| "since its start".to_owned(), |time| format!("in {time:?}"))
    }
}

#[async_trait]
impl Check for KeyCount {
    fn describe(&self) -> Description {
        let url = &self.redis.url;
        Description::new("redis.dbsize", url)
            .summary(format!("{url} holds {} keys", self.wanted()))
            .command(self.redis.by_hand(["DBSIZE"]))
            .reads(self.redis.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let answer = self.redis.ask(cx, ["DBSIZE"]).await?;
        self.redis.judged(answer, |said| {
            let (url, keys) = (&self.redis.url, self.redis.read::<u64>(&said)?);
            let fits = (self.least..=self.most).contains(&keys);
            let wanted = if fits { String::new() } else { format!(", wanted {}", self.wanted()) };
            Ok(Finding::of(fits, format!("{url} holds {keys} keys{wanted}")))
        })
    }
}

#[async_trait]
impl Check for HitRateAtLeast {
    fn describe(&self) -> Description {
        let url = &self.rate.redis.url;
        Description::new("redis.hit_rate", url)
            .summary(format!("{url} finds at least {} of what it is asked for, {}", self.share, self.rate.when()))
            .command(self.rate.redis.by_hand(["INFO", "stats"]))
            .reads(self.rate.redis.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let lookups = match self.rate.lookups(cx).await {
            Ok(lookups) => lookups,
            Err(error) if error.kind() == ErrorKind::Failed => return Ok(Finding::fail(error.to_string())),
            Err(error) => return Err(error),
        };
        let (url, when, all) = (&self.rate.redis.url, self.rate.when(), lookups.all());
        if all == 0 {
            return Ok(Finding::unknown(format!("{url} was asked for nothing {when}")));
        }
        let fits = lookups.hits >= self.share.of(Bytes(all)).0;
        let wanted = if fits { String::new() } else { format!(", wanted {}", self.share) };
        Ok(Finding::of(fits, format!("{url} found {} of {all} keys {when}{wanted}", lookups.hits)))
    }
}
