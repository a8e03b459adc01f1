//! Against a real alembic and a real PostgreSQL, with the migrations of the lab's application.

use std::path::{Path, PathBuf};

use runbook::{Check, Context, Error, Result, Rollback as _, Step, Survey};

use super::*;
use crate::backup::{self, Dump, NoBackup, VerifiedBackup};
use crate::postgres::tests::Lab;
use crate::postgres::{self, Ask, Database, open};
use crate::taking::{before, take};

#[cfg(feature = "testing")]
mod conformance;
#[cfg(feature = "testing")]
mod laws;

/// Takes its URL from the environment, and nothing else.
const ENV: &str = r#"
import os
from alembic import context
from sqlalchemy import create_engine

if context.is_offline_mode():
    context.configure(url=os.environ["DATABASE_URL"], literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
"#;

/// The last migration of the standard releases, and the one before.
const CENTS: &str = "d91e3b5f7a02";
const STATUS: &str = "c2a6f8104b9d";

/// A database, and an application beside it.
struct Place {
    cx: Context,
    lab: Lab,
    app: PathBuf,
    claims: Database,
    schema: Alembic,
}

impl Place {
    /// With the code of `r4`, and an empty database.
    async fn new() -> Self {
        let (cx, mut lab) = (Context::local(), Lab::new());
        let (claims, _) = lab.database("postgresql+psycopg2");
        take(&cx, &postgres::provision(&claims)).await.expect("a database");
        let app = lab.dir.path().join("app");
        std::fs::create_dir_all(app.join("alembic")).expect("made");
        std::fs::write(app.join("alembic.ini"), "[alembic]\nscript_location = alembic\n").expect("written");
        std::fs::write(app.join("alembic/env.py"), ENV).expect("written");
        let venv = std::env::var("RUNBOOK_TEST_ALEMBIC").expect("RUNBOOK_TEST_ALEMBIC: see tests/services/postgres");
        let schema = Alembic::in_dir(&app, &claims).venv(venv);
        let place = Self { cx, lab, app, claims, schema };
        place.release("r4");
        place
    }

    /// Puts the migrations of a release of the lab in place.
    fn release(&self, name: &str) {
        let versions = self.app.join("alembic/versions");
        let _ = std::fs::remove_dir_all(&versions);
        std::fs::create_dir(&versions).expect("made");
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lab/app");
        for from in ["base", "releases/r4", &format!("releases/{name}")] {
            for file in std::fs::read_dir(lab.join(from).join("alembic/versions")).expect("migrations") {
                let file = file.expect("a file").path();
                std::fs::copy(&file, versions.join(file.file_name().expect("a name"))).expect("copied");
            }
        }
    }

    fn upgrade(&self) -> Upgrade {
        upgrade(&self.schema).guarded_by(NoBackup::because("a test"))
    }

    /// Up to this revision, with some claims.
    async fn at(&self, revision: &str) {
        let step = upgrade(&self.schema).to(revision).guarded_by(NoBackup::because("a test"));
        take(&self.cx, &step).await.expect("migrated");
        let (columns, values) = if revision == STATUS { ("amount", "n") } else { ("amount_cents", "n * 100") };
        let sql = format!(
            "INSERT INTO claims (reference, patient, {columns}) SELECT 'R' || n, 'P', {values} FROM generate_series(1, 20) n"
        );
        self.lab.run(&self.claims, &sql).await;
    }

    async fn dump(&self) -> VerifiedBackup<Dump> {
        let made = backup::postgres(&self.claims).into_dir(self.lab.dir.path().join("backups"));
        let made = take(&self.cx, &made).await.expect("dumped");
        take(&self.cx, &backup::rehearse(&made)).await.expect("proven")
    }

    async fn current(&self) -> Vec<String> {
        current(&self.cx, &self.schema).await.expect("asked")
    }

    async fn rows(&self) -> u64 {
        postgres::row_counts(&self.cx, &self.claims).await.expect("counted")["claims"]
    }

    /// Removes the databases that restores have kept, too.
    async fn clean(self) {
        let name = self.claims.target(&self.cx).await.expect("a URL").name;
        let mut server = open(&self.cx, &self.lab.admin).await.expect("a session");
        let all: Vec<String> = server.ask(&Ask::Databases).await.expect("asked");
        for kept in all.into_iter().filter(|kept| kept.starts_with(&format!("{name}_before_"))) {
            server.order(&Ask::DropDatabase(kept)).await.expect("dropped");
        }
        self.lab.clean().await;
    }
}

async fn refused<S: Step>(cx: &Context, step: &S) -> Error {
    match step.survey(cx).await {
        Ok(_) => panic!("is refused"),
        Err(error) => error,
    }
}

fn all(error: &Error) -> String {
    format!("{error:?}")
}

async fn applied<S: Step>(place: &Place, step: &S) -> (S::Before, Result<S::Output>) {
    let was = before(&place.cx, step).await;
    let done = step.apply(&place.cx, &was).await;
    (was, done)
}

async fn is_already<S: Step>(cx: &Context, step: &S) -> bool {
    matches!(step.survey(cx).await.expect("surveyed"), Survey::Already(_))
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn an_upgrade_keeps_the_laws() {
    let place = Place::new().await;
    place.at(STATUS).await;
    let (cx, step) = (&place.cx, place.upgrade());
    let was = before(cx, &step).await;
    assert_eq!(before(cx, &step).await, was, "survey changes nothing");
    step.rollback(cx, &was).await.expect("it never began");
    let done = step.apply(cx, &was).await.expect("applied");
    assert_eq!((done.before.clone(), done.after.clone()), (vec![STATUS.to_owned()], vec![CENTS.to_owned()]));
    assert_eq!(done.ran.iter().map(|ran| ran.revision.as_str()).collect::<Vec<_>>(), [CENTS]);
    assert!(done.took.is_some());
    assert!(is_already(cx, &step).await);
    let again = step.apply(cx, &was).await.expect("applied again");
    assert!(again.ran.is_empty() && again.after == done.after);
    for _ in 0..2 {
        step.rollback(cx, &was).await.expect("undone");
        assert_eq!((place.current().await, place.rows().await), (vec![STATUS.to_owned()], 20));
    }
    assert_eq!(before(cx, &step).await, was);
    let log = Lab::log();
    assert!(log.contains("ADD COLUMN amount_cents") && !log.contains("s3cret-of-the-app"));
    assert!(!place.app.join("alembic/versions/__pycache__").exists(), "looking leaves no byte code behind");
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn an_empty_database_goes_up_and_back() {
    let place = Place::new().await;
    let step = place.upgrade();
    let (was, done) = applied(&place, &step).await;
    assert_eq!(done.expect("applied").ran.len(), 4);
    step.rollback(&place.cx, &was).await.expect("undone");
    assert!(place.current().await.is_empty());
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn an_irreversible_migration_is_named_and_restored_only_when_that_is_allowed() {
    let place = Place::new().await;
    place.at(CENTS).await;
    let dump = place.dump().await;
    place.release("irreversible");
    let step = upgrade(&place.schema).guarded_by(&dump);
    let Survey::Change { diff, before: was, .. } = step.survey(&place.cx).await.expect("surveyed") else { panic!() };
    assert!(diff.to_string().contains("which provider a claim had is gone"), "{diff}");
    step.apply(&place.cx, &was).await.expect("applied");
    place.lab.run(&place.claims, "INSERT INTO claims (reference, patient, amount_cents) VALUES ('late', 'P', 1)").await;
    let error = step.rollback(&place.cx, &was).await.expect_err("cannot be taken back");
    assert!(all(&error).contains("`e5d04c1b8f36` (drops the provider of a claim) cannot be taken back"), "{error:?}");
    assert!(error.advice().is_some_and(|hint| hint.contains("loses what was written since")), "{error:?}");
    assert_eq!((place.current().await, place.rows().await), (vec!["e5d04c1b8f36".to_owned()], 21));

    let step = step.may_restore();
    step.rollback(&place.cx, &was).await.expect("restored");
    assert_eq!((place.current().await, place.rows().await), (vec![CENTS.to_owned()], 20));
    step.rollback(&place.cx, &was).await.expect("once is enough");
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_migration_that_fails_half_way_is_named_and_what_it_left_is_seen() {
    let place = Place::new().await;
    place.at(CENTS).await;
    let dump = place.dump().await;
    place.release("half-way");
    let step = upgrade(&place.schema).guarded_by(&dump);
    let (was, done) = applied(&place, &step).await;
    let error = done.expect_err("fails");
    let text = all(&error);
    assert_eq!(error.message(), format!("migration `b83f60d2c9e7` (audit trail) failed; the database is at `{CENTS}`"));
    for part in ["old_audit", "changed, and not taken back: public.claims", "restoring the verified backup"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let error = step.rollback(&place.cx, &was).await.expect_err("something is left");
    assert!(all(&error).contains("but not its schema: public.claims differ"), "{error:?}");
    step.may_restore().rollback(&place.cx, &was).await.expect("restored");
    assert_eq!(before(&place.cx, &place.upgrade()).await, was);
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_downgrade_that_does_nothing_is_not_taken_at_its_word() {
    let place = Place::new().await;
    place.at(CENTS).await;
    let dump = place.dump().await;
    place.release("empty-downgrade");
    let step = upgrade(&place.schema).guarded_by(&dump);
    let (was, done) = applied(&place, &step).await;
    done.expect("applied");
    let error = step.rollback(&place.cx, &was).await.expect_err("does nothing");
    assert!(all(&error).contains("its downgrade() does nothing"), "{error:?}");
    step.may_restore().rollback(&place.cx, &was).await.expect("restored");
    assert_eq!(place.current().await, [CENTS]);
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn two_heads_and_unknown_revisions_are_named() {
    let place = Place::new().await;
    place.at(CENTS).await;
    place.release("two-heads");
    let error = refused(&place.cx, &place.upgrade()).await;
    assert!(error.message().contains("has 2 heads: `1b6e0fa4d273` and `2c7f1ab5e384`"), "{error:?}");
    assert!(error.advice().is_some_and(|hint| hint.contains("alembic merge")), "{error:?}");
    place.release("r5");
    take(&place.cx, &place.upgrade()).await.expect("migrated");
    assert_eq!(place.current().await, ["2024_risk_band"]);
    place.release("r4");
    let error = refused(&place.cx, &place.upgrade()).await;
    assert!(error.message().contains("at `2024_risk_band`, which the code in"), "{error:?}");
    assert!(pending(&place.cx, &place.schema).await.is_err());
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn two_at_once_run_every_migration_once() {
    let place = Place::new().await;
    place.at(CENTS).await;
    place.release("slow");
    let schema = place.schema.clone().env("MARB_MIGRATION_SECONDS", "2");
    let step = upgrade(&schema).guarded_by(NoBackup::because("a test"));
    let was = before(&place.cx, &step).await;
    let (one, other) = tokio::join!(step.apply(&place.cx, &was), step.apply(&place.cx, &was));
    let ran = one.expect("applied").ran.len() + other.expect("applied").ran.len();
    assert_eq!(ran, 1);
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn another_database_is_never_touched() {
    let place = Place::new().await;
    let elsewhere = ENV.replace("os.environ[\"DATABASE_URL\"]", "os.environ[\"OTHER\"]");
    std::fs::write(place.app.join("alembic/env.py"), elsewhere).expect("written");
    let other = place.lab.url_of("postgresql+psycopg2", "postgres", "x");
    let admin =
        std::env::var("RUNBOOK_TEST_POSTGRES").expect("a server").replace("postgresql:", "postgresql+psycopg2:");
    assert!(other.ends_with("/postgres"));
    let schema = place.schema.clone().env("OTHER", admin);
    let step = upgrade(&schema).guarded_by(NoBackup::because("a test"));
    let error = refused(&place.cx, &step).await;
    assert!(error.message().contains("connects to `postgres at 127.0.0.1"), "{error:?}");
    let nowhere = Alembic::in_dir(&place.app, &Database::from_env("RUNBOOK_NO_SUCH_URL"));
    let error = refused(&place.cx, &upgrade(&nowhere).guarded_by(NoBackup::because("a test"))).await;
    assert!(all(&error).contains("RUNBOOK_NO_SUCH_URL"), "{error:?}");
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_downgrade_says_what_it_drops_and_comes_back() {
    let place = Place::new().await;
    place.release("lossy");
    place.at("a7c31e90b5d4").await;
    place.lab.run(&place.claims, "UPDATE claims SET notes = 'call back'").await;
    let dump = place.dump().await;
    let (cx, step) = (&place.cx, downgrade(&place.schema).to(CENTS).guarded_by(&dump));
    let Survey::Change { diff, before: was, .. } = step.survey(cx).await.expect("surveyed") else { panic!() };
    assert!(diff.to_string().contains("- all that is in claims.notes"), "{diff}");
    let done = step.apply(cx, &was).await.expect("applied");
    assert_eq!((done.after.as_slice(), done.ran.len()), ([CENTS.to_owned()].as_slice(), 1));
    assert!(is_already(cx, &step).await && step.apply(cx, &was).await.is_ok());
    for _ in 0..2 {
        step.rollback(cx, &was).await.expect("undone");
    }
    let noted = || async { postgres::table_hash(cx, &place.claims, "claims", &["notes"]).await.expect("hashed") };
    let empty = noted().await;
    assert_eq!(before(cx, &step).await, was);
    step.apply(cx, &was).await.expect("applied");
    step.may_restore().rollback(cx, &was).await.expect("restored");
    assert_ne!(noted().await, empty, "what was in the column is back");
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_stamp_changes_what_is_written_and_nothing_else() {
    let place = Place::new().await;
    place.at(CENTS).await;
    let (cx, step) = (&place.cx, stamp(&place.schema, STATUS));
    let was = before(cx, &step).await;
    step.rollback(cx, &was).await.expect("it never began");
    let stamped = step.apply(cx, &was).await.expect("stamped");
    assert_eq!((stamped.before, stamped.after), (vec![CENTS.to_owned()], vec![STATUS.to_owned()]));
    assert!(is_already(cx, &step).await);
    step.apply(cx, &was).await.expect("stamped again");
    for _ in 0..2 {
        step.rollback(cx, &was).await.expect("undone");
        assert_eq!(place.current().await, [CENTS]);
    }
    let error = refused(cx, &stamp(&place.schema, "nope")).await;
    assert!(error.message().contains("has no revision `nope`"), "{error:?}");
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn a_rehearsal_takes_the_time_counts_and_goes_back_on_a_copy() {
    let place = Place::new().await;
    place.at(STATUS).await;
    let (cx, dump) = (&place.cx, place.dump().await);
    let tried = take(cx, &rehearse(&place.schema, &dump)).await.expect("rehearsed");
    assert!(tried.is_reversible() && tried.took >= tried.ran[0].took, "{tried:?}");
    assert_eq!((tried.after.as_slice(), tried.rows_after["claims"]), ([CENTS.to_owned()].as_slice(), 20));
    assert_eq!(tried.changes(), Vec::<String>::new());
    place.release("irreversible");
    let tried = take(cx, &rehearse(&place.schema, &dump)).await.expect("rehearsed");
    assert!(matches!(&tried.back, WentBack::No { why } if why.contains("which provider")), "{tried:?}");
    assert_eq!(tried.changes(), ["providers: 0 rows -> no table"]);
    place.release("half-way");
    let step = rehearse(&place.schema, &dump);
    let error = take(cx, &step).await.expect_err("fails there");
    assert!(error.message().contains("`b83f60d2c9e7` (audit trail) failed"), "{error:?}");
    assert_eq!(place.current().await, [STATUS], "the database itself is left alone");
    let mut server = open(cx, &place.lab.admin).await.expect("a session");
    let all: Vec<String> = server.ask(&Ask::Databases).await.expect("asked");
    let name = place.claims.target(cx).await.expect("a URL").name;
    assert_eq!(all.iter().filter(|other| other.starts_with(&format!("{name}_"))).count(), 0, "{all:?}");
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn checks_and_facts_read_code_and_database() {
    let place = Place::new().await;
    place.at(STATUS).await;
    let (cx, schema) = (&place.cx, &place.schema);
    let ask = |check: Box<dyn Check>| async move { check.check(cx).await.expect("is asked") };
    let behind = ask(Box::new(current_is_head(schema))).await;
    assert!(!behind.passes() && behind.evidence().lines[0].contains("amount in cents"), "{behind:?}");
    assert!(ask(Box::new(is_reversible(schema))).await.passes());
    let sql = upgrade_sql(cx, schema, STATUS, "head").await.expect("written");
    assert!(sql.contains("UPDATE claims SET amount_cents = amount * 100"), "{sql}");
    let sql = downgrade_sql(cx, schema, CENTS, STATUS).await.expect("written");
    assert!(sql.contains("DROP COLUMN amount_cents"), "{sql}");
    let past = history(cx, schema).await.expect("read");
    assert_eq!((past.len(), past[0].after.as_slice()), (4, [STATUS.to_owned()].as_slice()));
    assert!(show(cx, schema, "d91e").await.expect("read").source.contains("amount * 100"));
    take(cx, &place.upgrade()).await.expect("migrated");
    assert!(ask(Box::new(current_is_head(schema))).await.passes());

    place.release("two-heads");
    let heads = ask(Box::new(one_head(schema))).await;
    assert!(!heads.passes() && heads.evidence().lines[0].ends_with("1b6e0fa4d273 2c7f1ab5e384"), "{heads:?}");
    for (release, way) in [("irreversible", "fail"), ("empty-downgrade", "fail"), ("lossy", "pass"), ("r5", "pass")] {
        place.release(release);
        let found = ask(Box::new(is_reversible(schema).between(CENTS, "head"))).await;
        assert_eq!(found.word(), way, "{release}: {found:?}");
        assert!(ask(Box::new(current_is_known(schema))).await.passes());
    }
    let git = |args: &[&str]| {
        let git = std::process::Command::new("git").arg("-C").arg(&place.app).args(args).output().expect("git runs");
        assert!(git.status.success(), "{git:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["-c", "user.name=T", "-c", "user.email=t@e.org", "commit", "-qm", "r5"]);
    take(cx, &place.upgrade()).await.expect("migrated");
    place.release("r4");
    let unknown = ask(Box::new(current_is_known(schema))).await;
    assert!(unknown.evidence().lines[0].contains("(HEAD -> main) has it"), "{unknown:?}");
    assert!(!ask(Box::new(current_is_head(schema))).await.passes());
    place.clean().await;
}
