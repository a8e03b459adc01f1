//! What the containers of a project use.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Result};

use super::patience::for_services;
use super::project::CONTAINERS;
use super::{Project, facts};
use crate::docker::{UsageWithin, usage};
use crate::sizes::Bytes;

impl Project {
    /// What each of its containers uses; say how much that may be.
    pub fn usage(&self) -> ProjectUsage {
        ProjectUsage { project: self.clone(), services: Vec::new(), limits: usage([""; 0]) }
    }
}

/// The check of [`Project::usage`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct ProjectUsage {
    project: Project,
    services: Vec<String>,
    limits: UsageWithin,
}

for_services!(ProjectUsage);

impl ProjectUsage {
    /// Each may use this much of one processor, in percent.
    pub fn cpu_at_most(mut self, percent: f64) -> Self {
        self.limits = self.limits.cpu_at_most(percent);
        self
    }

    /// Each may hold this much memory.
    pub fn memory_at_most(mut self, most: Bytes) -> Self {
        self.limits = self.limits.memory_at_most(most);
        self
    }
}

#[async_trait]
impl Check for ProjectUsage {
    fn describe(&self) -> Description {
        let Self { project, services, limits } = self;
        let limits = limits.people_say();
        let described = project
            .describe("usage", services)
            .summary(format!("each container of {} uses {limits}", project.people_say(services)))
            .command("docker stats --no-stream".to_owned());
        project.resources(CONTAINERS, services).into_iter().fold(described, Description::reads)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let now = facts::containers(cx, &self.project).await?;
        let mine = now.iter().filter(|(service, _)| self.services.is_empty() || self.services.contains(service));
        let up: Vec<String> =
            mine.flat_map(|(_, all)| all).filter(|one| one.is_running()).map(|one| one.name.clone()).collect();
        if up.is_empty() {
            return Ok(Finding::unknown(Evidence::new(format!(
                "nothing runs of {}",
                self.project.people_say(&self.services)
            ))));
        }
        self.limits.clone().of(up).check(cx).await
    }
}
