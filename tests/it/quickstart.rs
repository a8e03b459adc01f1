//! The quickstart as its readers run it, and its update killed at moments spread over its whole length.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A guestbook of its own.
struct Town {
    dir: TempDir,
    port: u16,
}

/// How an interrupted update is taken up again.
#[derive(Debug, Clone, Copy)]
enum Way {
    On,
    Back,
}

fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| crate::example::program("quickstart"));
    &PROGRAM
}

impl Town {
    /// Release 1 is running, and three people have signed it.
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let town = Self { dir: tempfile::tempdir().expect("a directory"), port };
        succeeds(town.command(&["repository"]).arg(town.path("repository")));
        succeeds(&mut town.procedure("deploy", "release-1"));
        for author in ["Ada", "Grace", "Edsger"] {
            town.ask("POST", "/entries", &json!({ "author": author, "text": "was here" }).to_string());
        }
        town
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(words).env("RUNBOOK_JOURNAL", self.path("journal"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn procedure(&self, name: &str, revision: &str) -> Command {
        let mut command = self.command(&["run", name, "--revision", revision]);
        command.arg("--repository").arg(self.path("repository"));
        command.arg("--root").arg(self.path("site")).arg("--port").arg(self.port.to_string());
        command
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the guestbook answers");
        let head = format!("{method} {path} HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).expect("sends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("receives");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("JSON")
    }

    /// The release that runs, after making sure that code, entries and process are all of that one, and that no
    /// entry is lost.
    fn whole(&self, what: &str) -> usize {
        let health = self.ask("GET", "/health", "");
        let release = health["release"].as_u64().and_then(|release| usize::try_from(release).ok()).expect("a release");
        let code = std::fs::read_to_string(self.path("site/app/release.json")).expect("the code");
        let code: Value = serde_json::from_str(&code).expect("JSON");
        assert_eq!(code["release"], release, "{what}: the code is of another release than the process");
        let names = ["entries.txt", "entries.jsonl", "guestbook.json"];
        let data: Vec<_> = names.iter().filter(|name| self.path("site/data").join(name).exists()).collect();
        assert_eq!(data, [&names[release - 1]], "{what}: the entries are of another release than the process");
        let entries = self.ask("GET", "/entries", "");
        let authors: Vec<_> = entries.as_array().expect("a list").iter().map(|entry| entry["author"].clone()).collect();
        assert_eq!(authors, ["Ada", "Grace", "Edsger"], "{what}: entries are lost");
        assert_eq!(self.processes().len(), 1, "{what}: not exactly one process serves");
        let clean = Command::new("git").arg("-C").arg(self.path("site/app")).args(["status", "--porcelain"]).output();
        assert_eq!(clean.expect("git runs").stdout, b"", "{what}: the checkout is half way");
        release
    }

    /// The processes that serve this guestbook.
    fn processes(&self) -> Vec<String> {
        let root = self.path("site").display().to_string();
        let words = std::fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
            let words = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&words).replace('\0', " "))
        });
        words.filter(|words| words.contains(&format!("serve {root}"))).collect()
    }

    fn runs(&self) -> usize {
        let Ok(entries) = std::fs::read_dir(self.path("journal")) else { return 0 };
        entries
            .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "journal")))
            .count()
    }

    /// Starts the update, kills the runner after this long, and takes the run up again.
    fn kill_and_resume(&self, after: Duration, way: Way) {
        let what = format!("killed after {after:?}, {way:?}");
        let runs = self.runs();
        let mut update = self.procedure("update", "release-2").spawn().expect("starts");
        sleep(after);
        update.kill().expect("is killed");
        let finished = update.wait().expect("ends").success();
        if self.runs() > runs {
            let mut resume = self.command(&["resume", "last"]);
            if let Way::Back = way {
                resume.arg("--roll-back");
            }
            let resumed = resume.output().expect("runs");
            let code = resumed.status.code();
            // Through, back, refused as it had changed nothing, or refused as it was over already.
            let (expected, over) = match way {
                Way::On => (Some(0), said(&resumed).contains("is over")),
                Way::Back => (Some(4), said(&resumed).contains("is over")),
            };
            let unchanged = said(&resumed).contains("REFUSED BEFORE ANY CHANGE");
            let refused = code == Some(3) && (over || unchanged);
            assert!(code == expected || refused, "{what}: {}", said(&resumed));
            let release = self.whole(&what);
            match way {
                Way::On => assert_eq!(release, 2, "{what}: {}", said(&resumed)),
                Way::Back => assert_eq!(release, if over { 2 } else { 1 }, "{what}: {}", said(&resumed)),
            }
        } else {
            assert!(!finished, "{what}");
            assert_eq!(self.whole(&what), 1);
        }
        if self.whole(&what) == 2 {
            succeeds(&mut self.procedure("update", "release-1"));
        }
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        let root = self.path("site");
        let mut retire = self.command(&["run", "retire", "--port", &self.port.to_string(), "--root"]);
        let _ = retire.arg(&root).output();
    }
}

fn succeeds(command: &mut Command) {
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Kills updates at this many moments, each once and taken up both ways.
fn drill(moments: u32) {
    let town = Town::new();
    let began = Instant::now();
    succeeds(&mut town.procedure("update", "release-2"));
    let length = began.elapsed();
    succeeds(&mut town.procedure("update", "release-1"));
    drop(town);

    let towns = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..towns {
            scope.spawn(move || {
                let town = Town::new();
                for moment in (0..moments).filter(|moment| *moment as usize % towns == worker) {
                    let after = length * moment / moments;
                    town.kill_and_resume(after, Way::On);
                    town.kill_and_resume(after, Way::Back);
                }
            });
        }
    });
}

#[test]
fn an_update_killed_at_a_few_moments_ends_whole() {
    drill(8);
}

#[test]
#[ignore = "takes minutes: tests/all runs it"]
fn an_update_killed_at_200_moments_ends_whole() {
    let moments = std::env::var("RUNBOOK_KILLS").ok().and_then(|moments| moments.parse().ok());
    drill(moments.unwrap_or(200));
}

#[test]
fn the_tour_tells_its_story_twice_and_leaves_no_process_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    for _ in 0..2 {
        let output = Command::new(program()).arg("--dir").arg(dir.path().join("tour")).output().expect("runs");
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        for words in ["FAILED AND ROLLED BACK", "Nobody had to do anything", r#""release":2,"status":"healthy""#] {
            assert!(said.contains(words), "`{words}` is missing in\n{said}");
        }
        let log = std::fs::read_to_string(dir.path().join("tour/deployment.md")).expect("the deployment log");
        assert!(log.contains("Rollback"), "{log}");
    }
    let pattern = format!("serve {}", dir.path().display());
    let left = Command::new("pgrep").arg("-f").arg(pattern).output().expect("pgrep runs");
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}

#[test]
fn a_tour_cut_short_says_how_to_go_on_and_the_way_back_works() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut tour = Command::new(program());
    let tour = tour.arg("--dir").arg(dir.path().join("tour")).args(["--kill-at", "Migrate the entries"]).output();
    let tour = tour.expect("runs");
    assert_eq!(tour.status.code(), None, "it was killed");
    let said_then = said(&tour);
    let line = said_then.lines().find(|line| line.contains("--roll-back")).expect("the command to type");
    let words: Vec<&str> = line.split_whitespace().collect();
    let from = words.iter().position(|word| *word == "resume").expect("resume");
    let back = Command::new(program()).args(&words[from..]).output().expect("runs");
    assert_eq!(back.status.code(), Some(4), "{}", said(&back));
    assert!(said(&back).contains("undone"), "{}", said(&back));
    let pattern = format!("serve {}", dir.path().display());
    let serving = Command::new("pgrep").arg("-f").arg(&pattern).output().expect("pgrep runs");
    assert_eq!(String::from_utf8_lossy(&serving.stdout).lines().count(), 1, "release 1 serves again");
    assert!(Command::new("pkill").arg("-f").arg(&pattern).status().expect("pkill runs").success());
}
