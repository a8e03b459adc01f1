//! The book that is measured, and the parts this program plays as a child of itself.

use std::process::{Command, ExitCode};

use runbook::prelude::*;
use runbook::steps::command;
use serde::{Deserialize, Serialize};

/// How many steps to take.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, clap::Args)]
pub(crate) struct Many {
    #[arg(long)]
    pub(crate) steps: u32,
}

/// A step that does nothing.
#[derive(Debug)]
struct Nothing;

#[async_trait::async_trait]
impl Step for Nothing {
    type Before = ();
    type Output = ();

    fn describe(&self) -> Description {
        Description::new("nothing", "nothing at all")
    }

    async fn survey(&self, _: &Context) -> Result<Survey<(), ()>> {
        Ok(Survey::change((), Diff::none()))
    }

    async fn apply(&self, _: &Context, (): &()) -> Result<()> {
        Ok(())
    }
}

#[async_trait::async_trait]
impl Rollback for Nothing {
    async fn rollback(&self, _: &Context, (): &()) -> Result<()> {
        Ok(())
    }
}

/// Take steps that do nothing.
#[procedure]
async fn idle(run: &Run, many: &Many) -> Result<()> {
    for _ in 0..many.steps {
        run.step("Nothing", Nothing).await?;
    }
    Ok(())
}

/// Run `/bin/true` again and again.
#[procedure]
async fn commands(run: &Run, many: &Many) -> Result<()> {
    for _ in 0..many.steps {
        run.step("True", command::run(cmd!("/bin/true")).undo(cmd!("/bin/true"))).await?;
    }
    Ok(())
}

/// The book.
pub(crate) fn book() -> Book {
    Book::new("figures").about("What the benchmarks run").procedures(procedures![idle, commands])
}

/// Command lines of this program as a child of itself.
pub(crate) fn this(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.arg(role);
    command
}

/// Plays a part, when the first argument names one:
///
/// - `as-book` is the program of a user: the command line of the book;
/// - `as-book-weighed` the same, and says how much memory it needed;
/// - `as-spawner` runs `/bin/true` through `std::process`;
/// - `as-taker` takes steps that do nothing, with the journal in memory, for a profiler;
/// - `as-nobody` does nothing.
pub(crate) fn play(role: &str, args: &[String]) -> Option<ExitCode> {
    match role {
        "as-book" => Some(program(args)),
        "as-book-weighed" => {
            let code = program(args);
            eprintln!("{}", super::memory::peak());
            Some(code)
        }
        "as-spawner" => {
            for _ in 0..super::commands::COMMANDS {
                Command::new("/bin/true").status().expect("it starts");
            }
            Some(ExitCode::SUCCESS)
        }
        "as-taker" => {
            let steps = args.first().and_then(|steps| steps.parse().ok()).unwrap_or(1_000);
            super::steps::ours(steps);
            Some(ExitCode::SUCCESS)
        }
        "as-nobody" => {
            eprintln!("{}", super::memory::peak());
            Some(ExitCode::SUCCESS)
        }
        _ => None,
    }
}

/// What a user writes as `main`.
#[tokio::main]
async fn program(args: &[String]) -> ExitCode {
    let args = std::iter::once("figures").chain(args.iter().map(String::as_str));
    runbook::cli::run_with(book(), args).await.into()
}
