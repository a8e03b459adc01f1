//! A real deployment that needs nothing installed but Rust and git.
//!
//! ```text
//! cargo run --example quickstart                                 the tour
//! cargo run --example quickstart -- --kill-at "Migrate the entries"
//! cargo run --example quickstart -- list                         the command line every book has
//! cargo run --example quickstart -- repository DIR               the repository alone, to play with
//! ```
//!
//! Read it in this order: `procedures` is the runbook; `service` and `entries` are steps of our own; `tests` shows how
//! a team tests all of it without infrastructure. The rest is the stage: `guestbook` is the small web service that is
//! deployed, `repository` makes the git repository it is deployed from, `tour` tells the story.

#![allow(unreachable_pub, missing_docs, reason = "an example is a program")]

use std::process::ExitCode;

use runbook::cli;

mod entries;
mod guestbook;
mod procedures;
mod repository;
mod service;
mod site;
#[cfg(test)]
mod tests;
mod tour;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("serve") => guestbook::serve(&words[1..]),
        Some("repository") => repository::main(&words[1..]),
        None | Some("--kill-at" | "--dir") => tour::run(&words).await,
        Some(_) => cli::main(procedures::book()).await,
    }
}
