//! Watching services come up, and stay up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use runbook::{Context, Error, Result};
use tokio::time::Instant;

use super::bell::Bell;
use super::patience::Patience;
use super::{Condition, Ending, Project, facts};
use crate::docker::ask::{answer, docker};
use crate::docker::{Container, container, failure};

/// What services have to be, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Watch<'a> {
    pub(super) project: &'a Project,
    /// Each service, and how many containers it is to have at least.
    pub(super) services: BTreeMap<String, u32>,
    pub(super) jobs: BTreeSet<String>,
    pub(super) patience: Patience,
}

/// What became of services that were watched.
#[derive(Debug)]
pub(super) enum Seen {
    /// They are well, and were all the time.
    Well(BTreeMap<String, Vec<Container>>),
    /// Some are not.
    Ill(Vec<Ill>),
}

/// A service that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ill {
    pub(super) service: String,
    pub(super) container: Option<Container>,
    pub(super) condition: Condition,
}

/// What was seen of a container while it was watched.
#[derive(Debug)]
struct Past {
    /// The restarts that are forgiven.
    forgiven: u32,
    /// All restarts, and since when there are no more.
    restarts: u32,
    since: Instant,
    /// How its last life ended.
    end: Option<Ending>,
}

/// A container that has run for this long after it was restarted has come up: it waited for its database, say. Docker
/// itself thinks so then.
const STEADY: Duration = Duration::from_secs(10);

impl Past {
    fn of(container: &Container) -> Self {
        Self { forgiven: container.restarts, restarts: container.restarts, since: Instant::now(), end: None }
    }

    /// How it is, in the light of this.
    fn judge(&mut self, container: &Container, is_job: bool) -> Condition {
        match Condition::of(container, self.forgiven(container), is_job) {
            Condition::CrashLoop { restarts, end } => {
                self.end = end.or(self.end);
                Condition::CrashLoop { restarts, end: self.end }
            }
            other => other,
        }
    }

    /// How many restarts of it are no crash loop.
    fn forgiven(&mut self, container: &Container) -> u32 {
        if container.restarts != self.restarts || !container.is_running() {
            (self.restarts, self.since) = (container.restarts, Instant::now());
        } else if self.since.elapsed() >= STEADY {
            self.forgiven = self.restarts;
        }
        // Somebody who restarts it makes Docker count from the beginning.
        self.forgiven = self.forgiven.min(container.restarts);
        self.forgiven
    }
}

/// The longest time between two looks: for a host whose engine says nothing of its events.
const LOOK: Duration = Duration::from_secs(1);

/// A life of a container: its id, how often it was restarted, when it began.
type Life = (String, u32, Option<Timestamp>);

impl Watch<'_> {
    pub(super) async fn watch(&self, cx: &Context) -> Result<Seen> {
        let began = Instant::now();
        let mut bell = Bell::of(cx, self.project);
        let (mut pasts, mut well) = (BTreeMap::new(), None::<(Instant, Duration, Vec<Life>)>);
        let mut last = BTreeMap::new();
        loop {
            bell.listen().await;
            last = facts::again(cx, self.project, &last).await?;
            let mut now = last.clone();
            now.retain(|service, _| self.services.contains_key(service));
            let ill = self.ill(&now, &mut pasts);
            let mut wait = LOOK;
            if ill.is_empty() {
                let lives = lives(&now);
                let (since, before) = match &well {
                    Some((since, before, same)) if *same == lives => (*since, *before),
                    _ => (Instant::now(), self.well_before(cx, &now).await.unwrap_or_default()),
                };
                let left = self.patience.window.saturating_sub(before + since.elapsed());
                if left.is_zero() {
                    return Ok(Seen::Well(now));
                }
                well = Some((since, before, lives));
                wait = wait.min(left);
            } else {
                well = None;
                let left = self.patience.limit.saturating_sub(began.elapsed());
                if left.is_zero() || ill.iter().any(|ill| ill.condition.is_final()) {
                    return Ok(Seen::Ill(ill));
                }
                wait = wait.min(left);
            }
            bell.ring(wait).await?;
        }
    }

    /// How long they have been well that were just seen to be, by what their engine has noted; `None` when it does not say. One
    /// that was restarted has to have come up first.
    async fn well_before(&self, cx: &Context, now: &BTreeMap<String, Vec<Container>>) -> Option<Duration> {
        if self.patience.window.is_zero() {
            return None;
        }
        let since = |container: &Container| {
            let steady = if container.restarts > 0 { STEADY } else { Duration::ZERO };
            container.state.since()?.checked_add(steady).ok()
        };
        let all: Option<Vec<Timestamp>> = now.values().flatten().map(since).collect();
        let last = all?.into_iter().max()?;
        container::clock(cx).await.ok()?.duration_since(last).try_into().ok()
    }

    /// What is not well, seen against what was seen before.
    fn ill(&self, now: &BTreeMap<String, Vec<Container>>, pasts: &mut BTreeMap<String, Past>) -> Vec<Ill> {
        let mut all = Vec::new();
        for (service, wanted) in &self.services {
            let there = now.get(service).map_or(&[][..], Vec::as_slice);
            let is_job = self.jobs.contains(service);
            for container in there {
                let past = pasts.entry(container.id.clone()).or_insert_with(|| Past::of(container));
                let condition = past.judge(container, is_job);
                if !condition.is_well() {
                    all.push(Ill { service: service.clone(), container: Some(container.clone()), condition });
                }
            }
            let missing = (*wanted as usize).saturating_sub(there.len());
            let none = || Ill { service: service.clone(), container: None, condition: Condition::Missing };
            all.extend(std::iter::repeat_with(none).take(missing));
        }
        all
    }

    /// The containers once they are well. An error says which is not, and shows its last lines.
    pub(super) async fn require(&self, cx: &Context) -> Result<BTreeMap<String, Vec<Container>>> {
        match self.watch(cx).await? {
            Seen::Well(now) => Ok(now),
            Seen::Ill(ill) => Err(self.error(cx, &ill).await),
        }
    }

    /// The error of services that are not well.
    pub(super) async fn error(&self, cx: &Context, ill: &[Ill]) -> Error {
        let on = cx.host().name();
        let error = Error::new(format!("{} of `{}` on {on}", summary(ill), self.project.name));
        error.details(words_of(cx, ill).await)
    }
}

fn lives(now: &BTreeMap<String, Vec<Container>>) -> Vec<Life> {
    let life = |container: &Container| (container.id.clone(), container.restarts, container.state.started);
    now.values().flatten().map(life).collect()
}

/// `` `api` is unhealthy: …; `web` has no container``
pub(super) fn summary(ill: &[Ill]) -> String {
    let mut lines: Vec<String> = ill.iter().map(|ill| format!("`{}` {}", ill.service, ill.condition)).collect();
    lines.dedup();
    lines.join("; ")
}

/// How many lines of its log each container brings with it.
const LINES: &str = "15";

/// What the containers said last, and what their health checks said.
pub(super) async fn words_of(cx: &Context, ill: &[Ill]) -> Vec<String> {
    let mut lines = Vec::new();
    for container in ill.iter().filter_map(|ill| ill.container.as_ref()) {
        let name = &container.name;
        let probe = container.state.health.as_ref().and_then(|health| health.log.last());
        lines.extend(
            probe.map(|probe| format!("{name} health check exited with {}: {}", probe.exit_code, probe.output.trim())),
        );
        match answer(cx, &docker(["container", "logs", "--tail", LINES, &container.id])).await {
            Ok(output) => {
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                lines.extend(said.lines().map(|line| format!("{name} | {line}")));
            }
            Err(error) => lines.push(format!("{name} has a log that cannot be read: {error:#}")),
        }
    }
    failure::redacted(lines)
}
