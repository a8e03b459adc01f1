//! The procedures on a simulated server: git, systemd and the site are simulated, the procedures are the real ones.

use runbook::host::Place;
use runbook::prelude::*;
use runbook::steps::alembic::{self, fake::Script};
use runbook::steps::systemd::{self, Behaviour};
use runbook::steps::{git, http, machine, postgres};
use runbook::testing::{Rig, SimHost};
use serde_json::json;

use crate::health::quick_health;
use crate::marb::{API, Marb, WORKER};
use crate::rollbacks::{Back, emergency_rollback, quick_rollback};
use crate::updates::{To, standard_update, update_code};

const REPOSITORY: &str = "https://example.org/marb.git";
const ROOT: &str = "/opt/marb2.0";
const URL: &str = "https://api.yourdomain.com";

fn marb() -> Marb {
    Marb {
        on: Place::Local,
        root: ROOT.into(),
        user: String::new(),
        url: URL.into(),
        at: None,
        ca: None,
        backups: "/backups".into(),
        patience: 60,
    }
}

fn to(revision: &str) -> To {
    To { marb: marb(), revision: revision.into(), watch: 10, may_restore: false }
}

/// Before our procedures: the first release is there.
#[procedure]
async fn installed(run: &Run) -> Result<()> {
    run.step("Clone", git::clone(REPOSITORY, ROOT)).await?;
    run.step("Check out", git::checkout(ROOT, "r1")).await?;
    run.step("Start the API", systemd::start(API)).await?;
    run.step("Start the worker", systemd::start(WORKER)).await?;
    Ok(())
}

/// A server with the first release running.
async fn server() -> SimHost {
    let git = git::Fake::new()
        .release(REPOSITORY, "r1", [("VERSION", "good 1"), ("requirements.txt", "fastapi==1")])
        .release(REPOSITORY, "r2", [("VERSION", "good 2"), ("requirements.txt", "fastapi==1")])
        .release(REPOSITORY, "dies", [("VERSION", "dies"), ("requirements.txt", "fastapi==1")])
        .release(REPOSITORY, "ill", [("VERSION", "ill"), ("requirements.txt", "fastapi==1")])
        .release(REPOSITORY, "packages", [("VERSION", "good 3"), ("requirements.txt", "fastapi==2")]);
    let systemd = systemd::Fake::new().service(WORKER, Behaviour::stays_up()).service(API, Behaviour::stays_up());
    let systemd = systemd.decides(API, |files| match files.read(format!("{ROOT}/VERSION")).as_deref() {
        Ok(b"dies") => Behaviour::dies_after(500.millis(), 1).says("Unable to configure formatter"),
        _ => Behaviour::stays_up(),
    });
    let host = systemd.on(git.on(SimHost::new("web-1").dir("/opt")));
    let host = host.ignoring(format!("{ROOT}/.git/runbook-checkout.json"));
    rig(&host).run::<installed>(NoInput {}).await.succeeds();
    host
}

fn rig(host: &SimHost) -> Rig {
    let files = host.clone();
    let site = http::Fake::new().on(format!("{URL}/api/v1/health"), move |_| {
        let status = if version(&files).starts_with("good") { "healthy" } else { "unhealthy" };
        http::Response::json(200, json!({ "status": status, "database": "connected", "redis": "connected" }))
    });
    Rig::new().host(host).port(site.port())
}

fn version(host: &SimHost) -> String {
    host.read(format!("{ROOT}/VERSION"))
}

#[tokio::test(start_paused = true)]
async fn a_good_release_is_there_afterwards_and_the_way_back_is_known() {
    let host = server().await;
    let ran = rig(&host).run::<update_code>(to("r2")).await.succeeds();
    assert!(ran.output().previous.is_some());
    assert_eq!(version(&host), "good 2");
    rig(&host).run::<quick_health>(marb()).await.succeeds();

    rig(&host).run::<quick_rollback>(Back { marb: marb(), to: None }).await.succeeds();
    assert_eq!(version(&host), "good 1");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_does_not_stay_up_or_is_ill_puts_itself_back() {
    let host = server().await;
    for (revision, words) in [("dies", "Unable to configure formatter"), ("ill", "unhealthy")] {
        let ran = rig(&host).run::<update_code>(to(revision)).await.rolls_back();
        let error = ran.error().expect("it failed");
        let told = format!("{error:#} {:?}", error.lines());
        assert!(told.contains(words), "{told}");
        assert_eq!(version(&host), "good 1");
        rig(&host).run::<quick_health>(marb()).await.succeeds();
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_with_other_packages_is_refused_before_a_service_notices() {
    let host = server().await;
    let ran = rig(&host).run::<update_code>(to("packages")).await.rolls_back().says("changes packages");
    ran.undid(["Check out the release"]);
    assert_eq!(version(&host), "good 1");
}

#[tokio::test(start_paused = true)]
async fn an_emergency_rollback_keeps_the_log_and_needs_no_health_before() {
    let host = server().await;
    rig(&host).run::<update_code>(to("r2")).await.succeeds();
    let back = Back { marb: marb(), to: Some("r1".into()) };
    rig(&host).run::<emergency_rollback>(back).await.succeeds().says("before anything changes");
    assert_eq!(version(&host), "good 1");
}

/// The same server with a database, and releases that migrate it.
async fn server_with_schema() -> SimHost {
    let claims = || Script::new("claims").creates("claims");
    let notes = || Script::new("notes").after("claims").adds("claims.notes");
    let release = |version: &str, scripts: &[Script]| {
        let fixed = [("VERSION", version.to_owned()), ("requirements.txt", "fastapi==1".to_owned())];
        let fixed = fixed.map(|(path, text)| (path.to_owned(), text));
        fixed.into_iter().chain(scripts.iter().map(Script::file)).collect::<Vec<_>>()
    };
    let git = git::Fake::new()
        .release(REPOSITORY, "r1", release("good 1", &[claims()]))
        .release(REPOSITORY, "r2", release("good 2", &[claims(), notes()]))
        .release(REPOSITORY, "half", release("good 3", &[claims(), notes().fails_half_way()]))
        .release(REPOSITORY, "ill", release("ill", &[claims(), notes()]));
    let systemd = systemd::Fake::new().service(WORKER, Behaviour::stays_up()).service(API, Behaviour::stays_up());
    let postgres = postgres::Fake::new().database("marb", "marb").table("marb", "claims", 7).serves(&marb().database());
    let host = SimHost::new("web-1").dir("/opt").dir("/var").file("/opt/.env", "");
    let host = alembic::Fake::new().on(postgres.on(machine::Fake::new().on(systemd.on(git.on(host)))));
    let host = host.ignoring(format!("{ROOT}/.git/runbook-checkout.json")).ignoring("/backups");
    rig(&host).run::<installed>(NoInput {}).await.succeeds();
    let url = "DATABASE_URL=postgresql://marb:secret-of-tests@localhost/marb\n";
    let host = host.file(format!("{ROOT}/.env"), url).file(format!("{ROOT}/alembic.ini"), "[alembic]\n");
    let at_first = alembic::fake::Contents {
        revisions: ["claims".to_owned()].into(),
        tables: [("claims".to_owned(), ["id".to_owned()].into())].into(),
    };
    alembic::Fake::database(host, &marb().database(), &at_first)
}

#[tokio::test(start_paused = true)]
async fn a_standard_update_migrates_after_a_proven_backup_and_an_ill_release_takes_it_back() {
    let host = server_with_schema().await;
    let schema = || alembic::Fake::contents(&host, &marb().database()).revisions;
    let with_database = || rig(&host).port(postgres::Fake::port());

    let ran = with_database().run::<standard_update>(to("ill")).await.rolls_back();
    ran.undid(["Migrate the database", "Check out the release"]);
    assert_eq!((version(&host).as_str(), schema()), ("good 1", ["claims".to_owned()].into()));

    let ran = with_database().run::<standard_update>(to("r2")).await.succeeds();
    ran.did(["Back up the database", "Prove the backup", "Migrate the database", "Restart the API"]);
    assert_eq!((version(&host).as_str(), schema()), ("good 2", ["notes".to_owned()].into()));
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_the_only_way_to_put_things_right_is_not_rolled_back() {
    let host = server_with_schema().await;
    let rig = rig(&host).port(postgres::Fake::port());
    rig.run::<standard_update>(to("half")).await.leaves("Migrate the database").says("stays: the schema of");
}
