//! What is refused, and what is told apart, against the simulated engine.

use runbook::command::Output;
use runbook::{Check as _, ErrorKind, Rollback as _, Secret, Step as _};

use super::*;
use crate::sizes::{Bytes, Sizes as _};
use crate::taking::{before, change, take};

#[tokio::test]
async fn what_docker_cannot_do_is_told_apart() {
    let said = [
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n", ErrorKind::Transient, "does not run"),
        ("permission denied while trying to connect to the Docker daemon\n", ErrorKind::Failed, "root"),
        ("write /data/x: no space left on device\n", ErrorKind::Failed, "space"),
        ("Get https://registry/v2/: net/http: TLS handshake timeout\n", ErrorKind::Transient, "registry"),
    ];
    for (words, kind, hint) in said {
        let host = SimHost::new("web-1").replies("docker", Output::failed(1, words));
        let error = images(&Context::on(Arc::new(host))).await.expect_err("fails");
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.advice().is_some_and(|advice| advice.contains(hint)), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_unknown() {
    let host = SimHost::new("web-1").replies("docker", Output::ok("<html>\n"));
    let error = image(&Context::on(Arc::new(host)), "api").await.expect_err("is no JSON");
    assert_eq!(error.kind(), ErrorKind::Unknown);
}

#[tokio::test]
async fn a_tag_is_moved_from_an_image_that_is_there_alone() {
    let (_, cx) = cx(&Fake::new());
    let error = tag("api:v2", "api:latest").survey(&cx).await.expect_err("is not there");
    assert_eq!(error.message(), "no image `api:v2` on web-1");
    let finding = is_present("api").check(&cx).await.expect("is asked");
    assert_eq!(finding.word(), "fail");
    assert_eq!(size("api").at_most(1.gib()).check(&cx).await.expect("is asked").word(), "unknown");
}

#[tokio::test]
async fn an_image_may_be_too_large() {
    let (_, cx) = cx(&Fake::new().image("api"));
    assert!(is_present("api").check(&cx).await.expect("is asked").passes());
    assert!(size("api").at_most(1.gib()).check(&cx).await.expect("is asked").passes());
    assert_eq!(size("api").at_most(Bytes(1)).check(&cx).await.expect("is asked").word(), "fail");
}

/// D10 wants a `:previous` that no step of the document makes, and D6.7 prunes that image.
#[tokio::test(start_paused = true)]
async fn pruning_leaves_what_the_way_back_needs() {
    let engine = Fake::new().image("api:v1").image("api:v2").image("api:v3");
    let (host, cx) = cx(&engine);
    let id = |name: &str| tags(&host).get(name).cloned();
    take(&cx, &tag("api:v1", "api:latest")).await.expect("points to v1");
    let first = tag("api:v2", "api:latest");
    let (was_first, moved) = change(&cx, &first).await;
    moved.expect("points to v2");
    cx.run(&runbook::Command::new("docker").args(["image", "rm", "api:v1"])).await.expect("has lost its name");
    let () = before(&cx, &prune().unused_too().keep(["api:v3"])).await;
    let pruned = take(&cx, &prune().keep(["api:v3"])).await.expect("prunes");
    assert_eq!(pruned.removed, []);
    assert_eq!(pruned.kept.len(), 1, "{pruned:?}");
    first.rollback(&cx, &was_first).await.expect("goes back");
    assert_eq!(
        image(&cx, "api:latest").await.expect("is read").expect("is there").id.as_str(),
        id("api:latest").expect("is there")
    );
    assert!(tags(&host).keys().all(|tag| !tag.contains("runbook-before")), "{:?}", tags(&host));
}

/// After a rollback, the image that was rolled back from is what going forward again needs.
#[tokio::test(start_paused = true)]
async fn pruning_after_a_rollback_leaves_both_images() {
    let (host, cx) = cx(&Fake::new().image("api:v1").image("api:v2").image("api:v3"));
    for version in ["api:v1", "api:v2", "api:v3", "api:v2"] {
        take(&cx, &tag(version, "api:latest")).await.expect("moves");
        cx.pause(std::time::Duration::from_secs(60)).await.expect("goes on");
    }
    let id = |name: &str| tags(&host)[name].clone();
    let [first, second, third] = ["api:v1", "api:v2", "api:v3"].map(id);
    for version in ["api:v1", "api:v2", "api:v3"] {
        cx.run(&runbook::Command::new("docker").args(["image", "rm", version])).await.expect("has lost its name");
    }
    take(&cx, &prune()).await.expect("prunes");
    let all: Vec<String> = images(&cx).await.expect("are read").into_iter().map(|image| image.id.0).collect();
    assert!(all.contains(&second) && all.contains(&third), "{all:?}");
    assert!(!all.contains(&first), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn of_several_that_were_kept_the_newest_stays() {
    let (host, cx) = cx(&Fake::new().image("api:v1").image("api:v2").image("api:v3"));
    for (n, version) in ["api:v1", "api:v2", "api:v3"].into_iter().enumerate() {
        take(&cx, &tag(version, "api:latest")).await.expect("moves");
        cx.pause(std::time::Duration::from_secs(60)).await.expect("goes on");
        if n > 0 {
            let old = format!("api:v{n}");
            cx.run(&runbook::Command::new("docker").args(["image", "rm", &old])).await.expect("has lost its name");
        }
    }
    let kept = |host: &SimHost| tags(host).keys().filter(|tag| tag.contains("runbook-before")).count();
    assert_eq!(kept(&host), 2);
    let pruned = take(&cx, &prune()).await.expect("prunes");
    assert_eq!((kept(&host), pruned.removed.len()), (1, 1));
    assert_eq!(take(&cx, &prune()).await.expect("has nothing to prune").removed, []);
}

#[tokio::test]
async fn a_password_is_never_an_argument_and_a_login_from_before_stays() {
    let (host, cx) = cx(&Fake::new());
    let step = login("ghcr.io", "deploy", Secret::found("a test", "s3cr3t-token"));
    let old = host.snapshot();
    let (was, output) = change(&cx, &step).await;
    assert!(!output.expect("logs in").before);
    assert!(host.calls().iter().all(|call| !call.contains("s3cr3t-token")), "{:?}", host.calls());
    let again = before(&cx, &step).await;
    assert!(again.before);
    step.rollback(&cx, &again).await.expect("leaves it");
    assert_ne!(host.snapshot(), old);
    step.rollback(&cx, &was).await.expect("logs out");
    assert!(!host.exists("/root/.docker/config.json"));
    let wrong = login("ghcr.io", "deploy", Secret::found("a test", "wrong-token"));
    let (_, error) = change(&cx, &wrong).await;
    assert!(error.expect_err("is refused").advice().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_containers_use_is_held_to_limits() {
    let files = "services: {api: {image: 'api:v1'}}";
    let heavy = Behaviour::stays_up().uses(900.mib(), 250.0);
    let engine = Fake::new().image("api:v1").behaves("api", heavy).running("app", "/opt/app");
    let host = engine.on(SimHost::new("web-1").file("/opt/app/compose.yaml", files));
    let cx = Context::on(Arc::new(host));
    let usage = || usage(["app-api-1"]);
    assert!(usage().memory_at_most(1.gib()).cpu_at_most(300.0).check(&cx).await.expect("is asked").passes());
    assert_eq!(usage().memory_at_most(512.mib()).check(&cx).await.expect("is asked").word(), "fail");
    assert_eq!(usage().cpu_at_most(80.0).check(&cx).await.expect("is asked").word(), "fail");
    super::usage(["nobody"]).check(&cx).await.expect_err("is not there");
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_kept_and_put_back() {
    let engine = Fake::new().image("tools").volume("data", [("a", "1"), ("b", "2")]).volume("other", [("c", "3")]);
    let (host, cx) = cx(&engine);
    let kept = take(&cx, &archive("data", "/backups/data.tar", "tools")).await.expect("is kept");
    assert_eq!(kept.files, 2);
    let old = host.snapshot();
    let step = restore("other", "/backups/data.tar", "tools");
    let (was, output) = change(&cx, &step).await;
    assert_eq!(output.expect("is put back").content, kept.content);
    assert!(matches!(step.survey(&cx).await.expect("is looked at"), runbook::Survey::Already(_)));
    step.rollback(&cx, &was).await.expect("goes back");
    assert_eq!(host.snapshot(), old, "{:?}", old.diff(&host.snapshot()));

    host.edit(|tree| tree.write("/backups/data.tar", "torn"));
    let error = step.survey(&cx).await.expect_err("is damaged");
    assert!(error.message().contains("is damaged"), "{error:?}");
    let missing = archive("nothing", "/backups/n.tar", "tools").survey(&cx).await.expect_err("is not there");
    assert_eq!(missing.message(), "no volume `nothing` on web-1");
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_in_use_is_not_replaced() {
    let files = "services: {db: {image: 'db:1', volumes: ['data:/data']}}\nvolumes: {data: }";
    let engine = Fake::new().image("db:1").image("tools").volume("kept", [("a", "1")]).running("app", "/opt/app");
    let host = engine.on(SimHost::new("web-1").dir("/backups").file("/opt/app/compose.yaml", files));
    let cx = Context::on(Arc::new(host));
    take(&cx, &archive("kept", "/backups/kept.tar", "tools")).await.expect("is kept");
    let error = restore("app_data", "/backups/kept.tar", "tools").survey(&cx).await.expect_err("is in use");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.message().contains("app-db-1"), "{error:?}");
}

/// B3: `docker scan` is an unknown command.
#[tokio::test]
async fn weaknesses_are_counted_and_nobody_to_count_them_is_unknown() {
    let said = r#"{"SchemaVersion": 2, "Results": [{"Target": "api", "Vulnerabilities": [
        {"VulnerabilityID": "CVE-2025-0001", "PkgName": "openssl", "Severity": "CRITICAL"}]}, {"Target": "python"}]}"#;
    let ask =
        async |host: SimHost| has_no_weaknesses("api").check(&Context::on(Arc::new(host))).await.expect("is asked");
    let host = || SimHost::new("web-1");
    let found = ask(host().replies("trivy", Output::ok(said))).await;
    assert_eq!((found.word(), found.evidence().lines[0].as_str()), ("fail", "CRITICAL CVE-2025-0001 in openssl"));
    assert!(ask(host().replies("trivy", Output::ok(r#"{"Results": [{"Target": "api"}]}"#))).await.passes());
    for nobody in
        [host(), host().replies("trivy", Output::ok("{}")), host().replies("trivy", Output::failed(1, "no db"))]
    {
        assert_eq!(ask(nobody).await.word(), "unknown");
    }
}
