//! Asking whether services are healthy.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Result};

use super::config::{Config, Service};
use super::patience::{Patience, for_services};
use super::project::CONTAINERS;
use super::watch::{Seen, Watch, summary, words_of};
use super::{Condition, Project};

impl Project {
    /// Asks whether its services are healthy: every one has at least as many containers as the files say, all of them run,
    /// their health checks pass where they have any, and they are the same containers in the same life all the time for two
    /// seconds. A crash loop never is.
    pub fn healthy(&self) -> Healthy {
        let (project, patience) = (self.clone(), Patience::default().none());
        Healthy { project, services: Vec::new(), scales: BTreeMap::new(), patience }
    }
}

/// The check of [`Project::healthy`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Healthy {
    project: Project,
    services: Vec<String>,
    scales: BTreeMap<String, u32>,
    patience: Patience,
}

for_services!(Healthy);

impl Healthy {
    /// With at least this many containers of a service, instead of what the files say.
    pub fn scale(mut self, service: impl Into<String>, containers: u32) -> Self {
        self.scales.insert(service.into(), containers);
        self
    }

    /// They have to be well for this long in the same life, instead of two seconds.
    pub fn stable_for(mut self, window: Duration) -> Self {
        self.patience.window = window;
        self
    }

    /// Waits until they are, but no longer than this: it hears of it from the engine, in milliseconds. What cannot become
    /// healthy by waiting is not waited for: one that has ended, is unhealthy, or was restarted three times.
    pub fn within(mut self, limit: Duration) -> Self {
        self.patience.limit = limit;
        self
    }
}

#[async_trait]
impl Check for Healthy {
    fn describe(&self) -> Description {
        let Self { project, services, patience: Patience { window, limit }, .. } = self;
        let within = if limit.is_zero() { String::new() } else { format!(", within {limit:?}") };
        let described = project
            .describe("healthy", services)
            .summary(format!("{} healthy, for {window:?} in one life{within}", project.people_say(services)))
            .command(project.typed(&["ps"]));
        project.resources(CONTAINERS, services).into_iter().fold(described, Description::reads)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let config = Config::read(cx, &self.project).await?;
        let services = config.chosen(&self.project, &self.services)?;
        let said = |name: &String| config.service(name).map_or(1, Service::replicas);
        let wanted = |name: String| {
            let count = self.scales.get(&name).copied().unwrap_or_else(|| said(&name));
            (count > 0).then_some((name, count))
        };
        let watch = Watch {
            project: &self.project,
            services: services.into_iter().filter_map(wanted).collect(),
            jobs: config.jobs(&self.project),
            patience: self.patience,
        };
        Ok(match watch.watch(cx).await? {
            Seen::Well(now) => {
                let count: usize = now.values().map(Vec::len).sum();
                let lines = now.values().flatten().map(|container| format!("{} {}", container.name, container.image));
                let (services, window) = (now.len(), self.patience.window);
                Finding::pass(
                    Evidence::new(format!("{services} services healthy for {window:?}, {count} containers"))
                        .lines(lines),
                )
            }
            Seen::Ill(ill) => {
                let slow =
                    ill.iter().all(|ill| matches!(ill.condition, Condition::Starting { .. } | Condition::Working));
                let still = if slow && !self.patience.limit.is_zero() {
                    format!("after {:?} ", self.patience.limit)
                } else {
                    String::new()
                };
                let lines = words_of(cx, &ill).await;
                Finding::fail(Evidence::new(format!("{still}{}", summary(&ill))).lines(lines))
            }
        })
    }
}
