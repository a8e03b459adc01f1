//! Questions to a Redis.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Finding, Resource, Result};

use super::Redis;
use super::server::Answer;

/// The check of [`Redis::ping`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Ping {
    redis: Redis,
}

/// The check of [`Redis::list_length`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct ListLength {
    redis: Redis,
    key: String,
    max: u64,
}

impl Redis {
    /// Asks whether it answers `PONG` to us, password included.
    pub fn ping(&self) -> Ping {
        Ping { redis: self.clone() }
    }

    /// Asks how long a list is, in the database that the URL names; at most [`max`](ListLength::max). A key that is
    /// not there is a list of length 0.
    pub fn list_length(&self, key: impl Into<String>) -> ListLength {
        ListLength { redis: self.clone(), key: key.into(), max: u64::MAX }
    }
}

impl ListLength {
    /// Wants no more than this.
    pub fn max(mut self, max: u64) -> Self {
        self.max = max;
        self
    }
}

/// The answer, judged where there is one.
fn judged<T>(redis: &Redis, answer: Answer<T>, judge: impl FnOnce(T) -> Finding) -> Finding {
    match answer {
        Answer::Is(value) => judge(value),
        Answer::Refused(words) => Finding::fail(format!("{} refuses us: {words}", redis.url)),
        Answer::Silent(words) => Finding::unknown(format!("{} does not answer: {words}", redis.url)),
    }
}

#[async_trait]
impl Check for Ping {
    fn describe(&self) -> Description {
        let url = &self.redis.url;
        Description::new("redis.ping", url)
            .summary(format!("{url} answers"))
            .command(format!("redis-cli -e -u {url} ping"))
            .reads(Resource::new("url", url))
    }

    async fn check(&self, _cx: &Context) -> Result<Finding> {
        let answer = self.redis.ask::<String>(&::redis::cmd("PING")).await?;
        Ok(judged(&self.redis, answer, |said| Finding::of(said == "PONG", format!("{} says {said}", self.redis.url))))
    }
}

#[async_trait]
impl Check for ListLength {
    fn describe(&self) -> Description {
        let (url, key) = (&self.redis.url, &self.key);
        Description::new("redis.list_length", format!("{url} {key}"))
            .summary(format!("the list {key} of {url} is not too long"))
            .command(format!("redis-cli -e -u {url} llen {key}"))
            .reads(Resource::new("url", url))
    }

    async fn check(&self, _cx: &Context) -> Result<Finding> {
        let answer = self.redis.ask::<u64>(::redis::cmd("LLEN").arg(&self.key)).await?;
        let judge = |length| {
            if length > self.max {
                Finding::fail(format!("{} holds {length}, wanted at most {}", self.key, self.max))
            } else {
                Finding::pass(format!("{} holds {length}", self.key))
            }
        };
        Ok(judged(&self.redis, answer, judge))
    }
}
