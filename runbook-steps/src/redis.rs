//! Redis: does it answer to us, how long are its lists, how much memory does it hold? And what must go from it.
//!
//! ```no_run
//! # use runbook_core::{Result, Run, Secret, Units as _};
//! # use runbook_steps::{backup::NoBackup, redis::Redis, sizes::Sizes as _};
//! # async fn healthy(run: &Run) -> Result<()> {
//! let broker = Redis::at("redis://127.0.0.1:6379/0").password(&Secret::env("REDIS_PASSWORD"));
//! run.check("Redis answers", broker.ping()).await?;
//! run.check("It is new enough", broker.version().at_least("7.0")).await?;
//! run.check("It has room", broker.memory().at_most(80.percent())).await?;
//! run.check("The queue is short", broker.list_length("celery").max(1000)).await?;
//! run.check("The workers keep up", broker.not_growing("celery", 30.seconds())).await?;
//!
//! run.step("Set the queue aside", broker.delete("celery")).await?; // an undo brings the tasks back
//! let flush = broker.flush(NoBackup::because("results are computed again"));
//! run.irreversible("the cache is poisoned", "Flush the cache", flush).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - Questions go out from the host of the step, through its `redis-cli`: what listens on the loopback interface of a
//!   server is asked there, over SSH and in a container alike. The password goes through the environment.
//! - A server that wants a password, or another one, is a *no* that says so: `redis-cli ping` prints `NOAUTH` and exits
//!   with 0 unless it is told otherwise. No answer is *unknown*.
//! - A database that does not exist is an error. (`redis-cli -n 99 flushdb` says so, flushes database 0, and exits with 0.)
//! - A key that is [deleted](Redis::delete) is renamed, whatever its size. An undo of a list puts its elements behind
//!   those that came since, where they are taken first.

mod cli;
mod server;

mod facts;
mod replication;

mod delete;
mod flush;
mod probe;

mod checks;
mod keyspace;

mod backup;
mod sentinel;

#[cfg(feature = "testing")]
pub mod fake;

#[cfg(all(test, feature = "testing"))]
mod tests;

pub use self::backup::{
    Node, Power, RestoreSnapshot, RestoreSnapshotBefore, RestoredSnapshot, Servers, Snapshot, SnapshotBefore,
    TakeSnapshot, TakingSnapshot, node,
};
pub use self::checks::{ListLength, MemoryAtMost, MemoryUsed, NotGrowing, Ping, Version};
pub use self::delete::{Delete, DeleteBefore, DeleteForGood, Deleted};
pub use self::facts::{Memory, Trend};
#[cfg(feature = "testing")]
pub use self::fake::{Fake, FakePower, FakeSentinels, Fault};
pub use self::flush::{Flush, FlushBefore, Flushed};
pub use self::keyspace::{HitRate, HitRateAtLeast, KeyCount, Lookups};
pub use self::probe::{Probe, Probed, TakesWrites};
pub use self::replication::{Follower, IsMaster, IsReplica, Link, Replication};
pub use self::sentinel::{
    AddReplica, AddReplicaBefore, CanFailOver, FailedOver, Failover, FailoverBefore, FindMaster, HasMaster, Healthy,
    Master, Member, ReplicaAdded, ReplicaView, Sentinels, SentinelsSet, Set, SetBefore, Setting, View, sentinels,
};
pub use self::server::Redis;
