//! Emptying a database.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Result, Step, Survey};
use serde::{Deserialize, Serialize};

use super::Redis;
use crate::backup::Guard;

/// The step of [`Redis::flush`].
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until it is run: `run.irreversible(\"why\", \"title\", step).await?`"]
pub struct Flush {
    redis: Redis,
    guard: Guard,
}

/// What there was in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushBefore {
    /// How many keys it held.
    pub keys: u64,
}

/// A database that was emptied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    /// Its URL.
    pub url: String,
    /// How many keys it holds now: what was written since counts.
    pub keys: u64,
}

impl Redis {
    /// Empties the database that the URL names, and no other. Nothing brings it back, so it takes `run.irreversible`, and
    /// a backup or the reason why there is none.
    pub fn flush(&self, guard: impl Into<Guard>) -> Flush {
        Flush { redis: self.clone(), guard: guard.into() }
    }

    async fn keys(&self, cx: &Context) -> Result<u64> {
        let said = self.require(cx, ["DBSIZE"]).await?;
        self.read(&said)
    }
}

#[async_trait]
impl Step for Flush {
    type Before = FlushBefore;
    type Output = Flushed;

    fn describe(&self) -> Description {
        let url = &self.redis.url;
        Description::new("redis.flush", url)
            .summary(format!("remove every key from {url} ({})", self.guard))
            .command(self.redis.by_hand(["FLUSHDB"]))
            .reads(self.redis.resource())
            .writes(self.redis.resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<FlushBefore, Flushed>> {
        self.redis.ensure_database(cx).await?;
        Ok(match self.redis.keys(cx).await? {
            0 => Survey::Already(Flushed { url: self.redis.url.clone(), keys: 0 }),
            keys => Survey::change(FlushBefore { keys }, Diff::none().and_remove(format!("{keys} keys"))),
        })
    }

    async fn apply(&self, cx: &Context, _before: &FlushBefore) -> Result<Flushed> {
        self.redis.ensure_database(cx).await?;
        self.redis.require(cx, ["FLUSHDB"]).await?;
        Ok(Flushed { url: self.redis.url.clone(), keys: self.redis.keys(cx).await? })
    }
}
