//! The steps against the real git, in temporary directories.

use std::path::PathBuf;
use std::process::Command as Process;
use std::time::Duration;

use runbook::{Check as _, Context, Error, ErrorKind, Rollback, Step, Survey};
use tempfile::TempDir;

use super::*;
use crate::laws;

mod broken;
#[cfg(feature = "testing")]
mod conformance;

/// A remote with releases, and a tree that was cloned from it.
struct Repo {
    dir: TempDir,
    cx: Context,
}

impl Repo {
    /// Three releases: `v2` changes one file, adds one and removes one; `v3` changes nothing of `v2` but one file.
    /// The tree is on `main` at `v1`.
    fn new() -> Self {
        let repo = Self::empty();
        repo.release(
            "v1",
            &[("app.py", Some("one\n")), ("old/gone.txt", Some("old\n")), (".gitignore", Some("*.log\n"))],
        );
        repo.git("down-from", &["clone", "-q", "up", "down"]);
        repo.release("v2", &[("app.py", Some("two\n")), ("requirements.txt", Some("flask\n")), ("old/gone.txt", None)]);
        repo.release("v3", &[("app.py", Some("three\n"))]);
        repo
    }

    fn empty() -> Self {
        let dir = TempDir::new().expect("a directory");
        let repo = Self { dir, cx: Context::local() };
        std::fs::create_dir(repo.up()).expect("is made");
        repo.git("up", &["init", "-q", "-b", "main"]);
        repo
    }

    fn up(&self) -> PathBuf {
        self.dir.path().join("up")
    }

    fn down(&self) -> PathBuf {
        self.dir.path().join("down")
    }

    /// Runs git as a person would, in `up`, `down` or their parent.
    fn git(&self, at: &str, args: &[&str]) -> String {
        let at = self.dir.path().join(at);
        let output = Process::new("git")
            .current_dir(if at.is_dir() { &at } else { self.dir.path() })
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.org"])
            .args(args)
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Commits these files at the remote, `None` for a removal, and tags them.
    fn release(&self, tag: &str, files: &[(&str, Option<&str>)]) -> Revision {
        for (name, content) in files {
            let path = self.up().join(name);
            match content {
                Some(content) => {
                    std::fs::create_dir_all(path.parent().expect("has one")).expect("is made");
                    std::fs::write(path, content).expect("is written");
                }
                None => std::fs::remove_file(path).expect("is removed"),
            }
        }
        self.git("up", &["add", "-A"]);
        self.git("up", &["commit", "-q", "-m", tag]);
        self.git("up", &["tag", tag]);
        self.revision("up", "HEAD")
    }

    fn revision(&self, at: &str, name: &str) -> Revision {
        Revision::full(&self.git(at, &["rev-parse", &format!("{name}^{{commit}}")])).expect("a full id")
    }

    /// All a checkout may change and has to put back: files, place, note and references.
    fn seen(&self) -> Vec<String> {
        let down = self.down();
        let mut seen: Vec<String> = laws::tree(&down)
            .into_iter()
            .filter(|(path, _)| !path.starts_with(".git") || path.ends_with("runbook-checkout.json"))
            .map(|(path, what)| format!("{}: {what}", path.display()))
            .collect();
        seen.push(self.git("down", &["rev-parse", "HEAD", "--symbolic-full-name", "HEAD"]));
        seen.push(self.git("down", &["status", "--porcelain"]));
        seen.push(self.git("down", &["for-each-ref"]));
        seen
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.down().join(name), content).expect("is written");
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.down().join(name)).ok()
    }

    async fn change<S: Step>(&self, step: &S) -> (S::Before, Option<S::Output>) {
        match step.survey(&self.cx).await.expect("is surveyed") {
            Survey::Change { before, predicted, .. } => (before, predicted),
            Survey::Already(_) => panic!("there is something to change"),
        }
    }

    /// Surveys and applies.
    async fn take<S: Step>(&self, step: &S) -> (S::Before, S::Output) {
        let (before, _) = self.change(step).await;
        let output = step.apply(&self.cx, &before).await.expect("is applied");
        (before, output)
    }

    async fn refused<S: Step>(&self, step: &S) -> Error {
        step.survey(&self.cx).await.err().expect("is refused")
    }
}

#[tokio::test]
async fn a_checkout_keeps_the_laws() {
    let repo = Repo::new();
    repo.write("notes.txt", "untracked");
    repo.write("app.log", "ignored");
    let shown = laws::laws_seen(&checkout(repo.down(), "v2"), || repo.seen()).await;
    assert_eq!(shown.output.to, repo.revision("up", "v2"));
    assert_eq!(shown.output.from, Some(repo.revision("up", "v1")));
    let changed = ["app.py", "old/gone.txt", "requirements.txt"].map(PathBuf::from);
    assert_eq!(shown.output.changed.as_deref(), Some(&changed[..]));
    assert_eq!(repo.read("notes.txt").as_deref(), Some("untracked"));
}

#[tokio::test]
async fn a_clone_keeps_the_laws() {
    let repo = Repo::new();
    let place = repo.dir.path().join("srv");
    std::fs::create_dir(&place).expect("is made");
    let step = clone(repo.up().to_string_lossy(), place.join("app"));
    // Of the git directory only what stays the same from clone to clone.
    let see = || {
        let mut seen = laws::tree(&place);
        let inside = |path: &PathBuf| path.components().any(|part| part.as_os_str() == ".git");
        seen.retain(|path, _| !inside(path) || path.ends_with(".git/HEAD"));
        seen
    };
    let shown = laws::laws_seen(&step, see).await;
    assert_eq!(shown.output.revision, repo.revision("up", "v3"));

    std::fs::create_dir(place.join("app")).expect("is made");
    laws::laws_seen(&step, see).await;
    laws::laws_seen(&step.branch("v1"), see).await;
}

#[tokio::test]
async fn a_fetch_keeps_the_laws() {
    let repo = Repo::new();
    repo.git("up", &["tag", "-a", "-m", "annotated", "v3-final"]);
    let shown = laws::laws_seen(&fetch(repo.down()), || repo.seen()).await;
    let moved: Vec<&str> = shown.output.moved.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(moved, ["refs/remotes/origin/main", "refs/tags/v2", "refs/tags/v3", "refs/tags/v3-final"]);
}

#[tokio::test]
async fn a_branch_means_what_it_is_at_the_remote_and_is_pinned_by_the_survey() {
    let repo = Repo::new();
    let v3 = repo.revision("up", "v3");
    let step = checkout(repo.down(), "main");
    let (before, predicted) = repo.change(&step).await;
    let predicted = predicted.expect("a prediction");
    assert_eq!((&predicted.to, &predicted.changed), (&v3, &None), "nothing was fetched");
    assert!(predicted.changed("anything"), "while nobody knows, all may have changed");

    repo.release("v4", &[("app.py", Some("four\n"))]);
    let output = step.apply(&repo.cx, &before).await.expect("is applied");
    assert_eq!(output.to, v3, "the branch moved meanwhile, the checkout did not");
    assert_eq!(repo.revision("down", "main"), repo.revision("up", "v1"), "no branch of the tree is moved");
    assert_eq!(
        checkout(repo.down(), "origin/main").survey(&repo.cx).await.map(|survey| match survey {
            Survey::Change { predicted, .. } => predicted.map(|code| code.to),
            Survey::Already(_) => None,
        }),
        Ok(Some(repo.revision("up", "v4")))
    );
}

#[tokio::test]
async fn a_rollback_goes_back_to_the_branch_or_to_the_commit_it_came_from() {
    let repo = Repo::new();
    let (before, _) = repo.take(&checkout(repo.down(), "v2")).await;
    checkout(repo.down(), "v2").rollback(&repo.cx, &before).await.expect("goes back");
    assert_eq!(head(&repo.cx, repo.down()).await.expect("is read").branch.as_deref(), Some("main"));

    repo.take(&checkout(repo.down(), "v2")).await;
    let third = checkout(repo.down(), "v3");
    let (before, code) = repo.take(&third).await;
    assert_eq!(code.release().previous, Some(repo.revision("up", "v2")));
    third.rollback(&repo.cx, &before).await.expect("goes back");
    let now = head(&repo.cx, repo.down()).await.expect("is read");
    assert_eq!((now.revision, now.branch), (repo.revision("up", "v2"), None));
    let release = previous(&repo.cx, repo.down()).await.expect("is read").expect("a run brought it");
    assert_eq!(release.previous, Some(repo.revision("up", "v1")), "and knows again what was there before");
}

#[tokio::test]
async fn a_finished_checkout_still_knows_what_it_changed() {
    let repo = Repo::new();
    repo.take(&checkout(repo.down(), "v2")).await;
    let again = checkout(repo.down(), "v2").survey(&repo.cx).await.expect("is surveyed");
    let Survey::Already(code) = again else { panic!("it is there already") };
    assert!(code.changed("requirements.txt"), "a run that crashed before it installed them must not forget it");
    assert_eq!(code.from, Some(repo.revision("up", "v1")));
}

#[tokio::test]
async fn local_changes_are_refused_by_name_before_anything_changes() {
    let repo = Repo::new();
    repo.write("app.py", "my own\n");
    let old = repo.seen();
    for revision in ["v2", "v1"] {
        let error = repo.refused(&checkout(repo.down(), revision)).await;
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("`app.py`") && error.advice().is_some(), "{error:?}");
    }
    assert_eq!(repo.seen(), old);
    let finding = clean(repo.down()).check(&repo.cx).await.expect("is asked");
    assert!(!finding.passes() && finding.evidence().summary.contains("app.py"), "{finding:?}");
}

#[tokio::test]
async fn local_changes_made_after_the_survey_are_refused_too() {
    let repo = Repo::new();
    let step = checkout(repo.down(), "v2");
    let (before, _) = repo.change(&step).await;
    repo.write("app.py", "my own\n");
    let error = step.apply(&repo.cx, &before).await.expect_err("is refused");
    assert_eq!(error.kind(), ErrorKind::Refused);
    step.rollback(&repo.cx, &before).await.expect("there is nothing to put back");
    assert_eq!(repo.read("app.py").as_deref(), Some("my own\n"));
}

#[tokio::test]
async fn untracked_and_ignored_files_are_never_overwritten() {
    for (name, content) in [("requirements.txt", "mine"), ("server.log", "ignored, but mine")] {
        let repo = Repo::new();
        std::fs::write(repo.up().join("server.log"), "theirs").expect("is written");
        repo.git("up", &["add", "-f", "server.log"]);
        repo.git("up", &["commit", "-q", "-m", "a log"]);
        repo.write(name, content);
        // Not here yet: the collision shows once the commit is fetched.
        let step = checkout(repo.down(), "main");
        let (before, _) = repo.change(&step).await;
        let error = step.apply(&repo.cx, &before).await.expect_err("is refused");
        assert!(error.to_string().contains(name), "{error:?}");
        step.rollback(&repo.cx, &before).await.expect("nothing to put back");
        assert_eq!(repo.read(name).as_deref(), Some(content));
        // Here now: the survey sees it.
        let error = repo.refused(&step).await;
        assert!(error.to_string().contains(name), "{error:?}");
    }
}

#[tokio::test]
async fn names_that_mean_nothing_or_look_like_options_are_refused() {
    let repo = Repo::new();
    for (name, expected) in [("nope", "`nope`"), ("-f", "`-f`"), ("--orphan=x", "`--orphan=x`"), ("", "empty")] {
        let error = repo.refused(&checkout(repo.down(), name)).await;
        assert!(error.to_string().contains(expected), "{error:?}");
    }
    let error = repo.refused(&checkout(repo.dir.path(), "v1")).await;
    assert!(error.advice().is_some_and(|hint| hint.contains("git::clone")), "{error:?}");
    let error = repo.refused(&checkout(repo.down().join("old"), "v1")).await;
    assert!(error.to_string().contains("not the top"), "{error:?}");
    let error = repo.refused(&checkout(repo.dir.path().join("missing"), "v1")).await;
    assert!(error.to_string().contains("missing"), "{error:?}");
}

#[tokio::test]
async fn short_ids_full_ids_annotated_tags_and_expressions_mean_commits() {
    let repo = Repo::new();
    repo.git("up", &["tag", "-a", "-m", "annotated", "final"]);
    let (v2, v3) = (repo.revision("up", "v2"), repo.revision("up", "v3"));
    let (before, code) = repo.take(&checkout(repo.down(), "final")).await;
    assert_eq!(code.to, v3);
    checkout(repo.down(), "final").rollback(&repo.cx, &before).await.expect("goes back");
    for name in [v2.as_str(), v2.short(), &format!("{v3}~1")] {
        let step = checkout(repo.down(), name);
        let (before, code) = repo.take(&step).await;
        assert_eq!(code.to, v2, "{name}");
        step.rollback(&repo.cx, &before).await.expect("goes back");
    }
    assert_eq!(checkout("/srv", v2.as_str()).predict().map(|code| code.to), Some(v2));
    assert_eq!(checkout("/srv", "main").predict(), None);
}

#[tokio::test]
async fn a_commit_the_remote_no_longer_has_is_a_clear_error() {
    let repo = Repo::new();
    let step = checkout(repo.down(), "main");
    let (before, _) = repo.change(&step).await;
    repo.git("up", &["tag", "-d", "v3"]);
    repo.git("up", &["reset", "-q", "--hard", "v1"]);
    repo.git("up", &["reflog", "expire", "--expire=now", "--all"]);
    repo.git("up", &["gc", "-q", "--prune=now"]);
    let error = step.apply(&repo.cx, &before).await.expect_err("cannot be had");
    assert!(format!("{error:?}").contains("rewritten"), "{error:?}");
}

#[tokio::test]
async fn a_tree_that_someone_moved_is_left_alone() {
    let repo = Repo::new();
    repo.take(&fetch(repo.down())).await;
    let step = checkout(repo.down(), "v2");
    let (before, _) = repo.change(&step).await;
    repo.git("down", &["checkout", "-q", "v3"]);
    let error = step.apply(&repo.cx, &before).await.expect_err("is refused");
    assert!(error.to_string().contains("moved"), "{error:?}");
}

#[tokio::test]
async fn a_remote_that_cannot_be_reached_may_come_back() {
    let repo = Repo::new();
    repo.git("down", &["remote", "set-url", "origin", "http://127.0.0.1:9/app.git"]);
    let error = repo.refused(&checkout(repo.down(), "main")).await;
    assert!(error.is_transient(), "{error:?}");
    // What is here needs nobody.
    assert!(matches!(checkout(repo.down(), "v1").survey(&repo.cx).await, Ok(Survey::Already(_))));
}

#[tokio::test]
async fn facts_and_checks_read_the_tree() {
    let repo = Repo::new();
    repo.take(&fetch(repo.down())).await;
    let (cx, down) = (&repo.cx, repo.down());
    let files = changed_files(cx, &down, "v2", "v3").await.expect("is read");
    assert_eq!(files, [PathBuf::from("app.py")]);
    let log = log(cx, &down, 5).await.expect("is read");
    assert_eq!(log.iter().map(|commit| commit.subject.as_str()).collect::<Vec<_>>(), ["v1"]);
    assert_eq!((log[0].author.as_str(), &log[0].revision), ("Test", &repo.revision("up", "v1")));
    assert!(clean(&down).check(cx).await.expect("is asked").passes());
    assert!(head_is(&down, "v1").check(cx).await.expect("is asked").passes());
    assert!(!head_is(&down, "main").check(cx).await.expect("is asked").passes());
    assert_eq!(previous(cx, &down).await.expect("is read"), None);
}

#[tokio::test]
async fn a_clone_is_refused_where_something_else_is() {
    let repo = Repo::new();
    let url = repo.up().to_string_lossy().into_owned();
    let there = clone(&url, repo.down()).survey(&repo.cx).await.expect("is surveyed");
    assert!(matches!(there, Survey::Change { .. } | Survey::Already(_)));
    let taken = repo.dir.path().join("taken");
    std::fs::create_dir_all(taken.join("data")).expect("is made");
    for (step, expected) in [
        (clone(&url, &taken), "something else"),
        (clone("file:///elsewhere", repo.down()), "a clone of"),
        (clone("https://me:secret@example.org/x.git", &taken), "password"),
        (clone("--upload-pack=evil", &taken), "no URL"),
        (clone(&url, repo.dir.path().join("no/such")), "does not exist"),
        (clone(&url, repo.dir.path().join("new")).branch("nope"), "`nope`"),
        (clone(repo.dir.path().join("nothing").to_string_lossy(), repo.dir.path().join("new")), "nothing"),
    ] {
        let error = repo.refused(&step).await;
        assert!(format!("{error:#}").contains(expected), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn a_tag_that_moved_at_the_remote_is_an_error_of_fetch() {
    let repo = Repo::new();
    repo.git("up", &["tag", "-f", "v1"]);
    let step = fetch(repo.down());
    let (before, _) = repo.change(&step).await;
    let error = step.apply(&repo.cx, &before).await.expect_err("is refused");
    assert!(error.advice().is_some_and(|hint| hint.contains("tag")), "{error:?}");
    step.rollback(&repo.cx, &before).await.expect("puts back what did move");
}
