//! The runner: executes, resumes, plans and verifies the procedures of a book.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use crate::context::{Ports, World};
use crate::engine::{Again, Engine, Mode, Scope, in_words, locked, stops_here};
use crate::event::{LeftBecause, RunBegan, RunEnded, Voice, What};
use crate::explain::{self, Explanation, Sketch};
use crate::host::Leftovers;
use crate::journal::{Answer, Began, Ended, Entry, FORMAT, Journal, Memo, MemoryStore, Part, Store};
use crate::{
    Book, Clock, Definition, Error, ErrorKind, Evidence, Explain, Host, Key, Local, Nobody, Outcome, People, Plan,
    Reader, Result, Run, RunId, Stored, SystemClock,
};

pub use self::interrupts::Interrupts;
pub use self::policy::{OnFailure, Resume};

mod interrupts;
mod policy;

/// How long a process that an interrupted run left behind has to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Executes, resumes, plans and verifies the procedures of a [`Book`].
///
/// Dropping the future of an execution is like killing the runner: the run can be resumed.
#[must_use = "a runner does nothing until it runs, resumes, plans or verifies something"]
pub struct Runner {
    book: Book,
    store: Arc<dyn Store>,
    readers: Vec<Box<dyn Reader>>,
    people: Arc<dyn People>,
    host: Option<Arc<dyn Host>>,
    clock: Arc<dyn Clock>,
    ports: Ports,
    on_failure: Option<OnFailure>,
    interrupts: Interrupts,
}

/// A run that ended, or stopped for now.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub ended: RunEnded,
}

impl Finished {
    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.ended.outcome
    }
}

/// An execution about to start: its engine and what it is an execution of.
struct Execution {
    run: RunId,
    definition: Definition,
    began: Began,
    engine: Arc<Engine>,
    root: Arc<Scope>,
    host: Arc<dyn Host>,
    since: Instant,
}

impl Runner {
    /// A runner of this book on this machine, with a journal in memory, that nobody listens to.
    pub fn new(book: Book) -> Self {
        Self {
            book,
            store: Arc::new(MemoryStore::default()),
            readers: Vec::new(),
            people: Arc::new(Nobody),
            host: None,
            clock: Arc::new(SystemClock),
            ports: Ports::default(),
            on_failure: None,
            interrupts: Interrupts::default(),
        }
    }

    /// Keeping journals here.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = store;
        self
    }

    /// With one more reader of events.
    pub fn reader(mut self, reader: impl Reader + 'static) -> Self {
        self.readers.push(Box::new(reader));
        self
    }

    /// Asking these people.
    pub fn people(mut self, people: impl People + 'static) -> Self {
        self.people = Arc::new(people);
        self
    }

    /// Acting on this host unless the procedure says otherwise.
    pub fn host(mut self, host: impl Host + 'static) -> Self {
        self.host = Some(Arc::new(host));
        self
    }

    /// Telling the time with this clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// With a port for its steps, which they find with [`Context::port`](crate::Context::port).
    pub fn port<T: std::any::Any + Send + Sync>(mut self, port: T) -> Self {
        self.ports = self.ports.with(port);
        self
    }

    /// Doing this on failure, instead of what the run began with, or of rolling back.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = Some(on_failure);
        self
    }

    /// How the run is asked to stop.
    pub fn interrupts(&self) -> Interrupts {
        self.interrupts.clone()
    }

    /// Runs a procedure. An error says that it did not even begin.
    pub async fn run(self, procedure: &str, inputs: Stored) -> Result<Finished> {
        self.begin(procedure, inputs, None).await
    }

    /// Runs a procedure if the world is still as it was when the plan was made; else it is refused.
    pub async fn run_plan(self, procedure: &str, inputs: Stored, plan: &Plan) -> Result<Finished> {
        self.begin(procedure, inputs, Some(plan)).await
    }

    async fn begin(mut self, procedure: &str, inputs: Stored, plan: Option<&Plan>) -> Result<Finished> {
        let definition = self.book.find(procedure)?.clone();
        let began = self.began(&definition, inputs)?;
        let run = new_id(&*self.clock);
        let journal = self.store.begin(&run, &began).await?;
        let still_true = match plan {
            // Under the lock, so that nobody changes the world between the look and the run.
            Some(plan) => match self.look(&definition, &began).await {
                Ok(now) => plan.same_as(&now),
                Err(error) => Err(error),
            },
            None => Ok(()),
        };
        let execution = self.execution(run, definition, began, journal, Mode::Live);
        execution.say_began(false);
        let result = match still_true {
            Ok(()) => execution.perform().await,
            Err(refused) => Err(refused),
        };
        execution.end(result).await
    }

    /// Takes a run up again.
    pub async fn resume(self, run: &RunId, how: Resume) -> Result<Finished> {
        let by = self.people.me();
        let backwards = Error::new(format!("rolled back at the request of {by}"));
        self.go_on(run, Memo::Resumed { by }, async |engine: &Engine| match how {
            Resume::Continue => Ok(()),
            Resume::RollBack => engine
                .once(&Key::root(), Part::Unwind, Box::pin(async { Ok(Memo::Unwinding(backwards)) }))
                .await
                .map(drop),
        })
        .await
    }

    /// Answers what a waiting run waits for, and takes it up again.
    pub async fn approve(self, run: &RunId, by: &str, note: &str) -> Result<Finished> {
        let waiting = waits_for(&self.store.read(run).await?, run)?;
        let said = if note.is_empty() { format!("approved by {by}") } else { format!("approved by {by}: {note}") };
        let answer = Answer { title: waiting.1, yes: true, evidence: Evidence::new(said) };
        self.go_on(run, Memo::Resumed { by: by.to_owned() }, async |engine: &Engine| {
            let answering = Box::pin(async { Ok(Memo::Answered(answer)) });
            engine.once(&waiting.0, Part::Value, answering).await.map(drop)
        })
        .await
    }

    async fn go_on(
        mut self,
        run: &RunId,
        resumed: Memo,
        decide: impl AsyncFnOnce(&Engine) -> Result<()>,
    ) -> Result<Finished> {
        let (definition, began, over) = self.known(&self.store.read(run).await?, run)?;
        if let Some(outcome) = over {
            return Err(Error::refused(format!("run `{run}` is over: {}", outcome.words())));
        }
        let journal = self.store.open(run).await?;
        if let Some(scratch) = self.store.scratch(run) {
            // What the killed runner left running would go on changing the world beside this execution.
            Leftovers::at(scratch).sweep(GRACE).await.context("end what the interrupted run left running")?;
        }
        let decisions = self.execution(run.clone(), definition.clone(), began.clone(), journal, Mode::Live);
        decisions.engine.note(&Key::root(), resumed).await?;
        decide(&decisions.engine).await?;
        decisions.engine.journal.close(false).await?;
        let Execution { engine, root, host, .. } = decisions;
        drop((root, host));
        let voice = engine.world.clone();
        drop(engine);
        // Opened anew, so that the decision is read like everything else that was remembered.
        let journal = self.store.open(run).await?;
        let execution = self.execution_in(voice, run.clone(), definition, began, journal, Mode::Live);
        execution.say_began(true);
        let result = execution.perform().await;
        execution.end(result).await
    }

    /// Plans a procedure: surveys only, changes nothing.
    pub async fn plan(mut self, procedure: &str, inputs: Stored) -> Result<Plan> {
        let definition = self.book.find(procedure)?.clone();
        let began = self.began(&definition, inputs)?;
        self.look(&definition, &began).await
    }

    async fn look(&mut self, definition: &Definition, began: &Began) -> Result<Plan> {
        let readers = std::mem::take(&mut self.readers);
        let store = MemoryStore::default();
        let run = new_id(&*self.clock);
        let journal = store.begin(&run, began).await?;
        let execution = self.execution(run, definition.clone(), began.clone(), journal, Mode::Plan(Mutex::default()));
        self.readers = readers;
        let result = execution.perform().await;
        let steps = execution.engine.draft().map(|mut draft| std::mem::take(&mut draft.steps)).unwrap_or_default();
        let unreached = match result {
            Ok(_) => Vec::new(),
            Err(_) => crate::plan::unreached(definition.outline, &steps),
        };
        Ok(Plan {
            book: began.book.clone(),
            procedure: began.procedure.clone(),
            target: began.target.clone(),
            inputs: began.inputs.clone(),
            steps,
            unreached,
            ends_because: result.err().map(|error| format!("{error:#}")),
        })
    }

    /// Explains a procedure: what its steps and checks are, and which commands do the same by hand. Nothing is looked at:
    /// what the procedure would learn is made up, so an explanation may not come by everything.
    pub async fn explain(mut self, procedure: &str, inputs: Stored) -> Result<Explanation> {
        let definition = self.book.find(procedure)?.clone();
        self.readers.clear();
        accepted(&definition, &inputs)?;
        let began = self.began_at(&definition, inputs, String::new());
        let run = new_id(&*self.clock);
        explain::explore(definition.outline, async |mut sketch: Sketch| {
            sketch.base = self.host.as_ref().map_or("localhost", |host| host.name()).to_owned();
            let enough = sketch.enough.clone();
            let journal = MemoryStore::default().begin(&run, &began).await?;
            let mode = Mode::Explain(Mutex::new(sketch));
            let execution = self.execution(run.clone(), definition.clone(), began.clone(), journal, mode);
            let ended = explain::for_a_while(enough, execution.perform()).await;
            let sketch = execution.engine.sketch().map(|mut sketch| std::mem::take(&mut *sketch));
            let mut sketch = sketch.unwrap_or_default();
            sketch.left = !ended;
            Ok(sketch)
        })
        .await
    }

    /// Replays a saved journal against today's code, changing nothing: an error says where they differ.
    pub async fn verify(mut self, run: &RunId) -> Result<()> {
        let entries = self.store.read(run).await?;
        let (definition, began, _) = self.known(&entries, run)?;
        let store = MemoryStore::default();
        store.replace(run, entries);
        let journal = store.open(run).await?;
        let execution = self.execution(run.clone(), definition, began, journal, Mode::Verify);
        match execution.perform().await {
            Err(error) if error.kind() == ErrorKind::Mismatch => Err(error),
            Err(error) if error.kind() == ErrorKind::Horizon => Ok(()),
            _ => execution.engine.all_replayed(),
        }
    }

    fn began(&self, definition: &Definition, inputs: Stored) -> Result<Began> {
        accepted(definition, &inputs)?;
        let target = self.book.target_of(definition, &inputs)?;
        Ok(self.began_at(definition, inputs, target))
    }

    fn began_at(&self, definition: &Definition, inputs: Stored, target: String) -> Began {
        Began {
            format: FORMAT,
            book: self.book.name().to_owned(),
            procedure: definition.name().to_owned(),
            title: definition.outline.title.to_owned(),
            target,
            inputs,
            fingerprint: definition.outline.fingerprint,
            by: self.people.me(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            on_failure: self.on_failure.unwrap_or_default(),
        }
    }

    /// What a journal says of its run: the procedure, how it began, and how it ended for good.
    fn known(&self, entries: &[Entry], run: &RunId) -> Result<(Definition, Began, Option<Outcome>)> {
        let Some(Memo::Began(began)) = entries.first().map(|entry| &entry.memo) else {
            let message = format!("the journal of run `{run}` does not say how it began");
            return Err(
                Error::of(ErrorKind::Journal, message).hint("nothing was changed by then; start the procedure anew")
            );
        };
        if began.book != self.book.name() {
            return Err(Error::new(format!(
                "run `{run}` belongs to book `{}`, not `{}`",
                began.book,
                self.book.name()
            )));
        }
        let definition = self.book.find(&began.procedure)?.clone();
        let over = entries.iter().rev().find_map(|entry| match &entry.memo {
            Memo::Ended(ended) if ended.outcome.is_final() => Some(ended.outcome),
            _ => None,
        });
        Ok((definition, (**began).clone(), over))
    }

    /// This machine, noting which processes it starts for this run. A plan leaves nothing behind, not even that.
    fn this_machine(&self, run: &RunId, mode: &Mode) -> Arc<dyn Host> {
        match self.store.scratch(run) {
            Some(scratch) if matches!(mode, Mode::Live) => Arc::new(Local::new().leftovers(scratch)),
            _ => Arc::new(Local::new()),
        }
    }

    fn execution(
        &mut self,
        run: RunId,
        definition: Definition,
        began: Began,
        journal: Box<dyn Journal>,
        mode: Mode,
    ) -> Execution {
        let voice = Voice::new(std::mem::take(&mut self.readers));
        let world = Arc::new(World { clock: self.clock.clone(), voice, ports: self.ports.clone() });
        self.execution_in(world, run, definition, began, journal, mode)
    }

    fn execution_in(
        &self,
        world: Arc<World>,
        run: RunId,
        definition: Definition,
        began: Began,
        journal: Box<dyn Journal>,
        mode: Mode,
    ) -> Execution {
        let host = self.host.clone().unwrap_or_else(|| self.this_machine(&run, &mode));
        let engine = Engine {
            world,
            again: Again::new(journal.entries()),
            journal,
            people: self.people.clone(),
            on_failure: self.on_failure.unwrap_or(began.on_failure),
            mode,
            refused: OnceLock::new(),
            changed: AtomicBool::new(false),
            left: Mutex::default(),
        };
        let root = Scope::root(self.interrupts.soft.clone(), self.interrupts.hard.clone());
        let engine = Arc::new(engine);
        self.interrupts.announce(&engine.world);
        Execution { run, definition, began, engine, root, host, since: Instant::now() }
    }
}

impl Execution {
    fn say_began(&self, resumed: bool) {
        let Began { book, procedure, title, target, inputs, host, by, .. } = self.began.clone();
        let run = self.run.clone();
        self.engine.say(What::RunBegan(RunBegan { run, book, procedure, title, target, inputs, by, host, resumed }));
    }

    /// Calls the procedure. A panic in it is a failure like any other: what it did is put back.
    async fn perform(&self) -> Result<Stored> {
        self.engine.recall_halt(&self.root);
        let (engine, scope, host) = (self.engine.clone(), self.root.clone(), self.host.clone());
        let host_name = host.name().into();
        let run = Run { engine, scope, host, host_name, outermost: true };
        let called = AssertUnwindSafe(self.definition.call(run, self.began.inputs.clone())).catch_unwind().await;
        let result = called.unwrap_or_else(|panic| Err(panicked(&*panic)));
        // The procedure went on as if nothing had been refused, or ended before the decision to go back.
        match self.engine.refused.get().cloned().or_else(|| self.root.is_halted()) {
            Some(reason) => result.and(Err(reason)),
            None => result,
        }
    }

    /// Ends the execution: rolls back what has to be, remembers the outcome, tells it.
    async fn end(self, result: Result<Stored>) -> Result<Finished> {
        let result = match result {
            Ok(output) => {
                self.engine.settle_pending(&self.root).await.and_then(|()| self.engine.all_replayed()).map(|()| output)
            }
            Err(error) => Err(self.put_back(error).await),
        };
        let (outcome, error, output) = match result {
            Ok(output) => (Outcome::Done, None, Some(output)),
            Err(error) if error.kind() == ErrorKind::Mismatch => {
                self.engine.journal.close(false).await?;
                return Err(error);
            }
            Err(error) => (self.outcome(&error), Some(error), None),
        };
        let ended = Ended { outcome, error: error.clone(), output: output.clone() };
        let noted =
            self.engine.once(&Key::root(), Part::End, Box::pin(async { Ok(Memo::Ended(Box::new(ended))) })).await;
        let closed = self.engine.journal.close(outcome.is_final()).await;
        let unwritten = noted.map(drop).and(closed).err();
        let outcome = if unwritten.is_some() { Outcome::Paused } else { outcome };
        let ended = RunEnded {
            outcome,
            error: error.or(unwritten),
            left: locked(&self.engine.left).clone(),
            warnings: self.engine.world.voice.warnings(),
            output,
            took: self.since.elapsed(),
        };
        self.engine.say(What::RunEnded(ended.clone()));
        Ok(Finished { run: self.run, ended })
    }

    async fn put_back(&self, error: Error) -> Error {
        if stops_here(&error) {
            return error;
        }
        if self.engine.on_failure == OnFailure::Pause && self.may_pause(&error) {
            return self.engine.park(&Key::root(), error).await;
        }
        self.engine.unwind(&self.root, error).await
    }

    /// Whether the policy of pausing applies: something was changed, and nobody has decided to go back.
    fn may_pause(&self, _error: &Error) -> bool {
        self.engine.has_changed() && self.engine.recall(&Key::root(), Part::Unwind).is_none()
    }

    fn outcome(&self, error: &Error) -> Outcome {
        // What the author said would stay is named, and no resume could put it back.
        let left = locked(&self.engine.left);
        let lost = left.iter().any(|left| matches!(left.why, LeftBecause::UndoFailed(_)));
        match error.kind() {
            ErrorKind::Parked | ErrorKind::Journal => Outcome::Paused,
            _ if lost => Outcome::RollbackIncomplete,
            ErrorKind::Interrupted => Outcome::Interrupted,
            _ if !self.engine.has_changed() => Outcome::Refused,
            _ => Outcome::RolledBack,
        }
    }
}

impl Engine {
    /// An error when the journal remembers something that the code never came to.
    fn all_replayed(&self) -> Result<()> {
        match self.again.missed() {
            Some(key) if self.refused.get().is_none() => {
                let entries = self.journal.entries();
                let recorded = entries.iter().find(|entry| entry.key == key).map(|entry| in_words(&entry.memo));
                Err(crate::engine::mismatch(&key, &recorded.unwrap_or_default(), "nothing: the procedure ended"))
            }
            _ => Ok(()),
        }
    }
}

/// An error when these are no inputs of this procedure.
fn accepted(definition: &Definition, inputs: &Stored) -> Result<()> {
    definition.accepts(inputs).map_err(|error| error.context("read the inputs").kind_of(ErrorKind::Refused))
}

/// What a parked run waits for: the key and the question.
fn waits_for(entries: &[Entry], run: &RunId) -> Result<(Key, String)> {
    let mut latest = entries.iter().rev();
    let asked = latest.find_map(|entry| match &entry.memo {
        Memo::Asked { title, .. } => Some((entry.key.clone(), title.to_string())),
        _ => None,
    });
    let waiting = asked.filter(|(key, _)| !entries.iter().any(|entry| entry.key == *key && entry.part == Part::Value));
    waiting.ok_or_else(|| {
        Error::refused(format!("run `{run}` does not wait for an answer"))
            .hint(format!("`resume {run}` takes it up again"))
    })
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::new(format!("the procedure panicked: {text}"))
}

/// A name for a new run that sorts by time and is easily typed. Runs of one process that begin in the same millisecond have
/// names of their own, and those of two very likely.
fn new_id(clock: &dyn Clock) -> RunId {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().build_hasher().finish()));
    let (now, chance) = (clock.now(), NEXT.fetch_add(1, Ordering::Relaxed) & 0xfff);
    RunId(format!("{}-{:03x}{chance:03x}", now.strftime("%Y%m%d-%H%M%S"), now.subsec_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Standing;

    impl Clock for Standing {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }
    }

    #[test]
    fn runs_that_begin_in_the_same_millisecond_have_names_of_their_own() {
        let names: std::collections::BTreeSet<String> = (0..4096).map(|_| new_id(&Standing).0).collect();
        assert_eq!(names.len(), 4096);
    }
}
