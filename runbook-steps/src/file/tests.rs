//! Files, held to their laws.

use std::os::unix::fs::{PermissionsExt as _, symlink as link};
use std::path::Path;

use runbook_core::{Check, Context, Rollback, Secret, Step as _, Survey};

use crate::file;
use crate::laws::{laws, tree};
use crate::taking::{before, change};

/// A directory as a host might have it.
fn dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    put(dir.path(), "app.conf", "workers = 2\nport = 8000\n", 0o644);
    put(dir.path(), "private.conf", "token = hunter2hunter2\n", 0o640);
    std::fs::create_dir_all(dir.path().join("releases/1/bin")).expect("made");
    put(dir.path(), "releases/1/bin/app", "#!/bin/sh\n", 0o755);
    link("releases/1", dir.path().join("current")).expect("linked");
    dir
}

fn put(dir: &Path, name: &str, content: impl AsRef<[u8]>, mode: u32) {
    let path = dir.join(name);
    std::fs::write(&path, content).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
}

fn big() -> Vec<u8> {
    vec![b'x'; 200_000]
}

#[tokio::test]
async fn writing_is_lawful_whatever_was_there() {
    for name in ["new.conf", "app.conf", "private.conf", "current"] {
        let dir = dir();
        laws(&file::write(dir.path().join(name), "workers = 4\n"), dir.path()).await;
        laws(&file::write(dir.path().join(name), big()).mode(0o600), dir.path()).await;
        laws(&file::write(dir.path().join(name), [0, 159, 146]).mode(0o755), dir.path()).await;
    }
}

#[tokio::test]
async fn writing_over_something_big_or_not_text_is_lawful() {
    let dir = dir();
    put(dir.path(), "big", big(), 0o644);
    put(dir.path(), "binary", [0, 159, 146, 150], 0o644);
    laws(&file::write(dir.path().join("big"), "small\n"), dir.path()).await;
    let shown = laws(&file::write(dir.path().join("binary"), "text\n"), dir.path()).await;
    assert!(shown.before.contains("009f9296"), "bytes that are no text are kept: {}", shown.before);
}

#[tokio::test]
async fn a_plan_shows_the_lines_that_change_and_an_output_the_checksum() {
    let dir = dir();
    let step = file::write(dir.path().join("app.conf"), "workers = 4\nport = 8000\n").mode(0o600);
    let shown = laws(&step, dir.path()).await;
    assert!(shown.diff.to_string().contains("mode: 0644 -> 0600"), "{}", shown.diff);
    let step = file::write(dir.path().join("app.conf"), "workers = 4\nport = 8000\n");
    let shown = laws(&step, dir.path()).await;
    assert_eq!(shown.diff.to_string(), "- workers = 2\n+ workers = 4");
    let sum = shown.output.sha256.clone().expect("it is no secret");
    assert_eq!(sum, "b7d68d7d7ee1dd1756e70a3d3b360f5e4ee99700a943952f1fd677f024870f8a");
    assert_eq!(step.predict(), Some(shown.output));
}

#[tokio::test]
async fn what_not_everyone_may_read_reaches_no_journal_and_no_plan() {
    let dir = dir();
    put(dir.path(), "token", "old-secret-token", 0o644);
    put(dir.path(), "source", "new-secret-token", 0o600);
    let secret = Secret::file(dir.path().join("source"));
    for step in [
        file::write(dir.path().join("private.conf"), "token = correct horse\n"),
        file::write(dir.path().join("token"), "new-secret-token").secret(),
        file::secret(dir.path().join("token"), &secret),
    ] {
        let shown = laws(&step, dir.path()).await;
        let all = format!("{} {} {:?} {:?}", shown.before, shown.diff, shown.output, step.describe());
        for word in ["hunter2", "secret-token", "correct horse"] {
            assert!(!all.contains(word), "{word} shows in {all}");
        }
    }
}

#[tokio::test]
async fn what_is_kept_aside_is_hidden_private_and_forgotten_on_demand() {
    let (dir, cx) = (dir(), Context::local());
    let path = dir.path().join("private.conf");
    let old = tree(dir.path());
    for n in 0..20 {
        let step = file::write(&path, format!("token = {n}\n"));
        change(&cx, &step).await.1.expect("applies");
    }
    let kept = tree(&dir.path().join(".runbook"));
    assert_eq!(kept[Path::new("")], "700 directory");
    assert_eq!(kept[Path::new(".gitignore")], "600 *\n");
    assert_eq!(kept[Path::new("private.conf.20")], "600 token = 18\n");
    assert_eq!(kept.len(), 2 + 16, "old versions make room: {kept:?}");

    let forget = file::forget(&path);
    change(&cx, &forget).await.1.expect("forgets");
    assert!(matches!(forget.survey(&cx).await.expect("looks"), Survey::Already(_)));
    put(dir.path(), "private.conf", "token = hunter2hunter2\n", 0o640);
    assert_eq!(tree(dir.path()), old, "nothing is left");
}

#[tokio::test]
async fn several_steps_on_one_private_file_are_undone_one_by_one() {
    let (dir, cx) = (dir(), Context::local());
    let (path, old) = (dir.path().join("private.conf"), tree(dir.path()));
    let mut done = Vec::new();
    // Back and forth: the same contents more than once.
    for content in ["a", "b", "a", "b", "a"] {
        let step = file::write(&path, content);
        let (before, output) = change(&cx, &step).await;
        output.expect("applies");
        done.push((step, before));
    }
    for (step, before) in done.iter().rev() {
        step.rollback(&cx, before).await.expect("goes back");
    }
    assert_eq!(tree(dir.path()), old);
}

#[tokio::test]
async fn a_file_that_somebody_else_changed_meanwhile_is_not_overwritten() {
    let (dir, cx) = (dir(), Context::local());
    let step = file::write(dir.path().join("app.conf"), "workers = 4\n");
    let before = before(&cx, &step).await;
    put(dir.path(), "app.conf", "edited by hand\n", 0o644);
    let error = step.apply(&cx, &before).await.expect_err("someone else was here");
    assert!(error.message().ends_with("has changed since it was looked at"), "{error}");
}

#[tokio::test]
async fn what_the_journal_does_not_hold_whole_is_not_put_back() {
    let (dir, cx) = (dir(), Context::local());
    let step = file::write(dir.path().join("app.conf"), "workers = 4\n");
    let (before, output) = change(&cx, &step).await;
    output.expect("applies");
    let redacted = serde_json::to_string(&before).expect("json").replace("8000", "[redacted]");
    let redacted = serde_json::from_str(&redacted).expect("a before-state");
    let error = step.rollback(&cx, &redacted).await.expect_err("that was not the file");
    assert!(error.message().starts_with("the journal does not hold"), "{error}");
}

#[tokio::test]
async fn copies_templates_links_directories_modes_and_removals_are_lawful() {
    let dir = dir();
    let at = |name: &str| dir.path().join(name);
    laws(&file::copy(at("releases/1/bin/app"), at("app")), dir.path()).await;
    laws(&file::copy(at("app.conf"), at("private.conf")), dir.path()).await;
    laws(&file::template(at("app.conf"), "port = {{port}}\n").set("port", 9000), dir.path()).await;
    let secret = Secret::file(at("private.conf"));
    let shown = laws(&file::template(at("t"), "{{a}} {{b}}").set("a", 1).set_secret("b", &secret), dir.path()).await;
    assert!(!format!("{shown:?}").contains("hunter2"), "{shown:?}");

    for link in ["current", "new", "app.conf", "private.conf"] {
        laws(&file::symlink(at(link)).to("releases/2"), dir.path()).await;
    }
    laws(&file::directory(at("a/b/c")).mode(0o750), dir.path()).await;
    laws(&file::directory(at("releases")).mode(0o700), dir.path()).await;
    laws(&file::mode(at("app.conf"), 0o600), dir.path()).await;
    laws(&file::mode(at("releases/1"), 0o500), dir.path()).await;
    for gone in ["app.conf", "private.conf", "current", "releases"] {
        laws(&file::remove(at(gone)), dir.path()).await;
    }
}

#[tokio::test]
async fn owners_are_numbers_or_names_of_the_host() {
    let (dir, cx) = (dir(), Context::local());
    let path = dir.path().join("app.conf");
    let stat = cx.files().stat(&path).await.expect("looks").expect("it is there");
    for owner in [format!("{}:{}", stat.uid, stat.gid), format!(":{}", stat.gid), stat.uid.to_string()] {
        let survey = file::owner(&path, owner).survey(&cx).await.expect("looks");
        assert!(matches!(survey, Survey::Already(_)));
    }
    if stat.uid == 0 {
        assert!(matches!(file::owner(&path, "root:root").survey(&cx).await, Ok(Survey::Already(_))));
    }
    let error = file::owner(&path, "no-such-user-here").survey(&cx).await.expect_err("nobody");
    assert!(error.message().contains("`no-such-user-here`"), "{error:#}");
}

#[tokio::test]
async fn impossible_changes_are_errors_before_anything_changes() {
    let (dir, cx) = (dir(), Context::local());
    let at = |name: &str| dir.path().join(name);
    let old = tree(dir.path());
    for (step, says) in [
        (file::write(at("missing/x"), "x"), "does not exist"),
        (file::write(at("app.conf/x"), "x"), "is not a directory"),
        (file::write(at("releases"), "x"), "is a directory"),
        (file::copy(at("missing"), at("x")), "does not exist"),
        (file::copy(at("releases"), at("x")), "is not a file"),
        (file::write("relative", "x"), "lies in no directory"),
    ] {
        let error = step.survey(&cx).await.expect_err(says);
        assert!(format!("{error:#}").contains(says), "{error:#}");
    }
    assert!(file::directory(at("app.conf")).survey(&cx).await.is_err());
    assert!(file::mode(at("missing"), 0o600).survey(&cx).await.is_err());
    assert!(file::mode(at("current"), 0o600).survey(&cx).await.is_err(), "chmod would follow the link");
    assert_eq!(tree(dir.path()), old);
}

#[tokio::test]
async fn a_directory_that_was_filled_is_kept_unless_its_contents_go_too() {
    let (dir, cx) = (dir(), Context::local());
    let path = dir.path().join("data");
    let step = file::directory(&path);
    let (before, output) = change(&cx, &step).await;
    output.expect("made");
    put(&path, "entries", "42", 0o644);
    let error = step.rollback(&cx, &before).await.expect_err("there is something in it");
    assert!(error.message().contains("is not empty: it holds `entries`"), "{error}");
    step.undo_with_contents().rollback(&cx, &before).await.expect("it goes");
    assert!(!path.exists());
}

#[tokio::test]
async fn checks_tell_what_is_there() {
    let (dir, cx) = (dir(), Context::local());
    let at = |name: &str| dir.path().join(name);
    let checks: [(Box<dyn Check>, &str); 10] = [
        (Box::new(file::exists(at("app.conf"))), "pass"),
        (Box::new(file::exists(at("missing"))), "fail"),
        (Box::new(file::absent(at("missing"))), "pass"),
        (Box::new(file::absent(at("current"))), "fail"),
        (Box::new(file::mode_is(at("app.conf"), 0o644)), "pass"),
        (Box::new(file::mode_is(at("private.conf"), 0o600)), "fail"),
        (Box::new(file::mode_is(at("missing"), 0o600)), "fail"),
        (Box::new(file::contains(at("app.conf"), "port = 8000")), "pass"),
        (Box::new(file::contains(at("app.conf"), "port = 9000")), "fail"),
        (Box::new(file::contains(at("releases"), "anything")), "unknown"),
    ];
    for (check, word) in checks {
        let finding = check.check(&cx).await.expect("an answer");
        assert_eq!(finding.word(), word, "{:?}: {finding:?}", check.describe().line());
    }
}
