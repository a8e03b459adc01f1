//! Backups, held to their laws and to real archives.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use runbook_core::{Check as _, Context, Error, ErrorKind, Rollback, Step, Survey, Units as _};

use super::handle::{ABOUT, ARCHIVE, MANIFEST};
use super::{Backup, VerifiedBackup};
use crate::laws::{laws, laws_seen, tree};
use crate::{backup, taking};

/// A place with a directory that has everything in it that directories have.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a directory");
    let data = place.path().join("data");
    std::fs::create_dir_all(data.join("empty/inner")).expect("made");
    std::fs::write(data.join("entries"), "one\ntwo\n").expect("written");
    std::fs::write(data.join("a name\nof two lines"), [0, 255, 10]).expect("written");
    std::fs::write(data.join("private"), "").expect("written");
    std::fs::set_permissions(data.join("private"), std::fs::Permissions::from_mode(0o600)).expect("set");
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o750)).expect("set");
    symlink("entries", data.join("link")).expect("linked");
    place
}

async fn take<S: Step>(step: &S) -> runbook_core::Result<S::Output> {
    taking::take(&Context::local(), step).await
}

async fn made(place: &Path) -> Backup {
    take(&backup::directory(place.join("data")).into_dir(place.join("backups"))).await.expect("a backup")
}

async fn proven(backup: &Backup) -> VerifiedBackup {
    take(&backup::rehearse(backup)).await.expect("it restores")
}

#[tokio::test]
async fn making_a_backup_is_lawful() {
    let place = place();
    let data = place.path().join("data");
    let shown = laws(&backup::directory(&data).into_dir(place.path().join("new/backups")), place.path()).await;
    let made = shown.output;
    assert_eq!((made.files, made.name.as_str()), (3, "data"));
    assert!(made.bytes > 0 && made.checksum.len() == 64 && made.taken_at.is_some(), "{made:?}");

    std::fs::create_dir(place.path().join("backups")).expect("made");
    laws(&backup::directory(&data).into_dir(place.path().join("backups")), place.path()).await;
}

#[tokio::test]
async fn two_backups_in_one_second_have_two_names() {
    let place = place();
    let (first, second) = (made(place.path()).await, made(place.path()).await);
    assert_ne!(first.path, second.path);
    assert_eq!(take(&backup::latest(place.path().join("backups")).of("data")).await.expect("found"), second);
}

#[tokio::test]
async fn a_rehearsal_is_lawful_and_leaves_nothing() {
    let place = place();
    let step = backup::rehearse(&made(place.path()).await);
    let old = tree(place.path());
    laws_seen(&step, || tree(place.path())).await;
    assert_eq!(tree(place.path()), old);
    assert!(take(&step).await.expect("it restores").rehearsed_at().is_some());
}

#[tokio::test]
async fn restoring_is_lawful_over_something_and_over_nothing() {
    let place = place();
    let data = place.path().join("data");
    let backup = proven(&made(place.path()).await).await;
    let as_backed_up = tree(&data);

    laws(&backup::restore(&backup).to(place.path().join("elsewhere")), place.path()).await;
    std::fs::write(data.join("entries"), "lost\n").expect("written");
    std::fs::remove_file(data.join("link")).expect("removed");
    laws(&backup::restore(&backup).to(&data), place.path()).await;

    let restored = take(&backup::restore(&backup).to(&data)).await.expect("restored");
    assert_eq!(tree(&data), as_backed_up);
    let aside = restored.aside.expect("what was there is kept");
    assert_eq!(std::fs::read_to_string(aside.join("entries")).expect("read"), "lost\n");
}

#[tokio::test]
async fn a_backup_that_was_cut_or_changed_is_never_accepted() {
    let place = place();
    let backup = made(place.path()).await;
    let whole = std::fs::read(backup.archive()).expect("read");
    let verified = proven(&backup).await;
    let refused = |error: Error| assert!(!error.message().is_empty() && error.kind() == ErrorKind::Failed, "{error:?}");

    for length in (0..whole.len()).step_by(whole.len() / 7 + 1) {
        std::fs::write(backup.archive(), &whole[..length]).expect("cut");
        refused(take(&backup::rehearse(&backup)).await.expect_err("it is cut"));
        refused(take(&backup::restore(&verified).to(place.path().join("x"))).await.expect_err("it is cut"));
        refused(take(&backup::latest(place.path().join("backups"))).await.expect_err("it is cut"));
        let fresh = backup::fresh(place.path().join("backups"), 1.hours());
        assert_eq!(fresh.check(&Context::local()).await.expect("an answer").word(), "fail");
    }
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(backup.archive(), &flipped).expect("flipped");
    let error = take(&backup::rehearse(&backup)).await.expect_err("a bit is wrong");
    assert!(error.message().contains("does not have its checksum"), "{error}");

    std::fs::remove_file(backup.archive()).expect("removed");
    refused(take(&backup::rehearse(&backup)).await.expect_err("it is gone"));
    std::fs::write(backup.path.join(ABOUT), "{").expect("cut");
    refused(take(&backup::rehearse(&backup)).await.expect_err("its description is cut"));
}

#[tokio::test]
async fn an_archive_that_restores_to_something_else_is_told_by_its_manifest() {
    let place = place();
    let backup = made(place.path()).await;
    // A whole archive with a right checksum, of another content: what a tool that lies would leave.
    std::fs::write(place.path().join("data/entries"), "one\n2\n").expect("written");
    let (archive, data) = (backup.archive(), place.path().join("data"));
    let pack = super::archive::pack(&data, &archive);
    let cx = Context::local();
    cx.run(&pack).await.expect("packed");
    let checksum = super::archive::checksum(&cx, &archive).await.expect("a checksum");
    let bytes = std::fs::metadata(&archive).expect("it is there").len();
    let lying = Backup { checksum, bytes, ..backup };
    std::fs::write(lying.path.join(ABOUT), serde_json::to_vec(&lying).expect("json")).expect("written");

    let error = take(&backup::rehearse(&lying)).await.expect_err("it is not what was backed up");
    assert!(error.message().ends_with("does not restore to what was backed up"), "{error}");
    assert!(error.lines().iter().any(|line| line.contains("./entries")), "{error:?}");
    let left: Vec<_> =
        tree(&place.path().join("backups")).into_keys().filter(|path| path.components().count() == 1).collect();
    assert_eq!(left.len(), 1, "no scratch is left: {left:?}");
}

#[tokio::test]
async fn impossible_backups_are_refused_before_anything_changes() {
    let (place, cx) = (place(), Context::local());
    let at = |name: &str| place.path().join(name);
    let old = tree(place.path());
    for (source, dir, says) in [
        ("missing", "backups", "does not exist"),
        ("data/entries", "backups", "is not a directory"),
        ("data/link", "backups", "is a symbolic link"),
        ("data", "data/backups", "hold themselves"),
    ] {
        let error = backup::directory(at(source)).into_dir(at(dir)).survey(&cx).await.expect_err(says);
        assert!(error.message().contains(says), "{error}");
    }
    assert!(backup::latest(at("backups")).survey(&cx).await.is_err());
    assert_eq!(tree(place.path()), old);
}

/// Backups of two names, each a minute older than the one before.
fn many(dir: &Path) -> Vec<PathBuf> {
    let names = ["app", "data"].into_iter().flat_map(|name| (0..4).map(move |n| format!("{name}-20260131T12000{n}Z")));
    names
        .map(|name| {
            let path = dir.join(&name);
            std::fs::create_dir_all(&path).expect("made");
            for file in [ARCHIVE, MANIFEST] {
                std::fs::write(path.join(file), "x").expect("written");
            }
            let backup = Backup {
                path: path.clone(),
                name: name.split('-').next().unwrap_or_default().to_owned(),
                source: "/srv".into(),
                checksum: String::new(),
                manifest: String::new(),
                bytes: 1,
                files: 1,
                taken_at: Some("2026-01-31T12:00:00Z".parse().expect("a time")),
            };
            std::fs::write(path.join(ABOUT), serde_json::to_vec(&backup).expect("json")).expect("written");
            path
        })
        .collect()
}

#[tokio::test]
async fn retention_keeps_the_newest_of_each_name_and_never_the_one_it_is_told_to_spare() {
    let place = tempfile::tempdir().expect("a directory");
    let (all, cx) = (many(place.path()), Context::local());
    let spared = backup::latest(place.path()).of("app").survey(&cx).await.expect("found");
    let Survey::Already(newest) = spared else { panic!("looking changes nothing") };
    assert_eq!(newest.path, all[3]);
    let spared = Backup { path: all[0].clone(), ..newest };
    // A damaged newest one does not push a whole one out.
    std::fs::write(all[7].join(ARCHIVE), "").expect("cut");

    let step = backup::keep(place.path(), 2).but(&spared);
    let before = taking::before(&cx, &step).await;
    step.apply(&cx, &before).await.expect("removed");
    let pruned = step.apply(&cx, &before).await.expect("removed twice is removed once");
    assert_eq!(pruned.removed, [all[1].clone(), all[4].clone()]);
    let left: Vec<_> = all.iter().filter(|path| path.exists()).cloned().collect();
    assert_eq!(left, [0, 2, 3, 5, 6, 7].map(|n| all[n].clone()));
    assert!(matches!(step.survey(&cx).await.expect("looks"), Survey::Already(_)));
    assert!(backup::keep(place.path(), 0).survey(&cx).await.is_err(), "none is never enough");
}

#[tokio::test]
async fn a_backup_is_fresh_until_it_is_not() {
    let (place, cx) = (place(), Context::local());
    let dir = place.path().join("backups");
    let word = async |age: std::time::Duration| backup::fresh(&dir, age).check(&cx).await.expect("an answer").word();
    assert_eq!(word(1.hours()).await, "fail", "there is none");
    let made = made(place.path()).await;
    assert_eq!(word(1.hours()).await, "pass");
    let old = Backup { taken_at: Some("2020-01-01T00:00:00Z".parse().expect("a time")), ..made.clone() };
    std::fs::write(made.path.join(ABOUT), serde_json::to_vec(&old).expect("json")).expect("written");
    assert_eq!(word(1.hours()).await, "fail");
    let future = Backup { taken_at: Some("2999-01-01T00:00:00Z".parse().expect("a time")), ..made.clone() };
    std::fs::write(made.path.join(ABOUT), serde_json::to_vec(&future).expect("json")).expect("written");
    assert_eq!(word(1.hours()).await, "unknown");
}

#[tokio::test]
async fn a_plan_goes_on_past_a_backup_and_names_no_time() {
    let (place, cx) = (place(), Context::local());
    let step = backup::directory(place.path().join("data")).into_dir(place.path().join("backups"));
    let Survey::Change { predicted: Some(foreseen), diff, .. } = step.survey(&cx).await.expect("looks") else {
        panic!("it repeats")
    };
    assert!(diff.to_string().ends_with("data-<time>"), "{diff}");
    assert_eq!(step.predict(), Some(foreseen.clone()));
    let rehearse = backup::rehearse(&foreseen);
    let (writes, reads) = (step.describe().writes, rehearse.describe().reads);
    assert!(writes.iter().any(|write| reads.iter().any(|read| read.overlaps(write))), "it is known after the backup");
    let verified = rehearse.predict().expect("a plan goes on");
    let restore = backup::restore(&verified).to(place.path().join("data"));
    assert!(writes.iter().any(|write| restore.describe().reads.iter().any(|read| read.overlaps(write))));
    let _: &dyn Send = &(rollback_of(step), rollback_of(rehearse));
}

fn rollback_of<S: Rollback>(step: S) -> S {
    step
}
