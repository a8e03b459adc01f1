//! The laws of steps, with everything going wrong that can: before, at and after every single change.

use runbook::testing::{Rig, SimHost, explore};
use runbook::{NoInput, Result, Run, Units as _};
use runbook_macros::procedure;

use super::super::fake::{Contents, Script};
use super::super::*;
use crate::backup::NoBackup;
use crate::file;
use crate::postgres::Database;

fn claims() -> Database {
    Database::url("postgresql://marb@localhost/claims")
}

fn schema() -> Alembic {
    Alembic::in_dir("/opt/app", &claims()).venv("venv")
}

/// A host whose database is at the first of three migrations, and the last of them.
fn host(last: Script) -> SimHost {
    let code = [
        Script::new("one").creates("claims"),
        Script::new("two").after("one").adds("claims.notes").takes(30.seconds()),
        last.after("two").creates("rates"),
    ];
    let tables = [("claims".to_owned(), ["id".to_owned()].into())].into();
    let old = Contents { revisions: ["one".to_owned()].into(), tables };
    let host = Fake::code(SimHost::new("web-1").file("/opt/app/VERSION", "1"), "/opt/app", &code);
    Fake::new().on(Fake::database(host, &claims(), &old))
}

fn last() -> Script {
    Script::new("three")
}

/// A new schema, and what comes after it.
#[procedure]
async fn update(run: &Run) -> Result<()> {
    run.check("One head", one_head(&schema())).await?;
    run.step("Migrate", upgrade(&schema()).guarded_by(NoBackup::because("a test"))).await?;
    run.check("It is the newest", current_is_head(&schema())).await?;
    run.step("Version", file::write("/opt/app/VERSION", "2")).await?;
    Ok(())
}

/// Back to an older schema, in two ways.
#[procedure]
async fn backwards(run: &Run) -> Result<()> {
    run.step("Version", file::write("/opt/app/VERSION", "0")).await?;
    run.step("Back", downgrade(&schema()).to_nothing().guarded_by(NoBackup::because("a test"))).await?;
    run.step("Say otherwise", stamp(&schema(), "two")).await?;
    Ok(())
}

#[tokio::test]
async fn a_schema_is_all_new_or_all_old_whatever_goes_wrong() {
    explore::<update>(|| Rig::new().host(&host(last())), NoInput {}).await.is_sound();
    explore::<backwards>(|| Rig::new().host(&host(last())), NoInput {}).await.is_sound();
}

#[tokio::test(start_paused = true)]
async fn a_failing_migration_takes_the_update_back() {
    let rig = |last| Rig::new().host(&host(last));
    rig(last()).run::<update>(NoInput {}).await.succeeds();
    rig(last().fails()).run::<update>(NoInput {}).await.rolls_back().world_is_unchanged();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_back_is_left_and_named() {
    let host = host(last().creates("more").fails_half_way());
    Rig::new().host(&host).run::<update>(NoInput {}).await.leaves("Migrate").says("public.more");
}
