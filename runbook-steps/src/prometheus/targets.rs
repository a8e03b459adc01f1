//! What is scraped, and whether that works.

use std::time::Duration;

use async_trait::async_trait;
use prometheus_http_query::response::ActiveTarget;
use runbook::{Check, Context, Description, Evidence, Finding, Result};

use super::Prometheus;

/// How many scrapes may be missing before a target counts as not scraped.
const MISSED: u32 = 3;

/// The check of [`Prometheus::targets`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Targets {
    prometheus: Prometheus,
    wanted: Vec<Wanted>,
    only: bool,
}

/// A job that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    job: String,
    count: Option<usize>,
}

impl Prometheus {
    /// Asks whether every target is up, and was scraped of late. Name the [jobs](Targets::job) there must be: what is not
    /// there is not down.
    pub fn targets(&self) -> Targets {
        Targets { prometheus: self.clone(), wanted: Vec::new(), only: false }
    }
}

impl Targets {
    /// Wants this job, with exactly so many targets.
    pub fn job(mut self, job: impl Into<String>, count: usize) -> Self {
        self.wanted.push(Wanted { job: job.into(), count: Some(count) });
        self
    }

    /// Wants these jobs, each with at least one target.
    pub fn jobs(mut self, jobs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.wanted.extend(jobs.into_iter().map(|job| Wanted { job: job.into(), count: None }));
        self
    }

    /// Leaves out the targets of jobs that were not named.
    pub fn and_no_others(mut self) -> Self {
        self.only = true;
        self
    }

    fn concerns(&self, target: &ActiveTarget) -> bool {
        !self.only || self.wanted.iter().any(|wanted| wanted.job == job(target))
    }

    fn judge(&self, targets: &[ActiveTarget], now: f64) -> Finding {
        let targets: Vec<&ActiveTarget> = targets.iter().filter(|target| self.concerns(target)).collect();
        let missing = self.wanted.iter().filter_map(|wanted| wanted.complaint(&targets));
        let down = targets.iter().filter(|target| target.health().is_down());
        let bad: Vec<String> = missing.chain(down.map(|target| why_down(target))).collect();
        if let Some(first) = bad.first() {
            return Finding::fail(Evidence::new(first.clone()).lines(bad.iter().skip(1).take(20)));
        }
        if targets.is_empty() {
            return Finding::fail("there are no targets");
        }
        let unclear: Vec<String> = targets.iter().filter_map(|target| why_unclear(target, now)).collect();
        if let Some(first) = unclear.first() {
            return Finding::unknown(Evidence::new(first.clone()).lines(unclear.iter().skip(1).take(20)));
        }
        Finding::pass(format!("{} up: {}", count(targets.len()), jobs(&targets)))
    }
}

impl Wanted {
    fn complaint(&self, targets: &[&ActiveTarget]) -> Option<String> {
        let found = targets.iter().filter(|target| job(target) == self.job).count();
        match self.count {
            _ if found == 0 && self.count != Some(0) => Some(format!("job `{}` has no target", self.job)),
            Some(wanted) if wanted != found => {
                Some(format!("job `{}` has {}, wanted {wanted}", self.job, count(found)))
            }
            _ => None,
        }
    }
}

fn job(target: &ActiveTarget) -> &str {
    target.labels().get("job").map_or_else(|| target.scrape_pool(), String::as_str)
}

fn name(target: &ActiveTarget) -> String {
    let instance = target.labels().get("instance").map_or_else(|| target.scrape_url().as_str(), String::as_str);
    format!("{} {instance}", job(target))
}

fn why_down(target: &ActiveTarget) -> String {
    format!("{} is down: {}", name(target), target.last_error())
}

/// Why a target that is not down is not known to be up either.
fn why_unclear(target: &ActiveTarget, now: f64) -> Option<String> {
    if !target.health().is_up() {
        return Some(format!("{} was not scraped yet", name(target)));
    }
    let age = now - target.last_scrape().unix_timestamp() as f64;
    let interval = interval(target);
    let limit = (interval * MISSED).as_secs_f64().max(2.0);
    (age > limit).then(|| format!("{} was last scraped {age:.0} s ago, and should be every {interval:?}", name(target)))
}

/// How often it should be scraped. The client takes a millisecond for an hour, so those are left to the label.
fn interval(target: &ActiveTarget) -> Duration {
    let below_a_second = |text: &String| text.ends_with("ms");
    if target.discovered_labels().get("__scrape_interval__").is_some_and(below_a_second) {
        return Duration::from_secs(1);
    }
    Duration::try_from(*target.scrape_interval()).unwrap_or(Duration::from_secs(60))
}

fn count(targets: usize) -> String {
    if targets == 1 { "1 target".to_owned() } else { format!("{targets} targets") }
}

/// `api 3, redis 1`.
fn jobs(targets: &[&ActiveTarget]) -> String {
    let mut jobs = std::collections::BTreeMap::new();
    for target in targets {
        *jobs.entry(job(target)).or_insert(0_usize) += 1;
    }
    jobs.iter().map(|(job, count)| format!("{job} {count}")).collect::<Vec<_>>().join(", ")
}

#[async_trait]
impl Check for Targets {
    fn describe(&self) -> Description {
        let api = &self.prometheus.api;
        let wanted = self.wanted.iter().map(|Wanted { job, count }| match count {
            Some(count) => format!("{job} {count}"),
            None => job.clone(),
        });
        let wanted: Vec<String> = wanted.collect();
        let named = if wanted.is_empty() { String::new() } else { format!(", among them {}", wanted.join(", ")) };
        let named = if self.only { named.replace("among them ", "of ") } else { named };
        Description::new("prometheus.targets", api.url())
            .summary(format!("all targets of {} are up{named}", api.url()))
            .command(api.by_hand("/api/v1/targets"))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let targets = self.prometheus.active_targets(cx).await?.data;
        Ok(self.judge(targets.active(), self.prometheus.time(cx).await?))
    }
}
