//! Locks that a git which was killed has left behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use runbook::host::FileKind;
use runbook::{Context, Error, Result};

/// The locks of the git directory that a killed checkout or fetch may leave.
const NAMES: &[&str] = &["index.lock", "HEAD.lock", "packed-refs.lock", "shallow.lock"];
/// How long a git that is at work is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const EVERY: Duration = Duration::from_millis(250);

/// Waits until nobody holds a lock, and removes those whose owner is gone.
///
/// Git writes no owner into its locks. The rule: a lock is a leftover when it is there at two looks in a row, a
/// quarter of a second apart, and at neither look a program named `git…` runs on the host that works in this
/// tree (or in a place we may not see, which counts as this tree). Where processes cannot be listed, no lock is
/// removed.
pub(super) async fn settle(cx: &Context, root: &Path, git_dir: &Path, more: &[PathBuf]) -> Result<()> {
    let mut waited = Duration::ZERO;
    let mut orphans: Vec<PathBuf> = Vec::new();
    loop {
        let locks = held(cx, git_dir, more).await?;
        let Some(lock) = locks.first() else { return Ok(()) };
        let owner = owner(cx, root, git_dir).await?;
        if owner.is_none() && locks == orphans {
            return remove(cx, &locks).await;
        }
        if waited >= PATIENCE {
            return Err(stuck(lock, owner.as_deref()));
        }
        orphans = if owner.is_none() { locks } else { Vec::new() };
        cx.pause(EVERY).await?;
        waited += EVERY;
    }
}

async fn held(cx: &Context, git_dir: &Path, more: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut held = Vec::new();
    for lock in NAMES.iter().map(|name| git_dir.join(name)).chain(more.iter().cloned()) {
        if cx.files().stat(&lock).await?.is_some() {
            held.push(lock);
        }
    }
    Ok(held)
}

async fn remove(cx: &Context, locks: &[PathBuf]) -> Result<()> {
    for lock in locks {
        cx.warn(format!("removing `{}`: the git that made it is gone", lock.display()));
        cx.files().remove(lock).await?;
    }
    Ok(())
}

fn stuck(lock: &Path, owner: Option<&str>) -> Error {
    let who = owner.unwrap_or("someone unknown");
    Error::transient(format!("`{}` has been held for {PATIENCE:?} by {who}", lock.display()))
        .hint("wait for it to end; if no git is at work in this tree, remove the lock by hand")
}

/// A git that is at work in this tree, or may be.
async fn owner(cx: &Context, root: &Path, git_dir: &Path) -> Result<Option<String>> {
    let Ok(processes) = cx.files().list(Path::new("/proc")).await else {
        return Ok(Some("a process that cannot be looked for".to_owned()));
    };
    for pid in processes.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        let process = Path::new("/proc").join(pid);
        if is_git(cx, &process).await && may_work_in(cx, &process, [root, git_dir]).await {
            return Ok(Some(format!("process {pid} (git)")));
        }
    }
    Ok(None)
}

/// A process that ends while it is looked at is none.
async fn is_git(cx: &Context, process: &Path) -> bool {
    cx.files().read(&process.join("comm")).await.is_ok_and(|name| name.starts_with(b"git"))
}

/// Git goes to the top of its tree, or to the git directory, before it begins to work.
async fn may_work_in(cx: &Context, process: &Path, places: [&Path; 2]) -> bool {
    match cx.files().stat(&process.join("cwd")).await {
        Ok(Some(stat)) => match stat.kind {
            FileKind::Symlink(dir) => {
                let top = places[1].parent().unwrap_or(places[1]);
                dir.starts_with(top) || places.iter().any(|place| dir.starts_with(place))
            }
            _ => true,
        },
        Ok(None) => false,
        Err(_) => true,
    }
}
