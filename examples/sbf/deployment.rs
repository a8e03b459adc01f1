//! Deployments while users work: new instances beside the old ones, and a hotfix that takes itself back.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::backup::Guard;
use runbook::steps::compose::Made;
use runbook::steps::{alembic, disk, docker, git, nginx, postgres};
use serde::{Deserialize, Serialize};

use crate::backups::proven_backup;
use crate::sbf::{INSTANCES, Sbf};

/// Standard deployment.
///
/// No downtime: a proven backup, new images, migrations that the old code works with, then new instances beside the old
/// ones, which go when the new ones are healthy. When anything fails, the old images, instances and schema are back.
#[procedure(target = sbf.on)]
pub async fn standard_deployment(run: &Run, sbf: &Sbf) -> Result<Made> {
    let server = sbf.server(run);
    run.require("Ready before we begin", sbf.is_ready()).await?;
    let database = sbf.database_host(run);
    database.require("The database accepts connections", postgres::ready(&Sbf::database())).await?;
    server.require("There is room", disk::free("/var/lib").at_least(2.gib())).await?;
    let dump = proven_backup(run, sbf).await?;
    server.step("Get what is new", git::fetch(&sbf.root)).await?;
    server.step("Pull the latest code", git::checkout(&sbf.root, "main")).await?;
    let images = server.step("Pull the images", sbf.compose().pull()).await?;
    if images.changed() {
        sbf.watched(run, async |run| {
            migrate(run, sbf, (&dump).into()).await?;
            roll_out(run, sbf).await
        })
        .await?;
    }
    verify(run, sbf).await?;
    Ok(images)
}

/// Migrate the database.
///
/// By the new code, in a container of its own, while the old instances serve.
#[part]
pub async fn migrate(run: &Run, sbf: &Sbf, guard: Guard) -> Result<()> {
    let (database, schema) = (sbf.database_host(run), sbf.alembic());
    let upgrade = alembic::upgrade(&schema).guarded_by(guard);
    database.step("Migrate the database", upgrade).await?;
    database.check("The schema is the one of the code", alembic::current_is_head(&schema)).await
}

/// Rolling update: the images that were pulled.
///
/// As many new instances as there are old ones come up beside them, and get no requests before all are healthy; then the old
/// ones get none, and go. (`up --scale api=3` with a moved tag makes both anew at once, and nginx gives requests to whatever
/// has the name of the service.) Web and workers follow meanwhile.
#[procedure(target = sbf.on)]
pub async fn roll_out(run: &Run, sbf: &Sbf) -> Result<()> {
    let (server, compose, balancer) = (sbf.server(run), sbf.compose(), sbf.balancer_host(run));
    /// Who answers now: `docker compose ps api`.
    let old = server.look(async |cx| addresses_now(cx, sbf).await).await?;
    // Somebody may have scaled it out.
    let instances = INSTANCES.max(old.len().try_into()?);
    let beside = compose.scale("api", instances * 2).within(sbf.patience());
    let old = Sbf::balancer().servers(old);
    let all = balancer
        .hold("Give requests to the old instances alone", old, async |run| {
            run.on(server.host()).step("Start new instances beside the old", beside).await
        })
        .await?;
    let new = all.of_service("api").iter().filter(|instance| instance.new).map(|instance| address(&instance.name));
    let new = Sbf::balancer().servers(new);
    run.both(
        "Go over to what is new",
        async |run| go_over(run, sbf, new, instances).await,
        async |run| update_the_others(run, sbf).await,
    )
    .await
    .map(drop)
}

/// Go over to the new instances.
///
/// The old ones get no requests any more, and go.
#[part]
pub async fn go_over(run: &Run, sbf: &Sbf, new: nginx::Servers, instances: u32) -> Result<()> {
    let (server, alone) = (sbf.server(run), sbf.compose().scale("api", instances).within(sbf.patience()));
    sbf.balancer_host(run)
        .hold("Give requests to the new instances alone", new, async |run| {
            run.on(server.host()).step("Let the old instances go", alone).await.map(drop)
        })
        .await
}

/// Update what is beside the API.
#[part]
pub async fn update_the_others(run: &Run, sbf: &Sbf) -> Result<()> {
    let up = sbf.compose().up().services(["web", "workers"]).no_deps().within(sbf.patience());
    sbf.server(run).step("Update web and workers", up).await.map(drop)
}

/// The instances of the API that run, as nginx names them.
async fn addresses_now(cx: &Context, sbf: &Sbf) -> Result<Vec<String>> {
    let containers = sbf.compose().containers(cx).await?;
    let api = containers.get("api").into_iter().flatten().filter(|container| container.is_up());
    Ok(api.map(|container| address(&container.name)).collect())
}

fn address(container: &str) -> String {
    format!("{container}:8000")
}

/// See that it works.
#[part]
pub async fn verify(run: &Run, sbf: &Sbf) -> Result<()> {
    run.check("Healthy", sbf.is_healthy().within(30.seconds())).await?;
    run.check("Ready", sbf.is_ready().within(30.seconds())).await?;
    run.check("Notebooks are there", sbf.get("/api/v1/notebooks").bearer(&sbf.token)).await?;
    let quiet = sbf.compose().logs("api").since(1.minutes()).errors().max(0);
    sbf.server(run).check("No errors in the log", quiet).await
}

/// A fix that cannot wait.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Hotfix {
    #[command(flatten)]
    pub sbf: Sbf,
    /// The image with it: `ghcr.io/sbf/api:hotfix-COMMIT`.
    pub image: String,
    /// What the API runs: the tag that moves.
    #[arg(long, default_value = "ghcr.io/sbf/api:latest")]
    pub tag: String,
}

/// Hotfix deployment.
///
/// One image, one service. When the API is not healthy with it, the tag is back on the image of before, and the instances
/// run that.
#[procedure(target = fix.sbf.on)]
pub async fn hotfix(run: &Run, fix: &Hotfix) -> Result<docker::Pointed> {
    let (sbf, server) = (&fix.sbf, fix.sbf.server(run));
    server.step("Pull the hotfix", docker::pull(fix.image.as_str())).await?;
    let tag = server.step("Make it the latest", docker::tag(fix.image.as_str(), fix.tag.as_str())).await?;
    sbf.watched(run, async |run| roll_out(run, sbf).await).await?;
    run.check("Healthy", sbf.is_healthy().holds_for(5.seconds()).every(500.millis())).await?;
    Ok(tag)
}
