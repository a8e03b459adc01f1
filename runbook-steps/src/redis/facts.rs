//! What a Redis says of itself.

use std::time::Duration;

use runbook::{Context, Explain as _, Result};
use serde::{Deserialize, Serialize};

use super::Redis;
use crate::sizes::Bytes;

/// The memory of a Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// What it holds.
    pub used: Bytes,
    /// What it may hold; `None` when nobody set a limit.
    pub limit: Option<Bytes>,
    /// The memory of the machine it runs on.
    pub machine: Bytes,
    /// What it does when the limit is reached: `noeviction` refuses writes, the others drop keys.
    pub policy: String,
}

impl Memory {
    /// The limit, or where there is none the memory of the machine.
    pub fn whole(&self) -> Bytes {
        self.limit.unwrap_or(self.machine)
    }
}

/// The length of a list, now and some time before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trend {
    /// How long it was at first.
    pub first: u64,
    /// How long it was at last.
    pub last: u64,
    /// The time between.
    pub over: Duration,
}

impl Trend {
    /// Elements more in a minute; fewer when it is negative.
    pub fn per_minute(&self) -> i64 {
        let more = i128::from(self.last) - i128::from(self.first);
        let seconds = i128::try_from(self.over.as_millis()).unwrap_or(i128::MAX).max(1);
        i64::try_from(more * 60_000 / seconds).unwrap_or(i64::MAX)
    }

    /// Whether it became longer.
    pub fn is_growing(&self) -> bool {
        self.last > self.first
    }
}

impl Redis {
    /// A field of what `INFO` tells.
    pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    /// How much memory it holds, and may hold.
    pub async fn memory_now(&self, cx: &Context) -> Result<Memory> {
        let info = self.require(cx, ["INFO", "memory"]).await?;
        let memory = Self::memory_in(&info);
        memory.with_context(|| format!("cannot read the memory of {}", self.url))
    }

    pub(super) fn memory_in(info: &str) -> Option<Memory> {
        let bytes = |name| Some(Bytes(Self::field(info, name)?.parse().ok()?));
        let limit = bytes("maxmemory")?;
        Some(Memory {
            used: bytes("used_memory")?,
            limit: Some(limit).filter(|limit| *limit != Bytes(0)),
            machine: bytes("total_system_memory")?,
            policy: Self::field(info, "maxmemory_policy")?.to_owned(),
        })
    }

    /// How long a list is; a key that is not there is a list of length 0.
    pub async fn length(&self, cx: &Context, key: &str) -> Result<u64> {
        let said = self.require(cx, ["LLEN", key]).await?;
        self.read(&said)
    }

    /// How the length of a list changes over this time.
    pub async fn trend(&self, cx: &Context, key: &str, over: Duration) -> Result<Trend> {
        let first = self.length(cx, key).await?;
        cx.pause(over).await?;
        Ok(Trend { first, last: self.length(cx, key).await?, over })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_counted_by_the_minute() {
        let trend = |first, last, seconds| Trend { first, last, over: Duration::from_secs(seconds) }.per_minute();
        assert_eq!((trend(10, 40, 30), trend(40, 10, 60), trend(1, 1, 0)), (60, -30, 0));
    }

    #[test]
    fn memory_without_a_limit_is_that_of_the_machine() {
        let info = "# Memory\r\nused_memory:1024\r\ntotal_system_memory:4096\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n";
        let memory = Redis::memory_in(info).expect("is read");
        assert_eq!((memory.used, memory.limit, memory.whole()), (Bytes(1024), None, Bytes(4096)));
        assert_eq!(Redis::memory_in("used_memory:1\r\n"), None);
    }
}
