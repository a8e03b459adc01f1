//! Against a real alembic and a real PostgreSQL, with the migrations of the lab's application.

use std::path::{Path, PathBuf};

use runbook::{Context, Error, Result, Rollback as _, Step, Survey};

use super::*;
use crate::backup::{self, Dump, NoBackup, VerifiedBackup};
use crate::postgres::tests::{Lab, before, take};
use crate::postgres::{self, Ask, Database, open};

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
    assert_eq!(before(&place.cx, &place.upgrade()).await.tables, was.tables);
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
