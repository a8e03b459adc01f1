//! The run: the handle a procedure works through.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::engine::{Asking, Engine, Reversible, Scope, Undo};
use crate::event::{Outage, What};
use crate::host::{Become, Place};
use crate::journal::{Memo, Part};
use crate::{
    Check, CheckRole, Context, Error, ErrorKind, Finding, Host, Key, QuestionKind, Record, Result, Rollback, ScopeKind,
    Step, Stored,
};

pub use self::guard::{Gauge, Reaction, Trigger};
pub use self::items::{AtOnce, EachBody, Items};
pub use self::retry::Retry;
pub use self::step::StepCall;
pub use self::window::Window;

mod guard;
mod items;
mod retry;
mod step;
mod window;

/// The handle a procedure works through. Its conventional name is `run`.
///
/// Whatever goes through it is remembered under a stable key: the path of scopes and the position in it, taken when
/// the call is written. When the procedure is replayed, remembered effects return at once.
#[derive(Clone)]
pub struct Run {
    pub(crate) engine: Arc<Engine>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) host: Arc<dyn Host>,
    /// Its name, as every step tells it.
    pub(crate) host_name: Arc<str>,
    /// Whether this is the handle the runner gave to the procedure it runs.
    pub(crate) outermost: bool,
}

impl Run {
    /// Takes a step: surveys it, remembers what was there before, and applies it. When the procedure fails later, the
    /// step is rolled back.
    pub fn step<S: Rollback + 'static>(&self, title: impl Into<Arc<str>>, step: S) -> StepCall<'_, S> {
        StepCall::new(self, title.into(), None, Arc::new(Reversible(step)))
    }

    /// Takes a step that cannot be undone, saying why that is acceptable. A rollback names it as left behind.
    pub fn irreversible<S: Step + 'static>(
        &self,
        why: impl Into<Arc<str>>,
        title: impl Into<Arc<str>>,
        step: S,
    ) -> StepCall<'_, S> {
        StepCall::new(self, title.into(), Some(why.into()), Arc::new(crate::engine::Irreversible(step)))
    }

    /// Says that nothing before this will be undone. When the procedure fails later, what stays is named with this reason;
    /// what came after this is put back, and the run is over like any that was rolled back.
    pub async fn point_of_no_return(&self, why: impl Into<Arc<str>>) -> Result<()> {
        let (key, why) = (self.next_key()?, why.into());
        if self.engine.is_dry() {
            return Ok(());
        }
        let passing = async {
            self.engine.admit_change(&self.scope).await?;
            Ok(Memo::PointOfNoReturn { why: why.clone() })
        };
        self.engine.once(&key, Part::Value, Box::pin(passing)).await?;
        self.scope.commit(&why);
        self.engine.say(What::PointOfNoReturn { key, why });
        Ok(())
    }

    /// Asks a check; any answer but *pass* fails the procedure.
    pub async fn check<C: Check + 'static>(&self, title: impl Into<Arc<str>>, check: C) -> Result<()> {
        let title = title.into();
        match self.ask_check(title.clone(), Arc::new(check), CheckRole::Check).await? {
            Finding::Pass(_) => Ok(()),
            finding => Err(crate::engine::check_failed(&title, &finding)),
        }
    }

    /// Asks for a precondition: the procedure refuses to begin without it. After an interruption it is asked again before
    /// anything new is changed, unless the run itself has changed what it asks about.
    pub async fn require<C: Check + 'static>(&self, title: impl Into<Arc<str>>, check: C) -> Result<()> {
        let title = title.into();
        match self.ask_check(title.clone(), Arc::new(check), CheckRole::Require).await? {
            Finding::Pass(_) => Ok(()),
            finding => Err(crate::engine::check_failed(&title, &finding).kind_of(ErrorKind::Refused)),
        }
    }

    /// Asks a check; an answer that is not *pass* is a warning. Tells whether it passed.
    pub async fn observe<C: Check + 'static>(&self, title: impl Into<Arc<str>>, check: C) -> Result<bool> {
        let title = title.into();
        let finding = self.ask_check(title.clone(), Arc::new(check), CheckRole::Observe).await?;
        if !finding.passes() {
            let text = crate::engine::check_failed(&title, &finding).to_string();
            self.engine.say(What::Warned { key: self.scope.key.clone(), text });
        }
        Ok(finding.passes())
    }

    /// Asks a check for its answer, and makes nothing of it: the procedure decides, as in a diagnosis or a report.
    pub async fn probe<C: Check + 'static>(&self, title: impl Into<Arc<str>>, check: C) -> Result<Finding> {
        self.ask_check(title.into(), Arc::new(check), CheckRole::Probe).await
    }

    /// Runs a body as a unit: when it fails, its steps are rolled back before its error comes out, and the procedure may
    /// go another way.
    pub async fn scope<R>(&self, title: impl Into<Arc<str>>, body: impl AsyncFnOnce(&Run) -> Result<R>) -> Result<R> {
        let run = self.enter(title.into(), ScopeKind::Scope, None).await?;
        let result = body(&run).await;
        self.engine.leave(&run.scope, result).await
    }

    /// Runs the body for every item, up to eight at once; `items.at_once(n)` changes that. The names of the items tell
    /// their steps apart, so each must be different. Results come in the order of the items.
    ///
    /// When one fails, the others finish their current step, then all are rolled back.
    pub fn each<'a, T, R, F>(
        &'a self,
        title: impl Into<Arc<str>>,
        items: impl Into<Items<T>>,
        body: F,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<R>>> + Send + 'a>>
    where
        T: fmt::Display + Send + 'a,
        R: Send + 'a,
        F: AsyncFn(&Run, T) -> Result<R> + for<'r> EachBody<'r, T, R> + Send + Sync + 'a,
    {
        let (title, Items { items, at_once }) = (title.into(), items.into());
        Box::pin(async move {
            let all = self.enter(title, ScopeKind::Each, None).await?;
            let result = match all.item_runs(&items) {
                Ok(runs) => all.each_of(runs.into_iter().zip(items), at_once, &body).await,
                Err(error) => Err(error),
            };
            self.engine.leave(&all.scope, result).await
        })
    }

    async fn each_of<T, R, F>(&self, items: impl Iterator<Item = (Run, T)>, at_once: usize, body: &F) -> Result<Vec<R>>
    where
        F: for<'r> EachBody<'r, T, R>,
    {
        // A plan looks at one after the other, so that its order is that of the items.
        let at_once = if self.engine.is_dry() { 1 } else { at_once };
        let mut waiting = items.enumerate().peekable();
        let mut working = FuturesUnordered::new();
        let mut results = Vec::new();
        loop {
            while working.len() < at_once
                && let Some((n, (run, item))) = waiting.next_if(|(_, (run, _))| run.may_begin())
            {
                working.push(async move { (n, run.item(body, item).await) });
            }
            let Some((n, result)) = working.next().await else { break };
            if let Err(error) = &result {
                self.stop_siblings(error);
            }
            results.push((n, result));
        }
        match self.scope.halted() {
            // Halted before every item could begin.
            Some(reason) if waiting.peek().is_some() && results.iter().all(|(_, result)| result.is_ok()) => Err(reason),
            _ => in_order(results),
        }
    }

    /// Whether an item may begin: not once a sibling has failed, unless it had begun by then.
    fn may_begin(&self) -> bool {
        self.scope.halted().is_none() || self.engine.recall(&self.scope.key, Part::Entered).is_some()
    }

    /// One item of an `each`. Its undo stack goes to the `each` whatever came of it, so that nothing is undone while
    /// siblings are still at work.
    async fn item<T, R, F: for<'r> EachBody<'r, T, R>>(&self, body: &F, item: T) -> Result<R> {
        self.engine.enter(&self.scope, ScopeKind::Item, None).await?;
        let result = body.begin(self, item).await;
        self.leave_to_parent(result)
    }

    fn leave_to_parent<R>(&self, result: Result<R>) -> Result<R> {
        self.scope.hand_over();
        let error = result.as_ref().err().cloned();
        if !self.engine.is_dry() {
            self.engine.say(What::ScopeEnded { key: self.scope.key.clone(), error });
        }
        result
    }

    /// A sibling failed: the others finish what they are doing.
    fn stop_siblings(&self, error: &Error) {
        if error.kind() != ErrorKind::Stopped {
            let stopped = Error::of(ErrorKind::Stopped, "stopped, because something beside it failed");
            self.scope.halt(if crate::engine::stops_here(error) {
                error.clone()
            } else {
                stopped.caused_by(error.clone())
            });
        }
    }

    fn item_runs<T: fmt::Display>(&self, items: &[T]) -> Result<Vec<Run>> {
        let names: Vec<String> = items.iter().map(ToString::to_string).collect();
        let mut sorted: Vec<_> = names.iter().collect();
        sorted.sort();
        if let Some(twice) = sorted.windows(2).find_map(|pair| (pair[0] == pair[1]).then_some(pair[0])) {
            let message = format!("two items of `{}` are named `{}`", self.scope.title, twice);
            return Err(Error::new(message).hint("names tell the steps of the items apart; make them different"));
        }
        Ok(names.into_iter().map(|name| self.part(name)).collect())
    }

    /// A part of this scope, under a name.
    fn part(&self, name: String) -> Run {
        let position = self.scope.take_position();
        self.within(self.scope.child(position, self.scope.key.item(&name), name.into()))
    }

    /// Runs two bodies at once. When one fails, the other finishes its current step, then both are rolled back.
    pub async fn both<A, B>(
        &self,
        title: impl Into<Arc<str>>,
        a: impl AsyncFnOnce(&Run) -> Result<A>,
        b: impl AsyncFnOnce(&Run) -> Result<B>,
    ) -> Result<(A, B)> {
        let all = self.enter(title.into(), ScopeKind::Both, None).await?;
        let (left, right) = (all.part("a".into()), all.part("b".into()));
        let (a, b) = futures_util::future::join(all.side(&left, a), all.side(&right, b)).await;
        let result = match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
            (Err(a), Err(b)) => Err(if a.kind() == ErrorKind::Stopped { b } else { a }),
        };
        self.engine.leave(&all.scope, result).await
    }

    async fn side<R>(&self, run: &Run, body: impl AsyncFnOnce(&Run) -> Result<R>) -> Result<R> {
        self.engine.enter(&run.scope, ScopeKind::Both, None).await?;
        let result = run.leave_to_parent(body(run).await);
        if let Err(error) = &result {
            self.stop_siblings(error);
        }
        result
    }

    /// Takes a step for the time of a body and takes it back at the end, whatever happened, a crash and a resume included:
    /// a maintenance page, a drained instance, a paused scheduler. While the run waits for a person, it is held.
    pub async fn hold<S: Rollback + 'static, R>(
        &self,
        title: impl Into<Arc<str>>,
        step: S,
        body: impl AsyncFnOnce(&Run) -> Result<R>,
    ) -> Result<R> {
        let title = title.into();
        let held = self.enter(title.clone(), ScopeKind::Hold, None).await?;
        let position = held.scope.take_position();
        let taken = held.step_at(position, title.clone(), step).await;
        let result = match taken {
            Ok(_) => held.scope(title, body).await,
            Err(error) => Err(error),
        };
        let result = match (&result, held.scope.disarm(position)) {
            (Err(error), Some(undo)) if crate::engine::stops_here(error) => {
                held.scope.arm(position, undo);
                result
            }
            (_, Some(Undo::Step(armed))) => match self.engine.give_back(&armed).await {
                Err(error) if crate::engine::stops_here(&error) => Err(error),
                given => {
                    held.scope.settles_again();
                    result.and_then(|value| given.map(|()| value))
                }
            },
            _ => result,
        };
        self.engine.leave(&held.scope, result).await
    }

    async fn step_at<S: Rollback + 'static>(&self, position: u32, title: Arc<str>, step: S) -> Result<S::Output> {
        StepCall::<S>::at(self, position, title, None, Arc::new(Reversible(step))).await
    }

    /// Watches triggers beside a body. When one fires, the body is stopped at the next safe point, a running command is
    /// ended, and what the trigger says follows.
    pub async fn guard<R>(
        &self,
        triggers: impl IntoIterator<Item = Trigger>,
        body: impl AsyncFnOnce(&Run) -> Result<R>,
    ) -> Result<R> {
        let guarded = self.enter("guarded".into(), ScopeKind::Guard, None).await?;
        let result = guard::watch(&guarded, triggers.into_iter().collect(), body(&guarded)).await;
        self.engine.leave(&guarded.scope, result).await
    }

    /// Asks a person to go on. Without one the run parks, and `approve` continues it.
    pub async fn confirm(&self, question: impl Into<Arc<str>>) -> Result<()> {
        self.ask_person(Asking { kind: QuestionKind::Confirm, title: question.into(), lines: Vec::new() }).await
    }

    /// Asks a person to tick every point of a list.
    pub async fn checklist<P: Into<String>>(
        &self,
        title: impl Into<Arc<str>>,
        points: impl IntoIterator<Item = P>,
    ) -> Result<()> {
        let lines = points.into_iter().map(Into::into).collect();
        self.ask_person(Asking { kind: QuestionKind::Tick, title: title.into(), lines }).await
    }

    /// Asks for the approval of a person of this role or name.
    pub async fn approve(&self, by: impl Into<Arc<str>>) -> Result<()> {
        let by = by.into();
        let title = format!("approval by {by}").into();
        self.ask_person(Asking { kind: QuestionKind::Approve(by.to_string()), title, lines: Vec::new() }).await
    }

    /// Refuses to go on outside of this window, unless someone gives a reason, which is remembered.
    pub async fn window(&self, window: &Window) -> Result<()> {
        window::ask(self, window).await
    }

    /// The time now, remembered: on replay it is the same.
    pub async fn now(&self) -> Result<Timestamp> {
        let clock = self.engine.world.clock.clone();
        self.remember(async || Ok(clock.now())).await
    }

    /// Computes a value that would differ at another time, and remembers it.
    pub async fn remember<T: Record>(&self, value: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        let key = self.next_key()?;
        if self.engine.is_explaining() {
            return self.engine.imagine_value("value").await;
        }
        if self.engine.is_dry() {
            return value().await;
        }
        // The value is computed before the journal is asked to keep it, as its future need not be `Send` in every case.
        let remembered = if let Some(memo) = self.engine.recall(&key, Part::Value) {
            memo
        } else {
            self.engine.admit(&self.scope).await?;
            Memo::Value(Stored::of(&value().await?)?)
        };
        match self.engine.once(&key, Part::Value, Box::pin(async { Ok(remembered) })).await? {
            Memo::Value(stored) => stored.load(),
            other => Err(crate::engine::mismatch(&key, &format!("{other:?}"), "a remembered value")),
        }
    }

    /// Reads a fact on the host, and remembers it: which release was there before, what a unit last said. It changes
    /// nothing.
    pub async fn look<T: Record>(&self, fact: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
        let (world, key, stop) = (self.engine.world.clone(), self.scope.key.clone(), self.scope.soft.clone());
        let cx = Context::new(self.host.clone(), world, key, stop);
        self.remember(async || fact(&cx).await).await
    }

    /// Lets something watch while the body goes on, its rollback included: a meter, for one. It looks through a context of
    /// its own, nothing of it is remembered, and it is dropped when the body ends. A plan leaves it out.
    pub async fn beside<R>(
        &self,
        watch: impl AsyncFnOnce(&Context),
        body: impl AsyncFnOnce(&Run) -> Result<R>,
    ) -> Result<R> {
        if self.engine.is_dry() {
            return body(self).await;
        }
        // The wish to stop ends the body, and what goes on in the rollback is watched too.
        let stop = CancellationToken::new();
        let cx = Context::new(self.host.clone(), self.engine.world.clone(), self.scope.key.clone(), stop);
        let watching = async {
            watch(&cx).await;
            std::future::pending().await
        };
        let going = async {
            let result = body(self).await;
            if result.is_err() {
                // What was put back settles while somebody watches. A run that stops here settles nothing, which is no
                // error of this one.
                let _ = self.engine.admit(&self.scope).await;
            }
            result
        };
        tokio::select! {
            biased;
            result = going => result,
            never = watching => never,
        }
    }

    /// The same run, with steps and checks that act on another host.
    pub fn on(&self, host: &Arc<dyn Host>) -> Run {
        Run { host: host.clone(), host_name: host.name().into(), ..self.clone() }
    }

    /// The same run at this place; `local` is where it is already.
    pub fn at(&self, place: &Place) -> Run {
        if *place == Place::Local { self.clone() } else { self.on(&place.host()) }
    }

    /// Where its steps and checks act: from inside a hold on one host back to another, `run.on(server.host())`.
    pub fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// The same run as another user of its host.
    pub fn as_user(&self, user: impl Into<String>) -> Run {
        self.on(&Become::user(user).on(&self.host).shared())
    }

    /// Says something for people.
    pub fn say(&self, text: impl Into<String>) {
        self.engine.say(What::Said { key: self.scope.key.clone(), text: text.into() });
    }

    /// Tells what users saw of something that was watched: how long it was down, and when. The log of the run has it.
    pub fn watched(&self, of: impl Into<Arc<str>>, outage: &Outage) {
        self.engine.say(What::Watched { key: self.scope.key.clone(), of: of.into(), outage: outage.clone() });
    }

    /// The key of the next thing in this scope.
    pub(crate) fn next_key(&self) -> Result<Key> {
        if crate::engine::is_inside_a_step() {
            return Err(inside_a_step());
        }
        Ok(self.scope.key.child(self.scope.take_position()))
    }

    /// Enters a scope at the next position.
    pub(crate) async fn enter(&self, title: Arc<str>, kind: ScopeKind, inputs: Option<Stored>) -> Result<Run> {
        if crate::engine::is_inside_a_step() {
            return Err(inside_a_step());
        }
        let position = self.scope.take_position();
        let scope = self.scope.child(position, self.scope.key.child(position), title);
        self.engine.enter(&scope, kind, inputs).await?;
        Ok(self.within(scope))
    }

    fn within(&self, scope: Arc<Scope>) -> Run {
        Run { scope, outermost: false, ..self.clone() }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run at {:?} on {}", self.scope.key, self.host.name())
    }
}

/// The results in the order of their items, or the first error that is not just a stop because of another.
fn in_order<R>(mut results: Vec<(usize, Result<R>)>) -> Result<Vec<R>> {
    results.sort_by_key(|(n, _)| *n);
    let stopped = |(_, result): &(usize, Result<R>)| matches!(result, Err(error) if error.kind() != ErrorKind::Stopped);
    if let Some(first) = results.iter().position(stopped) {
        return results.swap_remove(first).1.map(|_| Vec::new());
    }
    results.into_iter().map(|(_, result)| result).collect()
}

pub(crate) fn inside_a_step() -> Error {
    Error::new("a step cannot take steps of its own: the run was used inside a step")
        .hint("call the steps one after the other in the procedure, or write a function that takes the run")
}
