//! Git killed in the middle, and the locks it leaves.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use super::*;

/// A repository whose second release rewrites, adds and removes so many files that git can be killed between.
fn large() -> Repo {
    const FILES: usize = 500;
    let repo = Repo::empty();
    let at = |n: usize| repo.up().join(format!("d{}/f{n}", n % 40));
    for n in 0..FILES {
        std::fs::create_dir_all(at(n).parent().expect("has one")).expect("is made");
        std::fs::write(at(n), format!("one {n}\n").repeat(200)).expect("is written");
    }
    repo.release("v1", &[]);
    repo.git("", &["clone", "-q", "up", "down"]);
    for n in 0..FILES {
        match n % 3 {
            0 => std::fs::remove_file(at(n)).expect("is removed"),
            1 => std::fs::write(at(n), format!("two {n}\n").repeat(200)).expect("is written"),
            _ => std::fs::write(at(n + FILES), format!("new {n}\n").repeat(200)).expect("is written"),
        }
    }
    repo.release("v2", &[]);
    repo.git("down", &["fetch", "-q", "--tags"]);
    repo
}

/// Starts what the step would start, and kills it when it has been at work for so long. Whether it was cut off.
fn kill_checkout(repo: &Repo, to: &Revision, after: Duration) -> bool {
    let mut git = Process::new("git")
        .current_dir(repo.down())
        .args(["checkout", "-q", "--no-overwrite-ignore", "--detach", to.as_str()])
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("git runs");
    let lock = repo.down().join(".git/index.lock");
    while !lock.exists() && git.try_wait().expect("can be asked").is_none() {
        std::thread::yield_now();
    }
    std::thread::sleep(after);
    let _ = git.kill();
    let ended = git.wait().expect("ends");
    !ended.success()
}

fn dirty(repo: &Repo) -> usize {
    repo.git("down", &["--no-optional-locks", "status", "--porcelain"]).lines().count()
}

/// Writes the note, as the step does before it starts git.
async fn begin(repo: &Repo, step: &CheckoutStep) -> CheckoutBefore {
    let (before, _) = repo.change(step).await;
    before.trail(trail::Phase::Forward).write(&repo.cx, &repo.down().join(".git")).await.expect("is written");
    before
}

/// The moments at which git is killed.
fn moments() -> impl Iterator<Item = Duration> {
    [0, 3, 10].into_iter().map(Duration::from_millis)
}

#[tokio::test]
async fn a_killed_checkout_is_put_back_or_finished_and_spares_untracked_files() {
    let repo = large();
    repo.write("mine.txt", "mine");
    let step = checkout(repo.down(), "v2");
    let old = repo.seen();
    let mut halves = 0;
    for after in moments() {
        let before = begin(&repo, &step).await;
        let cut = kill_checkout(&repo, &before.target.revision, after);
        halves += usize::from(cut && dirty(&repo) > 1);
        step.rollback(&repo.cx, &before).await.expect("goes back");
        assert_eq!(repo.seen(), old, "killed after {after:?}");

        begin(&repo, &step).await;
        kill_checkout(&repo, &before.target.revision, after);
        // What a new run would see, and what a resumed one does.
        let seen = step.survey(&repo.cx).await.expect("half a checkout is no local change");
        assert!(matches!(seen, Survey::Change { .. } | Survey::Already(_)));
        let code = step.apply(&repo.cx, &before).await.expect("goes on");
        assert_eq!(code.to, repo.revision("up", "v2"));
        assert_eq!(repo.git("down", &["status", "--porcelain"]), "?? mine.txt");

        let _ = before.trail(trail::Phase::Back).write(&repo.cx, &repo.down().join(".git")).await;
        kill_checkout(&repo, &before.head.revision, after);
        step.rollback(&repo.cx, &before).await.expect("goes on going back");
        assert_eq!(repo.seen(), old, "killed after {after:?} on the way back");
    }
    assert!(halves > 0, "git was never killed half way: the test tests nothing");
    assert_eq!(repo.read("mine.txt").as_deref(), Some("mine"));
}

#[tokio::test]
async fn half_a_checkout_does_not_hide_a_change_of_a_person() {
    let repo = Repo::new();
    repo.take(&fetch(repo.down())).await;
    let step = checkout(repo.down(), "v3");
    let before = begin(&repo, &step).await;
    repo.write("app.py", "two, half writ"); // What git left half done.
    repo.write(".gitignore", "mine\n"); // Not a file that the checkout touches.
    let error = repo.refused(&step).await;
    assert!(error.to_string().contains("`.gitignore`") && !error.to_string().contains("app.py"), "{error:?}");
    let error = step.apply(&repo.cx, &before).await.expect_err("is refused");
    assert!(error.to_string().contains("`.gitignore`"), "{error:?}");
    assert_eq!(repo.read(".gitignore").as_deref(), Some("mine\n"));
}

#[tokio::test]
async fn a_lock_whose_owner_is_gone_is_removed() {
    let repo = Repo::new();
    let step = checkout(repo.down(), "v2");
    let (before, _) = repo.change(&step).await;
    for lock in ["index.lock", "HEAD.lock"] {
        std::fs::write(repo.down().join(".git").join(lock), "").expect("is written");
    }
    assert_eq!(step.apply(&repo.cx, &before).await.expect("goes on").to, repo.revision("up", "v2"));
    std::fs::write(repo.down().join(".git/index.lock"), "").expect("is written");
    step.rollback(&repo.cx, &before).await.expect("goes back");
}

#[tokio::test]
async fn a_lock_whose_owner_lives_is_waited_for() {
    let repo = Repo::new();
    let lock = repo.down().join(".git/index.lock");
    std::fs::write(&lock, "").expect("is written");
    // A git in this tree that is alive until its input ends.
    let mut git = Process::new("git")
        .current_dir(repo.down())
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("git runs");
    let step = checkout(repo.down(), "v2");
    let (before, _) = repo.change(&step).await;
    let release = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let still = lock.exists();
        std::fs::remove_file(&lock).expect("its owner removes it");
        drop(git.stdin.take());
        still
    };
    let (applied, still) = tokio::join!(step.apply(&repo.cx, &before), release);
    assert!(still, "nobody takes the lock of a living git away");
    assert!(applied.is_ok(), "{applied:?}");
    git.wait().expect("ends");
}

#[test]
fn a_note_that_cannot_be_read_is_a_clear_error() {
    let repo = Repo::new();
    std::fs::write(repo.down().join(".git/runbook-checkout.json"), "{").expect("is written");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let error = runtime.block_on(repo.refused(&checkout(repo.down(), "v2")));
    assert!(format!("{error:#}").contains("runbook-checkout.json") && error.advice().is_some(), "{error:?}");
}
