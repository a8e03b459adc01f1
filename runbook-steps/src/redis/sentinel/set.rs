//! Settings of the sentinels: each of them has its own.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Explain as _, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Sentinels, View};

/// A setting of the sentinels for one master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// After which time without an answer a sentinel finds a server down.
    DownAfter(Duration),
    /// How long a failover may take.
    FailoverTimeout(Duration),
    /// How many replicas sync with a new master at once.
    ParallelSyncs(u64),
    /// How many sentinels must find the master down.
    Quorum(u64),
}

/// The step of [`Sentinels::set`].
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Set {
    sentinels: Sentinels,
    settings: Vec<Setting>,
}

/// The settings each sentinel had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetBefore {
    pub(in crate::redis) sentinels: Vec<(String, Vec<Setting>)>,
}

/// Sentinels that were set, and asked afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentinelsSet {
    /// All of them.
    pub sentinels: Vec<String>,
    /// What each of them says it has.
    pub settings: Vec<Setting>,
}

/// Longer than anything takes that they are held back for.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

impl Sentinels {
    /// Sets this on every sentinel. All of them have to answer, or none is set.
    pub fn set(&self, setting: Setting) -> Set {
        Set { sentinels: self.clone(), settings: vec![setting] }
    }

    /// Has the sentinels find nothing down for a day, so that none takes over by itself. Take it for the time of a body:
    /// `run.hold("No failover", sentinels.hold_back(), async |run| …)`.
    pub fn hold_back(&self) -> Set {
        self.set(Setting::DownAfter(A_DAY))
    }
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::DownAfter(_) => "down-after-milliseconds",
            Self::FailoverTimeout(_) => "failover-timeout",
            Self::ParallelSyncs(_) => "parallel-syncs",
            Self::Quorum(_) => "quorum",
        }
    }

    fn value(self) -> String {
        match self {
            Self::DownAfter(time) | Self::FailoverTimeout(time) => time.as_millis().to_string(),
            Self::ParallelSyncs(number) | Self::Quorum(number) => number.to_string(),
        }
    }

    /// The same one, as a sentinel has it.
    fn of(self, view: &View) -> Self {
        match self {
            Self::DownAfter(_) => Self::DownAfter(view.down_after),
            Self::FailoverTimeout(_) => Self::FailoverTimeout(view.failover_timeout),
            Self::ParallelSyncs(_) => Self::ParallelSyncs(view.parallel_syncs),
            Self::Quorum(_) => Self::Quorum(view.quorum),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.value())
    }
}

impl Set {
    /// And this as well.
    pub fn and(mut self, setting: Setting) -> Self {
        self.settings.push(setting);
        self
    }

    fn words(settings: &[Setting]) -> Vec<String> {
        settings.iter().flat_map(|setting| [setting.name().to_owned(), setting.value()]).collect()
    }

    async fn tell(&self, cx: &Context, sentinel: &str, settings: &[Setting]) -> Result<()> {
        let values = Self::words(settings);
        let words = ["SENTINEL", "SET", &self.sentinels.master].into_iter().chain(values.iter().map(String::as_str));
        self.sentinels.tell(cx, sentinel, &words.collect::<Vec<_>>()).await
    }

    fn of(&self, view: &View) -> Vec<Setting> {
        self.settings.iter().map(|setting| setting.of(view)).collect()
    }

    fn set(&self, views: &[View]) -> SentinelsSet {
        let sentinels = views.iter().map(|view| view.sentinel.clone()).collect();
        SentinelsSet { sentinels, settings: self.settings.clone() }
    }

    fn diff(&self, views: &[View]) -> Diff {
        let mut diff = Diff::none();
        for view in views {
            for (is, wanted) in self.of(view).into_iter().zip(&self.settings).filter(|(is, wanted)| is != *wanted) {
                diff = diff.and_turn(format!("{} of {}", wanted.name(), view.sentinel), is.value(), wanted.value());
            }
        }
        diff
    }
}

#[async_trait]
impl Step for Set {
    type Before = SetBefore;
    type Output = SentinelsSet;

    fn describe(&self) -> Description {
        let master = &self.sentinels.master;
        let settings: Vec<String> = self.settings.iter().map(ToString::to_string).collect();
        let values = Self::words(&self.settings);
        let words: Vec<&str> =
            ["SENTINEL", "SET", master].into_iter().chain(values.iter().map(String::as_str)).collect();
        let description = Description::new("redis.sentinel_set", master)
            .summary(format!("set {} on every sentinel of {master}", settings.join(", ")))
            .reads(self.sentinels.resource())
            .writes(self.sentinels.resource());
        self.sentinels.each_by_hand(&words).into_iter().fold(description, Description::command)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<SetBefore, SentinelsSet>> {
        let views = self.sentinels.views(cx).await?;
        let diff = self.diff(&views);
        if diff.is_empty() {
            return Ok(Survey::Already(self.set(&views)));
        }
        let before = views.iter().map(|view| (view.sentinel.clone(), self.of(view))).collect();
        Ok(Survey::predict(SetBefore { sentinels: before }, diff, self.set(&views)))
    }

    async fn apply(&self, cx: &Context, _: &SetBefore) -> Result<SentinelsSet> {
        // Once more before the first is told: all, or none.
        for view in self.sentinels.views(cx).await? {
            if self.of(&view) != self.settings {
                self.tell(cx, &view.sentinel, &self.settings).await?;
            }
        }
        let views = self.sentinels.views(cx).await?;
        let left = self.diff(&views);
        if left.is_empty() {
            return Ok(self.set(&views));
        }
        let error = Error::new(format!("the sentinels of {} did not take it all over", self.sentinels.master));
        Err(error.details(left.changes().iter().map(ToString::to_string)))
    }
}

#[async_trait]
impl Rollback for Set {
    async fn rollback(&self, cx: &Context, before: &SetBefore) -> Result<()> {
        let mut failed = Ok(());
        for (sentinel, settings) in &before.sentinels {
            let told = self.tell(cx, sentinel, settings).await;
            failed = failed.and(told.with_context(|| format!("set sentinel {sentinel} back")));
        }
        failed
    }
}
