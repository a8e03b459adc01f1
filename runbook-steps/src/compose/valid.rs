//! Asking whether the files of a project can be used.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Result};

use super::Project;
use super::config::Config;
use crate::docker::{ask, failure};

impl Project {
    /// Asks whether Compose understands the files of the project, with all variables and services they name.
    pub fn is_valid(&self) -> IsValid {
        IsValid { project: self.clone() }
    }
}

/// The check of [`Project::is_valid`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct IsValid {
    project: Project,
}

#[async_trait]
impl Check for IsValid {
    fn describe(&self) -> Description {
        let described = self.project.describe("is_valid", &[]);
        let summary = format!("the files of {} are valid", self.project.people_say(&[]));
        described.summary(summary).command(self.project.typed(&["config", "--quiet"]))
    }

    /// A variable without a value makes Compose warn, and go on with nothing in its place.
    async fn check(&self, cx: &Context) -> Result<Finding> {
        let output = ask::answer(cx, &self.project.command(cx, ["config", "--quiet"]).await?).await?;
        let said = failure::redacted(output.tail(10));
        if !output.success() {
            let first = said.first().map_or("no reason was given", String::as_str);
            return Ok(Finding::fail(Evidence::new(format!("Compose refuses the files: {first}")).lines(said)));
        }
        let warned = String::from_utf8_lossy(&output.stderr);
        let unset = warned.lines().filter(|line| line.contains("variable is not set")).map(str::to_owned).collect();
        let unset = failure::redacted(unset);
        if !unset.is_empty() {
            let summary = format!("{} variables are not set, and would be nothing", unset.len());
            return Ok(Finding::fail(Evidence::new(summary).lines(unset)));
        }
        let names = Config::read(cx, &self.project).await?.names();
        Ok(Finding::pass(format!("{} services: {}", names.len(), names.join(", "))))
    }
}
