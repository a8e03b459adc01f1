//! A small world under the control of a test, and a stage on which a procedure is run, killed and resumed in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runbook::__private::async_trait;
use runbook::event::{StepEnd, What};
use runbook::journal::{MemoryStore, Store};
use runbook::prelude::*;
use runbook::{Definition, Event, Finished, Gauge, Outcome, Resume, RunId, Runner, Stored};

/// Named values, a service that serves those it was last restarted on, and what goes wrong with them.
#[derive(Clone, Default)]
pub(super) struct Scene(Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    pub(super) values: BTreeMap<String, u32>,
    pub(super) served: BTreeMap<String, u32>,
    /// What was done to the world: `apply a`, `undo a`, `settle service`, and `ask` for checks.
    pub(super) log: Vec<String>,
    /// What comes of an act instead, in this order: `survey a`, `apply a` (before it), `after a`, `undo a`.
    pub(super) trouble: BTreeMap<String, VecDeque<Error>>,
    /// Acts that fail whenever they are tried.
    pub(super) broken: BTreeMap<String, Error>,
    /// Acts that never end.
    pub(super) stuck: BTreeSet<String>,
    /// How long an act takes.
    pub(super) takes: BTreeMap<String, Duration>,
    /// What checks and gauges say, look by look; the last answer stays.
    pub(super) answers: BTreeMap<String, VecDeque<Finding>>,
    pub(super) levels: BTreeMap<String, VecDeque<Option<f64>>>,
}

impl Scene {
    fn of(cx: &Context) -> Arc<Self> {
        cx.port::<Self>().expect("the stage gives a scene")
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These acts go wrong like this, once each.
    pub(super) fn trouble(&self, act: &str, errors: impl IntoIterator<Item = Error>) {
        self.state().trouble.entry(act.to_owned()).or_default().extend(errors);
    }

    pub(super) fn break_(&self, act: &str, error: Error) {
        self.state().broken.insert(act.to_owned(), error);
    }

    pub(super) fn mend(&self) {
        let mut state = self.state();
        state.broken.clear();
        state.trouble.clear();
        state.stuck.clear();
    }

    pub(super) fn stick(&self, act: &str) {
        self.state().stuck.insert(act.to_owned());
    }

    pub(super) fn takes(&self, act: &str, duration: Duration) {
        self.state().takes.insert(act.to_owned(), duration);
    }

    pub(super) fn value(&self, name: &str) -> Option<u32> {
        self.state().values.get(name).copied()
    }

    pub(super) fn set(&self, name: &str, value: u32) {
        self.state().values.insert(name.to_owned(), value);
    }

    /// What was done since it was asked the last time.
    pub(super) fn done(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }

    fn note(&self, act: &str) {
        self.state().log.push(act.to_owned());
    }

    /// An act begins: it takes its time, sticks, or fails.
    async fn begin(&self, cx: &Context, act: &str) -> Result<()> {
        let (stuck, takes) = {
            let state = self.state();
            (state.stuck.contains(act), state.takes.get(act).copied())
        };
        if stuck {
            pending::<()>().await;
        }
        match takes {
            Some(takes) => cx.pause(takes).await?,
            None => tokio::task::yield_now().await,
        }
        self.goes(act)
    }

    fn goes(&self, act: &str) -> Result<()> {
        let mut state = self.state();
        let trouble = state.trouble.get_mut(act).and_then(VecDeque::pop_front);
        trouble.or_else(|| state.broken.get(act).cloned()).map_or(Ok(()), Err)
    }
}

/// Sets a value.
pub(super) struct Set(pub(super) &'static str, pub(super) u32);

#[async_trait]
impl Step for Set {
    type Before = Option<u32>;
    type Output = u32;

    fn describe(&self) -> Description {
        Description::new("set", self.0).writes(Resource::new("value", self.0)).undo_command(format!("unset {}", self.0))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Option<u32>, u32>> {
        let scene = Scene::of(cx);
        scene.begin(cx, &format!("survey {}", self.0)).await?;
        let before = scene.value(self.0);
        Ok(if before == Some(self.1) { Survey::Already(self.1) } else { Survey::change(before, Diff::none()) })
    }

    async fn apply(&self, cx: &Context, _: &Option<u32>) -> Result<u32> {
        let scene = Scene::of(cx);
        scene.begin(cx, &format!("apply {}", self.0)).await?;
        scene.note(&format!("apply {}", self.0));
        scene.set(self.0, self.1);
        scene.goes(&format!("after {}", self.0))?;
        Ok(self.1)
    }
}

#[async_trait]
impl Rollback for Set {
    async fn rollback(&self, cx: &Context, before: &Option<u32>) -> Result<()> {
        let scene = Scene::of(cx);
        scene.begin(cx, &format!("undo {}", self.0)).await?;
        scene.note(&format!("undo {}", self.0));
        match before {
            Some(value) => scene.set(self.0, *value),
            None => _ = scene.state().values.remove(self.0),
        }
        Ok(())
    }
}

/// Restarts the service, which serves the values of that moment.
pub(super) struct Restart;

#[async_trait]
impl Step for Restart {
    type Before = ();
    type Output = ();

    fn describe(&self) -> Description {
        Description::new("restart", "service").repeats()
    }

    async fn survey(&self, _: &Context) -> Result<Survey<(), ()>> {
        Ok(Survey::change((), Diff::none()))
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<()> {
        let scene = Scene::of(cx);
        scene.begin(cx, "apply service").await?;
        scene.note("apply service");
        let mut state = scene.state();
        state.served = state.values.clone();
        Ok(())
    }
}

#[async_trait]
impl Rollback for Restart {
    async fn rollback(&self, cx: &Context, (): &()) -> Result<()> {
        Scene::of(cx).note("undo service");
        Ok(())
    }

    async fn settle(&self, cx: &Context, (): &()) -> Result<()> {
        let scene = Scene::of(cx);
        scene.note("settle service");
        let mut state = scene.state();
        state.served = state.values.clone();
        Ok(())
    }
}

/// A step that takes another step.
pub(super) struct Nested(pub(super) Run);

#[async_trait]
impl Step for Nested {
    type Before = ();
    type Output = ();

    fn describe(&self) -> Description {
        Description::new("nested", "a step").repeats()
    }

    async fn survey(&self, _: &Context) -> Result<Survey<(), ()>> {
        Ok(Survey::change((), Diff::none()))
    }

    async fn apply(&self, _: &Context, (): &()) -> Result<()> {
        self.0.step("Inner", Set("inner", 1)).await.map(drop)
    }
}

#[async_trait]
impl Rollback for Nested {
    async fn rollback(&self, _: &Context, (): &()) -> Result<()> {
        Ok(())
    }
}

/// Whether a value is this; nothing counts as 0.
pub(super) struct Is(pub(super) &'static str, pub(super) u32);

#[async_trait]
impl Check for Is {
    fn describe(&self) -> Description {
        Description::new("is", format!("{} {}", self.0, self.1)).reads(Resource::new("value", self.0))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let scene = Scene::of(cx);
        scene.note(&format!("ask {}", self.0));
        let value = scene.value(self.0).unwrap_or(0);
        Ok(Finding::of(value == self.1, format!("{} is {value}", self.0)))
    }
}

/// Says what the scene tells it to.
pub(super) struct Says(pub(super) &'static str);

#[async_trait]
impl Check for Says {
    fn describe(&self) -> Description {
        Description::new("says", self.0)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        Ok(next(&mut Scene::of(cx).state().answers, self.0))
    }
}

#[async_trait]
impl Gauge for Says {
    async fn measure(&self, cx: &Context) -> Result<Option<f64>> {
        Ok(next(&mut Scene::of(cx).state().levels, self.0))
    }
}

fn next<T: Clone>(answers: &mut BTreeMap<String, VecDeque<T>>, name: &str) -> T {
    let answers = answers.get_mut(name).expect("the test says what it answers");
    let next = answers.front().cloned().expect("an answer");
    if answers.len() > 1 {
        answers.pop_front();
    }
    next
}

/// Where procedures are run, killed and resumed.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) scene: Scene,
    pub(super) book: Book,
    pub(super) store: Arc<dyn Store>,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Stage {
    pub(super) fn new(procedures: impl IntoIterator<Item = Definition>) -> Self {
        Self {
            scene: Scene::default(),
            book: Book::new("stage").procedures(procedures),
            store: Arc::new(MemoryStore::default()),
            events: Arc::default(),
        }
    }

    pub(super) fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// With other procedures, on the same scene and journals.
    pub(super) fn with(&self, procedures: impl IntoIterator<Item = Definition>) -> Self {
        Self { book: Book::new("stage").procedures(procedures), ..self.clone() }
    }

    pub(super) fn runner(&self) -> Runner {
        let events = self.events.clone();
        let keep = move |event: &Event| events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        Runner::new(self.book.clone()).store(self.store.clone()).port(self.scene.clone()).reader(keep)
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the step of this title ended well, the last time.
    pub(super) fn step_end(&self, of: &str) -> Option<StepEnd> {
        let events = self.events();
        let named = |what: &What| match what {
            What::StepBegan { key, title, .. } if &**title == of => Some(key.clone()),
            _ => None,
        };
        let key = events.iter().find_map(|event| named(&event.what))?;
        events.iter().rev().find_map(|event| match &event.what {
            What::StepEnded { key: ended, how, .. } if *ended == key => Some(*how),
            _ => None,
        })
    }

    fn first(&self) -> &'static str {
        self.book.list().first().expect("a procedure").name()
    }

    /// Runs the first procedure of the book, which has no inputs.
    pub(super) async fn try_run(&self) -> Result<Finished> {
        let inputs = Stored::of(&runbook::NoInput {}).expect("no inputs");
        self.runner().run(self.first(), inputs).await
    }

    #[track_caller]
    pub(super) fn run(&self) -> impl Future<Output = Finished> {
        let caller = std::panic::Location::caller();
        async move { self.try_run().await.unwrap_or_else(|error| panic!("it begins at {caller}: {error:?}")) }
    }

    /// Runs it until nothing moves any more for a while, and kills its runner there.
    pub(super) async fn kill(&self) -> RunId {
        let ended = tokio::time::timeout(20.minutes(), self.try_run()).await;
        assert!(ended.is_err(), "it ended before it was killed: {ended:?}");
        self.last().await
    }

    pub(super) async fn last(&self) -> RunId {
        self.store.runs().await.expect("runs").pop().expect("a run was begun")
    }

    pub(super) async fn try_resume(&self, how: Resume) -> Result<Finished> {
        let run = self.last().await;
        self.runner().resume(&run, how).await
    }

    #[track_caller]
    pub(super) fn resume(&self) -> impl Future<Output = Finished> {
        let caller = std::panic::Location::caller();
        async move {
            let resumed = self.try_resume(Resume::Continue).await;
            resumed.unwrap_or_else(|error| panic!("it is taken up again at {caller}: {error:?}"))
        }
    }
}

/// Says how an execution should have ended.
pub(super) trait Ends {
    fn ends(self, outcome: Outcome) -> Self;
    fn says(self, words: &str) -> Self;
    fn left(&self) -> Vec<String>;
}

impl Ends for Finished {
    #[track_caller]
    fn ends(self, outcome: Outcome) -> Self {
        assert_eq!(self.outcome(), outcome, "{:?}", self.ended);
        self
    }

    #[track_caller]
    fn says(self, words: &str) -> Self {
        let error = self.ended.error.as_ref().map(|error| format!("{error:?}")).unwrap_or_default();
        assert!(error.contains(words), "`{words}` is missing in: {error}");
        self
    }

    fn left(&self) -> Vec<String> {
        self.ended.left.iter().map(|left| left.title.to_string()).collect()
    }
}
