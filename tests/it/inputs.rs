//! Bad input of every kind is a clear error with the name of its object, and memory stays bounded.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use runbook::journal::{FileStore, Memo, Store as _};
use runbook::prelude::*;
use runbook::steps::{file, http};
use runbook::{ErrorKind, Finished, Outcome, RunId, Runner, Stored};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;

#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct Site {
    root: String,
    port: u16,
}

/// Write a file of the site.
#[procedure(target = site.root)]
async fn deploy(run: &Run, site: &Site) -> Result<()> {
    run.step("Write the version", file::write(format!("{}/VERSION", site.root), site.port.to_string())).await?;
    Ok(())
}

/// Ask the site.
#[procedure(target = site.root)]
async fn ask(run: &Run, site: &Site) -> Result<()> {
    let health = http::get(format!("http://127.0.0.1:{}/health", site.port)).timeout(300.millis());
    run.check("Health", health).await
}

#[step(rollback = nothing)]
async fn call(cx: &Context, program: &str) -> Result<()> {
    cx.run(&Command::new(program).arg("--all")).await.map(drop)
}

#[allow(clippy::unused_async, reason = "the shape that `#[step]` wants")]
async fn nothing(_cx: &Context, _program: &str) -> Result<()> {
    Ok(())
}

/// Call a program.
#[procedure(target = site.root)]
async fn launch(run: &Run, site: &Site) -> Result<()> {
    run.step("Call it", call(&site.root)).await
}

fn runner() -> Runner {
    Runner::new(Book::new("inputs").procedures(procedures![deploy, ask, launch]))
}

async fn run(procedure: &str, root: &str, port: u16) -> Finished {
    let inputs = Stored::of(&Site { root: root.to_owned(), port }).expect("inputs");
    runner().run(procedure, inputs).await.expect("it begins")
}

#[track_caller]
fn says(text: &str, all: &[&str]) {
    for words in all {
        assert!(text.contains(words), "`{words}` is missing in:\n{text}");
    }
}

fn error(finished: &Finished) -> String {
    format!("{:?}", finished.ended.error.as_ref().expect("an error"))
}

#[tokio::test]
async fn a_missing_value_and_one_of_the_wrong_type_are_refused_by_name() {
    for (inputs, words) in [
        (json!({ "root": "/srv" }), "missing field `port`"),
        (json!({ "root": "/srv", "port": "eighty" }), "invalid type: string \"eighty\", expected u16"),
        (json!({ "root": "/srv", "port": 70_000 }), "70000"),
        (json!({ "root": null, "port": 80 }), "null"),
        (json!([]), "Site"),
    ] {
        let refused = runner().run("deploy", Stored::of(&inputs).expect("JSON")).await.expect_err("it is refused");
        assert_eq!(refused.kind(), ErrorKind::Refused, "{refused:?}");
        says(&format!("{refused:?}"), &["read the inputs", words]);
    }
    let unknown = runner().run("deploi", Stored::of(&json!({})).expect("JSON")).await.expect_err("there is none");
    says(&format!("{unknown:?}"), &["no procedure `deploi`", "deploy"]);
}

#[tokio::test]
async fn a_journal_directory_that_cannot_be_used_is_named_before_any_change() {
    let dir = tempfile::tempdir().expect("a directory");
    let taken = dir.path().join("taken");
    std::fs::write(&taken, "a file").expect("written");
    for place in [taken.clone(), taken.join("below"), PathBuf::from("/proc/runbook-journal")] {
        let error = FileStore::open(&place).expect_err("it cannot be used");
        says(&format!("{error:?}"), &["use `", &place.display().to_string(), "as the journal directory"]);
    }
    // One that can be read and not written, whoever asks.
    let store = FileStore::open("/proc").expect("it can be read");
    let root = dir.path().join("site");
    std::fs::create_dir(&root).expect("made");
    let inputs = Stored::of(&Site { root: root.display().to_string(), port: 80 }).expect("inputs");
    let error = runner().store(Arc::new(store)).run("deploy", inputs).await.expect_err("it cannot be written");
    says(&format!("{error:?}"), &["`/proc/inputs@"]);
    assert!(!root.join("VERSION").exists());
}

#[tokio::test]
async fn a_journal_that_is_no_journal_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = FileStore::open(dir.path()).expect("opens");
    let run = RunId("20260101-000000-beef".into());
    std::fs::create_dir(store.path(&run)).expect("made");
    let error = store.read(&run).await.expect_err("a directory is no journal");
    assert_eq!(error.kind(), ErrorKind::Journal);
    says(&format!("{error:?}"), &["read journal `", "20260101-000000-beef.journal"]);
    let error = store.read(&RunId("1999".into())).await.expect_err("there is none");
    says(&format!("{error:?}"), &["there is no run `1999` in `", "`runs` lists those there are"]);
}

#[tokio::test]
async fn a_target_that_cannot_be_written_is_named_and_nothing_is_left() {
    for root in ["/proc", "/proc/runbook-site", "/sys/kernel"] {
        let finished = run("deploy", root, 80).await;
        assert!(matches!(finished.outcome(), Outcome::RolledBack | Outcome::Refused), "{root}: {:?}", finished.ended);
        assert!(finished.ended.left.is_empty(), "{root}: {:?}", finished.ended.left);
        says(&error(&finished), &["Write the version", root]);
    }
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // It takes connections, and never says a word.
    let finished = run("ask", "silent", port).await;
    assert_eq!(finished.outcome(), Outcome::Refused, "nothing was changed");
    says(&error(&finished), &["check `Health` has no answer", &format!("http://127.0.0.1:{port}/health"), "300"]);
    drop(listener);
    let finished = run("ask", "closed", port).await;
    says(&error(&finished), &["check `Health` has no answer", &format!("http://127.0.0.1:{port}/health"), "refused"]);
}

#[tokio::test]
async fn a_program_that_does_not_exist_or_is_none_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let plain = dir.path().join("plain");
    std::fs::write(&plain, "no program").expect("written");
    for program in ["no-such-program-4711", "/no/such/program", &plain.display().to_string()] {
        let finished = run("launch", program, 0).await;
        assert_eq!(finished.outcome(), Outcome::RolledBack, "{:?}", finished.ended);
        says(&error(&finished), &["step `Call it` failed", program]);
    }
}

/// A program with hard inputs, and a place for it.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a directory"));
        std::fs::create_dir(desk.path("site")).expect("made");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn words(&self, line: &str) -> Vec<String> {
        let here = self.0.path().to_string_lossy().into_owned();
        let mut words: Vec<_> = line.split_whitespace().map(|word| word.replace("HERE", &here)).collect();
        if !line.contains("--journal") {
            words.extend(["--journal".to_owned(), format!("{here}/journal")]);
        }
        words
    }

    fn command(&self, line: &str) -> Process {
        let mut command = Process::new(crate::example::program("trials"));
        command.args(self.words(line)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn script(&self, procedure: &str, script: &str) -> Process {
        let mut command = self.command(&format!("run {procedure} HERE/site"));
        command.args(["--script", script]);
        command
    }

    /// What the last run returned.
    fn returned<T: serde::de::DeserializeOwned>(&self) -> T {
        let store = FileStore::open(self.path("journal")).expect("opens");
        let entries = tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(async {
            let run = store.runs().await.expect("runs").pop().expect("a run");
            store.read(&run).await.expect("its journal")
        });
        let Some(Memo::Ended(ended)) = entries.into_iter().next_back().map(|entry| entry.memo) else {
            panic!("the run has not ended")
        };
        ended.output.expect("an output").load().expect("the output")
    }

    fn files(&self, dir: &str) -> usize {
        std::fs::read_dir(self.path(dir)).expect("a directory").count()
    }
}

fn called(mut command: Process) -> (i32, String) {
    let output = command.output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("an exit code"), text)
}

#[derive(Debug, Deserialize)]
struct Heard {
    kept: u64,
    omitted: u64,
    text: Option<String>,
}

const MUCH: u64 = 100 << 20;

#[test]
fn a_hundred_megabytes_of_output_take_no_memory() {
    let lines = format!("yes $(printf %01000d 7) | head -c {MUCH}");
    let one_line = format!("head -c {MUCH} /dev/zero | tr '\\0' x");
    let zeros = format!("head -c {MUCH} /dev/zero");
    for script in [lines, one_line, zeros] {
        let desk = Desk::new();
        let mut command = desk.script("listen", &script);
        let child = command.arg("--quiet").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        let (code, most) = watched(child);
        assert_eq!(code, Some(0), "{script}");
        let heard: Heard = desk.returned();
        assert_eq!(heard.kept + heard.omitted, MUCH, "{script}: every byte is accounted for: {heard:?}");
        assert!(heard.omitted > 0 && heard.text.is_none(), "{script}: {heard:?}");
        assert!(most > 1024 && most < 64 * 1024, "{script}: {most} KiB of memory");
        let journal = std::fs::read_dir(desk.path("journal")).expect("journals").filter_map(Result::ok);
        let kept: u64 = journal.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum();
        assert!(kept < 1 << 20, "{script}: {kept} bytes of journal");
    }
}

/// The exit code of a process, and the most memory it had, in KiB.
fn watched(mut child: std::process::Child) -> (Option<i32>, u64) {
    let (began, mut most) = (Instant::now(), 0);
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        most = peak.unwrap_or(most).max(most);
        if let Some(status) = child.try_wait().expect("waits") {
            return (status.code(), most);
        }
        assert!(began.elapsed() < Duration::from_secs(120), "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn output_that_is_no_text_is_kept_and_reading_it_as_text_is_a_clear_error() {
    let desk = Desk::new();
    let (code, text) = called(desk.script("listen", r"printf 'caf\351 \377\n'; printf 'caf\351\n' >&2"));
    assert_eq!(code, 0, "{text}");
    let heard: Heard = desk.returned();
    assert_eq!((heard.kept, heard.omitted, heard.text), (7, 0, None));
    let (code, text) = called(desk.script("understand", r"printf 'caf\351 \377\n'"));
    assert_eq!(code, 4, "{text}");
    says(&text, &["read what `sh -c ", "printf", "the output is not UTF-8 text from byte 3"]);
}

#[test]
fn a_command_line_names_what_it_cannot_use() {
    let desk = Desk::new();
    std::fs::write(desk.path("taken"), "a file").expect("written");
    for journal in ["HERE/taken", "HERE/taken/below", "/proc", "/proc/runbook"] {
        let (code, text) = called(desk.command(&format!("run write_many HERE/site --journal {journal}")));
        assert_eq!(code, 3, "{journal}: {text}");
        says(&text, &[&journal.replace("HERE", &desk.0.path().to_string_lossy())]);
    }
    let (code, text) = called(desk.command("run write_many HERE/site --files many"));
    assert_eq!(code, 2, "{text}");
    says(&text, &["many", "--files"]);
    let (code, text) = called(desk.command("run write_many"));
    assert_eq!(code, 2, "{text}");
    says(&text, &["<DIR>"]);
    assert_eq!(desk.files("site"), 0);
    let (code, text) = called(desk.command("run write_many HERE/nowhere"));
    assert_eq!(code, 4, "{text}");
    says(&text, &["/nowhere/0`"]);
}

/// A limit on the size of files stands in for a full disk: the journal is the only file that grows, and anybody may set one.
#[test]
fn a_journal_that_cannot_grow_pauses_the_run_which_is_resumed_later() {
    for kib in 1..=6 {
        let desk = Desk::new();
        let program = crate::example::program("trials");
        let mut limited = Process::new("bash");
        limited.args(["-c", &format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"")]).arg(program);
        limited.args(desk.words("run write_many HERE/site")).stdin(Stdio::null());
        let (code, text) = called(limited);
        assert_eq!(code, 6, "{kib} KiB: {text}");
        says(&text, &["write journal `", ".journal`", "once the journal can be written again, resume the run"]);
        let written = desk.files("site");
        assert!(written < 20, "{kib} KiB: {written} files");
        let (code, text) = called(desk.command("resume last"));
        assert_eq!(code, 0, "{kib} KiB: {text}");
        assert_eq!(desk.files("site"), 20);
    }
}

/// A small file system, as long as this lives.
struct Small(PathBuf);

impl Small {
    fn mount(path: PathBuf, options: &str) -> Self {
        std::fs::create_dir_all(&path).expect("made");
        let mounted = Process::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&path).status();
        assert!(mounted.expect("mount runs").success(), "mounting needs root");
        Self(path)
    }

    /// Takes all of it but these KiB.
    fn fill(&self, all_but: usize) -> PathBuf {
        let filler = self.0.join("filler");
        std::fs::write(&filler, vec![b'x'; (64 - all_but) << 10]).expect("filled");
        filler
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Process::new("umount").arg(&self.0).status();
    }
}

fn left(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory").filter_map(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
#[ignore = "needs root, to mount a small file system: tests/all runs it"]
fn a_full_disk_under_the_journal_pauses_the_run_and_keeps_its_lock() {
    let desk = Desk::new();
    let small = Small::mount(desk.path("small"), "size=64k");
    let filler = small.fill(16);
    let (code, text) = called(desk.command("run write_many HERE/site --files 60 --journal HERE/small"));
    assert_eq!(code, 6, "{text}");
    says(&text, &["write journal `", "No space left on device", "resume the run"]);
    let written = desk.files("site");
    assert!((1..60).contains(&written), "{written}");
    // As long as the disk is full, nothing more is changed, and nobody else comes in.
    let (code, text) = called(desk.command("resume last --journal HERE/small"));
    assert_ne!(code, 0, "{text}");
    let (code, text) = called(desk.command("run write_many HERE/site --journal HERE/small"));
    assert_eq!(code, 3, "{text}");
    assert_eq!(desk.files("site"), written);
    std::fs::remove_file(filler).expect("removed");
    let (code, text) = called(desk.command("resume last --journal HERE/small"));
    assert_eq!(code, 0, "{text}");
    assert_eq!(desk.files("site"), 60);
}

#[test]
#[ignore = "needs root, to mount a small file system: tests/all runs it"]
fn a_full_and_a_read_only_target_are_named_and_left_as_they_were() {
    let desk = Desk::new();
    let small = Small::mount(desk.path("small"), "size=64k");
    small.fill(12);
    let (code, text) = called(desk.command("run write_many HERE/small"));
    assert_eq!(code, 4, "{text}");
    says(&text, &["/small/", "No space left on device", "everything is as it was before the run"]);
    assert_eq!(left(&small.0), ["filler"]);
    drop(small);
    let small = Small::mount(desk.path("small"), "size=64k,ro");
    let (code, text) = called(desk.command("run write_many HERE/small"));
    assert_eq!(code, 4, "{text}");
    says(&text, &["/small/0`", "Read-only file system"]);
    assert!(left(&small.0).is_empty());
}
