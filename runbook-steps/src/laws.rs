//! The laws of steps, as one function: a new case costs ten lines.
//!
//! [`laws`] takes a step and the directory it changes, and tries it on this machine: whole, cut off before and after
//! every single thing it does to its host, and on the way back the same.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use runbook_core::host::{Attributes, Files, Local, Process, Stat};
use runbook_core::{Command, Context, Diff, Error, Host, Result, Rollback, Step, Survey};
use tokio::io::{AsyncRead, AsyncReadExt as _};

#[cfg(feature = "postgres")]
mod sessions;

/// What a lawful step showed, for more assertions.
#[derive(Debug)]
pub(crate) struct Shown<O> {
    /// Its before-state, as the journal keeps it.
    pub(crate) before: String,
    /// What it said it would change.
    pub(crate) diff: Diff,
    /// Its output.
    pub(crate) output: O,
}

/// Holds a step to the laws in a directory; the world it changes must lie in there, and must not be so already. It
/// leaves the world as it was.
pub(crate) async fn laws<S: Rollback>(step: &S, dir: &Path) -> Shown<S::Output> {
    laws_seen(step, || tree(dir)).await
}

/// The same with another way of seeing the world, for steps whose world is no plain tree (a git repository, whose
/// index and logs may differ while its commit and files do not).
pub(crate) async fn laws_seen<S: Rollback, T: PartialEq + Debug>(step: &S, see: impl Fn() -> T) -> Shown<S::Output> {
    laws_sampled(step, see, 1).await
}

/// The same, cut off only before and after every n-th operation, for steps whose operations take seconds.
pub(crate) async fn laws_sampled<S: Rollback, T: PartialEq + Debug>(
    step: &S,
    see: impl Fn() -> T,
    every: usize,
) -> Shown<S::Output> {
    let cx = Context::local();
    let old = see();
    let described = step.describe();
    assert_eq!(described, step.describe(), "a description follows from the step alone");
    assert!(described.kind.contains('.') || described.kind == "command", "the kind `{}` has no module", described.kind);
    assert!(!described.subject.is_empty() && !described.summary.is_empty(), "a step says what it does: {described:?}");

    let (before, diff) = changes(step, &cx).await;
    assert_eq!(see(), old, "survey changes nothing");
    let before: S::Before = serde_json::from_str(&before).expect("a before-state comes back from the journal");

    undo(step, &cx, &before, "apply never began").await;
    assert_eq!(see(), old, "rollback leaves what apply never touched");

    let output = step.apply(&cx, &before).await.expect("it applies");
    let new = see();
    if !described.repeats {
        assert_ne!(new, old, "apply changes something, or survey said so wrongly");
        let again = step.survey(&cx).await.expect("it can be looked at again");
        assert!(matches!(again, Survey::Already(_)), "after apply, survey answers Already");
    }
    step.apply(&cx, &before).await.expect("it applies twice");
    assert_eq!(see(), new, "apply twice is apply once");

    undo(step, &cx, &before, "apply finished").await;
    assert_eq!(see(), old, "rollback puts back what was there");
    undo(step, &cx, &before, "it was undone before").await;
    assert_eq!(see(), old, "rollback twice is rollback once");

    cuts(step, &cx, &before, (&old, &new), &see, every).await;
    Shown { before: serde_json::to_string(&before).expect("serialises"), diff, output }
}

/// Cuts `apply` off at every operation, and `rollback` after it.
async fn cuts<S: Rollback, T: PartialEq + Debug>(
    step: &S,
    cx: &Context,
    before: &S::Before,
    (old, new): (&T, &T),
    see: &impl Fn() -> T,
    every: usize,
) {
    for (operation, moment) in (0..200).step_by(every).flat_map(|n| [(n, Moment::Before), (n, Moment::After)]) {
        let cut = step.apply(&cutting(operation, moment), before).await;
        undo(step, cx, before, "apply was cut off").await;
        assert_eq!(&see(), old, "rollback after apply was cut off {moment:?} operation {operation}");

        let _ = step.apply(&cutting(operation, moment), before).await;
        step.apply(cx, before).await.unwrap_or_else(|error| {
            panic!("apply goes on after it was cut off {moment:?} operation {operation}: {error:?}")
        });
        assert_eq!(&see(), new, "apply again after it was cut off {moment:?} operation {operation}");

        let undone = step.rollback(&cutting(operation, moment), before).await;
        undo(step, cx, before, "rollback was cut off").await;
        assert_eq!(&see(), old, "rollback again after it was cut off {moment:?} operation {operation}");
        if cut.is_ok() && undone.is_ok() {
            return;
        }
    }
    panic!("the step does not end within 200 operations");
}

/// The before-state of a step that has something to change, as the journal keeps it.
async fn changes<S: Step>(step: &S, cx: &Context) -> (String, Diff) {
    match step.survey(cx).await.expect("it can be looked at") {
        Survey::Change { before, diff, .. } => (serde_json::to_string(&before).expect("serialises"), diff),
        Survey::Already(_) => panic!("a law test begins with something to change"),
    }
}

async fn undo<S: Rollback>(step: &S, cx: &Context, before: &S::Before, when: &str) {
    step.rollback(cx, before).await.unwrap_or_else(|error| panic!("rollback when {when}: {error:?}"));
}

/// Everything below a directory: kind, mode, content or target.
pub(crate) fn tree(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        let about = std::fs::symlink_metadata(&path).expect("it can be looked at");
        let mode = about.permissions().mode() & 0o7777;
        let seen = if about.is_symlink() {
            format!("-> {}", std::fs::read_link(&path).expect("a link").display())
        } else if about.is_dir() {
            let inside = std::fs::read_dir(&path).expect("it can be listed");
            left.extend(inside.map(|entry| entry.expect("an entry").path()));
            format!("{mode:o} directory")
        } else {
            let content = std::fs::read(&path).expect("it can be read");
            format!("{mode:o} {}", String::from_utf8_lossy(&content))
        };
        all.insert(path.strip_prefix(dir).expect("it lies below").to_owned(), seen);
    }
    all
}

/// A context on this machine whose n-th operation, and all after it, fail.
pub(crate) fn cutting(operation: usize, moment: Moment) -> Context {
    let world = Arc::new(Cutting { world: Local::new(), left: AtomicUsize::new(operation), moment });
    let cx = Context::on(world.clone());
    #[cfg(feature = "postgres")]
    let cx = cx.with_port(crate::postgres::Port::new(sessions::Sessions(world)));
    cx
}

/// Whether the operation at which the world ends still happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// This machine, until the runner dies.
#[derive(Debug)]
struct Cutting {
    world: Local,
    left: AtomicUsize,
    moment: Moment,
}

/// What becomes of an operation.
enum Fate {
    Happens,
    HappensUnseen,
    DoesNot,
}

impl Cutting {
    fn fate(&self) -> Fate {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            0 if self.moment == Moment::After => Fate::HappensUnseen,
            // It wraps at zero: from then on the runner is dead.
            n if n == 0 || n > usize::MAX / 2 => Fate::DoesNot,
            _ => Fate::Happens,
        }
    }

    #[cfg(feature = "postgres")]
    fn is_dead(&self) -> bool {
        self.left.load(Ordering::SeqCst) > usize::MAX / 2
    }

    async fn pass<T>(&self, operation: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match self.fate() {
            Fate::Happens => operation.await,
            Fate::HappensUnseen => operation.await.and_then(|_| Err(cut())),
            Fate::DoesNot => Err(cut()),
        }
    }
}

fn cut() -> Error {
    Error::new("cut off by the test")
}

/// Lets a process finish that nobody will hear of again.
async fn finish(mut process: Process) -> Result<Process> {
    drop(process.stdin.take());
    tokio::join!(drain(process.stdout.take()), drain(process.stderr.take()));
    process.control.wait().await?;
    Err(cut())
}

async fn drain(stream: Option<Box<dyn AsyncRead + Send + Unpin>>) {
    if let Some(mut stream) = stream {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

#[async_trait]
impl Host for Cutting {
    fn name(&self) -> &'static str {
        "localhost"
    }

    async fn start(&self, command: &Command) -> Result<Process> {
        match self.fate() {
            Fate::Happens => self.world.start(command).await,
            Fate::HappensUnseen => finish(self.world.start(command).await?).await,
            Fate::DoesNot => Err(cut()),
        }
    }

    fn files(&self) -> &dyn Files {
        self
    }
}

#[async_trait]
impl Files for Cutting {
    async fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        self.pass(self.world.stat(path)).await
    }
    async fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.pass(self.world.read(path)).await
    }
    async fn write(&self, path: &Path, content: &[u8], attributes: &Attributes) -> Result<()> {
        self.pass(self.world.write(path, content, attributes)).await
    }
    async fn make_dir(&self, path: &Path) -> Result<()> {
        self.pass(self.world.make_dir(path)).await
    }
    async fn remove(&self, path: &Path) -> Result<()> {
        self.pass(self.world.remove(path)).await
    }
    async fn symlink(&self, target: &Path, link: &Path) -> Result<()> {
        self.pass(self.world.symlink(target, link)).await
    }
    async fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.pass(self.world.rename(from, to)).await
    }
    async fn list(&self, path: &Path) -> Result<Vec<String>> {
        self.pass(self.world.list(path)).await
    }
    async fn set(&self, path: &Path, attributes: &Attributes) -> Result<()> {
        self.pass(self.world.set(path, attributes)).await
    }
}
