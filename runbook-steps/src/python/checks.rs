//! Questions about what is installed in an environment.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Resource, Result};

use super::{Install, commands, facts};

/// Asks whether everything that is installed in the environment `venv` has what it requires. Source: `pip check`.
pub fn pip_check(venv: impl AsRef<Path>) -> PipCheck {
    PipCheck { venv: venv.as_ref().to_owned() }
}

/// The check of [`pip_check`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct PipCheck {
    venv: PathBuf,
}

#[async_trait]
impl Check for PipCheck {
    fn describe(&self) -> Description {
        let venv = self.venv.display();
        Description::new("python.pip_check", venv.to_string())
            .summary(format!("the packages in {venv} have what they require"))
            .command(format!("{venv}/bin/python -m pip check"))
            .reads(Resource::path(&self.venv))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        facts::ensure_venv(cx, &self.venv).await?;
        let output = facts::ask(cx, &commands::check(&self.venv)).await?;
        let lines: Vec<&str> = output.text()?.lines().collect();
        Ok(match (output.success(), &lines[..]) {
            (true, [.., last]) if last.starts_with("No broken requirements") => Finding::pass(*last),
            (false, [first, ..]) => Finding::fail(Evidence::new(*first).lines(lines.iter().copied().take(20))),
            _ => Finding::unknown(Evidence::new("cannot read what `pip check` says").lines(output.tail(5))),
        })
    }
}

/// Asks whether the environment has what this installation would bring: whether pip would change nothing.
pub fn requirements_met(install: Install) -> RequirementsMet {
    RequirementsMet { install }
}

/// The check of [`requirements_met`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct RequirementsMet {
    install: Install,
}

#[async_trait]
impl Check for RequirementsMet {
    fn describe(&self) -> Description {
        use runbook::Step as _;
        let step = self.install.describe();
        let mut description = Description::new("python.requirements_met", step.subject)
            .summary(format!("there is nothing to do to {}", step.summary))
            .command(self.install.dry_run());
        description.reads.extend(step.reads.into_iter().chain(step.writes));
        description
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let missing = self.install.missing(cx).await?;
        Ok(match missing.len() {
            0 => Finding::pass("pip would change nothing"),
            1 => Finding::fail(format!("pip would install {}", missing[0])),
            count => Finding::fail(Evidence::new(format!("pip would install {count} packages")).lines(missing)),
        })
    }
}
