//! Deleting a key, with a way back.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Explain as _, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::Redis;

/// The step of [`Redis::delete`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Delete {
    redis: Redis,
    key: String,
    keep: Duration,
}

/// The step of [`Delete::for_good`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.irreversible(\"why\", \"title\", step).await?`"]
pub struct DeleteForGood {
    redis: Redis,
    key: String,
}

/// What there was under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteBefore {
    /// The name it gets meanwhile.
    pub kept_as: String,
    /// When it would have gone by itself, in milliseconds since 1970.
    pub expires_at: Option<u64>,
    /// Its type: `list`, `string`.
    pub kind: String,
}

/// A key that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// The key.
    pub key: String,
    /// Under which name its value is kept; `None` when there was none, or it is gone for good.
    pub kept_as: Option<String>,
}

const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

impl Redis {
    /// Deletes a key, with a way back: it is renamed, and kept for a week. Its memory is not free before that; for that
    /// there is [`for_good`](Delete::for_good).
    pub fn delete(&self, key: impl Into<String>) -> Delete {
        Delete { redis: self.clone(), key: key.into(), keep: A_WEEK }
    }
}

/// When a key goes by itself, by the clock of the server; -1 when it does not.
pub(super) const EXPIRES_AT: &str = "local left = redis.call('PTTL', KEYS[1]) if left < 0 then return -1 end \
    local now = redis.call('TIME') return now[1] * 1000 + math.floor(now[2] / 1000) + left";

/// Renames a key, and lets it go after a while, or when it would have gone anyway.
pub(super) const TAKE: &str = "if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('EXISTS', KEYS[2]) == 0 then \
    redis.call('RENAME', KEYS[1], KEYS[2]) \
    local left = redis.call('PTTL', KEYS[2]) \
    local keep = tonumber(ARGV[1]) \
    if left < 0 or left > keep then redis.call('PEXPIRE', KEYS[2], keep) end \
    end return redis.call('EXISTS', KEYS[2])";

/// Puts it back, in one go. Elements of a list go behind those that came since: they are the older ones.
pub(super) const GIVE_BACK: &str = "if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end \
    if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('RENAME', KEYS[2], KEYS[1]) \
    if ARGV[1] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIREAT', KEYS[1], ARGV[1]) end \
    return 1 end \
    if redis.call('TYPE', KEYS[1]).ok == 'list' and redis.call('TYPE', KEYS[2]).ok == 'list' then \
    while redis.call('LMOVE', KEYS[2], KEYS[1], 'LEFT', 'RIGHT') do end return 1 end \
    return redis.error_reply('BUSYKEY the key was written since')";

impl Delete {
    /// Keeps the value this long, instead of a week.
    pub fn kept_for(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// Without a way back, and with its memory free at once.
    pub fn for_good(self) -> DeleteForGood {
        DeleteForGood { redis: self.redis, key: self.key }
    }

    /// A name that is free: `runbook:kept:celery:1`.
    async fn free_name(&self, cx: &Context) -> Result<String> {
        for n in 1..1000 {
            let name = format!("runbook:kept:{}:{n}", self.key);
            if self.redis.number(cx, ["EXISTS", &name]).await? == 0 {
                return Ok(name);
            }
        }
        Err(Error::new(format!("`{}` is kept a thousand times in {}", self.key, self.redis.url)))
    }

    fn deleted(&self, kept_as: Option<String>) -> Deleted {
        Deleted { key: self.key.clone(), kept_as }
    }
}

/// What a plan says that goes away; `None` when there is nothing under the key.
async fn going(redis: &Redis, cx: &Context, key: &str) -> Result<Option<(String, Diff)>> {
    redis.ensure_database(cx).await?;
    let kind = redis.require(cx, ["TYPE", key]).await?;
    let what = match kind.as_str() {
        "none" => return Ok(None),
        "list" => format!("{key}: list of {}", redis.length(cx, key).await?),
        kind => format!("{key}: {kind}"),
    };
    Ok(Some((kind, Diff::none().and_remove(what))))
}

fn describe(redis: &Redis, key: &str) -> Description {
    Description::new("redis.delete", format!("{} {key}", redis.url))
        .summary(format!("delete the key {key} of {}", redis.url))
        .reads(redis.resource())
        .writes(redis.resource())
}

#[async_trait]
impl Step for Delete {
    type Before = DeleteBefore;
    type Output = Deleted;

    fn describe(&self) -> Description {
        let kept = format!("runbook:kept:{}:1", self.key);
        describe(&self.redis, &self.key)
            .command(self.redis.by_hand(["RENAMENX", &self.key, &kept]))
            .undo_command(self.redis.by_hand(["RENAMENX", &kept, &self.key]))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<DeleteBefore, Deleted>> {
        let Some((kind, diff)) = going(&self.redis, cx, &self.key).await? else {
            return Ok(Survey::Already(self.deleted(None)));
        };
        let expires_at = self.redis.number(cx, ["EVAL", EXPIRES_AT, "1", &self.key]).await?;
        let expires_at = u64::try_from(expires_at).ok();
        let kept_as = self.free_name(cx).await?;
        Ok(Survey::change(DeleteBefore { kept_as, expires_at, kind }, diff))
    }

    async fn apply(&self, cx: &Context, before: &DeleteBefore) -> Result<Deleted> {
        self.redis.ensure_database(cx).await?;
        let keep = self.keep.as_millis().max(1).to_string();
        let kept = self.redis.number(cx, ["EVAL", TAKE, "2", &self.key, &before.kept_as, &keep]).await?;
        // It may have gone by itself meanwhile.
        Ok(self.deleted((kept == 1).then(|| before.kept_as.clone())))
    }
}

#[async_trait]
impl Rollback for Delete {
    async fn rollback(&self, cx: &Context, before: &DeleteBefore) -> Result<()> {
        self.redis.ensure_database(cx).await?;
        let expires_at = before.expires_at.map(|at| at.to_string()).unwrap_or_default();
        let words = ["EVAL", GIVE_BACK, "2", &self.key, &before.kept_as, &expires_at];
        let back = self.redis.require(cx, words).await;
        back.map_err(|error| error.hint(format!("its value is kept as `{}`", before.kept_as)))
            .with_context(|| format!("put `{}` back into {}", self.key, self.redis.url))?;
        Ok(())
    }
}

#[async_trait]
impl Step for DeleteForGood {
    type Before = ();
    type Output = Deleted;

    fn describe(&self) -> Description {
        describe(&self.redis, &self.key).command(self.redis.by_hand(["UNLINK", &self.key]))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), Deleted>> {
        Ok(match going(&self.redis, cx, &self.key).await? {
            Some((_, diff)) => Survey::change((), diff),
            None => Survey::Already(Deleted { key: self.key.clone(), kept_as: None }),
        })
    }

    async fn apply(&self, cx: &Context, _before: &()) -> Result<Deleted> {
        self.redis.ensure_database(cx).await?;
        self.redis.number(cx, ["UNLINK", &self.key]).await?;
        Ok(Deleted { key: self.key.clone(), kept_as: None })
    }
}
