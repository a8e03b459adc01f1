//! Evidence, on this machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook::host::Local;
use runbook::testing::Rig;
use runbook::{Check, Command, Context, Finding, Host, Result, Run, Secret, Step as _, Survey, Units as _};
use runbook_macros::procedure;
use serde::{Deserialize, Serialize};

use super::*;
use crate::laws::Moment;
use crate::laws::cutting;
use crate::taking::take;

fn mode(path: impl AsRef<Path>) -> u32 {
    std::fs::metadata(path).expect("is there").permissions().mode() & 0o7777
}

fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).expect("is read")
}

fn say(words: &str) -> Command {
    Command::new("sh").args(["-c", words])
}

async fn ask(check: impl Check) -> Finding {
    check.check(&Context::local()).await.expect("is asked")
}

#[tokio::test]
async fn evidence_is_kept_whole_and_private() {
    let temp = tempfile::tempdir().expect("a directory");
    let (dir, log) = (temp.path().join("incident"), temp.path().join("log"));
    std::fs::create_dir_all(log.join("old")).expect("is made");
    std::fs::write(log.join("now.log"), "one\ntwo").expect("is written");
    std::fs::write(log.join("old/raw"), [0, 159, 10, 146]).expect("is written");
    // More than memory would keep.
    let numbers = say("seq 1 400000; echo oops >&2");
    let collect = evidence(&dir).command("all numbers", numbers).command("in/out", say("cat").input("said")).file(&log);
    let cx = Context::local();
    let kept = take(&cx, &collect).await.expect("is kept").all_there().expect("is whole");

    assert_eq!(mode(&dir), 0o700);
    for name in ["01-all-numbers.txt", "01-all-numbers.stderr.txt", "02-in-out.txt", "manifest.json", "SHA256SUMS"] {
        assert_eq!(mode(dir.join(name)), 0o600, "{name}");
    }
    assert_eq!((mode(dir.join("03-log/old")), mode(dir.join("03-log/now.log"))), (0o700, 0o600));
    assert_eq!(text(dir.join("01-all-numbers.txt")).lines().count(), 400_000);
    assert_eq!(text(dir.join("01-all-numbers.stderr.txt")), "oops\n");
    assert_eq!(text(dir.join("02-in-out.txt")), "said");
    assert!(!dir.join("02-in-out.stderr.txt").exists(), "it said nothing there");
    assert_eq!(std::fs::read(dir.join("03-log/old/raw")).expect("is read"), [0, 159, 10, 146]);

    let sums = std::process::Command::new("sha256sum").args(["--quiet", "-c", "SHA256SUMS"]).current_dir(&dir).status();
    assert!(sums.expect("runs").success(), "{}", text(dir.join("SHA256SUMS")));
    assert_eq!(kept.items[0].ending.as_deref(), Some("exited with 0"));
    assert!(matches!(collect.survey(&cx).await.expect("is seen"), Survey::Already(again) if again == kept));

    assert!(ask(kept.is_intact()).await.passes());
    std::fs::write(dir.join("02-in-out.txt"), "something else").expect("is written");
    assert_eq!(ask(kept.is_intact()).await.evidence().summary, "02-in-out.txt was changed");
    std::fs::remove_file(dir.join("02-in-out.txt")).expect("is removed");
    assert_eq!(ask(kept.is_intact()).await.evidence().summary, "02-in-out.txt is gone");
    std::fs::write(dir.join("SHA256SUMS"), "").expect("is written");
    assert_eq!(ask(kept.is_intact()).await.evidence().summary, "SHA256SUMS was changed");
}

#[tokio::test]
async fn a_secret_is_no_evidence() {
    let temp = tempfile::tempdir().expect("a directory");
    Secret::found("the incident test", "incident-secret-0815").expose().expect("is there");
    std::fs::write(temp.path().join("env"), "A=1\nKEY=incident-secret-0815").expect("is written");
    let collect = evidence(temp.path().join("kept"))
        .command("env", say("printf 'x incident-secr'; sleep 0.2; echo et-0815 y"))
        .file(temp.path().join("env"));
    let kept = take(&Context::local(), &collect).await.expect("is kept");
    assert_eq!(text(temp.path().join("kept/01-env.txt")), "x [redacted] y\n");
    assert_eq!(text(temp.path().join("kept/02-env")), "A=1\nKEY=[redacted]");
    assert!(kept.items.iter().all(|item| item.files[0].redacted), "{kept:?}");
}

#[tokio::test]
async fn what_cannot_be_had_is_named_and_the_rest_is_had() {
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path().join("kept");
    let collect = evidence(&dir)
        .deadline(500.millis())
        .command("follows", say("echo begun; sleep 60"))
        .command("fails", say("echo half; exit 3"))
        .command("missing", Command::new("no-such-program-here"))
        .file("/no/such/file")
        .command("works", say("echo fine"));
    let kept = take(&Context::local(), &collect).await.expect("is kept");
    let troubles: Vec<&str> = kept.items.iter().map(|item| item.trouble.as_deref().unwrap_or("-")).collect();
    assert_eq!((troubles[0], troubles[1]), ("did not end within 500ms, and was ended", "exited with 3"));
    assert!(troubles[2].contains("no-such-program-here"), "{troubles:?}");
    assert!(troubles[3].contains("`/no/such/file` does not exist"), "{troubles:?}");
    assert_eq!((troubles[4], text(dir.join("05-works.txt")).as_str()), ("-", "fine\n"));
    assert_eq!((text(dir.join("01-follows.txt")), text(dir.join("02-fails.txt"))), ("begun\n".into(), "half\n".into()));
    let error = kept.all_there().expect_err("is not whole");
    assert!(error.message().contains("4 of 5 pieces"), "{error:?}");
}

/// What a runner took before it died is not taken again.
#[tokio::test]
async fn the_earlier_state_is_the_better_one() {
    let temp = tempfile::tempdir().expect("a directory");
    let (dir, count) = (temp.path().join("kept"), temp.path().join("count"));
    let next = format!("echo x >> {0}; wc -l < {0}", count.display());
    let collect = || evidence(&dir).command("first", say(&next)).command("second", say(&next));
    let mut cut = 0;
    while !dir.join("01-first.json").exists() {
        let _ = collect().apply(&cutting(cut, Moment::After), &()).await;
        cut += 1;
        assert!(cut < 50, "it is never kept");
    }
    let first = text(dir.join("01-first.txt"));
    take(&Context::local(), &collect()).await.expect("is kept");
    assert_eq!(text(dir.join("01-first.txt")), first, "it was not taken again");
    let error = evidence(&dir).command("other", say("true")).survey(&Context::local()).await;
    assert!(error.expect_err("is refused").message().contains("holds other evidence"));
}

#[tokio::test]
async fn it_can_be_kept_elsewhere() {
    let temp = tempfile::tempdir().expect("a directory");
    let there: Arc<dyn Host> = Local::new().shared();
    let collect = evidence(temp.path().join("kept")).kept_on(&there).command("uname", say("echo Linux"));
    let sim = Context::on(Arc::new(
        runbook::testing::SimHost::new("broken-into").replies("sh", runbook::command::Output::ok("Linux\n")),
    ));
    let kept = take(&sim, &collect).await.expect("is kept");
    assert_eq!((kept.host.as_str(), text(temp.path().join("kept/01-uname.txt")).as_str()), (there.name(), "Linux\n"));
}

#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct Place {
    dir: PathBuf,
}

#[procedure]
async fn breach(run: &Run, place: &Place) -> Result<()> {
    let collect = evidence(&place.dir).command("who", Command::new("sh").args(["-c", "echo me"]));
    let kept = run.irreversible("evidence stays", "Keep evidence", collect).await?;
    run.check("It is whole", kept.all_there()?.is_intact()).await?;
    Err(runbook::Error::new("and then something failed"))
}

#[tokio::test]
async fn a_run_that_is_put_back_leaves_it() {
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path().join("kept");
    let ran = Rig::new().run::<breach>(Place { dir: dir.clone() }).await.rolls_back().leaves("Keep evidence");
    assert!(ran.error().is_some() && dir.join("SHA256SUMS").exists());
}

#[test]
fn it_describes_itself() {
    let about = evidence("/var/incident").command("ps", Command::new("ps").arg("auxf")).file("/etc/passwd").describe();
    assert_eq!(about.line(), "keep evidence in /var/incident: ps, /etc/passwd");
    assert_eq!(about.commands[1], "ps auxf > 01-ps.txt");
    assert_eq!(about.commands[2], "cp -r /etc/passwd 02-passwd");
}
