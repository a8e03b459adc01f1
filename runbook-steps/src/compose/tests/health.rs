//! What healthy is, and what is told of services that are not, against the simulated engine.

use std::sync::atomic::{AtomicU32, Ordering};

use runbook::{Check as _, CheckExt as _, ErrorKind, Step as _, Survey};
use tokio::time::Instant;

use super::*;
use crate::taking::{change, take};

#[tokio::test(start_paused = true)]
async fn services_come_up_in_their_order_and_a_second_time_changes_nothing() {
    let (host, cx) = bare("1");
    let made = take(&cx, &app().build()).await.expect("is built");
    assert!(made.changed());
    let up = take(&cx, &app().up()).await.expect("comes up");
    let count = |service| up.of_service(service).len();
    assert_eq!([count("db"), count("api"), count("web")], [1, 1, 2]);
    assert_eq!(up.of_service("api")[0].image, *made.image("api").expect("has an id"));
    let world = host.snapshot();
    assert!(!take(&cx, &app().build()).await.expect("is built").changed());
    assert!(!take(&cx, &app().up()).await.expect("is up").changed());
    assert_eq!(host.snapshot(), world);
}

#[tokio::test(start_paused = true)]
async fn not_healthy_is_told_apart_within_the_deadline() {
    for (version, says, soon) in [
        ("crashes", "`api` is in a crash loop: restarted 3 times, exit code 3", true),
        ("starves", "`api` is in a crash loop: restarted 3 times, exit code 137, out of memory", true),
        ("unhealthy", "`api` is unhealthy: its health check failed 1 times in a row", true),
        ("slow", "`api` is starting: its health check has not answered yet", false),
        ("dead", "`api` is starting: its health check has not answered yet", false),
    ] {
        let (_, cx) = bare(version);
        take(&cx, &app().build()).await.expect("is built");
        let began = Instant::now();
        let step = app().up().services(["api"]).within(30.seconds());
        let (_, error) = change(&cx, &step).await;
        let error = error.expect_err("is not healthy");
        assert!(error.message().starts_with(says), "{error:?}");
        let took = began.elapsed();
        assert!(if soon { took < 10.seconds() } else { took >= 30.seconds() && took < 33.seconds() }, "{took:?}");
        if version == "crashes" || version == "unhealthy" {
            assert!(error.lines().iter().any(|line| line.starts_with("app-api-1 | ERROR")), "{error:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_image_is_healthy_within_its_time() {
    let (_, cx) = bare("slow");
    take(&cx, &app().build()).await.expect("is built");
    take(&cx, &app().up().within(60.seconds())).await.expect("comes up");
}

#[tokio::test(start_paused = true)]
async fn that_a_service_is_healthy_is_heard_at_once() {
    let (_, cx) = bare("1");
    take(&cx, &app().build()).await.expect("is built");
    let up = runbook::Command::new("docker").args(["compose", "--project-name", "app", "up", "--detach", "api"]);
    cx.run(&up.dir("/opt/app")).await.expect("starts");
    let began = Instant::now();
    let check = app().healthy().services(["api"]).stable_for(std::time::Duration::ZERO).within(30.seconds());
    assert!(check.check(&cx).await.expect("is asked").passes());
    assert!(began.elapsed() <= 510.millis(), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_is_never_healthy_however_often_it_is_asked() {
    let (_, cx) = bare("crashes");
    take(&cx, &app().build()).await.expect("is built");
    let (_, error) = change(&cx, &app().up().services(["api"])).await;
    error.expect_err("crashes");
    for _ in 0..40 {
        assert!(!app().healthy().services(["api"]).check(&cx).await.expect("is asked").passes());
        cx.pause(170.millis()).await.expect("goes on");
    }
    let check = app().healthy().services(["api"]).holds_for(5.seconds());
    assert_eq!(check.check(&cx).await.expect("is asked").word(), "fail");
}

/// One that ends because its database is not there yet, and is started again, is no crash loop.
#[tokio::test(start_paused = true)]
async fn what_comes_up_at_the_second_attempt_is_healthy_in_the_end() {
    let attempts = AtomicU32::new(0);
    let engine = Fake::new().image("api:1").decides("api", move |_| match attempts.fetch_add(1, Ordering::SeqCst) {
        0 => Behaviour::dies_after(300.millis(), 1).says("ERROR no database"),
        _ => Behaviour::healthy_after(500.millis()),
    });
    let files = "services: {api: {image: 'api:1', restart: always}}";
    let cx = Context::on(Arc::new(engine.on(SimHost::new("web-1").file("/opt/app/compose.yaml", files))));
    let began = Instant::now();
    let up = take(&cx, &app().up().within(30.seconds())).await.expect("comes up");
    assert_eq!(up.of_service("api").len(), 1);
    assert!(began.elapsed() >= 12.seconds(), "it has to show that it stays: {:?}", began.elapsed());
    assert!(app().healthy().check(&cx).await.expect("is asked").passes());
}

#[tokio::test(start_paused = true)]
async fn fewer_containers_than_there_are_to_be_are_not_healthy() {
    let (_, cx) = running();
    let down = runbook::Command::new("docker").args(["container", "rm", "--force", "app-web-2"]);
    cx.run(&down).await.expect("is removed");
    let finding = app().healthy().check(&cx).await.expect("is asked");
    assert_eq!(finding.word(), "fail");
    assert!(finding.evidence().summary.contains("`web` has no container"), "{finding:?}");
    assert!(app().healthy().scale("web", 1).check(&cx).await.expect("is asked").passes());
}

/// A job that has ended does not run again because everything is restarted.
#[tokio::test(start_paused = true)]
async fn restarting_everything_leaves_out_what_runs_once() {
    let files = "services:
  migrate: {image: 'api:1'}
  api: {image: 'api:1', depends_on: {migrate: {condition: service_completed_successfully}}}
";
    let engine = Fake::new().image("api:1").behaves("migrate", Behaviour::dies_after(100.millis(), 0));
    let host = engine.on(SimHost::new("web-1").file("/opt/app/compose.yaml", files));
    let cx = Context::on(Arc::new(host.clone()));
    take(&cx, &app().up()).await.expect("comes up");
    let migrated = app().logs("migrate").containers(&cx).await.expect("is there")[0].state.started;
    let restarted = take(&cx, &app().restart([""; 0])).await.expect("restarts");
    assert!(restarted.of_service("api")[0].new);
    assert_eq!(app().logs("migrate").containers(&cx).await.expect("is there")[0].state.started, migrated);
}

#[tokio::test(start_paused = true)]
async fn what_is_built_here_or_never_pulled_is_not_pulled() {
    let files = "services:
  api: {build: ., image: 'team/api:1'}
  jobs: {image: 'team/api:1'}
  db: {image: 'db:1', pull_policy: never}
  web: {image: 'web:1'}
  admin: {image: 'web:1'}
";
    let engine = Fake::new().pushed("web:1", "1");
    let host = engine.on(SimHost::new("web-1").file("/opt/app/compose.yaml", files));
    let cx = Context::on(Arc::new(host.clone()));
    let Survey::Change { diff, .. } = app().pull().survey(&cx).await.expect("is looked at") else { panic!("it pulls") };
    assert_eq!(diff.to_string().matches("web:1").count(), 1, "{diff}");
    let made = take(&cx, &app().pull()).await.expect("is pulled");
    assert_eq!(made.images.keys().collect::<Vec<_>>(), ["admin", "web"]);
}

#[tokio::test(start_paused = true)]
async fn a_project_that_is_down_is_not_healthy() {
    let (_, cx) = bare("1");
    let finding = app().healthy().check(&cx).await.expect("is asked");
    assert_eq!(finding.word(), "fail");
    assert!(finding.evidence().summary.contains("`api` has no container"), "{finding:?}");
}

#[tokio::test(start_paused = true)]
async fn files_that_cannot_be_used_are_named() {
    let (host, cx) = running();
    assert!(app().is_valid().check(&cx).await.expect("is asked").passes());
    host.edit(|tree| tree.write("/opt/app/docker-compose.yml", FILES.replace("[api]", "[apo]")));
    let finding = app().is_valid().check(&cx).await.expect("is asked");
    assert!(finding.evidence().summary.contains("undefined service"), "{finding:?}");
    host.edit(|tree| tree.write("/opt/app/docker-compose.yml", FILES.replace("nginx:1", "nginx:${NGINX}")));
    let finding = app().is_valid().check(&cx).await.expect("is asked");
    assert_eq!(finding.word(), "fail");
    assert!(finding.evidence().lines[0].contains("NGINX"), "{finding:?}");
    host.edit(|tree| tree.write("/opt/app/.env", "NGINX=1"));
    assert!(app().is_valid().check(&cx).await.expect("is asked").passes());
    let error = app().up().services(["nobody"]).survey(&cx).await.expect_err("is not there");
    assert!(error.message().contains("no service `nobody`"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_older_program_is_found_where_only_that_exists() {
    let engine = engine().standalone().running("app", "/opt/app");
    let host = host(&engine, "1");
    let cx = Context::on(Arc::new(host.clone()));
    assert!(app().healthy().check(&cx).await.expect("is asked").passes());
    assert!(host.calls().iter().any(|call| call.starts_with("docker-compose --project-name app config")));
    let bare = Context::on(Arc::new(SimHost::new("web-2").dir("/opt/app")));
    let error = app().up().survey(&bare).await.expect_err("has no Docker");
    assert!(error.message().starts_with("neither `docker compose` nor"), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Failed);
}

#[tokio::test(start_paused = true)]
async fn logs_are_searched_counted_and_kept() {
    let (host, cx) = bare("crashes");
    take(&cx, &app().build()).await.expect("is built");
    let nobody = app().logs("api").errors().max(0).check(&cx).await.expect_err("has no log");
    assert_eq!(nobody.kind(), ErrorKind::Unknown);
    let (_, error) = change(&cx, &app().up().services(["api"])).await;
    error.expect_err("crashes");
    let finding = app().logs("api").since(5.minutes()).errors().max(0).check(&cx).await.expect("is asked");
    assert_eq!(finding.word(), "fail");
    assert!(finding.evidence().lines[0].contains("ERROR no database"), "{finding:?}");
    let other = app().logs("api").since(5.minutes()).matching("(?i)segmentation").max(0);
    assert!(other.check(&cx).await.expect("is asked").passes());
    assert!(!app().logs("api").rate().at_most(0.1).check(&cx).await.expect("is asked").passes());
    host.edit(|tree| tree.make_dir("/var/log"));
    let export = app().all_logs().since(5.minutes()).export("/var/log/incident.log");
    let kept = take(&cx, &export).await.expect("is kept");
    assert!(host.read("/var/log/incident.log").contains("app-api-1 | ERROR no database"));
    assert!(kept.lines > 2);
    assert_eq!(take(&cx, &export).await.expect("is kept already"), kept);
}

#[tokio::test(start_paused = true)]
async fn commands_run_in_a_service_that_runs_and_in_one_of_their_own() {
    let (host, cx) = running();
    let host = runbook::Host::shared(host.replies("alembic current", runbook::command::Output::ok("1a2b\n")));
    let api = Context::on(runbook::Host::shared(app().service("api").on(&host)));
    let alembic = runbook::Command::new("alembic").arg("current").env("A", "it's");
    assert_eq!(api.run(&alembic).await.expect("runs").text().expect("is text"), "1a2b");
    take(&cx, &app().down()).await.expect("goes down");
    api.run(&alembic).await.expect_err("does not run");
    let once = Context::on(runbook::Host::shared(app().service("api").one_off().on(&host)));
    assert_eq!(once.run(&alembic).await.expect("runs").text().expect("is text"), "1a2b");
}

#[tokio::test(start_paused = true)]
async fn what_compose_lists_is_typed() {
    let (_, cx) = running();
    let listed = app().ps(&cx).await.expect("is listed");
    let web: Vec<_> = listed.iter().filter(|line| line.service == "web").map(|line| line.state.as_str()).collect();
    assert_eq!(web, ["running", "running"]);
}
