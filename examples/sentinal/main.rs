//! Sentinal: Redis with Sentinel, three instances behind nginx, Prometheus, Alertmanager, Grafana, Jaeger. The book of a team
//! that used to have a document of 500 lines.
//!
//! ```text
//! cargo run --example sentinal --all-features -- list
//! cargo run --example sentinal --all-features -- run verify --on ssh:production
//! ```
//!
//! [`sentinal`] is what is deployed and where; the other files are the procedures, a file a chapter of the document.

#![allow(unreachable_pub, missing_docs, reason = "an example is a program")]

use std::process::ExitCode;

use runbook::cli;
use runbook::prelude::*;

mod before;
mod data;
mod deployment;
mod incidents;
mod maintenance;
mod monitoring;
mod rollbacks;
mod scaling;
mod sentinal;
mod trouble;
mod updates;
mod verification;

/// What procedures share, for their outlines.
fn pieces() -> impl IntoIterator<Item = &'static runbook::Outline> {
    use deployment::{code, images, in_order, settings};
    use trouble::{keep_the_logs, restart};
    use updates::{bring, roll};
    parts![code, settings, images, in_order, bring, roll, keep_the_logs, restart]
}

fn book() -> Book {
    use crate::monitoring::{baseline, monitoring, performance};
    use before::{checklist, prerequisites};
    use data::{back_up, back_up_every_night, complete_failure, fail_over, redis_for_reading, restore_redis};
    use deployment::deployment;
    use incidents::suspected_breach;
    use maintenance::{clean_up, logs, restart_services};
    use rollbacks::{gradual_rollback, quick_rollback};
    use scaling::add_instance;
    use trouble::{alerts_do_not_fire, api_does_not_respond, high_latency, no_redis};
    use updates::{planned_maintenance, update};
    use verification::{smoke_tests, verify};
    Book::new("sentinal").about("Sentinal fraud detection in production").parts(pieces()).procedures(procedures![
        prerequisites,
        checklist,
        deployment,
        verify,
        smoke_tests,
        monitoring,
        baseline,
        performance,
        quick_rollback,
        gradual_rollback,
        restore_redis,
        fail_over,
        complete_failure,
        back_up,
        back_up_every_night,
        add_instance,
        redis_for_reading,
        api_does_not_respond,
        no_redis,
        high_latency,
        alerts_do_not_fire,
        planned_maintenance,
        update,
        suspected_breach,
        logs,
        restart_services,
        clean_up,
    ])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    cli::main(book()).await
}
