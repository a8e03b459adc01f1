//! The run: the handle a procedure works through.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::{Check, Host, Record, Result, Rollback, Step};

pub use self::guard::Trigger;
pub use self::items::{AtOnce, Items};
pub use self::retry::Retry;
pub use self::window::Window;

mod guard;
mod items;
mod retry;
mod window;

/// The handle a procedure works through. Its conventional name is `run`.
#[derive(Clone)]
pub struct Run {}

impl Run {
    /// Takes a step: surveys it, remembers what was there before, and applies it. When the procedure fails later, the
    /// step is rolled back.
    pub fn step<S: Rollback + 'static>(&self, title: impl Into<Arc<str>>, step: S) -> StepCall<'_, S> {
        todo!()
    }

    /// Takes a step that cannot be undone, saying why that is acceptable.
    pub fn irreversible<S: Step + 'static>(
        &self,
        why: impl Into<Arc<str>>,
        title: impl Into<Arc<str>>,
        step: S,
    ) -> StepCall<'_, S> {
        todo!()
    }

    /// Says that nothing before this will be undone.
    pub async fn point_of_no_return(&self, why: impl Into<Arc<str>>) -> Result<()> {
        todo!()
    }

    /// Asks a check; any answer but *pass* fails the procedure.
    pub async fn check<C: Check + 'static>(&self, title: impl Into<Arc<str>>, check: C) -> Result<()> {
        todo!()
    }

    /// Asks for a precondition: like [`check`](Self::check), and asked again after an interruption, before anything
    /// new is changed.
    pub async fn require<C: Check + 'static>(&self, title: impl Into<Arc<str>>, check: C) -> Result<()> {
        todo!()
    }

    /// Asks a check; an answer that is not *pass* is a warning. Tells whether it passed.
    pub async fn observe<C: Check + 'static>(&self, title: impl Into<Arc<str>>, check: C) -> Result<bool> {
        todo!()
    }

    /// Runs the body for every item, up to eight at once; `items.at_once(n)` changes that. The names of the items tell their
    /// steps apart, so each must be different. Results come in the order of the items.
    pub async fn each<T, R, F>(&self, title: impl Into<Arc<str>>, items: impl Into<Items<T>>, body: F) -> Result<Vec<R>>
    where
        T: fmt::Display,
        F: AsyncFn(&Run, T) -> Result<R>,
    {
        todo!()
    }

    /// Runs two bodies at once. When one fails, the other finishes its current step, then both are rolled back.
    pub async fn both<A, B>(
        &self,
        title: impl Into<Arc<str>>,
        a: impl AsyncFnOnce(&Run) -> Result<A>,
        b: impl AsyncFnOnce(&Run) -> Result<B>,
    ) -> Result<(A, B)> {
        todo!()
    }

    /// Runs a body as a unit: when it fails, its steps are rolled back before its error comes out, and the procedure may
    /// go another way.
    pub async fn scope<R>(&self, title: impl Into<Arc<str>>, body: impl AsyncFnOnce(&Run) -> Result<R>) -> Result<R> {
        todo!()
    }

    /// Takes a step for the time of a body and takes it back at the end, whatever happened, a crash and a resume included.
    pub async fn hold<S: Rollback + 'static, R>(
        &self,
        title: impl Into<Arc<str>>,
        step: S,
        body: impl AsyncFnOnce(&Run) -> Result<R>,
    ) -> Result<R> {
        todo!()
    }

    /// Watches triggers beside a body.
    pub async fn guard<R>(
        &self,
        triggers: impl IntoIterator<Item = Trigger>,
        body: impl AsyncFnOnce(&Run) -> Result<R>,
    ) -> Result<R> {
        todo!()
    }

    /// Asks a person to go on. Without one the run parks, and `approve` continues it.
    pub async fn confirm(&self, question: impl Into<Arc<str>>) -> Result<()> {
        todo!()
    }

    /// Asks a person to tick every point of a list.
    pub async fn checklist<P: Into<String>>(
        &self,
        title: impl Into<Arc<str>>,
        points: impl IntoIterator<Item = P>,
    ) -> Result<()> {
        todo!()
    }

    /// Asks for the approval of a person of this role or name.
    pub async fn approve(&self, by: impl Into<Arc<str>>) -> Result<()> {
        todo!()
    }

    /// Refuses to go on outside of this window, unless someone gives a reason.
    pub async fn window(&self, window: &Window) -> Result<()> {
        todo!()
    }

    /// The time now, remembered: on replay it is the same.
    pub async fn now(&self) -> Result<Timestamp> {
        todo!()
    }

    /// Computes a value that would differ at another time, and remembers it.
    pub async fn remember<T: Record>(&self, value: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        todo!()
    }

    /// The same run, with steps that act on another host.
    pub fn on(&self, host: &Arc<dyn Host>) -> Run {
        todo!()
    }

    /// Says something for people.
    pub fn say(&self, text: impl Into<String>) {
        todo!()
    }
}

/// A step about to be taken. Awaiting it takes it.
#[must_use = "a step does nothing until it is awaited: write `.await?` behind it"]
pub struct StepCall<'a, S: Step> {
    run: &'a Run,
    step: S,
}

impl<'a, S: Step + 'static> StepCall<'a, S> {
    /// Under a name that stays the same when the procedure around it changes.
    pub fn key(mut self, name: &str) -> Self {
        todo!()
    }

    /// Tried again like this when it fails with a transient error.
    pub fn retry(mut self, retry: Retry) -> Self {
        todo!()
    }

    /// Ended when it takes longer than this.
    pub fn within(mut self, deadline: Duration) -> Self {
        todo!()
    }
}

impl<'a, S: Step + 'static> IntoFuture for StepCall<'a, S> {
    type Output = Result<S::Output>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        todo!()
    }
}
