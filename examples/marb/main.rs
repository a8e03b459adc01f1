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

mod health;
mod marb;
mod rollback;
#[cfg(test)]
mod tests;
mod update;

fn book() -> Book {
    use health::{comprehensive_health, quick_health};
    use rollback::{emergency_rollback, quick_rollback};
    use update::update_code;
    Book::new("marb").about("mARB 2.0 in production").procedures(procedures![
        quick_health,
        comprehensive_health,
        update_code,
        quick_rollback,
        emergency_rollback,
    ])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    cli::main(book()).await
}
