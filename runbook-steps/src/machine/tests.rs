//! The steps against a simulated machine, and the simulated one against a real one.

use std::path::Path;
use std::sync::Arc;

use runbook::testing::{Rig, SimHost, explore};
use runbook::{Check as _, Context, Error, Finding, Result, Rollback, Run, Step, Survey, Units as _};
use runbook_macros::procedure;

use super::*;
use crate::sizes::{Bytes, Sizes as _};
use crate::taking::change;

mod conformance;
mod lab;

fn machine() -> Fake {
    Fake::new()
        .offers("nginx", "1.22", ["nginx-common"])
        .offers("nginx-common", "1.22", [])
        .offers("certbot", "2.1", ["python3"])
        .offers("python3", "3.11", [])
        .installed("python3", "3.11")
        .installed("apache2", "2.4")
        .offers("lighttpd", "1.4", [])
        .pushes_out("lighttpd", "apache2")
        .process(1, "root", "/sbin/init", None)
        .process(812, "marb", "gunicorn app.main:app", Some("marb2.0"))
        .listens(812, 8000)
        .process(900, "marb", "python3 -m http.server", None)
        .listens(900, 8001)
        .process(901, "marb", "sleep", None)
        .stubborn(901)
        .someone_works_from("198.51.100.4")
}

fn host() -> SimHost {
    SimHost::new("web-1").file("/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n").dir("/opt")
}

fn cx(fake: &Fake) -> Context {
    Context::on(Arc::new(fake.on(host())))
}

/// All that changes a machine, and comes back.
#[procedure]
async fn prepare(run: &Run) -> Result<()> {
    run.step("Refresh", refresh_packages()).await?;
    run.step("Packages", packages(["nginx", "certbot"])).await?;
    run.step("A user", make_user("marb").system().with_home("/opt/marb").shell("/bin/bash")).await?;
    run.step("Swap", swap("/swapfile", 2.gib())).await?;
    run.step("Keep them out", block("203.0.113.0/24")).await?;
    run.step("And them", block("2001:db8::7")).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_machine_is_prepared_or_as_it_was() {
    explore::<prepare>(|| Rig::new().host(&machine().on(host())), runbook::NoInput {}).await.is_sound();
}

#[tokio::test]
async fn a_machine_with_iptables_is_too() {
    #[procedure]
    async fn keep_out(run: &Run) -> Result<()> {
        run.step("Keep them out", block("203.0.113.0/24")).await?;
        run.step("And them", block("2001:db8::7")).await?;
        Ok(())
    }
    let rig = || Rig::new().host(&machine().firewall(Firewall::Iptables).on(host()));
    explore::<keep_out>(rig, runbook::NoInput {}).await.is_sound();
}

async fn refused<S: Step>(step: S, cx: &Context, words: &str) {
    let error = step.survey(cx).await.map(drop).expect_err("is refused");
    assert!(format!("{error:#}").contains(words), "{error:?}");
}

#[tokio::test]
async fn only_what_came_is_taken_away_again() {
    let cx = cx(&machine());
    let step = packages(["nginx", "python3"]);
    let (before, output) = change(&cx, &step).await;
    assert_eq!(output.expect("installs").packages.len(), 2);
    assert_eq!(before.absent, ["nginx-common", "nginx"]);
    step.rollback(&cx, &before).await.expect("goes");
    assert_eq!(package(&cx, "nginx-common").await.expect("is asked"), None);
    assert!(package(&cx, "python3").await.expect("is asked").is_some());
}

#[tokio::test]
async fn what_something_else_needs_by_now_stays_and_is_named() {
    let cx = cx(&machine().offers("site", "1", ["nginx"]));
    let (first, second) = (packages(["nginx"]), packages(["site"]));
    let (before, _) = change(&cx, &first).await;
    change(&cx, &second).await.1.expect("installs");
    let error = first.rollback(&cx, &before).await.expect_err("cannot go");
    assert!(error.message().contains("`site`, which came since"), "{error:?}");
    assert!(package(&cx, "nginx").await.expect("is asked").is_some());
}

#[tokio::test]
async fn packages_that_cannot_be_had_are_refused_before_anything_changes() {
    let cx = cx(&machine());
    refused(packages(["lighttpd"]), &cx, "would remove apache2").await;
    refused(packages(["nginx-"]), &cx, "`nginx-` is no name").await;
    refused(packages(Vec::<String>::new()), &cx, "no package is named").await;
    refused(packages(["nginx=9"]), &cx, "exited with 100").await;
    let error = packages(["nosuch"]).survey(&cx).await.map(drop).expect_err("is refused");
    assert!(error.advice().is_some_and(|hint| hint.contains("refresh_packages")), "{error:?}");
}

#[tokio::test]
async fn another_apt_at_work_may_pass() {
    let words = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1 (apt)\n";
    let output = runbook::command::Output::failed(100, words);
    let host = machine().on(host()).replies("apt-get", output);
    let error = packages(["nginx"]).survey(&Context::on(Arc::new(host))).await.map(drop).expect_err("fails");
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_user_that_is_another_is_refused() {
    let cx = cx(&machine());
    change(&cx, &make_user("marb").home("/opt/marb")).await.1.expect("is made");
    assert!(user_exists("marb").check(&cx).await.expect("is asked").passes());
    let other = make_user("marb").home("/home/marb");
    refused(other, &cx, "its home is /opt/marb, wanted /home/marb").await;
    refused(make_user("other").with_home("/no/such/place"), &cx, "no directory `/no/such`").await;
    refused(make_user("-r"), &cx, "no name of a user").await;
    assert!(matches!(user_exists("nobody-else").check(&cx).await, Ok(Finding::Fail(_))));
}

#[tokio::test]
async fn a_port_has_an_owner_with_a_unit() {
    let cx = cx(&machine());
    let owner = port_owner(&cx, 8000).await.expect("is asked").expect("listens");
    assert_eq!(owner.to_string(), "127.0.0.1:8000 is held by process 812 (gunicorn app.main:app) of marb2.0.service");
    assert_eq!(port_owner(&cx, 80).await.expect("is asked"), None);
    let ask = async |port, unit: &str| port_belongs_to(port, unit).check(&cx).await.expect("is asked").word();
    assert_eq!(ask(8000, "marb2.0").await, "pass");
    assert_eq!(ask(8000, "nginx").await, "fail");
    assert_eq!(ask(8001, "marb2.0").await, "fail");
    assert_eq!(ask(80, "marb2.0").await, "fail");
}

#[tokio::test(start_paused = true)]
async fn a_process_is_asked_to_end_before_it_is_made_to() {
    let cx = cx(&machine());
    refused(end_process(812), &cx, "is kept by systemd").await;
    refused(end_process(900).command("gunicorn"), &cx, "is no `gunicorn`").await;
    refused(end_process(1), &cx, "no process to end").await;
    let (before, output) = change(&cx, &end_process(900).command("http.server")).await;
    assert_eq!(output.expect("ends").signal, Signal::Term);
    assert_eq!(end_process(900).apply(&cx, &before).await.expect("is gone").signal, Signal::None);
    assert_eq!(change(&cx, &end_process(901).patience(3.seconds())).await.1.expect("ends").signal, Signal::Kill);
    let survey = end_process(901).survey(&cx).await.expect("is surveyed");
    assert!(matches!(survey, Survey::Already(Ended { signal: Signal::None, .. })));
    assert!(change(&cx, &end_process(812).although_of_a_service()).await.1.is_ok());
}

#[tokio::test]
async fn swap_that_cannot_be_is_refused() {
    refused(swap("/swapfile", 2.gib()), &cx(&machine().space(1.gib())), "too little").await;
    let cx = cx(&machine());
    cx.files().write(Path::new("/data"), b"mine", &runbook::host::Attributes::default()).await.expect("is written");
    refused(swap("/data", 2.gib()), &cx, "no swap that is in use").await;
    refused(swap("swap", 2.gib()), &cx, "is no path for a swap file").await;
}

#[tokio::test]
async fn swap_until_reboot_becomes_swap_for_good_and_back() {
    let cx = cx(&machine());
    change(&cx, &swap("/swapfile", Bytes(1)).until_reboot()).await.1.expect("is added");
    let all = swaps(&cx).await.expect("is asked");
    assert_eq!((all.len(), all[0].size), (1, 1.mib()));
    let for_good = swap("/swapfile", 1.mib());
    let (before, _) = change(&cx, &for_good).await;
    let fstab = async || String::from_utf8(cx.files().read(Path::new("/etc/fstab")).await.expect("is read"));
    assert!(fstab().await.expect("is text").ends_with("\n/swapfile none swap sw 0 0\n"));
    for_good.rollback(&cx, &before).await.expect("is put back");
    assert_eq!(fstab().await.expect("is text"), "/dev/sda1 / ext4 defaults 0 1\n");
    assert_eq!(swaps(&cx).await.expect("is asked").len(), 1);
}

#[tokio::test]
async fn nobody_locks_themselves_out() {
    let cx = cx(&machine());
    refused(block("198.51.100.0/24"), &cx, "someone works on web-1 from 198.51.100.4").await;
    refused(block("127.0.0.1"), &cx, "is the host itself").await;
    refused(block("attacker.example.org"), &cx, "is no address").await;
    change(&cx, &block("198.51.100.4").whoever_works_from_there()).await.1.expect("is blocked");
    let all = blocked(&cx).await.expect("is asked");
    assert_eq!((all.len(), &*all[0].address, all[0].firewall), (1, "198.51.100.4", Firewall::Nftables));
    let bare = Context::on(Arc::new(SimHost::new("bare").replies("printenv", runbook::command::Output::failed(1, ""))));
    refused(block("203.0.113.7"), &bare, "neither `nft` nor `iptables`").await;
}
