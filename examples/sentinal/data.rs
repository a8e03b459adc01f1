//! Data: its backups, its restore, and another master for Redis.

use runbook::prelude::*;
use runbook::steps::backup::{self, Scheduled};
use runbook::steps::docker;
use runbook::steps::redis::{FailedOver, Snapshot};

use crate::deployment::in_order;
use crate::sentinal::{REDIS, Sentinal};
use crate::verification::verify;

/// Volumes that are archived whole: what is in them is of one program, which may be stopped for a moment.
const VOLUMES: [(&str, &str); 2] = [("grafana", "grafana_data"), ("prometheus", "prometheus_data")];

/// Redis failover.
///
/// Only when another one could take over. It is over when the sentinels agree on a new master, that one takes writes, and the
/// others follow it.
#[procedure(target = sentinal.on)]
pub async fn fail_over(run: &Run, sentinal: &Sentinal) -> Result<FailedOver> {
    let (server, sentinels) = (sentinal.server(run), sentinal.sentinels());
    server.require("Redis is whole", sentinels.healthy().replicas(2)).await?;
    server.require("Another one could take over", sentinels.can_fail_over()).await?;
    let moved = server.step("Fail over", sentinels.failover()).await?;
    run.check("The API goes on", sentinal.is_healthy().within(30.seconds())).await?;
    Ok(moved)
}

/// Data backup.
///
/// What the master has after a save that was waited for, read through and counted; and the volumes of Grafana and Prometheus,
/// read back and compared.
#[procedure(target = sentinal.on)]
pub async fn back_up(run: &Run, sentinal: &Sentinal) -> Result<Snapshot> {
    let server = sentinal.server(run);
    let snapshot = sentinal.redis_servers().back_up().into_dir(&sentinal.backups);
    let snapshot = server.step("Back up Redis", snapshot).await?;
    for (service, volume) in VOLUMES {
        server
            .hold(format!("Stop {service}"), sentinal.compose().stop([service]), async |server| {
                let archive =
                    docker::archive(sentinal.volume(volume), sentinal.archive(volume), sentinal.helper.as_str());
                server.step(format!("Back up {service}"), archive).await
            })
            .await?;
    }
    Ok(snapshot)
}

/// Automated backups.
///
/// Every night the server runs `back_up` of this program, which is installed on it for that.
#[procedure(target = sentinal.on)]
pub async fn back_up_every_night(run: &Run, sentinal: &Sentinal) -> Result<Scheduled> {
    let (root, backups) = (sentinal.root.to_string_lossy(), sentinal.backups.to_string_lossy());
    let words = ["/usr/local/bin/sentinal", "run", "back_up", "--root", &root, "--backups", &backups];
    let every_night = backup::schedule("sentinal-backup").runs(words).daily_at("02:00");
    sentinal.server(run).step("Back up every night", every_night).await
}

/// Database rollback: Redis.
///
/// The newest backup. The sentinels are held back and the replicas emptied, so that nobody with newer data takes over; the
/// data of now is kept beside it.
#[procedure(target = sentinal.on)]
pub async fn restore_redis(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let server = sentinal.server(run);
    let snapshot = server.step("Find the newest backup", backup::latest(&sentinal.backups).snapshot()).await?;
    run.confirm("Restore Redis? What was written since the backup is lost.").await?;
    let restored = server.step("Restore Redis", sentinal.redis_servers().restore(&snapshot)).await?;
    run.say(format!("{} keys are back; what was there before is in {}", restored.loaded, restored.kept.display()));
    server.check("Redis is whole", sentinal.sentinels().healthy().replicas(2).within(30.seconds())).await?;
    run.check("The API goes on", sentinal.is_healthy().within(30.seconds())).await
}

/// Complete system failure.
///
/// Everything is taken down, the volumes of Grafana and Prometheus come back from their archives, all services start in the
/// order they need each other, and Redis gets its newest backup.
#[procedure(target = sentinal.on)]
pub async fn complete_failure(run: &Run, sentinal: &Sentinal) -> Result<()> {
    run.confirm("Restore everything from the backups? What was written since is lost.").await?;
    let server = sentinal.server(run);
    server.step("Take everything down", sentinal.compose().down()).await?;
    for (service, volume) in VOLUMES {
        let restore = docker::restore(sentinal.volume(volume), sentinal.archive(volume), sentinal.helper.as_str());
        server.step(format!("Restore {service}"), restore).await?;
    }
    in_order(run, sentinal).await?;
    restore_redis(run, sentinal).await?;
    verify(run, sentinal).await?;
    Ok(())
}

/// Redis scaling.
///
/// Two replicas may sync at once, on all sentinels or on none; then the third replica, which comes with a release, follows.
#[procedure(target = sentinal.on)]
pub async fn redis_for_reading(run: &Run, sentinal: &Sentinal) -> Result<()> {
    use runbook::steps::redis::Setting;
    let (server, third) = (sentinal.server(run), "redis-replica-3");
    server.step("Let two replicas sync at once", sentinal.sentinels().set(Setting::ParallelSyncs(2))).await?;
    let up = sentinal.compose().up().services([third]).no_deps().within(sentinal.patience());
    server.step("Start the third replica", up).await?;
    let follows = sentinal.sentinels().add_replica(&sentinal.redis(third));
    server.step("It follows the master", follows).await?;
    server.check("Redis is whole", sentinal.sentinels().healthy().replicas(REDIS.len() as u64)).await
}
