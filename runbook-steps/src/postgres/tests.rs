//! Against a real PostgreSQL 15, as `tests/services/postgres` starts it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use runbook::{Check, Command, Context, Finding, Result, Rollback, Secret, Step, Survey};

use super::*;
use crate::laws::{Moment, cutting, laws_seen};
use crate::taking::{before, take};

#[cfg(feature = "testing")]
mod conformance;

/// A server for tests, and a place of one's own.
pub(crate) struct Lab {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) admin: Database,
    url: String,
    names: Vec<String>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let url = std::env::var("RUNBOOK_TEST_POSTGRES").expect("RUNBOOK_TEST_POSTGRES: see tests/services/postgres");
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("admin");
        std::fs::write(&path, &url).expect("written");
        Self { admin: Database::from_secret(&Secret::file(path)), dir, url, names: Vec::new() }
    }

    /// A name nobody else uses.
    pub(crate) fn name(&mut self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.names.push(name.clone());
        name
    }

    /// A database of this name and a role of this name that is not there yet.
    pub(crate) fn database(&mut self, driver: &str) -> (Database, String) {
        let name = self.name();
        let url = self.url_of(driver, &name, "s3cret-of-the-app");
        (self.at(&name, &url), name)
    }

    pub(crate) fn url_of(&self, driver: &str, name: &str, password: &str) -> String {
        let server = self.url.split_once('@').expect("a URL").1.rsplit_once('/').expect("a URL").0;
        format!("{driver}://{name}:{password}@{server}/{name}")
    }

    pub(crate) fn at(&self, file: &str, url: &str) -> Database {
        let path = self.dir.path().join(file);
        std::fs::write(&path, url).expect("written");
        Database::from_secret(&Secret::file(path)).administered_by(&self.admin)
    }

    /// A database that is there, with some tables in it.
    pub(crate) async fn claims(&mut self, cx: &Context) -> (Database, String) {
        let (database, name) = self.database("postgresql+asyncpg");
        take(cx, &provision(&database)).await.expect("provisioned");
        self.run(
            &database,
            "CREATE TABLE customers (id int PRIMARY KEY, name text);
             CREATE TABLE claims (id int PRIMARY KEY, customer_id int, note text);
             INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 5) n;
             INSERT INTO claims SELECT n, 1 + n % 5, 'it''s ' || n FROM generate_series(1, 100) n;",
        )
        .await;
        (database, name)
    }

    /// Anything, by psql, as the role of the database.
    pub(crate) async fn run(&self, database: &Database, sql: &str) {
        let cx = Context::local();
        let pass = Pass::write(&cx, database, self.dir.path()).await.expect("a password");
        let psql = pass.tool("psql").args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]).input(sql);
        cx.run(&psql).await.expect("psql");
    }

    /// What psql prints, as the superuser in this database.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        let url = format!("{}/{database}", self.url.rsplit_once('/').expect("a URL").0);
        let psql =
            std::process::Command::new("psql").args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", sql]).output();
        let psql = psql.expect("psql is there");
        assert!(psql.status.success(), "{}", String::from_utf8_lossy(&psql.stderr));
        String::from_utf8_lossy(&psql.stdout).trim().to_owned()
    }

    /// All that steps may change on the server: the databases and roles of this name and of those made from it, the
    /// rights in them, the number of rows.
    pub(crate) fn see(&self, name: &str) -> Vec<String> {
        let databases = "SELECT datname, pg_get_userbyid(datdba), datconnlimit FROM pg_database";
        let mut seen =
            vec![self.psql("postgres", &format!("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = '{name}'"))];
        let there = format!("{databases} WHERE datname = '{name}' OR datname LIKE '{name}\\_%' ORDER BY 1");
        for line in self.psql("postgres", &there).lines() {
            seen.push(line.to_owned());
            let inside = "SELECT nspacl, query_to_xml('SELECT count(*) FROM ' || to_regclass('claims'), true, false, '') \
                          FROM pg_namespace WHERE nspname = 'public'";
            seen.push(self.psql(line.split('|').next().unwrap_or_default(), inside));
        }
        seen
    }

    pub(crate) fn log() -> String {
        let dir = std::env::var("RUNBOOK_TEST_POSTGRES_DIR").expect("RUNBOOK_TEST_POSTGRES_DIR");
        String::from_utf8_lossy(&std::fs::read(format!("{dir}/cluster/log")).expect("the server's log")).into_owned()
    }

    /// Removes what the test made.
    pub(crate) async fn clean(self) {
        let cx = Context::local();
        let mut server = open(&cx, &self.admin).await.expect("a session");
        let there: Vec<String> = server.ask(&Ask::Databases).await.expect("asked");
        for name in &self.names {
            for database in there.iter().filter(|there| *there == name || there.starts_with(&format!("{name}_"))) {
                server.order(&Ask::DropDatabase(database.clone())).await.expect("dropped");
            }
            if server.ask::<Option<RoleFacts>>(&Ask::Role(name.clone())).await.expect("asked").is_some() {
                server.order(&Ask::DropRole(name.clone())).await.expect("dropped");
            }
        }
    }
}

async fn is_already<S: Step>(cx: &Context, step: &S) -> bool {
    matches!(step.survey(cx).await.expect("surveyed"), Survey::Already(_))
}

fn psql(args: &[&str]) -> Command {
    Command::new("psql").arg("-X").args(args).expect(0..=255)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_database_is_provisioned_with_the_rights_that_postgresql_15_needs() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (database, name) = lab.database("postgresql+asyncpg");
    let step = provision(&database);
    let was = before(&cx, &step).await;
    let made = step.apply(&cx, &was).await.expect("made");
    assert_eq!((made.role.as_str(), made.database.as_str()), (name.as_str(), name.as_str()));
    assert!(made.oid.is_some() && made.role_oid.is_some());
    lab.run(&database, "CREATE TABLE claims (id int)").await;
    assert!(is_already(&cx, &step).await);
    assert_eq!(step.apply(&cx, &was).await.expect("again"), made);
    // The password is in no log, although the server logs every statement.
    let log = Lab::log();
    assert!(log.contains(&format!("CREATE ROLE \"{name}\" LOGIN PASSWORD 'SCRAM-SHA-256$4096")), "it is a verifier");
    assert!(!log.contains("s3cret-of-the-app"));
    step.rollback(&cx, &was).await.expect("undone");
    step.rollback(&cx, &was).await.expect("undone twice");
    assert_eq!(before(&cx, &step).await, was);
    lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_6_all_rights_on_a_database_are_not_enough_and_provision_gives_what_is_missing() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (database, name) = lab.database("postgresql");
    let mut server = open(&cx, &lab.admin).await.expect("a session");
    let verifier = postgres_protocol::password::scram_sha_256(b"s3cret-of-the-app");
    server.order(&Ask::CreateRole(name.clone(), Some(verifier))).await.expect("a role");
    server.order(&Ask::CreateDatabase { name: name.clone(), owner: None, locale: None }).await.expect("a database");
    // What the document does.
    lab.run(&lab.admin, &format!("GRANT ALL PRIVILEGES ON DATABASE {name} TO {name}")).await;
    let pass = Pass::write(&cx, &database, lab.dir.path()).await.expect("a password");
    let make = pass.tool("psql").args(["-X", "-c", "CREATE TABLE claims (id int)"]);
    let refused = cx.run(&make).await.expect_err("nobody may");
    assert!(format!("{refused:?}").contains("permission denied for schema public"), "{refused:?}");
    // What we do.
    let was = before(&cx, &provision(&database)).await;
    provision(&database).apply(&cx, &was).await.expect("granted");
    cx.run(&make).await.expect("it may now");
    provision(&database).rollback(&cx, &was).await.expect("undone");
    let again = make.args(["-c", "CREATE TABLE more (id int)"]);
    cx.run(&again).await.expect_err("it may not any more");
    lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_role_with_another_password_is_not_ours() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (database, name) = lab.claims(&cx).await;
    let wrong = lab.at("wrong", &lab.url_of("postgresql", &name, "another-one"));
    let error = provision(&wrong).survey(&cx).await.expect_err("the password is wrong");
    assert!(error.message().contains("does not log it in"), "{error:?}");
    assert!(!format!("{error:?}").contains("another-one"), "{error:?}");
    assert!(is_already(&cx, &provision(&database)).await);
    lab.clean().await;
}

/// Claims A4.6 and A14.2: psql asks the default database when the variable is unset, and takes the URL of a driver for
/// a name.
#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_6_a_14_2_an_unset_url_is_an_error_and_a_driver_is_understood() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (database, name) = lab.claims(&cx).await;
    let pass = Pass::write(&cx, &lab.admin, lab.dir.path()).await.expect("a password");
    let document =
        pass.tool("sh").args(["-c", "unset DATABASE_URL; psql -X $DATABASE_URL -tAc 'SELECT current_database()'"]);
    assert_eq!(cx.run(&document).await.expect("exit 0").lossy().trim(), "postgres", "another database answers");

    for unset in [Database::from_env("RUNBOOK_NO_SUCH_URL"), lab.at("empty", ""), lab.at("blank", " \n")] {
        ping(&unset).check(&cx).await.expect_err("there is no database to ask");
        ready(&unset).check(&cx).await.expect_err("there is no database to ask");
        provision(&unset).survey(&cx).await.expect_err("there is no database to make");
    }

    let url = lab.url_of("postgresql+asyncpg", &name, "s3cret-of-the-app");
    assert_eq!(cx.output(&psql(&["-d", &url, "-c", "SELECT 1"])).await.expect("ran").code, Some(2));
    let finding = ping(&database).check(&cx).await.expect("asked");
    assert!(finding.passes() && finding.evidence().summary.contains(&name), "{finding:?}");
    lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_url_in_the_env_file_of_the_application_is_the_one() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (_, name) = lab.claims(&cx).await;
    let file = lab.dir.path().join(".env");
    let url = lab.url_of("postgresql+asyncpg", &name, "s3cret-of-the-app");
    std::fs::write(&file, format!("# the app\nDATABASE_URL=\"{url}\"\n")).expect("written");
    let database = Database::in_env_file(&file, "DATABASE_URL");
    assert!(ping(&database).check(&cx).await.expect("asked").passes());
    let error = ping(&Database::in_env_file(&file, "DB_URL")).check(&cx).await.expect_err("no such key");
    assert!(error.message().contains("`DB_URL`"), "{error:?}");
    assert!(!serde_json::to_string(&database).expect("a record").contains("s3cret"));
    lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_server_that_is_not_there_is_a_no_and_a_wrong_password_an_error() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (_, name) = lab.claims(&cx).await;
    let nobody = lab.at("nobody", "postgresql://postgres:x1y2z3w4@127.0.0.1:9/postgres");
    assert!(matches!(ready(&nobody).check(&cx).await.expect("asked"), Finding::Fail(_)));
    let wrong = lab.at("wrong", &lab.url_of("postgresql", &name, "another-one"));
    let error = ready(&wrong).check(&cx).await.expect_err("the password is wrong");
    assert!(error.message().contains("28P01"), "{error:?}");
    let missing = lab.admin.clone().named("no_such_database");
    let error = ready(&missing).check(&cx).await.expect_err("there is none");
    assert!(error.message().contains("3D000"), "{error:?}");
    assert!(version(&lab.admin).at_least(15).check(&cx).await.expect("asked").passes());
    assert!(!version(&lab.admin).at_least(90).check(&cx).await.expect("asked").passes());
    lab.clean().await;
}

/// Claims of C16: `psql -t` pads its counts, and a hash over whole rows changes with any column that is added.
#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn c_16_counts_orphans_and_hashes_are_the_same_when_the_data_is() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (database, _) = lab.claims(&cx).await;
    let pass = Pass::write(&cx, &database, lab.dir.path()).await.expect("a password");
    let document = async |sql: &str| {
        let psql = pass.tool("psql").args(["-X", "-t", "-c", sql]);
        cx.run(&psql).await.expect("psql").lossy().into_owned()
    };
    let count = "SELECT count(*) FROM claims";
    let rows = "SELECT md5(string_agg(claims::text, '' ORDER BY id)) FROM claims";
    assert_ne!(document(count).await.trim_end_matches('\n'), "100", "it has blanks before it");
    let whole = document(rows).await;
    let hash = table_hash(&cx, &database, "claims", &["id", "customer_id", "note"]).await.expect("a hash");

    lab.run(&database, "ALTER TABLE claims ADD COLUMN extra int; UPDATE claims SET note = note WHERE id < 50").await;
    assert_ne!(document(rows).await, whole, "although no data changed");
    let same = same_hash(&database, "claims", ["id", "customer_id", "note"], &hash);
    assert!(same.check(&cx).await.expect("asked").passes());
    assert!(has_rows(&database, "claims").exactly(100).check(&cx).await.expect("asked").passes());
    assert!(!has_rows(&database, "claims").at_least(101).check(&cx).await.expect("asked").passes());
    assert!(!has_rows(&database, "no_such").check(&cx).await.expect("asked").passes());
    let whole = no_orphans(&database, "claims.customer_id", "customers.id");
    assert!(whole.check(&cx).await.expect("asked").passes());

    lab.run(&database, "UPDATE claims SET note = 'other' WHERE id = 7; DELETE FROM customers WHERE id = 3").await;
    assert!(!same.check(&cx).await.expect("asked").passes());
    let finding = whole.check(&cx).await.expect("asked");
    assert!(!finding.passes() && finding.evidence().summary.starts_with("20 rows"), "{finding:?}");
    lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn tables_and_their_rows_are_told_whatever_their_names() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (database, _) = lab.claims(&cx).await;
    lab.run(
        &database,
        "CREATE SCHEMA audit; CREATE TABLE audit.\"The Log\" (id int); CREATE TABLE \"o'clock\" (t text)",
    )
    .await;
    assert_eq!(tables(&cx, &database).await.expect("told"), ["audit.The Log", "claims", "customers", "o'clock"]);
    let counts = row_counts(&cx, &database).await.expect("counted");
    assert_eq!((counts["claims"], counts["audit.The Log"]), (100, 0));
    assert!(table_hash(&cx, &database, "audit.The Log", &[]).await.is_ok());
    let error = table_hash(&cx, &database, "claims", &["x; DROP TABLE claims"]).await.expect_err("no such column");
    assert!(error.message().contains("does not exist"), "{error:?}");
    lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn sessions_that_wait_are_seen_and_ended() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (database, _) = lab.claims(&cx).await;
    let pass = Pass::write(&cx, &database, lab.dir.path()).await.expect("a password");
    let psql = |sql: &str| {
        let command = pass.tool("psql").args(["-X", "-c", sql]).env("PGAPPNAME", "holder").expect(0..=255);
        let cx = cx.clone();
        tokio::spawn(async move { cx.output(&command).await.map(|output| output.code) })
    };
    let holder = psql("BEGIN; LOCK TABLE claims; SELECT pg_sleep(60)");
    let waiter = psql("SELECT pg_sleep(0.5); SELECT count(*) FROM claims; SELECT pg_sleep(60)");
    let mut waits = nobody_waits(&database).check(&cx).await.expect("asked");
    for _ in 0..100 {
        if matches!(waits, Finding::Fail(_)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        waits = nobody_waits(&database).check(&cx).await.expect("asked");
    }
    assert!(waits.evidence().lines.iter().any(|line| line.contains("LOCK TABLE claims")), "{waits:?}");
    let there = activity(&cx, &database).await.expect("told");
    assert!(there.iter().any(|session| session.application == "holder" && session.waits_for.is_some()), "{there:?}");
    let ended = take(&cx, &terminate_connections(&database)).await.expect("ended");
    assert_eq!(ended.sessions, 2);
    for process in [holder, waiter] {
        assert_eq!(process.await.expect("joined").expect("ran"), Some(2));
    }
    assert!(nobody_waits(&database).check(&cx).await.expect("asked").passes());
    lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_database_is_recreated_once_although_somebody_is_in_it() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (database, name) = lab.claims(&cx).await;
    let _somebody = open(&cx, &database).await.expect("a session");
    let step = recreate(&database, crate::backup::NoBackup::because("a test"));
    let was = before(&cx, &step).await;
    let made = step.apply(&cx, &was).await.expect("recreated");
    assert_ne!(made.oid, Some(was.oid));
    assert!(tables(&cx, &database).await.expect("told").is_empty());
    lab.run(&database, "CREATE TABLE new (id int)").await;
    assert_eq!(step.apply(&cx, &was).await.expect("again"), made, "once is enough");
    assert_eq!(tables(&cx, &database).await.expect("told"), ["new"]);
    assert_eq!(before(&cx, &step).await.owner, name);
    lab.clean().await;
}

/// The way through a host, as over SSH or into a container: a process there passes the bytes on.
#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_host_elsewhere_connects_by_itself_and_a_socket_knows_its_user() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (database, name) = lab.claims(&cx).await;
    let elsewhere = Context::on(runbook::host::Host::shared(runbook::host::Become::user("postgres")));
    // The secrets of the runner are the runner's; the connection is the host's.
    assert!(ping(&database).check(&elsewhere).await.expect("asked").passes());
    assert_eq!(row_counts(&elsewhere, &database).await.expect("counted")["claims"], 100);
    let nobody = lab.at("nobody", "postgresql://postgres:x1y2z3w4@127.0.0.1:9/postgres");
    let finding = ready(&nobody).check(&elsewhere).await.expect("asked");
    assert!(finding.evidence().summary.contains("refused"), "{finding:?}");

    let dir = std::env::var("RUNBOOK_TEST_POSTGRES_DIR").expect("RUNBOOK_TEST_POSTGRES_DIR");
    let port = database.target(&cx).await.expect("a target").port;
    let socket = Database::url(format!("postgresql://postgres@/postgres?host={dir}/socket&port={port}"));
    assert!(ping(&socket).check(&cx).await.is_err(), "root is not postgres");
    assert!(ping(&socket.clone().become_user("postgres")).check(&cx).await.expect("asked").passes());
    assert!(ping(&socket).check(&elsewhere).await.expect("asked").passes());
    let administered = database.clone().administered_by(&socket.become_user("postgres"));
    assert!(is_already(&cx, &provision(&administered)).await, "{name}");
    lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn provisioning_is_lawful_over_nothing_and_where_only_a_right_is_missing() {
    let mut lab = Lab::new();
    let (database, name) = lab.database("postgresql");
    laws_seen(&provision(&database), || lab.see(&name)).await;

    let verifier = postgres_protocol::password::scram_sha_256(b"s3cret-of-the-app");
    lab.psql(
        "postgres",
        &format!("CREATE ROLE {name} LOGIN PASSWORD '{}'", String::from_utf8_lossy(verifier.as_bytes())),
    );
    laws_seen(&provision(&database), || lab.see(&name)).await;
    lab.psql("postgres", &format!("CREATE DATABASE {name}"));
    laws_seen(&provision(&database), || lab.see(&name)).await;
    lab.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn recreating_goes_on_wherever_it_was_cut_off() {
    let (cx, mut lab) = (Context::local(), Lab::new());
    let (database, name) = lab.claims(&cx).await;
    let step = recreate(&database, crate::backup::NoBackup::because("a test"));
    for (operation, moment) in (0..4).flat_map(|n| [(n, Moment::Before), (n, Moment::After)]) {
        lab.run(&database, "CREATE TABLE IF NOT EXISTS full_of_it AS SELECT 1 AS n").await;
        let old = lab.see(&name);
        let was = before(&cx, &step).await;
        assert_eq!(lab.see(&name), old, "survey changes nothing");
        let cut = step.apply(&cutting(operation, moment), &was).await;
        assert_eq!(cut.is_ok(), operation == 3, "it has three orders");
        step.survey(&cx).await.expect("a resumed run looks again");
        let made = step.apply(&cx, &was).await.expect("it goes on");
        assert!(made.oid.is_some() && made.oid != Some(was.oid), "cut off {moment:?} {operation}");
        assert!(tables(&cx, &database).await.expect("told").is_empty(), "cut off {moment:?} {operation}");
        assert_eq!(before(&cx, &step).await.owner, name);
    }
    lab.clean().await;
}

#[tokio::test]
async fn a_password_in_a_literal_url_is_refused() {
    let database = Database::url("postgresql://marb:hunter22@db/claims");
    let error = database.target(&Context::local()).await.expect_err("it is written out");
    assert!(error.message().contains("written out"), "{error:?}");
}
