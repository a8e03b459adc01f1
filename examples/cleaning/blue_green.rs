//! Deployment without downtime: the new version beside the old one, and a proxy that goes over.

use std::path::Path;

use runbook::prelude::*;

use crate::before::prerequisites;
use crate::cleaning::Cleaning;
use crate::deployment::{Deployed, To, backup_if_any, code, images, migrate, migrations_wait, settings};
use crate::verification::quick_checks;

/// What the proxy goes by.
const CADDYFILE: &str = "/etc/caddy/Caddyfile";

/// Blue-green deployment.
///
/// No downtime: green, the new version, comes up beside blue, the old one, and gets no request before it is healthy; then it
/// gets all of them, and blue goes when green has been well for a while. Migrations have to fit both, which a person says.
/// When any of it fails, blue answers as before. (The API is published at a range of ports, or at none: two containers
/// cannot have one.)
#[procedure(target = to.cleaning.on)]
pub async fn blue_green_deployment(run: &Run, to: &To) -> Result<Deployed> {
    let cleaning = &to.cleaning;
    prerequisites(run, cleaning).await?;
    run.require("Blue is ready", cleaning.is_ready()).await?;
    let release = code(run, to).await?;
    settings(run, to).await?;
    let images = images(run, cleaning).await?;
    if images.changed() {
        let guard = backup_if_any(run, cleaning).await?;
        let migrates = migrations_wait(run, cleaning).await?;
        if migrates {
            run.confirm("Do the migrations that wait fit the old version as well as the new one?").await?;
        }
        cleaning
            .watched(run, async |run| {
                if migrates {
                    migrate(run, to, guard).await?;
                }
                go_over(run, cleaning).await?;
                // Not all of it: Compose would make the API anew, and the proxy with it.
                let others = cleaning.compose().up().services(["web", "jobs"]).no_deps().within(cleaning.patience());
                cleaning.server(run).step("Start the others", others).await
            })
            .await?;
    }
    quick_checks(run, cleaning).await?;
    Ok(Deployed { release, images })
}

/// Go over from blue to green.
#[part]
pub async fn go_over(run: &Run, cleaning: &Cleaning) -> Result<()> {
    let (server, proxy, compose) = (cleaning.server(run), cleaning.proxy(run), cleaning.compose());
    /// Who answers now: `docker compose ps api`.
    let blue = server.look(async |cx| api_now(cx, cleaning).await).await?;
    let both = proxy.hold("Leave the traffic with blue", answered_by(&blue), async |run| {
        let green = compose.scale("api", 2).within(cleaning.patience());
        run.on(server.host()).step("Start green", green).await
    });
    let both = both.await?;
    let green = both.of_service("api").iter().find(|instance| instance.new);
    let green = green.map_or("api", |instance| &instance.name);
    let over = proxy.hold("Switch the traffic to green", answered_by(green), async |run| {
        run.check("Green is well", cleaning.is_ready().holds_for(10.seconds()).every(500.millis())).await?;
        let alone = compose.scale("api", 1).within(cleaning.patience());
        run.on(server.host()).step("Let blue go", alone).await.map(drop)
    });
    over.await
}

/// The container of the API that runs.
async fn api_now(cx: &Context, cleaning: &Cleaning) -> Result<String> {
    let containers = cleaning.compose().containers(cx).await?;
    let mut api = containers.get("api").into_iter().flatten().filter(|container| container.is_up());
    let blue = api.next().map(|container| container.name.clone());
    blue.context("no container of the API runs").map_err(|error| error.hint("deploy it with `standard_deployment`"))
}

/// Have the API answered by one container
///
/// The running Caddy alone knows of it: its file stays as it is, and is what it goes by again afterwards.
#[step(rollback = answered_as_before, subject = container)]
async fn answered_by(cx: &Context, container: &str) -> Result<()> {
    let file = String::from_utf8(cx.files().read(Path::new(CADDYFILE)).await?).context("read the Caddyfile")?;
    let other = file.replace("reverse_proxy api:", &format!("reverse_proxy {container}:"));
    ensure!(other != file || container == "api", "the Caddyfile has no `reverse_proxy api:`");
    cx.run(&cmd!("caddy reload --config - --adapter caddyfile").input(other)).await?;
    Ok(())
}

async fn answered_as_before(cx: &Context, _container: &str) -> Result<()> {
    cx.run(&cmd!("caddy reload --config {CADDYFILE} --adapter caddyfile")).await?;
    Ok(())
}
