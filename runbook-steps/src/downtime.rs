//! Downtime: what users saw while a procedure went on.
//!
//! ```no_run
//! # use runbook_core::{Result, Run};
//! # use runbook_steps::{downtime, port};
//! # async fn update(run: &Run) -> Result<()> {
//! downtime::of("the site", port::open("app.example.org", 443)).during(run, async |run| {
//!     // the steps of the update
//!     Ok(())
//! }).await
//! # }
//! ```
//!
//! A check is asked over and over beside the steps, and beside their rollback when they fail. The log of the run says how
//! often there was no good answer, and for how long together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
pub use runbook::event::Outage;
use runbook::event::Stretch;
use runbook::{Check, Context, Result, Run};
use tokio::time::Instant;

/// The downtime of something, which is there while this check does not pass.
pub fn of(what: impl Into<String>, check: impl Check + 'static) -> Meter {
    Meter { what: what.into(), check: Arc::new(check), every: Duration::from_millis(100) }
}

/// Measures downtime. It asks ten times a second, as users do: whether those before have their answer or not. Otherwise one
/// that waits in vain for seconds would hide that the next one would not. The more of them wait, the longer it takes until
/// the next.
#[derive(Clone)]
#[must_use = "a meter measures nothing until `.during(run, async |run| …).await`"]
pub struct Meter {
    what: String,
    check: Arc<dyn Check>,
    every: Duration,
}

impl Meter {
    /// Asks this often.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// Measures while the body goes on, and says what it saw, whether the body ends well or not. After a resume, it says
    /// what it saw since.
    pub async fn during<R>(self, run: &Run, body: impl AsyncFnOnce(&Run) -> Result<R>) -> Result<R> {
        let seen = Mutex::new(Seen::default());
        let title = format!("while {} is watched", self.what);
        let result = run.beside(async |cx| self.watch(cx, &seen).await, async |run| run.scope(title, body).await).await;
        let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        // A run that stops for now says it when it is taken up again.
        if let Ok(outage) = run.remember(async || Ok(seen.outage())).await {
            run.watched(self.what, &outage);
        }
        result
    }

    async fn watch(&self, cx: &Context, seen: &Mutex<Seen>) {
        let mut asked = Instant::now();
        let mut waiting = FuturesUnordered::from_iter([self.ask(cx, 0)]);
        let mut asks = 1;
        seen.lock().unwrap_or_else(PoisonError::into_inner).began = Some((asked, cx.now()));
        loop {
            let next = asked + self.every * u32::try_from(waiting.len()).unwrap_or(u32::MAX).max(1);
            tokio::select! {
                biased;
                Some(answer) = waiting.next() => seen.lock().unwrap_or_else(PoisonError::into_inner).hear(answer),
                () = tokio::time::sleep_until(next) => {
                    asked = Instant::now();
                    waiting.push(self.ask(cx, asks));
                    asks += 1;
                }
            }
        }
    }

    /// Asks for the n-th time.
    async fn ask(&self, cx: &Context, n: u64) -> Answer {
        let asked = Instant::now();
        Answer { n, asked, good: self.check.check(cx).await.is_ok_and(|finding| finding.passes()) }
    }
}

/// An answer to a question: which one, when it was asked, and whether it was a good one.
#[derive(Debug)]
struct Answer {
    n: u64,
    asked: Instant,
    good: bool,
}

/// How many stretches are told one by one.
const STRETCHES: usize = 100;

/// The answers so far, in the order of their questions. It is down from the first question without a good answer to the
/// next one with, or to the end.
#[derive(Debug, Default)]
struct Seen {
    outage: Outage,
    /// When it began, as both clocks tell.
    began: Option<(Instant, Timestamp)>,
    /// Since when it is down.
    down: Option<Instant>,
    /// The question whose answer is due, and the answers to later ones.
    due: u64,
    early: BTreeMap<u64, Answer>,
}

impl Seen {
    fn hear(&mut self, answer: Answer) {
        self.early.insert(answer.n, answer);
        while let Some(answer) = self.early.remove(&self.due) {
            self.due += 1;
            self.add(&answer);
        }
    }

    fn add(&mut self, &Answer { asked, good, .. }: &Answer) {
        self.outage.asked += 1;
        match (good, self.down) {
            (true, Some(since)) => self.up(since, asked),
            (false, None) => self.down = Some(asked),
            _ => {}
        }
        self.outage.failed += u64::from(!good);
    }

    fn up(&mut self, since: Instant, now: Instant) {
        let stretch = now.saturating_duration_since(since);
        self.outage.total += stretch;
        self.outage.longest = self.outage.longest.max(stretch);
        self.down = None;
        if let (Some(from), Some(to)) = (self.moment(since), self.moment(now))
            && self.outage.down.len() < STRETCHES
        {
            self.outage.down.push(Stretch { from, to });
        }
    }

    fn moment(&self, at: Instant) -> Option<Timestamp> {
        let (instant, moment) = self.began?;
        moment.checked_add(at.saturating_duration_since(instant)).ok()
    }

    fn outage(mut self) -> Outage {
        // What still waits for its answer is left out.
        for answer in std::mem::take(&mut self.early).values() {
            self.add(answer);
        }
        if let Some(since) = self.down {
            self.up(since, Instant::now());
        }
        self.outage
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::ops::Range;

    use runbook::event::What;
    use runbook::testing::Rig;
    use runbook::{Description, Diff, Error, Finding, Rollback, Step, Survey, Units as _};
    use runbook_macros::procedure;

    use super::*;

    /// Down for a while, from the second second on.
    struct Site {
        began: Instant,
        down: Range<Duration>,
        /// How long a request waits until it has no answer.
        waits: Duration,
    }

    impl Site {
        fn down(until: Duration, waits: Duration) -> Self {
            Self { began: Instant::now(), down: 2.seconds()..until, waits }
        }
    }

    #[runbook::async_trait]
    impl Check for Site {
        fn describe(&self) -> Description {
            Description::new("test.site", "site").summary("the site answers")
        }

        async fn check(&self, _: &Context) -> Result<Finding> {
            if self.down.contains(&self.began.elapsed()) {
                tokio::time::sleep(self.waits).await;
                return Err(Error::new("no answer"));
            }
            Ok(Finding::pass("200"))
        }
    }

    async fn ten_seconds(_: &Run) -> Result<()> {
        tokio::time::sleep(10.seconds()).await;
        Ok(())
    }

    #[procedure]
    async fn goes_well(run: &Run) -> Result<()> {
        of("the site", Site::down(5.seconds(), Duration::ZERO)).during(run, ten_seconds).await
    }

    #[procedure]
    async fn is_silent(run: &Run) -> Result<()> {
        of("the site", Site::down(3.seconds(), 2.seconds())).every(200.millis()).during(run, ten_seconds).await
    }

    #[procedure]
    async fn fails(run: &Run) -> Result<()> {
        let failing = async |_: &Run| {
            tokio::time::sleep(3.seconds()).await;
            Err::<(), _>(Error::new("no"))
        };
        of("the site", Site::down(5.seconds(), Duration::ZERO)).during(run, failing).await
    }

    /// Whether it is up, and how often it came up again.
    #[derive(Clone, Default)]
    struct Service(Arc<Mutex<(bool, u32)>>);

    #[runbook::async_trait]
    impl Check for Service {
        fn describe(&self) -> Description {
            Description::new("test.service", "service").summary("the service is up")
        }

        async fn check(&self, _: &Context) -> Result<Finding> {
            Ok(Finding::of(self.0.lock().expect("alone").0, "as it is"))
        }
    }

    #[runbook::async_trait]
    impl Step for Service {
        type Before = ();
        type Output = ();

        fn describe(&self) -> Description {
            Description::new("test.restart", "service").repeats()
        }

        async fn survey(&self, _: &Context) -> Result<Survey<(), ()>> {
            Ok(Survey::change((), Diff::none()))
        }

        async fn apply(&self, _: &Context, (): &()) -> Result<()> {
            self.0.lock().expect("alone").0 = false;
            tokio::time::sleep(1.seconds()).await;
            Err(Error::new("it does not come up"))
        }
    }

    #[runbook::async_trait]
    impl Rollback for Service {
        async fn rollback(&self, _: &Context, (): &()) -> Result<()> {
            tokio::time::sleep(1.seconds()).await;
            Ok(())
        }

        async fn settle(&self, _: &Context, (): &()) -> Result<()> {
            tokio::time::sleep(3.seconds()).await;
            let mut state = self.0.lock().expect("alone");
            *state = (true, state.1 + 1);
            Ok(())
        }
    }

    thread_local! {
        static SERVICE: Service = Service(Arc::new(Mutex::new((true, 0))));
    }

    #[procedure]
    async fn restarts_in_vain(run: &Run) -> Result<()> {
        let service = SERVICE.with(Clone::clone);
        of("it", service.clone()).during(run, async |run| run.step("Restart", service).await).await
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_down_until_it_has_settled_once() {
        Rig::new().run::<restarts_in_vain>(runbook::NoInput {}).await.rolls_back().says("it: downtime 5.0 s");
        assert_eq!(SERVICE.with(|service| service.0.lock().expect("alone").1), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_waits_in_vain_does_not_hide_that_the_next_would_not() {
        let words = "the site: downtime 1.2 s, 3 of 44 requests failed";
        Rig::new().run::<is_silent>(runbook::NoInput {}).await.succeeds().says(words);
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_says_how_long_and_how_often() {
        let words = "the site: downtime 3.0 s, 30 of 100 requests failed";
        let ran = Rig::new().run::<goes_well>(runbook::NoInput {}).await.succeeds().says(words);
        let outage = ran.events().iter().find_map(|event| match &event.what {
            What::Watched { outage, .. } => Some(outage.clone()),
            _ => None,
        });
        let down = outage.expect("it was watched").down;
        let lasted: Vec<_> = down.iter().map(|stretch| stretch.to.duration_since(stretch.from).as_secs()).collect();
        assert_eq!(lasted, [3]);
        Rig::new().run::<fails>(runbook::NoInput {}).await.refuses().says("the site: downtime 1.0 s, 10 of 30");
    }
}
