//! A program as a question.

use async_trait::async_trait;
use runbook_core::command::Output;
use runbook_core::{Check, Command, Context, Description, Evidence, Finding, Result};

use super::by_hand;

/// Whether a command ends with an exit code it expects.
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until a run asks it: `run.check(\"…\", check).await?`"]
pub struct Succeeds(Command);

/// Whether a command ends well and prints a text.
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until a run asks it: `run.check(\"…\", check).await?`"]
pub struct Prints {
    command: Command,
    text: String,
}

impl Succeeds {
    pub(super) fn new(command: Command) -> Self {
        Self(command)
    }
}

impl Prints {
    pub(super) fn new(command: Command, text: String) -> Self {
        Self { command, text }
    }
}

#[async_trait]
impl Check for Succeeds {
    fn describe(&self) -> Description {
        Description::new("command.succeeds", self.0.to_string())
            .summary(format!("`{}` succeeds", by_hand(&self.0)))
            .command(by_hand(&self.0))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let output = cx.output(&self.0).await?;
        Ok(Finding::of(ended_well(&self.0, &output), evidence(&self.0, &output)))
    }
}

#[async_trait]
impl Check for Prints {
    fn describe(&self) -> Description {
        Description::new("command.prints", self.command.to_string())
            .summary(format!("`{}` prints `{}`", by_hand(&self.command), self.text))
            .command(by_hand(&self.command))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let output = cx.output(&self.command).await?;
        let seen = evidence(&self.command, &output);
        if !ended_well(&self.command, &output) {
            return Ok(Finding::fail(seen));
        }
        let holds = output.lossy().contains(&self.text);
        if !holds && output.omitted > 0 {
            let why = format!("`{}` was not seen, and {} bytes of the output were not kept", self.text, output.omitted);
            return Ok(Finding::unknown(Evidence { summary: why, ..seen }));
        }
        let verb = if holds { "printed" } else { "did not print" };
        let summary = format!("`{}` {verb} `{}`", self.command, self.text);
        Ok(Finding::of(holds, Evidence { summary, ..seen }))
    }
}

fn ended_well(command: &Command, output: &Output) -> bool {
    output.code.is_some_and(|code| command.accepts(code))
}

fn evidence(command: &Command, output: &Output) -> Evidence {
    Evidence::new(format!("`{command}` {}", output.ending())).lines(output.tail(10))
}
