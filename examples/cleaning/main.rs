//! CleanWithSnapshot: Docker Compose, alembic in the container, a window of downtime. The book of a team that used to have a
//! document of 750 lines.
//!
//! ```text
//! cargo run --example cleaning --all-features -- list
//! cargo run --example cleaning --all-features -- run quick_checks --on ssh:production
//! ```
//!
//! [`cleaning`] is what is deployed and where; the other files are the procedures, a file a chapter of the document. The
//! deployment log that the document ends with fills itself in: `--report deployment.md` or `.html`.

#![allow(unreachable_pub, missing_docs, reason = "an example is a program")]

use std::process::ExitCode;

use runbook::cli;
use runbook::prelude::*;

mod backups;
mod before;
mod blue_green;
mod cleaning;
mod deployment;
mod maintenance;
mod monitoring;
mod rollbacks;
mod trouble;
mod verification;

/// What procedures share, for their outlines.
fn pieces() -> impl IntoIterator<Item = &'static runbook::Outline> {
    use backups::proven_backup;
    use blue_green::go_over;
    use deployment::{
        backup_if_any, code, database_runs, database_up, images, migrate, migrations_wait, settings, start,
    };
    use rollbacks::{good_commit, old_code, restore, schema_before};
    use trouble::{keep_the_logs, migrate_with_a_backup, restart};
    parts![
        proven_backup,
        backup_if_any,
        database_runs,
        migrations_wait,
        code,
        settings,
        images,
        database_up,
        migrate,
        start,
        go_over,
        restore,
        old_code,
        good_commit,
        schema_before,
        keep_the_logs,
        restart,
        migrate_with_a_backup,
    ]
}

fn book() -> Book {
    use backups::back_up;
    use before::{checklist, prerequisites};
    use blue_green::blue_green_deployment;
    use deployment::standard_deployment;
    use maintenance::{change_setting, clean_up, logs, restart_services};
    use monitoring::monitor;
    use rollbacks::{after_a_rollback, emergency_rollback, quick_rollback, rollback_with_downgrade};
    use trouble::{
        health_check_fails, migration_fails, no_database, readiness_fails, service_keeps_restarting, web_build_fails,
    };
    use verification::{detailed_checks, manual_checks, quick_checks, smoke_tests};
    Book::new("cleaning").about("CleanWithSnapshot").parts(pieces()).procedures(procedures![
        prerequisites,
        checklist,
        standard_deployment,
        blue_green_deployment,
        quick_checks,
        detailed_checks,
        smoke_tests,
        manual_checks,
        quick_rollback,
        rollback_with_downgrade,
        emergency_rollback,
        after_a_rollback,
        health_check_fails,
        readiness_fails,
        migration_fails,
        service_keeps_restarting,
        web_build_fails,
        no_database,
        restart_services,
        change_setting,
        logs,
        clean_up,
        back_up,
        monitor,
    ])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    cli::main(book()).await
}
