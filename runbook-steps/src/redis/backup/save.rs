//! Having a server write its data to its disk.

use std::time::Duration;

use runbook::{Context, Error, Explain as _, Result};

use crate::redis::Redis;
use crate::redis::sentinel::until;

/// What a server says of its last snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Saved {
    /// When, in seconds since 1970.
    at: u64,
    ok: bool,
    under_way: bool,
}

impl Saved {
    fn of(info: &str) -> Option<Self> {
        Some(Self {
            at: Redis::field(info, "rdb_last_save_time")?.parse().ok()?,
            ok: Redis::field(info, "rdb_last_bgsave_status")? == "ok",
            under_way: Redis::field(info, "rdb_bgsave_in_progress")? != "0",
        })
    }
}

/// How long writes are held back at a time: they go on by themselves when nobody renews it.
const FREEZE: &str = "30000";

impl Redis {
    async fn saved(&self, cx: &Context) -> Result<Saved> {
        let info = self.require(cx, ["INFO", "persistence"]).await?;
        Saved::of(&info).with_context(|| format!("cannot read when {} last wrote its data", self.url))
    }

    /// The time on the server, in seconds since 1970.
    async fn seconds(&self, cx: &Context) -> Result<u64> {
        let said = self.require(cx, ["TIME"]).await?;
        self.read(said.lines().next().unwrap_or_default())
    }

    /// Has it write a snapshot, waits for its end, and gives when that was, in seconds since 1970.
    pub(super) async fn save(&self, cx: &Context, limit: Duration) -> Result<u64> {
        self.save_while(cx, limit, false).await
    }

    /// The same with writes held back, which they are for a while after it.
    pub(super) async fn save_frozen(&self, cx: &Context, limit: Duration) -> Result<u64> {
        self.freeze(cx).await?;
        self.save_while(cx, limit, true).await
    }

    async fn save_while(&self, cx: &Context, limit: Duration, frozen: bool) -> Result<u64> {
        // One that is under way lacks what was written since it began. And its time has seconds only: another one in the
        // same second could not be told from it.
        let before = until(cx, limit, || self.may_begin(cx)).await?;
        let said = self.require(cx, ["BGSAVE", "SCHEDULE"]).await?;
        let at_once = said.contains("started");
        until(cx, limit, || async {
            if frozen {
                self.freeze(cx).await?;
            }
            let now = self.saved(cx).await?;
            match now {
                Saved { under_way: false, ok: true, at } if at > before => Ok(at),
                Saved { under_way: false, ok: false, .. } if at_once => {
                    let error = Error::new(format!("{} could not write its data", self.url));
                    Err(error.hint("its log says why: often the disk is full"))
                }
                _ => Err(Error::transient(format!("{} is writing its data", self.url))),
            }
        })
        .await
    }

    async fn may_begin(&self, cx: &Context) -> Result<u64> {
        let (now, seconds) = (self.saved(cx).await?, self.seconds(cx).await?);
        if now.under_way || seconds <= now.at {
            return Err(Error::transient(format!("{} has only now written its data", self.url)));
        }
        Ok(now.at)
    }

    async fn freeze(&self, cx: &Context) -> Result<()> {
        self.tell(cx, &["CLIENT", "PAUSE", FREEZE, "WRITE"]).await
    }

    /// Lets writes go on.
    pub(super) async fn thaw(&self, cx: &Context) -> Result<()> {
        self.tell(cx, &["CLIENT", "UNPAUSE"]).await
    }
}
