//! Dumps of a real PostgreSQL 15, as `tests/services/postgres` starts it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command as Std;
use std::time::Duration;

use runbook_core::{Check as _, Command, Context, Rollback as _, Step as _, Units as _};

use super::super::{Guard, Kept as _, VerifiedBackup};
use super::*;
use crate::backup;
use crate::laws::{laws_seen, tree};
use crate::postgres::tests::Lab;
use crate::postgres::{Ask, open, recreate, row_counts, table_hash};
use crate::taking::{before, take};

/// A server, a database with claims in it, and a directory for backups.
struct Place {
    cx: Context,
    lab: Lab,
    database: Database,
    name: String,
    dir: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let (cx, mut lab) = (Context::local(), Lab::new());
        let (database, name) = lab.claims(&cx).await;
        Self { cx, lab, database, name, dir: tempfile::tempdir().expect("a directory") }
    }

    fn backups(&self) -> PathBuf {
        self.dir.path().join("backups")
    }

    fn step(&self, format: Format) -> BackUpDatabase {
        let source = backup::postgres(&self.database);
        let source = if format == Format::Plain { source.plain() } else { source };
        source.into_dir(self.backups())
    }

    async fn dump(&self, format: Format) -> Dump {
        take(&self.cx, &self.step(format)).await.expect("a dump")
    }

    async fn proven(&self, dump: &Dump) -> VerifiedBackup<Dump> {
        take(&self.cx, &backup::rehearse(dump)).await.expect("it restores")
    }

    async fn hash(&self) -> String {
        table_hash(&self.cx, &self.database, "claims", &[]).await.expect("a hash")
    }

    async fn databases(&self) -> Vec<String> {
        let all: Vec<String> =
            open(&self.cx, &self.lab.admin).await.expect("a session").ask(&Ask::Databases).await.expect("told");
        all.into_iter().filter(|there| there.starts_with(&self.name)).collect()
    }

    /// Everything in the directory of backups and its mode; not what is in files, where a dump has its time.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mode = |seen: String| seen.split(' ').next().unwrap_or_default().to_owned();
        tree(self.dir.path()).into_iter().map(|(path, seen)| (path, mode(seen))).collect()
    }

    /// More rows than fit on a small disk, or into an instant.
    async fn fill(&self, rows: u32) {
        let insert = "INSERT INTO claims SELECT n, 1, md5(n::text) || md5((-n)::text) FROM";
        self.lab.run(&self.database, &format!("{insert} generate_series(1000, {rows}) n")).await;
    }

    /// The document's way, in a shell; what it exits with and what it says.
    async fn document(&self, script: &str) -> (Option<i32>, String) {
        let pass = Pass::write(&self.cx, &self.database, self.lab.dir.path()).await.expect("a password");
        let shell = pass.tool("bash").args(["-c", script]).dir(self.dir.path()).expect(0..=255);
        let output = self.cx.output(&shell).await.expect("ran");
        (output.code, output.lossy().into_owned() + &String::from_utf8_lossy(&output.stderr))
    }
}

fn zstd(option: &str, content: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("content");
    std::fs::write(&path, content).expect("written");
    Std::new("zstd").args([option, "-q", "-c"]).arg(path).output().expect("zstd").stdout
}

/// A dump whose content was changed by somebody who corrected the description.
async fn forged(cx: &Context, dump: &Dump, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Dump {
    let content = change(zstd("-d", &std::fs::read(dump.file()).expect("read")));
    std::fs::write(dump.file(), zstd("-1", &content)).expect("written");
    let checksum = super::super::archive::checksum(cx, &dump.file()).await.expect("a checksum");
    let bytes = std::fs::metadata(dump.file()).expect("is there").len();
    let forged = Dump { checksum, bytes, ..dump.clone() };
    std::fs::write(dump.path.join(Dump::ABOUT), serde_json::to_vec(&forged).expect("serialises")).expect("written");
    forged
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_database_that_was_destroyed_comes_back() {
    for format in [Format::Custom, Format::Plain] {
        let place = Place::new().await;
        let (cx, database, name) = (&place.cx, &place.database, &place.name);
        place
            .lab
            .run(database, "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('a1')")
            .await;
        let (hash, dump) = (place.hash().await, place.dump(format).await);
        assert_eq!(dump.contents.rows["claims"], 100);
        assert_eq!(dump.contents.revisions, Some(vec!["a1".to_owned()]));
        assert!(
            dump.tools[0].contains("pg_dump") && dump.server.as_ref().is_some_and(|server| server.number >= 150_000)
        );
        let proven = place.proven(&dump).await;
        assert!(proven.rehearsed_at().is_some());
        assert_eq!(place.databases().await, [name.as_str()], "the scratch database is gone");

        // Emptied, by a step that wants the backup.
        let empty = recreate(database, Guard::from(&proven));
        empty.apply(cx, &before(cx, &empty).await).await.expect("emptied");
        assert!(row_counts(cx, database).await.expect("counted").is_empty());
        let restored = take(cx, &backup::restore(&proven).to(database)).await.expect("restored");
        assert_eq!((restored.rows, place.hash().await), (106, hash.clone()));
        place.lab.run(database, "CREATE TABLE it_is_still_the_owner (id int)").await;

        // Gone, with nothing that could say whose it was.
        for there in place.databases().await {
            place.lab.psql("postgres", &format!("DROP DATABASE {there} WITH (FORCE)"));
        }
        let restored = take(cx, &backup::restore(&proven).to(database)).await.expect("restored");
        assert_eq!((restored.aside, place.hash().await), (None, hash));
        place.lab.run(database, "CREATE TABLE it_is_the_owner (id int)").await;

        for (path, content) in tree(place.dir.path()) {
            assert!(!content.contains("s3cret-of-the-app"), "{}", path.display());
        }
        assert!(!serde_json::to_string(&proven).expect("a record").contains("s3cret"));
        place.lab.clean().await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_restore_says_what_is_lost_keeps_what_was_there_and_goes_back_to_it() {
    let place = Place::new().await;
    let (cx, database, name) = (&place.cx, &place.database, &place.name);
    let proven = place.proven(&place.dump(Format::Custom).await).await;
    place.lab.run(database, "INSERT INTO claims VALUES (900, 1, 'new'); CREATE TABLE later (id int)").await;
    place.lab.psql("postgres", &format!("ALTER DATABASE {name} CONNECTION LIMIT 7"));
    let somebody = open(cx, database).await.expect("a session");
    let step = backup::restore(&proven).to(database);
    let was = before(cx, &step).await;
    let restored = step.apply(cx, &was).await.expect("restored");
    drop(somebody);
    assert_eq!(restored.lost, ["claims: 101 rows -> 100 rows", "later: 0 rows -> no table"]);
    let limit = format!("SELECT datconnlimit FROM pg_database WHERE datname = '{name}'");
    assert_eq!(place.lab.psql("postgres", &limit), "7", "as many sessions as before");
    let aside = restored.aside.expect("it is kept");
    assert_eq!(place.lab.psql(&aside, "SELECT count(*) FROM claims"), "101");
    step.rollback(cx, &was).await.expect("goes back");
    assert_eq!(place.lab.psql(name, "SELECT count(*) FROM claims"), "101");
    assert_eq!(place.lab.psql("postgres", &limit), "7");
    assert_eq!(place.databases().await, [name.as_str()]);
    place.lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn dumping_and_rehearsing_are_lawful() {
    let place = Place::new().await;
    let dumped = laws_seen(&place.step(Format::Custom), || place.files()).await.output;
    assert!(dumped.bytes > 0 && dumped.checksum.len() == 64);
    let dump = place.dump(Format::Plain).await;
    laws_seen(&backup::rehearse(&dump), || (place.files(), place.lab.see(&place.name))).await;
    place.lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn restoring_is_lawful_over_something_and_undone_over_nothing() {
    let place = Place::new().await;
    let cx = &place.cx;
    let proven = place.proven(&place.dump(Format::Custom).await).await;
    place.lab.run(&place.database, "DELETE FROM claims WHERE id < 50").await;
    place.lab.psql("postgres", &format!("ALTER DATABASE {} CONNECTION LIMIT 7", place.name));
    let step = backup::restore(&proven).to(&place.database);
    laws_seen(&step, || (place.files(), place.lab.see(&place.name))).await;

    // Every cut of this one is made on the simulated server.
    place.lab.psql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", place.name));
    let old = place.lab.see(&place.name);
    let was = before(cx, &step).await;
    step.rollback(cx, &was).await.expect("it never began");
    let restored = step.apply(cx, &was).await.expect("restored");
    assert_eq!(step.apply(cx, &was).await.expect("again"), restored);
    for _ in 0..2 {
        step.rollback(cx, &was).await.expect("undone");
        assert_eq!(place.lab.see(&place.name), old);
    }
    place.lab.clean().await;
}

/// Claim A23: `pg_dump` of a missing database piped to gzip exits with 0, and leaves a file that passes `gzip -t`.
#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_23_a_dump_of_a_missing_database_leaves_nothing() {
    let place = Place::new().await;
    let (code, said) = place.document("pg_dump no_such_database | gzip > backup.sql.gz && gzip -t backup.sql.gz").await;
    assert!(code == Some(0) && said.contains("does not exist"), "{code:?} {said}");
    assert_eq!(std::fs::metadata(place.dir.path().join("backup.sql.gz")).expect("is there").len(), 20);
    std::fs::remove_file(place.dir.path().join("backup.sql.gz")).expect("removed");

    let missing = place.database.clone().named("no_such_database");
    let error =
        backup::postgres(&missing).into_dir(place.backups()).survey(&place.cx).await.expect_err("there is none");
    assert!(error.message().contains("3D000"), "{error:?}");
    // Gone after the first look.
    let step = place.step(Format::Custom);
    let was = before(&place.cx, &step).await;
    place.lab.psql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", place.name));
    step.apply(&place.cx, &was).await.expect_err("there is none any more");
    assert!(tree(place.dir.path()).keys().all(|path| !path.to_string_lossy().contains("dump")), "{:?}", place.files());
    step.rollback(&place.cx, &was).await.expect("undone");
    assert_eq!(place.files().len(), 1, "the directory alone: {:?}", place.files());
    place.lab.clean().await;
}

/// The process that dumps this database.
fn dumper(name: &str) -> Option<String> {
    let all = std::fs::read_dir("/proc").expect("is there").flatten();
    let mut all = all.map(|entry| entry.path()).filter(|path| {
        let read = |what: &str| std::fs::read(path.join(what)).unwrap_or_default();
        read("comm").starts_with(b"pg_dump") && contains(&read("environ"), &format!("PGDATABASE={name}"))
    });
    all.next()?.file_name().map(|pid| pid.to_string_lossy().into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_dump_that_is_cut_in_the_middle_leaves_nothing() {
    let place = Place::new().await;
    place.fill(1_000_000).await;
    for end_session in [false, true] {
        let step = place.step(Format::Plain);
        let was = before(&place.cx, &step).await;
        let dumping = tokio::spawn({
            let (cx, step) = (place.cx.clone(), step.clone());
            async move { step.apply(&cx, &was).await }
        });
        let begun = || tree(place.dir.path()).values().any(|seen| seen.len() > 10_000);
        for _ in 0..20_000 {
            if begun() || dumping.is_finished() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if end_session {
            let others = "FROM pg_stat_activity WHERE application_name = 'runbook' AND query LIKE 'COPY%'";
            let sql = format!("SELECT count(pg_terminate_backend(pid)) {others} AND datname = '{}'", place.name);
            assert_eq!(place.lab.psql("postgres", &sql), "1");
        } else {
            let pid = dumper(&place.name).expect("it is at work");
            assert!(Std::new("kill").args(["-9", &pid]).status().expect("kill").success());
        }
        let error = dumping.await.expect("joined").expect_err("it was cut off");
        assert!(format!("{error:#}").contains("pg_dump"), "{error:#}");
        assert!(tree(&place.backups()).len() == 1, "nothing is left: {:?}", place.files());
    }
    let found = take(&place.cx, &backup::latest(place.backups()).dump()).await;
    found.expect_err("there is no backup");
    place.lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL, and root who may mount: tests/all runs it"]
async fn a_dump_on_a_full_disk_leaves_nothing() {
    let place = Place::new().await;
    place.fill(100_000).await;
    std::fs::create_dir(place.backups()).expect("made");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(place.backups());
    place.cx.run(&mount).await.expect("root may mount");
    for format in [Format::Custom, Format::Plain] {
        let step = place.step(format);
        let was = before(&place.cx, &step).await;
        let error = step.apply(&place.cx, &was).await.expect_err("is full");
        assert!(format!("{error:#}").contains("No space left on device"), "{error:#}");
        assert_eq!(tree(&place.backups()).len(), 1, "{:?}", place.files());
    }
    place.cx.run(&Command::new("umount").arg(place.backups())).await.expect("unmounted");
    place.lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_damaged_dump_is_refused() {
    let place = Place::new().await;
    let cx = &place.cx;
    for format in [Format::Custom, Format::Plain] {
        let dump = place.dump(format).await;
        let whole = std::fs::read(dump.file()).expect("read");
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for (content, why) in [(&flipped[..], "does not have its checksum"), (&whole[..whole.len() / 2], "bytes, not")]
        {
            std::fs::write(dump.file(), content).expect("written");
            let error = take(cx, &backup::rehearse(&dump)).await.expect_err(why);
            assert!(error.message().contains(why), "{error:?}");
        }
        std::fs::remove_file(dump.file()).expect("removed");
        let error = take(cx, &backup::rehearse(&dump)).await.expect_err("it is gone");
        assert!(error.message().contains("is gone"), "{error:?}");
        std::fs::remove_dir_all(&dump.path).expect("removed");
        let error = take(cx, &backup::rehearse(&dump)).await.expect_err("it is gone");
        assert!(error.message().contains("does not exist"), "{error:?}");
    }
    assert_eq!(place.databases().await, [place.name.as_str()]);
    place.lab.clean().await;
}

/// Claim A20.3: `psql < dump` over tables that are there, and `psql <` half a dump, print errors and exit with 0.
#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_20_3_half_a_dump_is_refused_and_tables_that_are_there_are_no_hindrance() {
    let place = Place::new().await;
    let (cx, database) = (&place.cx, &place.database);
    let hash = place.hash().await;
    let (code, said) = place.document("pg_dump > dump.sql && psql -X < dump.sql").await;
    assert!(code == Some(0) && said.contains("already exists"), "{code:?} {said}");
    let half = "head -c $(($(stat -c %s dump.sql) / 2)) dump.sql > half.sql && psql -X < half.sql";
    let (code, said) = place.document(half).await;
    assert!(code == Some(0) && said.contains("already exists"), "{code:?} {said}");
    let (code, said) = place.document(&format!("{half} -1 -v ON_ERROR_STOP=1")).await;
    assert_eq!(code, Some(3), "{said}");

    // A description that says that half of it is all of it.
    let cut_at = |text: &'static str| {
        move |all: Vec<u8>| {
            let at = all.windows(text.len()).position(|window| window == text.as_bytes()).expect("is in there");
            all[..at].to_vec()
        }
    };
    let half = |all: Vec<u8>| all[..all.len() / 2].to_vec();
    let old = (place.lab.see(&place.name), place.databases().await);
    let plain = place.dump(Format::Plain).await;
    // Where a statement ends, psql has nothing to complain about.
    for (dump, says) in [
        (forged(cx, &place.dump(Format::Custom).await, half).await, "pg_restore"),
        (forged(cx, &plain, half).await, ""),
        (
            forged(cx, &place.dump(Format::Plain).await, cut_at("COPY public.customers")).await,
            "does not restore to what",
        ),
    ] {
        let error = take(cx, &backup::rehearse(&dump)).await.expect_err("half of it is missing");
        assert!(format!("{error:#}").contains(says), "{error:#}");
        // Even with a rehearsal from before it was damaged, nothing happens to the database.
        let restore = backup::restore(&VerifiedBackup::new(&dump, None)).to(database);
        let was = before(cx, &restore).await;
        restore.apply(cx, &was).await.expect_err("half of it is missing");
        restore.rollback(cx, &was).await.expect("undone");
        assert_eq!((place.lab.see(&place.name), place.databases().await), old);
    }

    // The whole one, over tables that are there.
    let proven = place.proven(&place.dump(Format::Plain).await).await;
    place.lab.run(database, "UPDATE claims SET note = 'lost'").await;
    take(cx, &backup::restore(&proven).to(database)).await.expect("restored");
    assert_eq!(place.hash().await, hash);
    place.lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn dumps_are_found_judged_by_age_and_kept() {
    let place = Place::new().await;
    let cx = &place.cx;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(place.dump(Format::Custom).await);
    }
    assert_eq!(take(cx, &backup::latest(place.backups()).dump()).await.expect("found"), all[2]);
    assert!(backup::fresh(place.backups(), 1.hours()).dump().check(cx).await.expect("asked").passes());
    let pruned = take(cx, &backup::keep(place.backups(), 1).but(&all[0])).await.expect("pruned");
    assert_eq!(pruned.removed, [all[1].path.clone()]);
    assert_eq!(pruned.kept.len(), 2);
    place.lab.clean().await;
}

/// What is written while a dump is made is not in it, nor in its manifest: the two are of one moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_dump_and_its_manifest_are_of_one_moment() {
    let place = Place::new().await;
    place.lab.psql(&place.name, "CREATE SEQUENCE ids START 10000; GRANT ALL ON SEQUENCE ids TO PUBLIC");
    let script =
        "for i in $(seq 1 2000); do echo \"INSERT INTO claims VALUES (nextval('ids'), 1, 'more');\"; done | psql -Xq";
    let ((code, said), dump) = tokio::join!(place.document(script), place.dump(Format::Custom));
    assert_eq!(code, Some(0), "{said}");
    assert!(place.proven(&dump).await.rehearsed_at().is_some());
    place.lab.clean().await;
}
