//! The call of a step.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Retry, Run};
use crate::engine::{DynStep, Taking, is_inside_a_step};
use crate::{Context, Key, Result, Step};

/// A step about to be taken. Awaiting it takes it.
#[must_use = "a step does nothing until it is awaited: write `.await?` behind it"]
pub struct StepCall<'a, S> {
    run: &'a Run,
    key: Result<Key>,
    position: u32,
    title: Arc<str>,
    irreversible: Option<Arc<str>>,
    step: Arc<dyn DynStep>,
    retry: Retry,
    deadline: Option<Duration>,
    of: PhantomData<fn() -> S>,
}

impl<'a, S: Step + 'static> StepCall<'a, S> {
    pub(super) fn new(run: &'a Run, title: Arc<str>, irreversible: Option<Arc<str>>, step: Arc<dyn DynStep>) -> Self {
        Self::at(run, run.scope.take_position(), title, irreversible, step)
    }

    pub(super) fn at(
        run: &'a Run,
        position: u32,
        title: Arc<str>,
        irreversible: Option<Arc<str>>,
        step: Arc<dyn DynStep>,
    ) -> Self {
        let key = if is_inside_a_step() { Err(super::inside_a_step()) } else { Ok(run.scope.key.child(position)) };
        Self { run, key, position, title, irreversible, step, retry: Retry::default(), deadline: None, of: PhantomData }
    }

    /// Under a name that stays the same when the procedure around it changes.
    pub fn key(mut self, name: &str) -> Self {
        self.key = self.key.and_then(|_| self.run.scope.take_name(name));
        self
    }

    /// Tried again like this when it fails with a transient error, instead of three times in all.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Ended when its change takes longer than this.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    fn taking(self) -> Result<Taking<'a>> {
        let (Run { engine, scope, host, host_name, .. }, key) = (self.run, self.key?);
        Ok(Taking {
            engine,
            scope,
            cx: Context::new(host.clone(), engine.world.clone(), key.clone(), scope.hard.clone()),
            host: host_name,
            key,
            position: self.position,
            title: self.title,
            step: self.step,
            irreversible: self.irreversible,
            retry: self.retry,
            deadline: self.deadline,
        })
    }
}

impl<'a, S: Step + 'static> IntoFuture for StepCall<'a, S> {
    type Output = Result<S::Output>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        // The output always comes from its stored form, so that a replay cannot give another.
        let taking = self.taking();
        Box::pin(async move { taking.as_ref().map_err(Clone::clone)?.take().await?.load() })
    }
}
