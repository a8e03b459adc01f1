//! One suite for the real PostgreSQL and the simulated one. What the real one says is kept in `conformance.txt`; both are
//! held to it.

use std::sync::Arc;

use regex_lite::Regex;
use runbook::testing::{Rig, SimHost, explore};
use runbook::{Diff, Error, NoInput, Run};
use runbook_macros::procedure;
use serde::Serialize;

use super::*;
use crate::backup::{self, Guard, NoBackup};
use crate::conformance::{agree, is_same};

/// What the real one says.
const SAID: &str = include_str!("conformance.txt");

/// A server, the claims of the suite, and somebody else who works with them.
trait World {
    fn cx(&self) -> Context;
    /// The database, as this role.
    fn database(&self, role: &str) -> Database;
    fn name(&self) -> String;
    /// Makes the tables, as a migration would.
    fn make_tables(&self);
    /// Adds rows, or takes them.
    fn set_rows(&self, rows: u64);
    /// The databases made from this one, with the limit of each.
    fn databases(&self) -> Vec<String>;
    fn backups(&self) -> std::path::PathBuf;
}

struct Real {
    cx: Context,
    lab: Lab,
    name: String,
}

impl World for Real {
    fn cx(&self) -> Context {
        self.cx.clone()
    }
    fn database(&self, role: &str) -> Database {
        let (url, name) = (self.lab.url_of("postgresql", &self.name, "s3cret-of-the-app"), &self.name);
        match role {
            "app" => self.lab.at("app", &url),
            // Nobody administers it but itself.
            "alone" => {
                drop(self.lab.at("alone", &url));
                Database::from_secret(&Secret::file(self.lab.dir.path().join("alone")))
            }
            _ => self.lab.at("nobody", &url.replace(&format!("{name}:"), "no_such_role:")),
        }
    }
    fn name(&self) -> String {
        self.name.clone()
    }
    fn make_tables(&self) {
        let sql = "CREATE TABLE customers AS SELECT n AS id FROM generate_series(1, 5) n; \
                   CREATE TABLE claims AS SELECT n AS id, 1 AS customer_id FROM generate_series(1, 100) n; \
                   CREATE TABLE alembic_version AS SELECT 'a1'::text AS version_num";
        self.lab.psql(&self.name, &format!("SET ROLE {}; {sql}", self.name));
    }
    fn set_rows(&self, rows: u64) {
        let sql = format!("TRUNCATE claims; INSERT INTO claims SELECT n, 1 FROM generate_series(1, {rows}) n");
        self.lab.psql(&self.name, &sql);
    }
    fn databases(&self) -> Vec<String> {
        let sql = format!(
            "SELECT datname || ' ' || pg_get_userbyid(datdba) || ' ' || datconnlimit FROM pg_database \
             WHERE datname LIKE '{}%' ORDER BY datname",
            self.name
        );
        self.lab.psql("postgres", &sql).lines().map(str::to_owned).collect()
    }
    fn backups(&self) -> std::path::PathBuf {
        self.lab.dir.path().join("backups")
    }
}

struct Simulated {
    fake: Fake,
    host: SimHost,
    secrets: tempfile::TempDir,
}

impl Simulated {
    fn new() -> Self {
        let fake = Fake::new();
        let host = fake.on(SimHost::new("sim"));
        Self { fake, host, secrets: tempfile::tempdir().expect("a directory") }
    }
}

impl World for Simulated {
    fn cx(&self) -> Context {
        Context::on(Arc::new(self.host.clone())).with_port(Fake::port())
    }
    fn database(&self, role: &str) -> Database {
        let at = |file: &str, user: &str| {
            let path = self.secrets.path().join(file);
            std::fs::write(&path, format!("postgresql://{user}:s3cret-of-the-app@db:5432/claims_1")).expect("written");
            Database::from_secret(&Secret::file(path))
        };
        let admin = Database::url("postgresql://postgres@db/postgres");
        match role {
            "app" => at("app", "claims_1").administered_by(&admin),
            "alone" => at("alone", "claims_1"),
            _ => at("nobody", "no_such_role").administered_by(&admin),
        }
    }
    fn name(&self) -> String {
        "claims_1".to_owned()
    }
    fn make_tables(&self) {
        self.fake.edit(&self.host, |cluster| {
            let data = cluster.databases.get_mut("claims_1").expect("is there");
            data.tables.insert("customers".into(), fake::Table::of(5));
            data.tables.insert("claims".into(), fake::Table::of(100));
            data.revisions = Some(vec!["a1".into()]);
        });
    }
    fn set_rows(&self, rows: u64) {
        self.fake.edit(&self.host, |cluster| {
            let data = cluster.databases.get_mut("claims_1").expect("is there");
            data.tables.get_mut("claims").expect("is there").rows = rows;
        });
    }
    fn databases(&self) -> Vec<String> {
        let all = self.fake.look(&self.host).databases;
        let mine = all.iter().filter(|(name, _)| name.starts_with("claims_1"));
        mine.map(|(name, data)| format!("{name} {} {}", data.owner, data.limit)).collect()
    }
    fn backups(&self) -> std::path::PathBuf {
        "/tmp/backups".into()
    }
}

/// What was said, with places, numbers and times under the same names in both worlds.
struct Transcript<'a> {
    world: &'a dyn World,
    lines: Vec<String>,
}

impl Transcript<'_> {
    fn say(&mut self, what: &str, words: impl std::fmt::Display) {
        let words = words.to_string().replace(&self.world.backups().display().to_string(), "BACKUPS");
        let words = words.replace(&self.world.name(), "NAME");
        let short = [
            (r"\d{8}T\d{6}Z(\.\d+)?", "TIME"),
            (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
            (r"(db|127\.0\.0\.1):\d+", "SERVER"),
            (r"\d+ ms", "N ms"),
            (r"(before|rehearsal|incoming)_[0-9a-f]+", "${1}_X"),
            (r"\(PostgreSQL\) [^\x22]+|15\.\d+ \([^)]*\)", "VERSION"),
            (r"\x22(oid|role_oid|bytes|number|size)\x22:\d+", "\"$1\":N"),
            (r"\x22checksum\x22:\x22[0-9a-f]+", "\"checksum\":\"X"),
            (r"\x22database\x22:\{.*?\},\x22format", "\"database\":{},\"format"),
            (r"[0-9a-f]{32}", "HASH"),
            (r"(v\d+\.\d+\.\d+), by", "V, by"),
            (r"not \d+", "not N"),
            (r"has \d+ bytes", "has N bytes"),
        ];
        let words = short.iter().fold(words, |words, (pattern, name)| {
            Regex::new(pattern).expect("a pattern").replace_all(&words, *name).into_owned()
        });
        self.lines.push(format!("{what}: {words}"));
    }

    fn answer<T: Serialize>(&mut self, what: &str, answer: Result<T, Error>) {
        match answer {
            Ok(value) => self.say(what, serde_json::to_string(&value).expect("serialises")),
            Err(error) => self.say(what, format!("error: {} | {:?}", error.message(), error.advice())),
        }
    }

    async fn check(&mut self, what: &str, check: impl Check) {
        let found = check.check(&self.world.cx()).await;
        self.answer(what, found);
    }

    /// What a step says before, and after.
    async fn step<S: Step>(&mut self, what: &str, step: &S) -> Option<(S::Before, S::Output)> {
        let cx = self.world.cx();
        let (before, diff): (S::Before, Diff) = match step.survey(&cx).await {
            Ok(Survey::Change { before, diff, .. }) => (before, diff),
            Ok(Survey::Already(output)) => {
                self.answer(&format!("{what}, already"), Ok(output));
                return None;
            }
            Err(error) => {
                self.answer::<()>(what, Err(error));
                return None;
            }
        };
        self.say(what, format!("{diff}").replace('\n', " / "));
        let done = step.apply(&cx, &before).await;
        self.answer(&format!("{what}, done"), done.as_ref().map_err(Error::clone));
        self.look(what);
        done.ok().map(|output| (before, output))
    }

    async fn undo<S: Rollback>(&mut self, what: &str, step: &S, before: &S::Before) {
        let undone = step.rollback(&self.world.cx(), before).await;
        self.answer(&format!("{what}, undone"), undone);
        self.look(what);
    }

    fn look(&mut self, what: &str) {
        let all = self.world.databases().join(", ");
        self.say(&format!("{what}, databases"), all);
    }
}

async fn suite(world: &dyn World) -> Vec<String> {
    let cx = world.cx();
    let mut said = Transcript { world, lines: Vec::new() };
    let database = world.database("app");
    said.check("ping before it is there", ping(&database)).await;
    let make = provision(&database);
    let (was, _) = said.step("provision", &make).await.expect("made");
    said.undo("provision", &make, &was).await;
    said.step("provision again", &make).await;
    said.step("provision what is there", &make).await;
    said.check("ready", ready(&database)).await;
    said.check("ping", ping(&database)).await;
    said.check("version", version(&database).at_least(15)).await;
    said.check("version of tomorrow", version(&database).at_least(90)).await;
    said.check("nobody", ready(&world.database("nobody"))).await;
    said.check("missing", ping(&database.clone().named("no_such_database"))).await;
    said.check("nobody waits", nobody_waits(&database)).await;
    said.step("terminate", &terminate_connections(&database)).await;

    said.answer("no tables", tables(&cx, &database).await);
    world.make_tables();
    said.answer("tables", tables(&cx, &database).await);
    said.answer("rows", row_counts(&cx, &database).await);
    said.check("enough rows", has_rows(&database, "claims").at_least(100)).await;
    said.check("other rows", has_rows(&database, "claims").exactly(99)).await;
    said.check("no such table", has_rows(&database, "no_such")).await;
    said.check("orphans", no_orphans(&database, "claims.customer_id", "customers.id")).await;
    let hash = table_hash(&cx, &database, "claims", &["id"]).await.expect("a hash");
    said.answer("hash of no table", table_hash(&cx, &database, "no_such", &[]).await);

    for plain in [false, true] {
        world.set_rows(100);
        let source = backup::postgres(&database);
        let back_up = if plain { source.plain() } else { source }.into_dir(world.backups());
        let (was, lost) = said.step("dump", &back_up).await.expect("a dump");
        said.undo("dump", &back_up, &was).await;
        said.step("dump that was undone", &backup::rehearse(&lost)).await;
        let (_, dump) = said.step("dump again", &back_up).await.expect("a dump");
        let (_, proven) = said.step("rehearse", &backup::rehearse(&dump)).await.expect("it restores");
        world.set_rows(70);
        let other: String = table_hash(&cx, &database, "claims", &["id"]).await.expect("a hash");
        said.say("another hash", other != hash);
        let restore = backup::restore(&proven).to(&database);
        let (was, _) = said.step("restore", &restore).await.expect("restored");
        said.answer("rows after it", row_counts(&cx, &database).await);
        said.check("the same hash", same_hash(&database, "claims", ["id"], &hash)).await;
        said.undo("restore", &restore, &was).await;
        said.answer("rows after that", row_counts(&cx, &database).await);
        said.step("recreate", &recreate(&database, Guard::from(&proven))).await;
        said.answer("rows of none", row_counts(&cx, &database).await);
        said.step("restore into it", &restore).await;

        let file = dump.file();
        let content = cx.files().read(&file).await.expect("read");
        cx.files()
            .write(&file, &content[..content.len() / 2], &runbook::host::Attributes::mode(0o600))
            .await
            .expect("cut");
        said.step("rehearse half a dump", &backup::rehearse(&dump)).await;
    }

    let alone = world.database("alone");
    said.check("alone", ready(&alone)).await;
    said.step("recreate without the right", &recreate(&alone, NoBackup::because("a test"))).await;
    said.lines
}

#[tokio::test]
async fn the_simulated_postgresql_says_what_the_real_one_says() {
    agree(&suite(&Simulated::new()).await, SAID);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn the_real_postgresql_says_what_is_written_down() {
    let mut lab = Lab::new();
    let name = lab.name();
    let world = Real { cx: Context::local(), lab, name };
    let said = suite(&world).await;
    world.lab.clean().await;
    agree(&said, SAID);
}

/// A suite that cannot tell a broken server from a whole one is worth nothing.
#[tokio::test]
async fn a_simulated_postgresql_that_is_broken_on_purpose_is_found_out() {
    let world = Simulated::new();
    world
        .fake
        .edit(&world.host, |cluster| drop(cluster.roles.insert("claims_1".into(), cluster.roles["postgres"].clone())));
    assert!(!is_same(&suite(&world).await, SAID), "a superuser is not what the suite wants");
}

fn claims() -> Database {
    Database::url("postgresql://marb@db/claims").administered_by(&Database::socket("postgres").become_user("postgres"))
}

/// Backs up, and restores what it backed up.
#[procedure]
async fn there_and_back(run: &Run) -> Result<u64> {
    let claims = claims();
    run.check("PostgreSQL answers", ready(&claims)).await?;
    run.step("Make the database", provision(&claims)).await?;
    let dump = run.step("Back up", backup::postgres(&claims).into_dir("/tmp/backups")).await?;
    let dump = run.step("Prove the backup", backup::rehearse(&dump)).await?;
    let restored = run.step("Restore", backup::restore(&dump).to(&claims)).await?;
    run.check("All claims", has_rows(&claims, "claims").exactly(100)).await?;
    Ok(restored.rows)
}

fn rig(fake: &Fake) -> Rig {
    Rig::new().host(&fake.clone().serves(&claims()).on(SimHost::new("db-1"))).port(Fake::port())
}

#[tokio::test(start_paused = true)]
async fn a_procedure_is_tested_without_a_server() {
    let fake = Fake::new().database("claims", "marb").table("claims", "claims", 100).revision("claims", "a1");
    assert_eq!(rig(&fake).run::<there_and_back>(NoInput {}).await.succeeds().output(), 101);
    let few = Fake::new().database("claims", "marb").table("claims", "claims", 1);
    rig(&few).run::<there_and_back>(NoInput {}).await.rolls_back().world_is_unchanged();
    rig(&fake.stopped()).run::<there_and_back>(NoInput {}).await.refuses().world_is_unchanged();
}

#[tokio::test(start_paused = true)]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_restore_is_sound_wherever_it_fails_or_its_runner_dies() {
    let few = || rig(&Fake::new().database("claims", "marb").table("claims", "claims", 100));
    explore::<there_and_back>(few, NoInput {}).await.is_sound();
}
