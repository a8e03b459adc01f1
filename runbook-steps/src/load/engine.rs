//! Making the load: one thread of its own, and a worker for each connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runbook::{Context, Error, ErrorKind, Explain as _, Result};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::tally::Tally;
use super::wire::{Line, Target};
use super::{Load, Report};
use crate::http;

/// How long a worker waits when nobody answers, so that it does not call a closed door all the time.
const REST: Duration = Duration::from_millis(10);

pub(super) async fn measure(cx: &Context, load: &Load) -> Result<Report> {
    if cx.port::<http::Port>().is_some() {
        return simulated(cx, load).await;
    }
    let target = Target::of(&load.request).await?;
    let (end, ended) = oneshot::channel::<()>();
    let (done, report) = oneshot::channel();
    let work = load.clone();
    // Its own thread: neither does the run slow the requests down, nor they the run.
    let thread = std::thread::Builder::new().name("load".to_owned());
    let spawned = thread.spawn(move || drop(done.send(make(target, &work, ended))));
    spawned.context("start a thread for the load")?;
    tokio::select! {
        report = report => report.context("the load ended without a report")?,
        () = cx.cancelled() => {
            drop(end);
            Err(Error::of(ErrorKind::Stopped, format!("the load of {} was stopped", load.request.url)))
        }
    }
}

/// Makes the load, on this thread.
fn make(target: Target, load: &Load, ended: oneshot::Receiver<()>) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start a runtime")?;
    runtime.block_on(async {
        let began = Instant::now();
        let tally = Mutex::new(Tally::new()?);
        let shared = Arc::new(Shared {
            target,
            tally,
            next: AtomicU64::new(0),
            began,
            end: began + load.during,
            rate: load.rate,
        });
        let workers: Vec<_> = (0..load.connections).map(|_| tokio::spawn(shared.clone().work())).collect();
        let all = async {
            for worker in workers {
                drop(worker.await);
            }
        };
        tokio::select! {
            () = all => {}
            // Whoever wanted the report is gone.
            _ = ended => {}
        }
        let took = began.elapsed().max(load.during);
        shared.count_unsent(load.during);
        Ok(shared.tally().report(load.request.to_string(), took, |status| load.is_good(status)))
    })
}

/// What all workers share.
struct Shared {
    target: Target,
    tally: Mutex<Tally>,
    /// The next request of a fixed rate.
    next: AtomicU64,
    began: Instant,
    end: Instant,
    rate: Option<f64>,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(self: Arc<Self>) {
        let mut line = None;
        while let Some(from) = self.turn().await {
            self.one(&mut line, from).await;
        }
    }

    /// Waits for the next turn, and says since when its answer is waited for. `None` is the end.
    async fn turn(&self) -> Option<Instant> {
        let now = Instant::now();
        let Some(rate) = self.rate else { return (now < self.end).then_some(now) };
        if now >= self.end {
            return None;
        }
        let due = self.due(self.next.fetch_add(1, Ordering::Relaxed), rate);
        if due >= self.end {
            return None;
        }
        if due < now {
            // A user would have waited since then.
            self.tally().late += 1;
            return Some(due);
        }
        sleep_until(due).await;
        Some(Instant::now())
    }

    fn due(&self, n: u64, rate: f64) -> Instant {
        self.began + Duration::from_secs_f64(n as f64 / rate)
    }

    async fn one(&self, line: &mut Option<Line>, due: Instant) {
        if !self.connect(line).await {
            self.tally().silence();
            return sleep(REST).await;
        }
        let Some(open) = line else { return };
        // A connection takes its time once; what is late for another reason counts.
        let from = if self.rate.is_some() { due } else { Instant::now() };
        if let Ok(Ok(answer)) = timeout(self.target.timeout, open.ask(&self.target)).await {
            let took = from.elapsed();
            let mut tally = self.tally();
            tally.answer(answer.status, took);
            tally.bytes += answer.bytes;
        } else {
            *line = None;
            self.tally().silence();
        }
    }

    /// Makes sure that there is a connection: one that the server has closed is opened again.
    async fn connect(&self, line: &mut Option<Line>) -> bool {
        if let Some(open) = line
            && open.is_open().await
        {
            return true;
        }
        *line = match timeout(self.target.timeout, Line::open(&self.target)).await {
            Ok(Ok(open)) => Some(open),
            Ok(Err(_)) | Err(_) => None,
        };
        line.is_some()
    }

    /// What was due within the time, and never got a connection.
    fn count_unsent(&self, during: Duration) {
        let Some(rate) = self.rate else { return };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it counts")]
        let due = (during.as_secs_f64() * rate).ceil() as u64;
        self.tally().unsent = due.saturating_sub(self.next.load(Ordering::Relaxed));
    }
}

/// Asks the simulated services of a test, on its clock: one answer in a millisecond at most.
async fn simulated(cx: &Context, load: &Load) -> Result<Report> {
    let (began, tally) = (Instant::now(), Mutex::new(Tally::new()?));
    let pause = load.rate.map_or(Duration::from_millis(1), |rate| Duration::from_secs_f64(1.0 / rate));
    let worker = async || {
        while began.elapsed() < load.during && !cx.is_cancelled() {
            let asked = Instant::now();
            let answer = http::fetch(cx, &load.request).await;
            count(&tally, answer, asked.elapsed());
            // At a rate the next one is due whenever this one was answered; else it is asked as soon as the clock goes on.
            sleep_until(if load.rate.is_some() { asked + pause } else { Instant::now() + pause }).await;
        }
    };
    // One after the other when there is a rate: that many a second are that many.
    let workers = if load.rate.is_some() { 1 } else { load.connections };
    let mut all: Vec<_> = (0..workers).map(|_| Box::pin(worker())).collect();
    std::future::poll_fn(|task| {
        all.retain_mut(|worker| worker.as_mut().poll(task).is_pending());
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(tally.report(load.request.to_string(), began.elapsed(), |status| load.is_good(status)))
}

fn count(tally: &Mutex<Tally>, answer: Result<http::Response>, took: Duration) {
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    match answer {
        Ok(answer) => {
            tally.answer(answer.status, took);
            tally.bytes += answer.body.len() as u64;
        }
        Err(_) => tally.silence(),
    }
}
