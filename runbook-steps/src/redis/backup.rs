//! Backups of a Redis, and their restore, also where replicas and sentinels stand by.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use runbook_core::{Host, Result, Run, Secret};
//! # use runbook_steps::{redis::{self, Redis}, systemd};
//! # async fn restore(run: &Run, db_1: &Arc<dyn Host>, db_2: &Arc<dyn Host>) -> Result<()> {
//! # let password = Secret::env("REDIS_PASSWORD");
//! # let sentinels = redis::sentinels("mymaster").at(["10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379"]);
//! let node = |url: &str, host: &Arc<dyn Host>| {
//!     redis::node(Redis::at(url).password(&password))
//!         .on(host)
//!         .process(systemd::stop("redis-server"), systemd::start("redis-server"))
//! };
//! let servers = sentinels.servers([node("redis://10.0.0.1", db_1), node("redis://10.0.0.2", db_2)]);
//!
//! let snapshot = run.step("Back up Redis", servers.back_up().into_dir("/backups")).await?;
//! // … and when it comes to that:
//! let restored = run.step("Restore Redis", servers.restore(&snapshot)).await?;
//! run.say(format!("{} keys are back; the data before is kept in {}", restored.loaded, restored.kept.display()));
//! # Ok(())
//! # }
//! ```
//!
//! - A backup is the file of a `BGSAVE` that was asked for and waited for, of the server that is the master then. It is
//!   read through by `redis-check-rdb`, whose count of keys goes into its manifest, and compared after the copy. The live
//!   files of a server, archived while it writes them, are no backup.
//! - In a restore the sentinels are held back and the replicas stopped before the master starts on the file, so that
//!   nobody with newer data can take over or be copied from. Where an append-only file is in use, Redis reads that and
//!   not `dump.rdb`: then the file becomes the base of a new one.
//! - What the master says it loaded is compared with the manifest, before a client can have changed it.
//! - The data before is kept beside it. An undo starts the servers on it again.

mod node;
mod power;

mod rdb;
mod save;
mod snapshot;

mod layout;
mod make;
mod restore;
mod swap;

pub use self::make::{SnapshotBefore, TakeSnapshot, TakingSnapshot};
pub use self::node::{Node, Servers, node};
pub use self::power::Power;
pub use self::restore::{RestoreSnapshot, RestoreSnapshotBefore, RestoredSnapshot};
pub use self::snapshot::Snapshot;
