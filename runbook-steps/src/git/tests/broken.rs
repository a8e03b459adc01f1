//! Git killed in the middle, and the locks it leaves.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use super::*;

/// A repository whose second release rewrites, adds and removes files, and a tree in which git can be made to wait
/// in the middle: every file it writes passes a filter that waits when it is told this file's name.
fn slow() -> Repo {
    const WAIT: &str = r#"if [ "$(cat .git/wait 2>/dev/null)" = %f ]; then : > .git/reached; sleep 60; fi; cat"#;
    let repo = Repo::empty();
    repo.release("v1", &[("a/one", Some("1\n")), ("gone/x", Some("x\n")), ("m", Some("1\n")), ("z", Some("1\n"))]);
    repo.git("", &["clone", "-q", "up", "down"]);
    repo.release(
        "v2",
        &[
            ("a/one", Some("2\n")),
            ("gone/x", None),
            ("k/new", Some("new\n")),
            ("m", Some("2\n")),
            ("y", Some("new\n")),
            ("z", Some("2\n")),
        ],
    );
    repo.git("down", &["fetch", "-q", "--tags"]);
    repo.git("down", &["config", "filter.slow.smudge", WAIT]);
    std::fs::create_dir_all(repo.down().join(".git/info")).expect("is made");
    repo.write(".git/info/attributes", "* filter=slow\n");
    repo
}

/// Starts what the step would start, and kills it and its children while it writes this file.
fn kill_checkout(repo: &Repo, to: &Revision, at: &str) {
    let reached = repo.down().join(".git/reached");
    repo.write(".git/wait", at);
    let mut git = Process::new("git")
        .current_dir(repo.down())
        .args(["checkout", "-q", "--no-overwrite-ignore", "--detach", to.as_str()])
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("git runs");
    while !reached.exists() {
        assert!(git.try_wait().expect("can be asked").is_none(), "git wrote `{at}` and did not wait");
        std::thread::sleep(Duration::from_millis(2));
    }
    let group = format!("-{}", git.id());
    assert!(Process::new("kill").args(["-9", "--", &group]).status().expect("kill runs").success());
    assert!(!git.wait().expect("ends").success());
    for name in ["wait", "reached"] {
        std::fs::remove_file(repo.down().join(".git").join(name)).expect("is removed");
    }
    assert!(repo.down().join(".git/index.lock").exists() && dirty(repo) > 1, "git was half way");
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

#[tokio::test]
async fn a_killed_checkout_is_put_back_or_finished_and_spares_untracked_files() {
    let repo = slow();
    repo.write("mine.txt", "mine");
    let step = checkout(repo.down(), "v2");
    let old = repo.seen();
    for at in ["a/one", "k/new", "m", "z"] {
        let before = begin(&repo, &step).await;
        kill_checkout(&repo, &before.target.revision, at);
        step.rollback(&repo.cx, &before).await.expect("goes back");
        assert_eq!(repo.seen(), old, "killed while it wrote `{at}`");
    }
    for (there, back) in [("a/one", "z"), ("k/new", "gone/x"), ("z", "a/one")] {
        let before = begin(&repo, &step).await;
        kill_checkout(&repo, &before.target.revision, there);
        // What a new run sees, and what a resumed one does.
        let seen = step.survey(&repo.cx).await.expect("half a checkout is no local change");
        assert!(matches!(seen, Survey::Change { .. }), "{seen:?}");
        let code = step.apply(&repo.cx, &before).await.expect("goes on");
        assert_eq!(code.to, repo.revision("up", "v2"));
        assert_eq!(repo.git("down", &["status", "--porcelain"]), "?? mine.txt");

        before.trail(trail::Phase::Back).write(&repo.cx, &repo.down().join(".git")).await.expect("is written");
        kill_checkout(&repo, &before.head.revision, back);
        step.rollback(&repo.cx, &before).await.expect("goes on going back");
        assert_eq!(repo.seen(), old, "killed while it wrote `{back}` on the way back");
    }
    assert_eq!(repo.read("mine.txt").as_deref(), Some("mine"));
}

#[tokio::test]
async fn another_checkout_begins_where_a_killed_one_was_given_up() {
    let repo = slow();
    repo.write("mine.txt", "mine");
    let before = begin(&repo, &checkout(repo.down(), "v2")).await;
    kill_checkout(&repo, &before.target.revision, "m");
    let v3 = repo.release("v3", &[("z", Some("3\n"))]);
    let (_, code) = repo.take(&checkout(repo.down(), "v3")).await;
    assert_eq!((code.to, code.from), (v3, Some(repo.revision("up", "v1"))));
    assert_eq!(repo.git("down", &["status", "--porcelain"]), "?? mine.txt");
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
