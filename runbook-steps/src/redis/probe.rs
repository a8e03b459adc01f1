//! Writing something, and reading it back.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Explain as _, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::Redis;

/// The step of [`Redis::takes_writes`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct TakesWrites {
    redis: Redis,
}

/// The key that is written, and removed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub(super) key: String,
}

/// A server that took a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Its URL.
    pub url: String,
    /// The key that was written, read back and removed.
    pub key: String,
}

/// What is written goes by itself, should nobody come to remove it: after a minute.
const GOES_AFTER: &str = "60000";

impl Redis {
    /// Writes a key, reads it back and removes it. A server may answer to everyone and still take no writes: as a replica,
    /// with a full memory, or after a snapshot that failed.
    pub fn takes_writes(&self) -> TakesWrites {
        TakesWrites { redis: self.clone() }
    }
}

impl Probe {
    pub(super) fn new(cx: &Context) -> Self {
        Self { key: format!("runbook:probe:{}", cx.now().as_nanosecond()) }
    }

    /// Writes, reads and removes it.
    pub(super) async fn ask(&self, cx: &Context, redis: &Redis) -> Result<Probed> {
        let Self { key } = self;
        redis.tell(cx, &["SET", key, key, "PX", GOES_AFTER]).await.context(format!("write to {}", redis.url))?;
        let read = redis.require(cx, ["GET", key]).await?;
        self.remove(cx, redis).await?;
        if read != *key {
            return Err(Error::new(format!("{} took `{key}`, and gave `{read}` back", redis.url)));
        }
        Ok(Probed { url: redis.url.clone(), key: key.clone() })
    }

    /// A replica would refuse to remove what it does not hold.
    pub(super) async fn remove(&self, cx: &Context, redis: &Redis) -> Result<()> {
        if redis.number(cx, ["EXISTS", &self.key]).await? > 0 {
            redis.require(cx, ["UNLINK", &self.key]).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Step for TakesWrites {
    type Before = Probe;
    type Output = Probed;

    fn describe(&self) -> Description {
        let url = &self.redis.url;
        Description::new("redis.write_read", url)
            .summary(format!("write a key to {url}, read it back and remove it"))
            .command(self.redis.by_hand(["SET", "runbook:probe", "1", "PX", GOES_AFTER]))
            .command(self.redis.by_hand(["GET", "runbook:probe"]))
            .undo_command(self.redis.by_hand(["UNLINK", "runbook:probe"]))
            .reads(self.redis.resource())
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Probe, Probed>> {
        self.redis.ensure_database(cx).await?;
        let probe = Probe::new(cx);
        let diff = Diff::note(format!("`{}` is written, read and removed", probe.key));
        let probed = Probed { url: self.redis.url.clone(), key: probe.key.clone() };
        Ok(Survey::predict(probe, diff, probed))
    }

    async fn apply(&self, cx: &Context, probe: &Probe) -> Result<Probed> {
        self.redis.ensure_database(cx).await?;
        probe.ask(cx, &self.redis).await
    }
}

#[async_trait]
impl Rollback for TakesWrites {
    async fn rollback(&self, cx: &Context, probe: &Probe) -> Result<()> {
        self.redis.ensure_database(cx).await?;
        probe.remove(cx, &self.redis).await
    }
}
