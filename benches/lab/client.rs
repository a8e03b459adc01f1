//! A client that asks without pause, as users do: none of them waits for the answer of another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use runbook::prelude::Units as _;
use runbook::steps::http;
use runbook::{Check as _, Context};
use tokio::time::MissedTickBehavior;

use super::runtime;

/// What a client saw.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// The longest time between two good answers.
    pub(crate) gap: Duration,
    /// How many requests had no good answer.
    pub(crate) bad: u64,
}

/// Asks this beside a body, until it has ended and an answer is good again.
pub(crate) fn beside<R>(url: &str, body: impl FnOnce() -> R) -> (R, Seen) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| ask(url, &over));
        let result = body();
        over.store(true, Ordering::Relaxed);
        (result, client.join().expect("the client"))
    })
}

/// Asks a hundred times a second. A request that waits in vain for its two seconds does not hide that the next one would not.
fn ask(url: &str, over: &AtomicBool) -> Seen {
    let (probe, cx) = (http::get(url).timeout(2.seconds()), Context::local());
    let ask = async |last: bool| {
        let asked = Instant::now();
        (asked, last, probe.check(&cx).await.is_ok_and(|finding| finding.passes()))
    };
    let answers = runtime().block_on(async {
        let (mut answers, mut waiting) = (Vec::new(), FuturesUnordered::new());
        let mut pace = tokio::time::interval(10.millis());
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some((asked, last, good)) = waiting.next() => {
                    answers.push((asked, good));
                    if good && last {
                        return answers;
                    }
                }
                _ = pace.tick() => waiting.push(ask(over.load(Ordering::Relaxed))),
            }
        }
    });
    Seen::of(answers)
}

impl Seen {
    fn of(mut answers: Vec<(Instant, bool)>) -> Self {
        answers.sort();
        let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(_, good)| *good);
        let gaps = good.windows(2).map(|pair| pair[1].0.duration_since(pair[0].0));
        Self { gap: gaps.max().unwrap_or_default(), bad: bad.len() as u64 }
    }
}
