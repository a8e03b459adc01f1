//! A client that asks without pause, as users do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runbook::prelude::Units as _;

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

fn ask(url: &str, over: &AtomicBool) -> Seen {
    let agent = Agent::new();
    let mut seen = Seen::default();
    let mut good = Instant::now();
    loop {
        let last = over.load(Ordering::Relaxed);
        if agent.is_good(url) {
            seen.gap = seen.gap.max(good.elapsed());
            good = Instant::now();
            if last {
                return seen;
            }
        } else {
            seen.bad += 1;
        }
        std::thread::sleep(5.millis());
    }
}

/// One request after the other.
struct Agent(tokio::runtime::Runtime);

impl Agent {
    fn new() -> Self {
        Self(tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"))
    }

    fn is_good(&self, url: &str) -> bool {
        use runbook::steps::http;
        let probe = http::get(url).timeout(2.seconds());
        let asked = self.0.block_on(async { runbook::Check::check(&probe, &runbook::Context::local()).await });
        asked.is_ok_and(|finding| finding.passes())
    }
}
