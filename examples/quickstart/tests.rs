//! How a team tests a runbook: on a simulated machine, in milliseconds, without infrastructure.
//!
//! The steps of the library come with simulated programs (git, the archiver, HTTP). Our own service is simulated here: what
//! `serve` and `kill` do to the files and the process of the machine, and what the guestbook answers meanwhile.

use runbook::command::Output;
use runbook::event::What;
use runbook::steps::{backup, git, http};
use runbook::testing::{Call, Rig, SimHost, explore};
use runbook::{Event, Planned};
use serde_json::json;

use crate::entries::{self, Entry};
use crate::procedures::{deploy, retire, update};
use crate::service::Process;
use crate::site::{Deployment, Release, Site};

const REPOSITORY: &str = "https://example.org/guestbook.git";

fn site() -> Site {
    Site { root: "/srv/guestbook".into(), port: 8300 }
}

fn to(revision: &str) -> Deployment {
    Deployment { site: site(), repository: REPOSITORY.into(), revision: revision.into() }
}

/// A machine with git, an archiver, and our service.
fn machine() -> SimHost {
    let release = |release, healthy| json!({ "release": release, "format": release, "healthy": healthy }).to_string();
    let git = git::Fake::new()
        .release(REPOSITORY, "release-1", [("release.json", release(1, true)), ("migrations/1.md", "lines".into())])
        .release(REPOSITORY, "release-2", [("release.json", release(2, true)), ("migrations/2.md", "JSON".into())])
        .release(REPOSITORY, "release-3", [("release.json", release(3, false)), ("migrations/3.md", "all".into())]);
    let program = std::env::current_exe().expect("a program");
    let program = program.file_name().expect("a name").to_string_lossy().into_owned();
    // What changes with every process is not part of the world that a rollback puts back: its number, and when it began.
    let host = SimHost::new("web-1").dir("/srv").dir("/proc").ignoring("/proc").ignoring(site().state());
    backup::simulated(git.on(host))
        .replies("df", Output::ok("Avail 1B-blocks\n50000000000 100000000000\n"))
        .program(&format!("{program} serve"), serve)
        .program("kill", kill)
}

/// The service starts, when the entries are in the format of its release.
fn serve(call: &mut Call<'_>) -> Output {
    let [_, root, _, token] = call.args()[..] else { return Output::failed(2, "usage") };
    let (site, token) = (Site { root: root.into(), ..site() }, token.to_owned());
    let Ok(text) = call.files().read(site.release()) else { return Output::failed(1, "no release") };
    let release: Release = serde_json::from_slice(&text).expect("a release");
    let others = entries::formats(|file| call.files().exists(site.data().join(file)));
    if others.iter().any(|format| *format != release.format) {
        return Output::failed(1, "the entries have another format");
    }
    let process = Process { pid: 4700 + release.release, release: release.release, token };
    call.set_state(&site.process(), &Some(release));
    let write = |call: &mut Call<'_>, path: std::path::PathBuf, content: Vec<u8>| {
        let above = path.parent().expect("a directory").to_owned();
        call.files().make_dir(above).and_then(|()| call.files().write(path, content)).expect("writes");
    };
    write(call, site.pid_file(), serde_json::to_vec(&process).expect("a process"));
    write(call, format!("/proc/{}/cmdline", process.pid).into(), b"guestbook serve".to_vec());
    Output::ok(process.pid.to_string())
}

fn kill(call: &mut Call<'_>) -> Output {
    let path = format!("/proc/{}", call.args()[0]);
    call.forget(&site().process());
    call.files().remove(path).map_or_else(|error| Output::failed(1, error.to_string()), |()| Output::ok(""))
}

/// What the guestbook answers: it serves the release it was started on.
fn web(host: &SimHost) -> http::Port {
    let (health, list) = (host.clone(), host.clone());
    let running = |host: &SimHost| host.state::<Option<Release>>(&site().process());
    http::Fake::new()
        .on(site().url("/health"), move |_| match running(&health) {
            Some(release) if release.healthy => http::Response::json(200, json!({ "status": "healthy" })),
            Some(_) => http::Response::json(500, json!({ "status": "the database is on fire" })),
            None => http::Response::new(502),
        })
        .on(site().url("/entries"), move |_| match running(&list) {
            Some(release) => http::Response::json(200, json!(written(&list, release.format))),
            None => http::Response::new(502),
        })
        .port()
}

/// The entries on the machine, in this format.
fn written(host: &SimHost, format: u32) -> Vec<Entry> {
    let path = site().data().join(entries::file(format));
    if host.exists(&path) { entries::parse(format, host.read(path).as_bytes()).expect("entries") } else { Vec::new() }
}

fn rig(host: &SimHost) -> Rig {
    Rig::new().host(host).port(web(host))
}

/// A machine with release 1 running, signed by two people.
async fn deployed() -> SimHost {
    let host = machine();
    rig(&host).run::<deploy>(to("release-1")).await.succeeds();
    host.edit(|files| files.write(site().data().join("entries.txt"), "Ada\tHello\nGrace\tGood morning\n"));
    host
}

#[tokio::test(start_paused = true)]
async fn the_first_deployment_serves_the_release() {
    let host = machine();
    let ran = rig(&host).run::<deploy>(to("release-1")).await.succeeds();
    assert_eq!(host.state::<Option<Release>>(&site().process()).map(|release| release.release), Some(1));
    assert_eq!(ran.output().revision.as_str().len(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_second_deployment_changes_nothing() {
    let host = deployed().await;
    let ran = rig(&host).run::<deploy>(to("release-1")).await.succeeds().world_is_unchanged();
    let changes = |event: &Event| matches!(event.what, What::StepSurveyed { .. });
    assert!(!ran.events().iter().any(changes), "{ran}");
}

#[tokio::test(start_paused = true)]
async fn an_update_keeps_every_entry() {
    let host = deployed().await;
    rig(&host).run::<update>(to("release-2")).await.succeeds();
    assert_eq!(written(&host, 2).len(), 2);
    assert!(!host.exists(site().data().join("entries.txt")));
}

#[tokio::test(start_paused = true)]
async fn a_bad_release_puts_itself_back() {
    let host = deployed().await;
    let undone = ["Start the guestbook", "Migrate the entries", "Check out the release"];
    let ran = rig(&host).run::<update>(to("release-3")).await.rolls_back().world_is_unchanged();
    ran.says("the database is on fire").undid(undone);
}

#[tokio::test(start_paused = true)]
async fn an_update_refuses_to_begin_on_a_guestbook_that_is_down() {
    let host = deployed().await;
    rig(&host).run::<retire>(site()).await.succeeds();
    rig(&host).run::<update>(to("release-2")).await.refuses().world_is_unchanged();
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_what_is_known_and_changes_nothing() {
    let host = deployed().await;
    let before = host.snapshot();
    let plan = rig(&host).plan::<update>(to("release-2")).await.expect("a plan");
    assert!(host.snapshot() == before);
    let what = |title: &str| &plan.steps.iter().find(|step| step.title == [title]).expect("planned").what;
    assert!(matches!(what("Check out the release"), Planned::WillChange(_)));
    assert!(matches!(what("Migrate the entries"), Planned::KnownAfter { step } if step == "Check out the release"));
    assert!(plan.unreached.is_empty());
}

/// Every step, failing in every way, and the runner killed at every moment: the guestbook is always whole afterwards.
#[tokio::test]
async fn an_update_is_sound_whatever_fails() {
    for release in ["release-2", "release-3"] {
        let host = deployed().await;
        let world = host.snapshot();
        let anew = move || {
            host.restore(&world);
            rig(&host)
        };
        explore::<update>(anew, to(release)).await.is_sound();
    }
}

#[tokio::test]
async fn a_first_deployment_is_sound_whatever_fails() {
    explore::<deploy>(|| rig(&machine()), to("release-1")).await.is_sound();
}
