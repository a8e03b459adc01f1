//! mARB 2.0: systemd, PostgreSQL, Redis, Celery, nginx. The book of a team that used to have a document of a thousand lines.
//!
//! ```text
//! cargo run --example marb --all-features -- list
//! cargo run --example marb --all-features -- run quick_health --on ssh:production
//! ```
//!
//! [`marb`] is what is deployed and where; the other files are the procedures, a file a chapter of the document. `tests`
//! run them on a simulated machine. The lab under `tests/lab` is a real one: see the README beside this file.

#![allow(unreachable_pub, missing_docs, reason = "an example is a program")]

use std::process::ExitCode;

use runbook::cli;
use runbook::prelude::*;

mod backups;
mod before;
mod deployment;
mod emergencies;
mod health;
mod maintenance;
mod marb;
mod quick;
mod rollbacks;
#[cfg(test)]
mod tests;
mod trouble;
mod updates;

/// What procedures share, for their outlines.
fn pieces() -> impl IntoIterator<Item = &'static runbook::Outline> {
    use backups::proven_backup;
    use deployment::{certificate, code, loads, packages, schema, services, settings, site};
    use marb::{restart, start, stop};
    use rollbacks::{good_commit, keep_the_log, schema_of};
    use trouble::{free_the_port, start_database, start_redis};
    use updates::{bring, change_code, fetch, install, migrate, no_new_errors, pending, restart_and_watch};
    parts![
        restart,
        stop,
        start,
        fetch,
        bring,
        change_code,
        install,
        pending,
        migrate,
        restart_and_watch,
        no_new_errors,
        keep_the_log,
        good_commit,
        schema_of,
        proven_backup,
        code,
        packages,
        settings,
        schema,
        loads,
        services,
        certificate,
        site,
        start_redis,
        start_database,
        free_the_port,
    ]
}

fn book() -> Book {
    use backups::{back_up, back_up_every_night, verify_backup};
    use before::{checklist, prerequisites, verify_environment};
    use deployment::initial_deployment;
    use emergencies::{completely_down, data_loss, security_breach};
    use health::{comprehensive_health, quick_health};
    use maintenance::scheduled_maintenance;
    use quick::{app_log, commits, logs, restart_services, revisions, start_services, status, stop_services, tables};
    use rollbacks::{emergency_rollback, quick_rollback, rollback_with_migration};
    use trouble::{bad_gateway, memory_is_short, migrations_fail, service_does_not_start, tasks_wait};
    use updates::{standard_update, update_breaking, update_code, update_schema};
    Book::new("marb").about("mARB 2.0 in production").parts(pieces()).procedures(procedures![
        prerequisites,
        checklist,
        verify_environment,
        initial_deployment,
        standard_update,
        update_code,
        update_schema,
        update_breaking,
        quick_rollback,
        rollback_with_migration,
        emergency_rollback,
        quick_health,
        comprehensive_health,
        service_does_not_start,
        migrations_fail,
        memory_is_short,
        tasks_wait,
        bad_gateway,
        completely_down,
        data_loss,
        security_breach,
        scheduled_maintenance,
        back_up,
        back_up_every_night,
        verify_backup,
        status,
        logs,
        app_log,
        commits,
        revisions,
        tables,
        restart_services,
        stop_services,
        start_services,
    ])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    cli::main(book()).await
}
