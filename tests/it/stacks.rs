//! The books of the compose documents against the real engine: each test has a project, ports and a clone of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tempfile::TempDir;

use crate::example;

mod cleaning;
mod sbf;
mod sentinal;

/// A project of a book: what is deployed, and the journals of its runs.
struct Stack {
    book: &'static str,
    project: String,
    dir: TempDir,
    ports: Vec<u16>,
    secrets: Vec<(&'static str, String)>,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set: eval \"$(tests/lab/stacks up)\""))
}

impl Stack {
    /// A project that is not there yet, with this many ports.
    fn new(book: &'static str, ports: usize) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let dir = tempfile::tempdir().expect("a directory");
        let listeners: Vec<_> = (0..ports).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let ports = listeners.iter().map(|listener| listener.local_addr().expect("has one").port()).collect();
        let project = format!("{book}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { book, project, dir, ports, secrets: Vec::new() }
    }

    fn secret(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.secrets.push((name, value.into()));
        self
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join(self.book)
    }

    /// The repository of the document's system.
    fn repository(&self) -> String {
        format!("{}/{}.git", variable("RUNBOOK_LAB_STACKS"), self.book)
    }

    fn book(&self) -> Command {
        let mut book = Command::new(example::program(self.book));
        book.envs(self.secrets.iter().map(|(name, value)| (*name, value.as_str()))).stdin(Stdio::null());
        book
    }

    fn begin(&self, procedure: &str, more: &[&str]) -> Command {
        let mut run = self.book();
        run.args(["run", procedure, "--yes", "--project", &self.project, "--root"]).arg(self.root());
        run.args(more).arg("--journal").arg(self.journals());
        run
    }

    /// Runs a procedure to this exit code; what it says.
    fn ends(&self, procedure: &str, more: &[&str], code: i32) -> String {
        told(&self.begin(procedure, more).output().expect("it runs"), code)
    }

    fn journals(&self) -> PathBuf {
        self.dir.path().join("journals")
    }

    /// The containers of the project that run: service, image and id.
    fn containers(&self) -> Vec<String> {
        let label = format!("label=com.docker.compose.project={}", self.project);
        let format = "{{.Label \"com.docker.compose.service\"}} {{.Image}} {{.ID}}";
        let listed = docker(&["ps", "--no-trunc", "--filter", &label, "--format", format]);
        let mut lines: Vec<String> = listed.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// What a shell in a service prints.
    fn inside(&self, service: &str, script: &str) -> String {
        let container = docker(&[
            "ps",
            "--quiet",
            "--filter",
            &format!("label=com.docker.compose.project={}", self.project),
            "--filter",
            &format!("label=com.docker.compose.service={service}"),
        ]);
        let first = container.lines().next().unwrap_or_else(|| panic!("`{service}` does not run"));
        docker(&["exec", first, "sh", "-c", script])
    }

    /// The run that was cut off, if there is one.
    fn open_run(&self) -> Option<String> {
        let runs = self.book().args(["runs", "--json", "--journal"]).arg(self.journals()).output().expect("it runs");
        let runs: serde_json::Value = serde_json::from_str(&told(&runs, 0)).expect("a list");
        let open = runs.as_array().expect("a list").iter().find(|run| run["open"] == true)?;
        Some(open["run"].as_str().expect("a name").to_owned())
    }

    /// Takes a run up again; its exit code, and what it says.
    fn resume(&self, run: &str, how: &[&str]) -> (Option<i32>, String) {
        let mut resume = self.book();
        resume.args(["resume", run]).args(how).arg("--journal").arg(self.journals());
        let output = resume.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    }

    /// The release that is checked out.
    fn release(&self) -> String {
        let root = self.root();
        let git = Command::new("git").arg("-C").arg(root).args(["describe", "--tags", "--exact-match"]).output();
        String::from_utf8_lossy(&git.expect("git runs").stdout).trim().to_owned()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let label = format!("label=com.docker.compose.project={}", self.project);
        for (list, remove) in [
            (["ps", "--all", "--quiet", "--filter", &label], ["rm", "--force", "--volumes"].as_slice()),
            (["network", "ls", "--quiet", "--filter", &label], &["network", "rm"]),
            (["volume", "ls", "--quiet", "--filter", &label], &["volume", "rm", "--force"]),
            (["image", "ls", "--quiet", "--filter", &label], &["image", "rm", "--force"]),
        ] {
            let listed = Command::new("docker").args(list).output().expect("docker runs");
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            let names: Vec<&str> = listed.lines().collect();
            if !names.is_empty() {
                let _ = Command::new("docker").args(remove).args(names).output();
            }
        }
    }
}

fn docker(words: &[&str]) -> String {
    let output = Command::new("docker").args(words).output().expect("docker runs");
    assert!(output.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn told(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// A request as a client makes it: the status, or why there is none.
///
/// In HTTP/1.1: there a server that is loaded again loses a new connection or answers it. In HTTP/2 it may tell the client
/// to ask again (GOAWAY, RFC 9113, 6.8), where `curl` gives up instead, with 16.
fn status(url: &str, ca: Option<&Path>) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--http1.1", "--output", "/dev/null", "--max-time", "5"]);
    curl.args(["--write-out", "%{http_code} curl ended with %{exitcode} after %{time_total} s: %{errormsg}"]);
    if let Some(ca) = ca {
        curl.arg("--cacert").arg(ca);
    }
    let output = curl.arg(url).output().expect("curl runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let (status, why) = text.split_once(' ').expect("a status and how it ended");
    if output.status.success() { status.to_owned() } else { why.to_owned() }
}

/// Asks without pause beside a body; how many requests were made, and what was answered badly.
fn asking<R>(url: &str, ca: Option<&Path>, body: impl FnOnce() -> R) -> (R, usize, Vec<String>) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let (mut asked, mut bad) = (0, Vec::new());
            while !over.load(Ordering::Relaxed) {
                asked += 1;
                let status = status(url, ca);
                if status != "200" {
                    bad.push(status);
                }
            }
            (asked, bad)
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        over.store(true, Ordering::Relaxed);
        let (asked, bad) = client.join().expect("the client");
        match result {
            Ok(result) => (result, asked, bad),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
