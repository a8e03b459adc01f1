//! The book that is measured.

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
