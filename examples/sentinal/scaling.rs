//! Scaling: another instance of the API.

use runbook::prelude::*;
use runbook::steps::smoke;

use crate::sentinal::{INSTANCES, Sentinal};
use crate::updates::{Release, bring};

/// Add an API instance.
///
/// The release that has it in its files. It starts, is healthy, and only then gets requests; nginx itself is never made anew.
#[procedure(target = to.sentinal.on)]
pub async fn add_instance(run: &Run, to: &Release) -> Result<()> {
    let (sentinal, server) = (&to.sentinal, to.sentinal.server(run));
    sentinal
        .watched(run, async |run| {
            let server = sentinal.server(run);
            bring(run, to).await?;
            server.step("Build its image", sentinal.compose().build().services(["api-4"])).await?;
            let up = sentinal.compose().up().services(["api-4"]).no_deps().within(sentinal.patience());
            server.step("Start api-4", up).await?;
            let all =
                ["api-1", "api-2", "api-3", "api-4"].map(|name| format!("{name}:8000 max_fails=1 fail_timeout=2s"));
            let balancer = run.on(&sentinal.inside("nginx"));
            balancer.step("Give it requests", Sentinal::balancer().servers(all)).await
        })
        .await?;
    let everyone = INSTANCES.into_iter().chain(["api-4"]);
    let spread = smoke::spread(sentinal.get("/health"), "/instance_id").over(everyone);
    server.check("All four answer", spread).await
}
