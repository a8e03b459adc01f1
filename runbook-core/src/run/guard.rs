//! Guards: triggers watched beside a body.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::Run;
use crate::check::ask;
use crate::event::What;
use crate::journal::{Memo, Part};
use crate::{Check, Context, Error, ErrorKind, Evidence, Result};

/// Something measured: a rate, a percentile, a length.
#[async_trait]
pub trait Gauge: Send + Sync {
    /// Measures once. `None` when there is no data.
    async fn measure(&self, cx: &Context) -> Result<Option<f64>>;
}

/// What follows when a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// The body is stopped and rolled back.
    RollBack,
    /// The run pauses for a person.
    Pause,
    /// A warning; the body goes on.
    Report,
}

/// Something watched while a body runs, and what follows when it fires.
///
/// ```
/// # use runbook_core::{Trigger, Reaction, Units, Check};
/// # fn triggers(health: impl Check + 'static, errors: impl runbook_core::Gauge + 'static) -> [Trigger; 2] {
/// [
///     Trigger::failures("health", health).in_a_row(3).every(10.seconds()),
///     Trigger::above("error rate", errors, 0.05).window(2.minutes()).no_data(Reaction::Pause),
/// ]
/// # }
/// ```
pub struct Trigger {
    title: String,
    watch: Watch,
    every: Duration,
    then: Reaction,
    no_data: Reaction,
}

enum Watch {
    Failures { check: Arc<dyn Check>, in_a_row: u32 },
    Limit { gauge: Arc<dyn Gauge>, limit: f64, above: bool, window: Duration },
}

impl Trigger {
    fn new(title: impl Into<String>, watch: Watch) -> Self {
        Self {
            title: title.into(),
            watch,
            every: Duration::from_secs(5),
            then: Reaction::RollBack,
            no_data: Reaction::Report,
        }
    }

    /// Fires when a check fails, the first time unless [`in_a_row`](Self::in_a_row) says otherwise.
    pub fn failures(title: impl Into<String>, check: impl Check + 'static) -> Self {
        Self::new(title, Watch::Failures { check: Arc::new(check), in_a_row: 1 })
    }

    /// Fires when a gauge is above a limit all through a [`window`](Self::window).
    pub fn above(title: impl Into<String>, gauge: impl Gauge + 'static, limit: f64) -> Self {
        Self::new(title, Watch::Limit { gauge: Arc::new(gauge), limit, above: true, window: Duration::ZERO })
    }

    /// Fires when a gauge is below a limit all through a [`window`](Self::window).
    pub fn below(title: impl Into<String>, gauge: impl Gauge + 'static, limit: f64) -> Self {
        Self::new(title, Watch::Limit { gauge: Arc::new(gauge), limit, above: false, window: Duration::ZERO })
    }

    /// Only after this many failures in a row.
    pub fn in_a_row(mut self, times: u32) -> Self {
        if let Watch::Failures { in_a_row, .. } = &mut self.watch {
            *in_a_row = times.max(1);
        }
        self
    }

    /// Only after this long beyond the limit.
    pub fn window(mut self, duration: Duration) -> Self {
        if let Watch::Limit { window, .. } = &mut self.watch {
            *window = duration;
        }
        self
    }

    /// Looks this often instead of every five seconds.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// Does this when it fires, instead of rolling back.
    pub fn then(mut self, reaction: Reaction) -> Self {
        self.then = reaction;
        self
    }

    /// Does this when there is no data for as long as it would take to fire, instead of reporting it.
    pub fn no_data(mut self, reaction: Reaction) -> Self {
        self.no_data = reaction;
        self
    }

    async fn look(&self, cx: &Context) -> Look {
        match &self.watch {
            Watch::Failures { check, .. } => match ask(&**check, cx).await {
                Ok(crate::Finding::Pass(_)) => Look::Good,
                Ok(crate::Finding::Fail(evidence)) => Look::Bad(evidence),
                Ok(crate::Finding::Unknown(evidence)) => Look::NoData(evidence),
                Err(error) => Look::NoData(Evidence::new(format!("{error:#}"))),
            },
            Watch::Limit { gauge, limit, above, .. } => match gauge.measure(cx).await {
                Ok(Some(value)) if value.is_nan() => Look::NoData("the value is not a number".into()),
                Ok(Some(value)) if (*above && value > *limit) || (!*above && value < *limit) => {
                    let side = if *above { "above" } else { "below" };
                    Look::Bad(Evidence::new(format!("{value} is {side} {limit}")))
                }
                Ok(Some(_)) => Look::Good,
                Ok(None) => Look::NoData("no data".into()),
                Err(error) => Look::NoData(Evidence::new(format!("{error:#}"))),
            },
        }
    }

    /// Whether that many looks of one kind in a row, over that long, are enough.
    fn is_enough(&self, looks: u32, lasted: Duration) -> bool {
        match self.watch {
            Watch::Failures { in_a_row, .. } => looks >= in_a_row,
            Watch::Limit { window, .. } => lasted >= window,
        }
    }

    /// Watches until something other than a report follows.
    async fn fires(&self, cx: &Context) -> (&Self, Reaction, Evidence) {
        let mut streak = Streak::default();
        loop {
            let look = self.look(cx).await;
            let (reaction, evidence) = match look {
                Look::Good => (None, None),
                Look::Bad(evidence) => (Some(self.then), Some(evidence)),
                Look::NoData(evidence) => (Some(self.no_data), Some(evidence)),
            };
            let (looks, lasted) = streak.count(evidence.is_some().then_some(reaction == Some(self.then)));
            if let (Some(reaction), Some(evidence)) = (reaction, evidence)
                && self.is_enough(looks, lasted)
            {
                if reaction != Reaction::Report {
                    return (self, reaction, evidence);
                }
                if streak.report_once() {
                    cx.warn(format!("trigger `{}`: {}", self.title, evidence.summary));
                }
            }
            tokio::time::sleep(self.every).await;
        }
    }
}

impl fmt::Debug for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trigger `{}`", self.title)
    }
}

/// What one look at a trigger showed.
enum Look {
    Good,
    Bad(Evidence),
    NoData(Evidence),
}

/// Looks of one kind in a row.
#[derive(Default)]
struct Streak {
    kind: Option<bool>,
    looks: u32,
    since: Option<tokio::time::Instant>,
    reported: bool,
}

impl Streak {
    /// Counts one more look; `None` is a good one, which ends the streak.
    fn count(&mut self, kind: Option<bool>) -> (u32, Duration) {
        if kind != self.kind {
            *self = Self { kind, ..Self::default() };
        }
        let since = *self.since.get_or_insert_with(tokio::time::Instant::now);
        self.looks += 1;
        (self.looks, since.elapsed())
    }

    fn report_once(&mut self) -> bool {
        !std::mem::replace(&mut self.reported, true)
    }
}

/// Runs a body with triggers beside it.
pub(super) async fn watch<R>(run: &Run, triggers: Vec<Trigger>, body: impl Future<Output = Result<R>>) -> Result<R> {
    // In a plan nothing runs that could be watched, and a trigger that has fired does so once.
    if run.engine.is_dry() || run.scope.halted().is_some() {
        return body.await;
    }
    let cx = run.watching_context();
    let mut body = pin!(body);
    let mut watching: FuturesUnordered<_> = triggers.iter().map(|trigger| trigger.fires(&cx)).collect();
    tokio::select! {
        biased;
        result = &mut body => return result,
        Some((trigger, reaction, evidence)) = watching.next() => fired(run, trigger, reaction, evidence).await?,
    }
    body.await
}

/// Remembers that a trigger fired, and stops the body.
async fn fired(run: &Run, trigger: &Trigger, reaction: Reaction, evidence: Evidence) -> Result<()> {
    let (key, title) = (run.scope.key.clone(), trigger.title.clone());
    let error = Error::new(format!("trigger `{title}` fired: {}", evidence.summary)).details(evidence.lines.clone());
    run.engine.say(What::Triggered { key: key.clone(), title: title.clone(), evidence: evidence.clone() });
    let error = if reaction == Reaction::Pause {
        run.engine.park(&key, error.kind_of(ErrorKind::Parked)).await
    } else {
        let memo = Memo::Triggered { title: title.into(), evidence, error: error.clone() };
        run.engine.once(&key, Part::Trigger, Box::pin(async { Ok(memo) })).await?;
        error
    };
    run.scope.halt(error);
    run.scope.soft.cancel();
    run.scope.hard.cancel();
    Ok(())
}

impl Run {
    /// Triggers look without being stopped by the scope they watch.
    fn watching_context(&self) -> Context {
        let token = tokio_util::sync::CancellationToken::new();
        Context::new(self.host.clone(), self.engine.world.clone(), self.scope.key.clone(), token)
    }
}
