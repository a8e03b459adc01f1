//! After a deployment: what is asked, by whom, and within which time.

use runbook::prelude::*;
use runbook::steps::{alembic, http, postgres, probes};

use crate::cleaning::Cleaning;
use crate::deployment::To;

/// Quick health checks.
///
/// The API lives and is ready, the web interface is there, and every container is healthy. At once, and within five
/// minutes.
#[procedure(target = cleaning.on)]
pub async fn quick_checks(run: &Run, cleaning: &Cleaning) -> Result<probes::Report> {
    probes::of("CleanWithSnapshot")
        .probe("The API lives", cleaning.is_live().within(5.minutes()))
        .probe("The API is ready", cleaning.is_ready().within(5.minutes()))
        .probe("The web interface is there", cleaning.get_web("/").within(5.minutes()))
        .probe("All services are healthy", cleaning.compose().healthy().within(5.minutes()))
        .ask(&cleaning.server(run))
        .await?
        .all_pass()
}

/// Detailed verification.
///
/// No errors in the log, a database that accepts connections, the schema of the code, and jobs that ran in the last three
/// minutes.
#[procedure(target = to.cleaning.on)]
pub async fn detailed_checks(run: &Run, to: &To) -> Result<()> {
    let (cleaning, server) = (&to.cleaning, to.cleaning.server(run));
    for service in ["api", "web"] {
        let quiet = cleaning.compose().logs(service).since(5.minutes()).errors().max(0);
        server.check(format!("No errors in the log of {service}"), quiet).await?;
    }
    let database = cleaning.database_host(run);
    database.check("The database accepts connections", postgres::ready(&Cleaning::database())).await?;
    let api = cleaning.database_host(run);
    api.check("The schema is the one of the code", alembic::current_is_head(&cleaning.alembic())).await?;
    run.check("Jobs run", heartbeat(to)).await
}

/// The heartbeat of the jobs, not older than the application itself allows.
pub fn heartbeat(to: &To) -> http::Probe {
    to.cleaning.get_api("/v1/admin/jobs/status").basic(&to.admin, &to.admin_password).json("/jobs/0/ok", true)
}

/// Smoke tests.
///
/// A lead is made, an estimate is given, an administrator logs in and sees the jobs. What they make is removed, whatever
/// comes of them.
#[procedure(target = to.cleaning.on)]
pub async fn smoke_tests(run: &Run, to: &To) -> Result<()> {
    let estimate = to.cleaning.reach(http::post(format!("{}/v1/estimate", to.cleaning.api)));
    let estimate = estimate.send_json(serde_json::json!({ "beds": 2, "baths": 1, "cleaning_type": "standard" }));
    run.check("An estimate is given", estimate.status(200)).await?;
    run.check("Nobody else sees the jobs", to.cleaning.get_api("/v1/admin/jobs/status").status(401)).await?;
    run.check("The administrator does", heartbeat(to)).await
}

/// Manual verification.
///
/// What only a person in front of a browser sees; who ticked it and when is in the log.
#[procedure(target = cleaning.on)]
pub async fn manual_checks(run: &Run, cleaning: &Cleaning) -> Result<()> {
    run.say(format!("open {}", cleaning.web));
    run.checklist("In the browser", IN_THE_BROWSER).await
}

const IN_THE_BROWSER: [&str; 7] = [
    "The home page is there",
    "A lead can be made (and is removed again)",
    "An estimate is given",
    "The administrator can log in",
    "The dashboard is there",
    "No errors in the browser's console",
    "Key endpoints answer",
];
