//! `examples/marb` against a real server: systemd, PostgreSQL, Redis, nginx and the application, in the lab.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::example;

mod backups;
mod claims;
mod deployment;
mod kills;
mod migrations;
mod trouble;
mod updates;

/// One server for all: a test has it to itself.
static SERVER: Mutex<()> = Mutex::new(());

/// The lab, and the journals of this test.
struct Lab {
    container: String,
    journals: TempDir,
    _alone: MutexGuard<'static, ()>,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set: eval \"$(tests/lab/up)\""))
}

/// What is on the server, and what the process says that serves.
#[derive(Debug, Clone, PartialEq)]
struct State {
    commit: String,
    /// What pip says is installed.
    packages: String,
    revision: String,
    /// Tables and columns.
    schema: String,
    /// The answer of the health endpoint: the version of the code that runs, among others.
    health: serde_json::Value,
}

impl Lab {
    /// With nothing of the application.
    fn bare() -> Self {
        let alone = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
        let journals = tempfile::tempdir().expect("a directory");
        let lab = Self { container: variable("RUNBOOK_LAB_CONTAINER"), journals, _alone: alone };
        lab.reset();
        lab
    }

    /// With this release running.
    fn with(release: &str) -> Self {
        let lab = Self::bare();
        lab.inside(&["lab-deploy", release]);
        lab
    }

    fn reset(&self) {
        self.inside(&["lab-reset"]);
        // What an earlier test broke is not held against this one.
        self.inside(&["journalctl", "--rotate", "--vacuum-time=1s"]);
        self.inside(&["rm", "-rf", "/var/backups/marb"]);
    }

    /// What is there now.
    fn state(&self) -> State {
        let shell = |script: &str| self.inside(&["sh", "-c", script]);
        State {
            commit: shell("git -C /opt/marb2.0 -c safe.directory=* rev-parse HEAD"),
            packages: shell("/opt/marb2.0/venv/bin/pip freeze"),
            revision: self.query("SELECT version_num FROM alembic_version ORDER BY 1"),
            schema: self.query(
                "SELECT table_name, column_name, data_type FROM information_schema.columns
                 WHERE table_schema = 'public' ORDER BY 1, 2",
            ),
            health: serde_json::from_str(&shell("curl -sS https://api.marb.test/api/v1/health")).expect("JSON"),
        }
    }

    /// Writes claims, as users do; how many there are now.
    fn claims(&self, more: u32) -> String {
        // Its name and type depend on the revision.
        let amount =
            self.query("SELECT attname FROM pg_attribute WHERE attrelid = 'claims'::regclass AND attname ~ '^amount'");
        self.query(&format!(
            "INSERT INTO claims (reference, patient, {amount}, status)
             SELECT 'ref-' || n || '-' || clock_timestamp(), 'x', 10, 'new' FROM generate_series(1, {more}) n"
        ));
        self.query("SELECT count(*) FROM claims")
    }

    fn query(&self, sql: &str) -> String {
        self.inside(&["runuser", "-u", "postgres", "--", "psql", "-qXAt", "-d", "marb_risk_engine", "-c", sql])
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
        self.begin_at(&format!("container:{}", self.container), procedure, more)
    }

    /// The same, with the server reached in this way.
    fn begin_at(&self, place: &str, procedure: &str, more: &[&str]) -> Command {
        let mut marb = marb();
        marb.args(["run", procedure, "--on", place]);
        if !more.contains(&"--patience") {
            marb.args(["--patience", "60"]);
        }
        marb.args(["--url", &format!("https://{}", variable("RUNBOOK_LAB_DOMAIN"))]);
        marb.args(["--at", &variable("RUNBOOK_LAB_ADDRESS"), "--ca", &variable("RUNBOOK_LAB_CA")]);
        marb.args(more).arg("--journal").arg(self.journals());
        marb
    }

    fn ends(&self, procedure: &str, more: &[&str], code: i32) -> String {
        told(&self.begin(procedure, more).output().expect("it runs"), code)
    }

    /// The run that was cut off, if there is one.
    fn open_run(&self) -> Option<String> {
        let runs = marb().args(["runs", "--json", "--journal"]).arg(self.journals()).output().expect("it runs");
        let runs: serde_json::Value = serde_json::from_str(&told(&runs, 0)).expect("a list");
        let open = runs.as_array().expect("a list").iter().find(|run| run["open"] == true)?;
        Some(open["run"].as_str().expect("a name").to_owned())
    }

    /// Takes a run up again; its exit code, and what it says.
    fn resume(&self, run: &str, how: &[&str]) -> (Option<i32>, String) {
        let mut resume = marb();
        resume.args(["resume", run]).args(how).arg("--journal").arg(self.journals());
        let output = resume.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    }

    /// The release that is checked out.
    fn release(&self) -> String {
        self.inside(&["git", "-C", "/opt/marb2.0", "-c", "safe.directory=*", "describe", "--tags", "--exact-match"])
    }

    fn is_healthy(&self) {
        self.ends("quick_health", &[], 0);
    }
}

/// The book, with the secrets of the lab.
fn marb() -> Command {
    let mut marb = Command::new(example::program("marb"));
    let database = "postgresql://marb_user:lab-marb-password@localhost:5432/marb_risk_engine?sslmode=require";
    marb.env("MARB_DATABASE_URL", database);
    marb.env("MARB_REDIS_URL", "redis://:lab-redis-password@localhost:6379/0");
    marb.stdin(Stdio::null());
    marb
}

fn told(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}
