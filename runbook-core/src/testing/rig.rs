//! The rig: a procedure with simulated surroundings.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::event::{Event, Left, RunEnded, What};
use crate::journal::{Ended, Memo, MemoryStore, Store};
use crate::{Book, Definition, Error, Finished, OnFailure, Plan, Procedure, Result, Resume, RunId, Runner};
use crate::{Stored, Verdict};

use super::alarm::Alarm;
use super::clock::SimClock;
use super::drill::Drill;
use super::host::SimHost;
use super::inspector::{Found, Inspector, Look, hangs};
use super::people::Answers;
use super::ran::{Ending, Ran};
use super::store::Drilled;
use super::world::World;

type Setting = Arc<dyn Fn(Runner) -> Runner + Send + Sync>;

/// A procedure with simulated surroundings: hosts, people, a clock, a journal in memory. It runs the procedure and ends
/// in a verb that says how it should have gone.
///
/// ```ignore
/// #[tokio::test(start_paused = true)]
/// async fn a_bad_release_puts_itself_back() {
///     let host = SimHost::new("web-1").file("/srv/app/VERSION", "1");
///     Rig::new().host(&host).run::<deploy>(Site { version: 2 }).await.rolls_back().world_is_unchanged();
/// }
/// ```
#[derive(Clone)]
#[must_use = "a rig does nothing until it runs a procedure"]
pub struct Rig {
    book: Book,
    hosts: Vec<SimHost>,
    settings: Vec<Setting>,
    answers: Answers,
    start: Option<Timestamp>,
    store: Arc<dyn Store>,
    memory: Option<MemoryStore>,
    crash_after: Option<usize>,
    interrupt_at: Option<Arc<str>>,
    clock: Option<SimClock>,
    events: Arc<Mutex<Vec<Event>>>,
}

/// What one execution is told beyond the rig.
#[derive(Default)]
pub(crate) struct Orders {
    pub(crate) drill: Arc<Drill>,
    pub(crate) look: Look,
    pub(crate) found: Arc<Found>,
}

/// How a rig starts an execution.
pub(crate) enum Start<'a> {
    Run(&'a str, Stored),
    Resume(&'a RunId, Resume),
    Approve(&'a RunId, &'a str),
}

impl Default for Rig {
    fn default() -> Self {
        let memory = MemoryStore::default();
        Self {
            book: Book::new("rig"),
            hosts: Vec::new(),
            settings: Vec::new(),
            answers: Answers::default(),
            start: None,
            store: Arc::new(memory.clone()),
            memory: Some(memory),
            crash_after: None,
            interrupt_at: None,
            clock: None,
            events: Arc::default(),
        }
    }
}

impl Rig {
    /// A rig with nothing: no host, nobody to ask, a journal in memory, a clock that shows 10:00 UTC on a Tuesday.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a simulated host. Steps act on the first one unless the procedure says otherwise; the world of the rig is
    /// that of all.
    pub fn host(mut self, host: &SimHost) -> Self {
        if self.hosts.is_empty() {
            let first = host.clone();
            self.settings.push(Arc::new(move |runner| runner.host(first.clone())));
        }
        self.hosts.push(host.clone());
        self
    }

    /// With a port for the steps, as the program would give one. A clone goes to every execution.
    pub fn port<T: std::any::Any + Clone + Send + Sync>(mut self, port: T) -> Self {
        self.settings.push(Arc::new(move |runner| runner.port(port.clone())));
        self
    }

    /// With a person who answers questions that contain these words. Questions nobody answers park the run.
    pub fn answers(mut self, words: &str, verdict: Verdict) -> Self {
        self.answers.add(words, verdict);
        self
    }

    /// With a person who says yes to everything.
    pub fn says_yes(self) -> Self {
        self.answers("", Verdict::Yes)
    }

    /// Beginning at this time.
    pub fn at(mut self, start: Timestamp) -> Self {
        self.start = Some(start);
        self
    }

    /// In a book of this name and target, with these procedures beside the one that is run.
    pub fn book(mut self, book: Book) -> Self {
        self.book = book;
        self
    }

    /// Doing this on failure.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.settings.push(Arc::new(move |runner| runner.on_failure(on_failure)));
        self
    }

    /// Keeping journals here, instead of in memory.
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Arc::new(store);
        self.memory = None;
        self
    }

    /// Killing the runner once this many operations on hosts and writes to the journal have been made.
    pub fn crash_after(mut self, count: usize) -> Self {
        self.crash_after = Some(count);
        self
    }

    /// Interrupting the run, as Ctrl-C does, when the step of this title begins.
    pub fn interrupt_at(mut self, title: &str) -> Self {
        self.interrupt_at = Some(title.into());
        self
    }

    /// What all hosts hold now.
    pub fn world(&self) -> World {
        worlds(&self.hosts)
    }

    /// Puts all hosts back to what they held.
    pub fn restore(&self, world: &World) {
        for host in &self.hosts {
            host.restore(world);
        }
    }

    /// Runs a procedure.
    pub async fn run<P: Procedure>(mut self, input: P::Input) -> Ran<P> {
        self.knows::<P>();
        let before = self.world();
        let drill = Drill::default();
        let drill = match self.crash_after.take() {
            Some(count) => drill.dying_after(count),
            None => drill,
        };
        let orders = Orders { drill: Arc::new(drill), ..Orders::default() };
        let ending = match Stored::of(&input) {
            Ok(input) => self.execute(Start::Run(P::OUTLINE.name, input), orders).await,
            Err(error) => Ending::Error(error),
        };
        Ran::new(self, before, ending)
    }

    /// Plans a procedure. A plan that changes the world panics.
    #[track_caller]
    pub fn plan<P: Procedure>(mut self, input: P::Input) -> impl Future<Output = Result<Plan>> {
        let caller = std::panic::Location::caller();
        async move {
            self.knows::<P>();
            let before = self.world();
            let plan = self.runner(&Orders::default()).plan(P::OUTLINE.name, Stored::of(&input)?).await;
            let differences = before.diff(&self.world());
            assert!(
                differences.is_empty(),
                "planning at {caller} has changed the world:\n{}",
                super::lines(&differences)
            );
            plan
        }
    }

    /// Makes sure that the book has a procedure.
    pub(crate) fn knows<P: Procedure>(&mut self) {
        if self.book.find(P::OUTLINE.name).is_err() {
            self.book = self.book.clone().procedures([Definition::of::<P>()]);
        }
    }

    /// One execution, until it ends or its runner dies.
    pub(crate) async fn execute(&mut self, start: Start<'_>, orders: Orders) -> Ending {
        self.clock.get_or_insert_with(|| self.start.map_or_else(SimClock::default, SimClock::at));
        let runner = self.runner(&orders);
        let going = async {
            match start {
                Start::Run(procedure, input) => runner.run(procedure, input).await,
                Start::Resume(run, how) => runner.resume(run, how).await,
                Start::Approve(run, by) => runner.approve(run, by, "").await,
            }
        };
        // Longer than any procedure waits. On a paused clock, the time comes when nothing else ever will.
        let forever = Duration::from_secs(10 * 365 * 86_400);
        tokio::select! {
            biased;
            () = orders.drill.death() => Ending::Crashed,
            () = tokio::time::sleep(forever) => Ending::Error(hangs()),
            finished = going => Ending::of(finished),
        }
    }

    fn runner(&self, orders: &Orders) -> Runner {
        for host in &self.hosts {
            host.meddle(&orders.drill);
        }
        let hosts = self.hosts.clone();
        let (drill, found) = (orders.drill.clone(), orders.found.clone());
        let runner = Runner::new(self.book.clone())
            .store(Arc::new(Drilled { store: self.store.clone(), drill: drill.clone() }))
            .people(self.answers.clone());
        let runner = self.settings.iter().fold(runner, |runner, setting| setting(runner));
        let runner = match self.clock {
            Some(clock) => runner.clock(clock),
            None => runner,
        };
        let alarm = Arc::new(Alarm::new(self.interrupt_at.clone(), runner.interrupts()));
        let (worlds, listener) = (Arc::new(move || worlds(&hosts)), listener(self.events.clone(), alarm.clone()));
        runner.reader(listener).port(Inspector::new(drill, orders.look.clone(), worlds, found, alarm))
    }

    /// All events so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The run that was begun last.
    pub(crate) async fn last_run(&self) -> Result<RunId> {
        self.store.runs().await?.pop().ok_or_else(|| Error::new("no run was begun"))
    }

    /// How a run ended for good, as its journal tells.
    pub(crate) async fn recorded_end(&self, run: &RunId) -> Option<RunEnded> {
        let entries = self.store.read(run).await.ok()?;
        let left = entries.iter().filter_map(|entry| match entry.memo.clone() {
            Memo::LeftBehind { title, why, commands } => Some(Left { key: entry.key.clone(), title, why, commands }),
            _ => None,
        });
        let ended = entries.iter().rev().find_map(|entry| match &entry.memo {
            Memo::Ended(ended) if ended.outcome.is_final() => Some((**ended).clone()),
            _ => None,
        });
        let Ended { outcome, error, output } = ended?;
        Some(RunEnded { outcome, error, left: left.collect(), warnings: 0, output, took: Duration::ZERO })
    }

    /// The journals, when they are kept in memory.
    pub(crate) fn memory(&self) -> Option<&MemoryStore> {
        self.memory.as_ref()
    }

    /// The commands its hosts were given.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls =
            |host: &SimHost| host.calls().into_iter().map(|call| format!("{host:?} $ {call}")).collect::<Vec<_>>();
        self.hosts.iter().flat_map(calls).collect()
    }
}

impl Ending {
    fn of(finished: Result<Finished>) -> Self {
        finished.map_or_else(Self::Error, Self::Finished)
    }
}

fn worlds(hosts: &[SimHost]) -> World {
    hosts.iter().fold(World::empty(), |world, host| world.join(host.snapshot()))
}

/// Keeps all events, and tells the alarm.
fn listener(events: Arc<Mutex<Vec<Event>>>, alarm: Arc<Alarm>) -> impl FnMut(&Event) + Send + 'static {
    move |event| {
        if let What::StepBegan { title, .. } = &event.what {
            alarm.hear(title);
        }
        events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
    }
}
