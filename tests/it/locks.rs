//! One run for each book and target: who else comes is told who is there, and only `resume` takes over from the dead.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use runbook::event::What;
use runbook::journal::{FileStore, Store as _};
use runbook::prelude::*;
use runbook::{ErrorKind, Event, Finished, Outcome, Runner, Stored};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::Semaphore;

#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct Site {
    name: String,
}

/// A step that waits for a permit of the test.
#[step(rollback = nothing)]
async fn work(cx: &Context, name: &str) -> Result<String> {
    let permits = cx.port::<Arc<Semaphore>>().context("the test gives permits")?;
    permits.acquire().await?.forget();
    Ok(name.to_owned())
}

#[allow(clippy::unused_async, reason = "the shape that `#[step]` wants")]
async fn nothing(_cx: &Context, _name: &str) -> Result<()> {
    Ok(())
}

/// Work on a site.
#[procedure(target = site.name)]
async fn deploy(run: &Run, site: &Site) -> Result<String> {
    run.step("Work", work(&site.name)).await
}

struct Place {
    dir: TempDir,
    permits: Arc<Semaphore>,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { dir, permits: Arc::new(Semaphore::new(0)), events: Arc::default() }
    }

    fn store(&self) -> FileStore {
        FileStore::open(self.dir.path()).expect("opens")
    }

    /// As another process would: with a store of its own.
    fn runner(&self, book: &str) -> Runner {
        let events = self.events.clone();
        let keep = move |event: &Event| events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        let book = Book::new(book).procedures(procedures![deploy]);
        Runner::new(book).store(Arc::new(self.store())).port(self.permits.clone()).reader(keep)
    }

    fn run(&self, book: &str, site: &str) -> impl Future<Output = Result<Finished>> + Send + 'static {
        let runner = self.runner(book);
        let inputs = Stored::of(&Site { name: site.to_owned() });
        async move { runner.run("deploy", inputs?).await }
    }

    /// Waits until this many runs are at work.
    async fn at_work(&self, runs: usize) {
        let began = Instant::now();
        while self.count(|what| matches!(what, What::StepBegan { .. })) < runs {
            assert!(began.elapsed() < Duration::from_secs(20), "waited in vain for {runs} runs to begin");
            tokio::time::sleep(5.millis()).await;
        }
    }

    fn count(&self, such: impl Fn(&What) -> bool) -> usize {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|event| such(&event.what)).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_runs_at_once_exactly_one_proceeds() {
    for _ in 0..10 {
        let place = Place::new();
        let runs: Vec<_> = (0..8).map(|_| tokio::spawn(place.run("shop", "web"))).collect();
        place.at_work(1).await;
        let (mut refused, mut rest) = (0, runs);
        // The one that works is the last to end.
        while rest.len() > 1 {
            let (ended, _, others) = futures(rest).await;
            let error = ended.expect_err("another is at work");
            assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
            assert!(error.message().starts_with("`shop` on `web` is locked by "), "{error:?}");
            (refused, rest) = (refused + 1, others);
        }
        place.permits.add_permits(1);
        let done = rest.pop().expect("one is left").await.expect("no panic").expect("proceeds");
        assert_eq!((done.outcome(), refused), (Outcome::Done, 7));
        assert_eq!(place.count(|what| matches!(what, What::StepBegan { .. })), 1, "exactly one changed something");
    }
}

/// The first of these to end, and the others.
async fn futures(
    mut runs: Vec<tokio::task::JoinHandle<Result<Finished>>>,
) -> (Result<Finished>, usize, Vec<tokio::task::JoinHandle<Result<Finished>>>) {
    let began = Instant::now();
    loop {
        if let Some(at) = runs.iter().position(tokio::task::JoinHandle::is_finished) {
            let ended = runs.swap_remove(at).await.expect("no panic");
            return (ended, at, runs);
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{} runs never end", runs.len());
        tokio::time::sleep(5.millis()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_is_told_who_holds_the_lock_and_since_when() {
    let place = Place::new();
    let first = tokio::spawn(place.run("shop", "web"));
    place.at_work(1).await;
    let holder = place.store().runs().await.expect("runs").pop().expect("a run");
    let refused = place.run("shop", "web").await.expect_err("another is at work");
    let text = format!("{refused:?}");
    let me = runbook::whoami();
    let process = format!("(process {})", std::process::id());
    let year = jiff::Timestamp::now().strftime("since %Y-").to_string();
    for words in [holder.0.as_str(), "(`deploy`)", &me, &process, &year, "wait until it has ended"] {
        assert!(text.contains(words), "`{words}` is missing in: {text}");
    }
    // It left nothing behind: neither a journal nor a change.
    assert_eq!(place.store().runs().await.expect("runs"), [holder]);
    place.permits.add_permits(2);
    first.await.expect("no panic").expect("proceeds");
    assert_eq!(place.run("shop", "web").await.expect("the lock is free").outcome(), Outcome::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_target_and_another_book_are_free() {
    let place = Place::new();
    let runs =
        [("shop", "web"), ("shop", "db"), ("blog", "web")].map(|(book, site)| tokio::spawn(place.run(book, site)));
    place.at_work(3).await;
    place.permits.add_permits(3);
    for run in runs {
        assert_eq!(run.await.expect("no panic").expect("proceeds").outcome(), Outcome::Done);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_executed_cannot_be_resumed_beside_itself() {
    let place = Place::new();
    let first = tokio::spawn(place.run("shop", "web"));
    place.at_work(1).await;
    let run = place.store().runs().await.expect("runs").pop().expect("a run");
    let refused = place.runner("shop").resume(&run, runbook::Resume::Continue).await.expect_err("it runs");
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert!(refused.message().contains("is being executed by process"), "{refused:?}");
    place.permits.add_permits(1);
    first.await.expect("no panic").expect("proceeds");
}

/// A book as a program, on files in a directory.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a directory"));
        for site in ["one", "two"] {
            std::fs::create_dir(desk.site(site)).expect("a site");
        }
        desk
    }

    fn site(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(crate::example::program("exit_codes"));
        command.args(words).env("XDG_STATE_HOME", self.0.path().join("state")).env("USER", "anna");
        command.env_remove("SUDO_USER").env_remove("RUNBOOK_JOURNAL");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().expect("starts")
    }

    fn call(&self, words: &[&str]) -> (i32, String) {
        said(&self.command(words).output().expect("runs"))
    }

    fn sleeps(&self, site: &str, seconds: &str) -> Child {
        let site = self.site(site);
        let child = self.start(&["run", "sleep", &site.to_string_lossy(), "--seconds", seconds]);
        let began = Instant::now();
        while !site.join("one").exists() {
            assert!(began.elapsed() < Duration::from_secs(20), "waited in vain for the run to begin");
            std::thread::sleep(Duration::from_millis(10));
        }
        child
    }
}

fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("an exit code"), text)
}

#[test]
fn after_a_sigkill_only_resume_takes_the_lock_over() {
    let desk = Desk::new();
    let (one, two) = (desk.site("one"), desk.site("two"));
    let (one, two) = (one.to_string_lossy(), two.to_string_lossy());
    let mut child = desk.sleeps("one", "2.0471");

    let (code, text) = desk.call(&["run", "succeed", &one]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("is locked by run") && text.contains("started by anna"), "{text}");
    assert!(text.contains(&format!("(process {})", child.id())) && text.contains("since 2"), "{text}");
    let (code, text) = desk.call(&["run", "succeed", &two]);
    assert_eq!(code, 0, "another target is free: {text}");

    child.kill().expect("killed");
    child.wait().expect("gone");
    for _ in 0..2 {
        let (code, text) = desk.call(&["run", "succeed", &one]);
        assert_eq!(code, 3, "no other run takes it over, however often it tries: {text}");
        assert!(text.contains("not running any more and not over") && text.contains("resume 2"), "{text}");
    }
    assert!(!desk.site("one").join("two").exists());

    // Two people resume it at once.
    let runs = std::fs::read_dir(desk.0.path().join("state")).expect("a state").count();
    assert!(runs > 0);
    let (_, list) = desk.call(&["runs"]);
    let run = list.lines().find(|line| line.contains("sleep")).and_then(|line| line.split_whitespace().next());
    let run = run.expect("the run").to_owned();
    let both = [desk.start(&["resume", &run]), desk.start(&["resume", &run])];
    let mut ended = both.map(|child| said(&child.wait_with_output().expect("ends")));
    ended.sort();
    assert_eq!((ended[0].0, ended[1].0), (0, 3), "{ended:?}");
    let words = &ended[1].1;
    assert!(words.contains("is being executed by process") || words.contains("is over"), "{words}");
    assert!(desk.site("one").join("two").exists());

    let (code, text) = desk.call(&["run", "succeed", &one, "--release", "v3"]);
    assert_eq!(code, 0, "it is over, and the lock is free: {text}");
}
