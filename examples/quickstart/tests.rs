//! How a team tests a runbook: on a simulated machine, in milliseconds, without infrastructure.
//!
//! The steps of the library come with simulated programs (git, the archiver, HTTP). Our own service is simulated here: what
//! `serve` and `kill` do to the files and the process of the machine, and what the guestbook answers meanwhile.

use runbook::command::Output;
use runbook::event::What;
use runbook::steps::{backup, git, http};
use runbook::testing::{Call, Rig, SimHost, explore};
use runbook::{Event, Planned, Result, bail, ensure};
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
    // When a process began, when a backup was taken, and the notes git steps keep for a crash are not part of the world that
    // a rollback puts back.
    let host = SimHost::new("web-1").dir("/srv").ignoring(site().state()).ignoring(site().backups());
    let host = host.ignoring(site().app().join(".git/runbook-checkout.json"));
    let host = (1..=3).fold(host, |host, release| host.dir(about(release)));
    backup::simulated(git.on(host))
        .replies("git --version", Output::ok("git version 2.39.5\n"))
        .replies("df", Output::ok("Avail 1B-blocks\n50000000000 100000000000\n"))
        .program(&format!("{program} serve"), serve)
        .program("kill", kill)
}

/// The service starts, when the entries are in the format of its release.
fn serve(call: &mut Call<'_>) -> Output {
    started(call).unwrap_or_else(|error| Output::failed(1, format!("{error:#}")))
}

fn started(call: &mut Call<'_>) -> Result<Output> {
    let [root, _, token] = call.args()[..] else { bail!("usage: serve ROOT PORT TOKEN") };
    let (site, token) = (Site { root: root.into(), ..site() }, token.to_owned());
    let release: Release = serde_json::from_slice(&call.files().read(site.release())?)?;
    let others = entries::formats(|file| call.files().exists(site.data().join(file)));
    ensure!(others.iter().all(|format| *format == release.format), "the entries have another format");
    let process = Process { pid: PID + release.release, release: release.release, token };
    call.files().write(site.pid_file(), serde_json::to_vec(&process)?)?;
    call.files().write(about(process.release) + "/cmdline", "guestbook serve")?;
    Ok(Output::ok(process.pid.to_string()))
}

/// The number of the process of a release, less the release.
const PID: u32 = 4700;

/// Where the machine keeps what is known about the process of a release.
fn about(release: u32) -> String {
    format!("/proc/{}", PID + release)
}

/// The release that runs.
fn running(host: &SimHost) -> Option<u32> {
    (1..=3).find(|release| host.exists(about(*release) + "/cmdline"))
}

fn kill(call: &mut Call<'_>) -> Output {
    let words = format!("/proc/{}/cmdline", call.args()[0]);
    call.files().remove(words).map_or_else(|error| Output::failed(1, error.to_string()), |()| Output::ok(""))
}

/// What the guestbook answers: it serves the release it was started on.
fn web(host: &SimHost) -> http::Port {
    let (health, list) = (host.clone(), host.clone());
    http::Fake::new()
        .on(site().url("/health"), move |_| match running(&health) {
            Some(1 | 2) => http::Response::json(200, json!({ "status": "healthy" })),
            Some(_) => http::Response::json(500, json!({ "status": "the database is on fire" })),
            None => http::Response::new(502),
        })
        .on(site().url("/entries"), move |_| match running(&list) {
            Some(release) => http::Response::json(200, json!(written(&list, release))),
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
    assert_eq!(running(&host), Some(1));
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
