//! Properties of the engine: procedures made at random, killed at random, always end whole.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Waker};

use async_trait::async_trait;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::engine::locked;
use crate::journal::{Entry, MemoryStore, Store as _};
use crate::*;

/// A small world: named values, and a service that serves those it was last restarted on.
#[derive(Debug, Clone, Default)]
struct World(Arc<Mutex<State>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    values: BTreeMap<String, u32>,
    served: BTreeMap<String, u32>,
}

impl World {
    fn of(cx: &Context) -> Arc<World> {
        cx.port::<World>().expect("the test gives a world")
    }

    fn state(&self) -> State {
        locked(&self.0).clone()
    }
}

/// What a made-up procedure does.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Op {
    Set { name: String, fails: Option<Fails> },
    Restart,
    Check { passes: bool },
    Scope { ops: Vec<Op>, caught: bool },
    Each { items: Vec<Vec<Op>> },
    Both { a: Vec<Op>, b: Vec<Op> },
    Hold { name: String, ops: Vec<Op> },
    Guard { ops: Vec<Op> },
    Beside { ops: Vec<Op> },
    Fail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Fails {
    Before,
    After,
}

/// Gives up the processor, which is where the runner may be killed.
async fn breathe() {
    tokio::task::yield_now().await;
}

struct Set {
    name: String,
    fails: Option<Fails>,
}

#[async_trait]
impl Step for Set {
    type Before = Option<u32>;
    type Output = u32;

    fn describe(&self) -> Description {
        Description::new("set", &self.name)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Option<u32>, u32>> {
        breathe().await;
        let before = World::of(cx).state().values.get(&self.name).copied();
        Ok(if before == Some(1) { Survey::Already(1) } else { Survey::change(before, Diff::none()) })
    }

    async fn apply(&self, cx: &Context, _: &Option<u32>) -> Result<u32> {
        breathe().await;
        if self.fails == Some(Fails::Before) {
            bail!("failed before");
        }
        locked(&World::of(cx).0).values.insert(self.name.clone(), 1);
        breathe().await;
        if self.fails == Some(Fails::After) {
            bail!("failed after");
        }
        Ok(1)
    }
}

#[async_trait]
impl Rollback for Set {
    async fn rollback(&self, cx: &Context, before: &Option<u32>) -> Result<()> {
        breathe().await;
        let world = World::of(cx);
        match before {
            Some(value) => locked(&world.0).values.insert(self.name.clone(), *value),
            None => locked(&world.0).values.remove(&self.name),
        };
        breathe().await;
        Ok(())
    }
}

struct Restart;

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
        breathe().await;
        let world = World::of(cx);
        let mut state = locked(&world.0);
        state.served = state.values.clone();
        Ok(())
    }
}

#[async_trait]
impl Rollback for Restart {
    async fn rollback(&self, _: &Context, (): &()) -> Result<()> {
        Ok(())
    }

    async fn settle(&self, cx: &Context, before: &()) -> Result<()> {
        self.apply(cx, before).await
    }
}

struct Says(bool);

#[async_trait]
impl Check for Says {
    fn describe(&self) -> Description {
        Description::new("says", self.0.to_string())
    }

    async fn check(&self, _: &Context) -> Result<Finding> {
        breathe().await;
        Ok(Finding::of(self.0, "as it was made"))
    }
}

fn perform<'a>(run: &'a Run, ops: &'a [Op]) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
    Box::pin(async move {
        for op in ops {
            match op {
                Op::Set { name, fails } => {
                    run.step("set", Set { name: name.clone(), fails: *fails }).await?;
                }
                Op::Restart => run.step("restart", Restart).await?,
                Op::Check { passes } => run.check("says", Says(*passes)).await?,
                Op::Scope { ops, caught } => {
                    let result = run.scope("scope", async |run| perform(run, ops).await).await;
                    if !caught {
                        result?;
                    }
                }
                Op::Each { items } => {
                    let items = (0..items.len()).map(|n| Item { n, ops: items[n].clone() });
                    run.each("each", items, async |run, item: Item| perform(run, &item.ops).await).await?;
                }
                Op::Both { a, b } => {
                    run.both("both", async |run| perform(run, a).await, async |run| perform(run, b).await).await?;
                }
                Op::Hold { name, ops } => {
                    let held = Set { name: name.clone(), fails: None };
                    run.hold("hold", held, async |run| perform(run, ops).await).await?;
                }
                Op::Guard { ops } => {
                    let quiet = Trigger::failures("quiet", Says(true));
                    run.guard([quiet], async |run| perform(run, ops).await).await?;
                }
                Op::Beside { ops } => {
                    let scope = async |run: &Run| run.scope("scope", async |run| perform(run, ops).await).await;
                    run.beside(async |_| {}, scope).await?;
                }
                Op::Fail => bail!("the procedure says no"),
            }
        }
        Ok(())
    })
}

struct Item {
    n: usize,
    ops: Vec<Op>,
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "item-{}", self.n)
    }
}

/// The input of the made-up procedure: its script as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
struct Script {
    text: String,
}

struct MadeUp;

impl Procedure for MadeUp {
    type Input = Script;
    type Output = ();
    const OUTLINE: &'static Outline =
        &Outline { name: "made_up", title: "Made up", doc: "", items: &[], fingerprint: 0 };

    fn call<'a>(run: &'a Run, input: &'a Script) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async move {
            let ops: Vec<Op> = serde_json::from_str(&input.text)?;
            perform(run, &ops).await
        })
    }
}

/// Gives every value a name of its own, so that nothing is set twice.
fn named(ops: Vec<Op>, next: &mut u32) -> Vec<Op> {
    ops.into_iter().map(|op| rename(op, next)).collect()
}

fn rename(op: Op, next: &mut u32) -> Op {
    match op {
        Op::Set { fails, .. } => Op::Set { name: name(next), fails },
        Op::Hold { ops, .. } => Op::Hold { name: name(next), ops: named(ops, next) },
        Op::Scope { ops, caught } => Op::Scope { ops: named(ops, next), caught },
        Op::Guard { ops } => Op::Guard { ops: named(ops, next) },
        Op::Beside { ops } => Op::Beside { ops: named(ops, next) },
        Op::Both { a, b } => Op::Both { a: named(a, next), b: named(b, next) },
        Op::Each { items } => Op::Each { items: items.into_iter().map(|ops| named(ops, next)).collect() },
        other => other,
    }
}

fn name(next: &mut u32) -> String {
    *next += 1;
    format!("v{next}")
}

fn ops(fails: bool) -> impl Strategy<Value = Vec<Op>> {
    let fail = u32::from(fails);
    let set = |fails| Op::Set { name: String::new(), fails };
    let leaf = prop_oneof![
        12 => Just(set(None)),
        4 => Just(Op::Restart),
        2 => Just(Op::Check { passes: true }),
        fail => Just(set(Some(Fails::Before))),
        fail => Just(set(Some(Fails::After))),
        fail => Just(Op::Check { passes: false }),
        fail => Just(Op::Fail),
    ];
    let op = leaf.prop_recursive(3, 24, 4, |inner| {
        let ops = prop::collection::vec(inner, 0..4);
        prop_oneof![
            (ops.clone(), any::<bool>()).prop_map(|(ops, caught)| Op::Scope { ops, caught }),
            prop::collection::vec(ops.clone(), 0..4).prop_map(|items| Op::Each { items }),
            (ops.clone(), ops.clone()).prop_map(|(a, b)| Op::Both { a, b }),
            ops.clone().prop_map(|ops| Op::Hold { name: String::new(), ops }),
            ops.clone().prop_map(|ops| Op::Guard { ops }),
            ops.prop_map(|ops| Op::Beside { ops }),
        ]
    });
    prop::collection::vec(op, 1..6).prop_map(|ops| named(ops, &mut 0))
}

/// Whether a service is restarted beside other branches: which of their values it serves is then a matter of timing.
fn races(ops: &[Op]) -> bool {
    ops.iter().any(|op| match op {
        Op::Both { a, b } => restarts(a) || restarts(b),
        Op::Each { items } => items.iter().any(|ops| restarts(ops)),
        Op::Scope { ops, .. } | Op::Hold { ops, .. } | Op::Guard { ops } | Op::Beside { ops } => races(ops),
        _ => false,
    })
}

fn restarts(ops: &[Op]) -> bool {
    ops.iter().any(|op| match op {
        Op::Restart => true,
        Op::Both { a, b } => restarts(a) || restarts(b),
        Op::Each { items } => items.iter().any(|ops| restarts(ops)),
        Op::Scope { ops, .. } | Op::Hold { ops, .. } | Op::Guard { ops } | Op::Beside { ops } => restarts(ops),
        _ => false,
    })
}

/// One life of a run: a world, a store.
struct Life {
    world: World,
    store: MemoryStore,
}

impl Life {
    fn new() -> Self {
        let world = World::default();
        let old = BTreeMap::from([("v1".to_owned(), 7), ("v2".to_owned(), 7)]);
        *locked(&world.0) = State { values: old.clone(), served: old };
        Self { world, store: MemoryStore::default() }
    }

    fn runner(&self) -> Runner {
        let book = Book::new("test").procedures(procedures![MadeUp]);
        Runner::new(book).store(Arc::new(self.store.clone())).port(self.world.clone())
    }

    /// Polls the run this many times; `None` when it was killed then.
    fn begin(&self, ops: &[Op], polls: usize) -> Option<Result<Finished>> {
        let text = serde_json::to_string(ops).expect("a script");
        let inputs = Stored::of(&Script { text }).expect("inputs");
        polled(self.runner().run("made_up", inputs), polls)
    }

    fn resume(&self, how: Resume, polls: usize) -> Option<Result<Finished>> {
        polled(self.runner().resume(&self.run()?, how), polls)
    }

    fn run(&self) -> Option<RunId> {
        now(self.store.runs()).expect("runs").pop()
    }

    fn entries(&self) -> Vec<Entry> {
        now(self.store.read(&self.run().expect("a run"))).expect("entries")
    }
}

const ENOUGH: usize = 10_000;

fn polled<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut task = Task::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(value) = future.as_mut().poll(&mut task) {
            return Some(value);
        }
    }
    None
}

fn now<T>(future: impl Future<Output = T>) -> T {
    polled(future, ENOUGH).expect("it ends")
}

/// Time is needed by guards and retries; nothing here waits for it.
fn with_time<T>(body: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _guard = runtime.enter();
    body()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_run_ends_all_new_or_all_old(ops in ops(true)) {
        with_time(|| {
            let life = Life::new();
            let old = life.world.state();
            let finished = life.begin(&ops, ENOUGH).expect("it ends").expect("it begins");
            match finished.outcome() {
                Outcome::Done => {}
                Outcome::Refused | Outcome::RolledBack => prop_assert_eq!(life.world.state(), old),
                other => prop_assert!(false, "{:?}", other),
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_run_that_is_killed_and_resumed_ends_like_one_that_is_not(ops in ops(true), kills in prop::collection::vec(0_usize..60, 1..5)) {
        with_time(|| {
            // A step that is cut off after its change, but before it fails, is found done: that would be another end.
            let text = serde_json::to_string(&ops).expect("a script").replace("After", "Before");
            let ops: Vec<Op> = serde_json::from_str(&text).expect("a script");
            let whole = Life::new();
            let expected = whole.begin(&ops, ENOUGH).expect("it ends").expect("it begins");
            let life = Life::new();
            let mut end = life.begin(&ops, kills[0]);
            for kill in &kills[1..] {
                end = if end.is_none() && life.run().is_some() { life.resume(Resume::Continue, *kill) } else { end };
            }
            let finished = match end {
                Some(end) => end,
                None if life.run().is_none() => return Ok(()),
                None => life.resume(Resume::Continue, ENOUGH).expect("it ends"),
            };
            let finished = finished.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
            prop_assert_eq!(finished.outcome(), expected.outcome());
            let (found, expected) = (life.world.state(), whole.world.state());
            prop_assert_eq!(found.values, expected.values);
            if !races(&ops) {
                prop_assert_eq!(found.served, expected.served);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_run_that_is_killed_and_rolled_back_leaves_the_old_world(ops in ops(false), kill in 0_usize..80, again in 0_usize..40) {
        with_time(|| {
            let life = Life::new();
            let old = life.world.state();
            if life.begin(&ops, kill).is_some() || life.run().is_none() {
                return Ok(());
            }
            // Also the rollback is killed once, and goes on as a rollback whatever it is asked to do.
            let killed = life.resume(Resume::RollBack, again);
            if let Some(Err(error)) = &killed {
                return Err(TestCaseError::fail(format!("{error:?}")));
            }
            if killed.is_none() {
                let finished = life.resume(Resume::Continue, ENOUGH).expect("it ends");
                let began_to = life.entries().iter().any(|entry| matches!(entry.memo, journal::Memo::Unwinding(_)));
                let finished = finished.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
                prop_assert_eq!(finished.outcome() == Outcome::Done, !began_to, "{:?} {:#?}", finished, life.entries());
                if !began_to {
                    return Ok(());
                }
            }
            prop_assert_eq!(life.world.state(), old);
            Ok(())
        })?;
    }

    #[test]
    fn a_finished_journal_verifies(ops in ops(true)) {
        with_time(|| {
            let life = Life::new();
            life.begin(&ops, ENOUGH).expect("it ends").expect("it begins");
            let verified = now(life.runner().verify(&life.run().expect("a run")));
            verified.map_err(|error| TestCaseError::fail(format!("{error:?}")))
        })?;
    }

    #[test]
    fn a_plan_changes_nothing(ops in ops(true)) {
        with_time(|| {
            let life = Life::new();
            let old = life.world.state();
            let text = serde_json::to_string(&ops).expect("a script");
            now(life.runner().plan("made_up", Stored::of(&Script { text }).expect("inputs"))).expect("a plan");
            prop_assert_eq!(life.world.state(), old);
            Ok(())
        })?;
    }
}

fn set(name: &str) -> Op {
    Op::Set { name: name.to_owned(), fails: None }
}

/// Bodies that fail with something refused inside: a branch beside the one that fails, or what would settle.
fn failing_bodies() -> [Vec<Op>; 3] {
    [
        vec![Op::Both { a: vec![set("a1"), Op::Fail], b: vec![set("b1"), set("b2"), set("b3")] }],
        vec![Op::Each { items: vec![vec![set("a1"), Op::Fail], vec![set("b1"), set("b2"), set("b3")]] }],
        vec![set("a1"), Op::Beside { ops: vec![set("b1"), Op::Fail] }],
    ]
}

/// A procedure that goes another way after this failed.
fn another_way(body: Vec<Op>) -> Vec<Op> {
    vec![Op::Scope { ops: body, caught: true }, set("another")]
}

#[test]
fn a_procedure_goes_another_way_after_a_scope_that_failed() {
    with_time(|| {
        for body in failing_bodies() {
            let life = Life::new();
            let mut expected = life.world.state().values;
            expected.insert("another".to_owned(), 1);
            let finished = life.begin(&another_way(body), ENOUGH).expect("it ends").expect("it begins");
            assert_eq!(finished.outcome(), Outcome::Done, "{finished:?}");
            assert_eq!(life.world.state().values, expected);
        }
    });
}

#[test]
fn a_procedure_goes_another_way_wherever_the_rollback_of_the_scope_is_cut_off() {
    with_time(|| {
        for body in failing_bodies() {
            let ops = another_way(body);
            for kill in 0.. {
                let life = Life::new();
                if life.begin(&ops, kill).is_some() {
                    break;
                }
                if life.run().is_none() {
                    continue;
                }
                let finished = life.resume(Resume::Continue, ENOUGH).expect("it ends").expect("it resumes");
                assert_eq!(finished.outcome(), Outcome::Done, "after {kill} polls: {finished:?}");
                assert_eq!(life.world.state().values.get("another"), Some(&1), "after {kill} polls");
            }
        }
    });
}
