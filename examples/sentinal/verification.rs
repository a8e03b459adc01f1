//! Verification: every part by its own answer, and what a user does.

use runbook::prelude::*;
use runbook::steps::{http, probes, prometheus, smoke};
use serde_json::json;

use crate::sentinal::{INSTANCES, Sentinal};

/// Verify deployment.
///
/// Containers, endpoints, each instance, Redis and its sentinels, the targets of Prometheus: at once.
#[procedure(target = sentinal.on)]
pub async fn verify(run: &Run, sentinal: &Sentinal) -> Result<probes::Report> {
    let all = probes::of("Sentinal")
        .probe("All services are healthy", sentinal.compose().healthy().within(sentinal.patience()))
        .probe("Healthy", sentinal.is_healthy().within(30.seconds()))
        .probe("Ready", sentinal.get("/health/ready").within(30.seconds()))
        .probe("Alive", sentinal.get("/health/live").within(30.seconds()))
        .probe("Redis is whole", sentinal.sentinels().healthy().replicas(2).within(30.seconds()))
        .probe("Prometheus scrapes", prometheus::at(&sentinal.prometheus).targets().within(60.seconds()));
    let all = INSTANCES
        .into_iter()
        .fold(all, |all, name| all.probe(format!("{name} is healthy"), sentinal.instance_is_healthy(name)));
    all.ask(&sentinal.server(run)).await?.all_pass()
}

/// Smoke tests.
///
/// A login and what only those who logged in may do; requests spread over all instances; and the eleventh login in a minute
/// is refused, the first ten are not.
#[procedure(target = sentinal.on)]
pub async fn smoke_tests(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let login = smoke::post("/api/auth/login")
        .json(json!({ "email": "analyst@sentinal.ai" }))
        .secret_field("/password", &sentinal.analyst_password)
        .status(200)
        // The tests of a minute ago may have used up what is allowed in a minute.
        .within(90.seconds())
        .keep_secret("token", "/access_token");
    let analyse = smoke::talk()
        .turn(login)
        .turn(smoke::post("/api/analyze/77").bearer("token").status(200))
        .turn(smoke::post("/api/analyze/77").status(401));
    let wrong = http::post(format!("{}/api/auth/login", sentinal.url));
    let wrong = sentinal.reach(wrong.send_json(json!({ "email": "test", "password": "test" })));
    let pack = sentinal.ca.iter().fold(smoke::at(&sentinal.url), smoke::Pack::root_certificate);
    let pack = pack
        .talk("Log in and analyse", analyse)
        .check("All instances answer", smoke::spread(sentinal.get("/health"), "/instance_id").over(INSTANCES))
        // One of the ten in a minute was the login above.
        .check("Logins are limited", smoke::rate_limit(wrong).allows(9).refuses_by(15));
    run.step("Smoke tests", pack).await?.all_pass().map(drop)
}
