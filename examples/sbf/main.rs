//! SBF: images from a registry, two instances behind nginx, updated without downtime. The book of a team that used to have a
//! document of 570 lines.
//!
//! ```text
//! cargo run --example sbf --all-features -- list
//! cargo run --example sbf --all-features -- run health --on ssh:production
//! ```
//!
//! [`sbf`] is what is deployed and where; the other files are the procedures, a file a chapter of the document.

#![allow(unreachable_pub, missing_docs, reason = "an example is a program")]

use std::process::ExitCode;

use runbook::cli;
use runbook::prelude::*;

mod backups;
mod deployment;
mod health;
mod incidents;
mod maintenance;
mod rollbacks;
mod sbf;
mod setup;
mod trouble;

/// What procedures share, for their outlines.
fn pieces() -> impl IntoIterator<Item = &'static runbook::Outline> {
    use backups::proven_backup;
    use deployment::{go_over, migrate, update_the_others, verify};
    use setup::{code, log_in, settings};
    use trouble::{keep_the_logs, restart};
    parts![proven_backup, migrate, go_over, update_the_others, verify, code, log_in, settings, keep_the_logs, restart]
}

fn book() -> Book {
    use crate::health::{health, key_metrics};
    use backups::back_up;
    use deployment::{hotfix, roll_out, standard_deployment};
    use incidents::severity_one;
    use maintenance::{clean_up, logs, rebuild, scheduled_maintenance};
    use rollbacks::{database_rollback, immediate_rollback, migration_rollback};
    use setup::{prerequisites, set_up};
    use trouble::{api_does_not_start, memory_is_short, no_database, no_redis, slow_answers};
    Book::new("sbf").about("Second Brain Foundation in production").parts(pieces()).procedures(procedures![
        prerequisites,
        set_up,
        standard_deployment,
        roll_out,
        hotfix,
        health,
        key_metrics,
        immediate_rollback,
        database_rollback,
        migration_rollback,
        api_does_not_start,
        no_database,
        no_redis,
        memory_is_short,
        slow_answers,
        severity_one,
        scheduled_maintenance,
        back_up,
        clean_up,
        logs,
        rebuild,
    ])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    cli::main(book()).await
}
