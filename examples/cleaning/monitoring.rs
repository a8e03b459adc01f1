//! After a deployment, for half an hour: what is watched, and what follows.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::{docker, http};
use serde::{Deserialize, Serialize};

use crate::cleaning::Cleaning;

/// What is watched, and for how long.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Watch {
    #[command(flatten)]
    pub cleaning: Cleaning,
    /// How long, in minutes.
    #[arg(long, default_value_t = 30)]
    pub minutes: u64,
}

/// Post-deployment monitoring.
///
/// Readiness every half minute, errors in the log, the time of an answer, the memory of the containers: any of them out of
/// bounds ends it with a reason. What only people see is asked at the end.
#[procedure(target = watch.cleaning.on)]
pub async fn monitor(run: &Run, watch: &Watch) -> Result<()> {
    let (cleaning, long) = (&watch.cleaning, std::time::Duration::from_secs(watch.minutes * 60));
    let estimate = cleaning.reach(http::post(format!("{}/v1/estimate", cleaning.api)));
    let estimate = estimate.send_json(serde_json::json!({ "beds": 2, "baths": 1, "cleaning_type": "standard" }));
    let server = cleaning.server(run);
    let small = docker::usage([format!("{}-api-1", cleaning.project)]).memory_at_most(1.gib());
    run.both(
        "Watch",
        async |run| run.check("It stays ready", cleaning.is_ready().holds_for(long).every(30.seconds())).await,
        async |run| {
            let server = cleaning.server(run);
            let quiet = cleaning.compose().logs("api").since(30.seconds()).errors().max(0);
            server.check("No errors in the log", quiet.holds_for(long).every(30.seconds())).await?;
            run.check("An estimate is quick", estimate.faster_than(1.seconds())).await
        },
    )
    .await?;
    server.check("No container is short of memory", small).await?;
    run.checklist("What only people see", SEEN).await
}

const SEEN: [&str; 3] = ["The web interface looks right", "Critical flows work", "Support has nothing new"];
