//! `examples/marb` against a real server: systemd, PostgreSQL, Redis, nginx and the application, in the lab.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::example;

/// One server for all: a test has it to itself.
static SERVER: Mutex<()> = Mutex::new(());

/// The lab, with release `r4` running, and the journals of this test.
struct Lab {
    container: String,
    journals: TempDir,
    _alone: MutexGuard<'static, ()>,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set: eval \"$(tests/lab/up)\""))
}

impl Lab {
    fn up() -> Self {
        let alone = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
        let journals = tempfile::tempdir().expect("a directory");
        let lab = Self { container: variable("RUNBOOK_LAB_CONTAINER"), journals, _alone: alone };
        lab.inside(&["lab-reset"]);
        // What an earlier test broke is not held against this one.
        lab.inside(&["journalctl", "--rotate", "--vacuum-time=1s"]);
        lab.inside(&["lab-deploy", "r4"]);
        lab
    }

    /// What a program inside the server prints.
    fn inside(&self, words: &[&str]) -> String {
        let output = Command::new("docker").args(["exec", &self.container]).args(words).output().expect("docker runs");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn journals(&self) -> &Path {
        self.journals.path()
    }

    /// Runs a procedure on the server.
    fn begin(&self, procedure: &str, more: &[&str]) -> Command {
        let mut marb = marb();
        marb.args(["run", procedure, "--on", &format!("container:{}", self.container), "--patience", "40"]);
        marb.args(["--url", &format!("https://{}", variable("RUNBOOK_LAB_DOMAIN"))]);
        marb.args(["--at", &variable("RUNBOOK_LAB_ADDRESS"), "--ca", &variable("RUNBOOK_LAB_CA")]);
        marb.args(more).arg("--journal").arg(self.journals());
        marb
    }

    fn ends(&self, procedure: &str, more: &[&str], code: i32) -> String {
        told(&self.begin(procedure, more).output().expect("it runs"), code)
    }

    /// The release that is checked out.
    fn release(&self) -> String {
        self.inside(&["git", "-C", "/opt/marb2.0", "-c", "safe.directory=*", "describe", "--tags", "--exact-match"])
    }

    fn is_healthy(&self) {
        self.ends("quick_health", &[], 0);
    }
}

/// The book.
fn marb() -> Command {
    let mut marb = Command::new(example::program("marb"));
    marb.stdin(Stdio::null());
    marb
}

fn told(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_release_of_other_code_goes_there_and_back() {
    let lab = Lab::up();
    lab.ends("comprehensive_health", &[], 0);
    lab.ends("update_code", &["--revision", "leaks-errors"], 0);
    assert_eq!(lab.release(), "leaks-errors");
    lab.is_healthy();
    lab.ends("quick_rollback", &[], 0);
    assert_eq!(lab.release(), "r4");
    lab.is_healthy();
}

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn every_broken_release_ends_with_the_old_one_healthy() {
    let lab = Lab::up();
    for (release, words) in [
        ("broken-start", "Unable to configure formatter"),
        ("broken-import", "is not ready"),
        ("broken-health", "wanted \"healthy\""),
        ("irreversible", "changes the schema"),
        ("broken-requirements", "changes packages"),
    ] {
        let text = lab.ends("update_code", &["--revision", release], 4);
        assert!(text.contains(words), "{release}: {text}");
        assert_eq!(lab.release(), "r4", "{release}: {text}");
        // At once: whoever put it back has waited until it served.
        lab.is_healthy();
    }
}

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn an_update_that_is_killed_anywhere_is_put_back_whole() {
    let lab = Lab::up();
    for moment in 0..6 {
        let mut runner =
            lab.begin("update_code", &["--revision", "leaks-errors", "--quiet"]).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(500 + 2000 * moment));
        runner.kill().and_then(|()| runner.wait()).expect("it is killed");
        let runs =
            told(&marb().args(["runs", "--json", "--journal"]).arg(lab.journals()).output().expect("it runs"), 0);
        let runs: serde_json::Value = serde_json::from_str(&runs).expect("a list");
        let Some(open) = runs.as_array().expect("a list").iter().find(|run| run["open"] == true) else {
            // It was over, or had not begun.
            lab.ends("quick_rollback", &["--to", "r4"], 0);
            continue;
        };
        let run = open["run"].as_str().expect("a name");
        let mut resume = marb();
        resume.args(["resume", run, "--roll-back", "--journal"]).arg(lab.journals());
        let output = resume.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(matches!(output.status.code(), Some(3 | 4)), "{moment}: {text}");
        assert_eq!(lab.release(), "r4", "{moment}: {text}");
        lab.is_healthy();
    }
}
