//! Undoing: what a scope did, in reverse, then settling in the original order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{DynStep, Engine, Scope};
use crate::event::{Left, LeftBecause, What};
use crate::journal::{Memo, Part};
use crate::{Context, Error, Host, Key, Result, Retry, Stored};

/// How long one undo may take in all its attempts, before it is left to a person.
const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Something on an undo stack.
pub(crate) enum Undo {
    /// A step.
    Step(Armed),
    /// What a scope inside this one did.
    Scope(Vec<Undo>),
    /// A step that has no way back.
    Irreversible { key: Key, title: Arc<str>, why: Arc<str> },
    /// Something before a point of no return.
    Committed { key: Key, title: Arc<str>, why: Arc<str> },
}

/// A step that can be undone, with what it needs for that.
pub(crate) struct Armed {
    pub(crate) key: Key,
    pub(crate) title: Arc<str>,
    pub(crate) step: Arc<dyn DynStep>,
    pub(crate) before: Stored,
    pub(crate) host: Arc<dyn Host>,
}

/// The two acts of an undo.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Rollback,
    Settle,
}

impl Engine {
    /// Rolls a scope back, and gives the error that is to come out of it: the cause, or that of a journal that cannot be written.
    pub(crate) async fn unwind(&self, scope: &Scope, cause: Error) -> Error {
        let undo = scope.take_undo();
        // An empty scope has nothing to put back, and nothing to say about it.
        if undo.is_empty() && self.recall(&scope.key, Part::Unwind).is_none() {
            return cause;
        }
        match self.unwind_all(&scope.key, &undo, cause.clone()).await {
            Ok(()) => cause,
            Err(error) => error,
        }
    }

    async fn unwind_all(&self, key: &Key, undo: &[Undo], cause: Error) -> Result<()> {
        let unwinding = Memo::Unwinding(cause.clone());
        self.once(key, Part::Unwind, Box::pin(async { Ok(unwinding) })).await?;
        self.say(What::RollbackBegan { key: key.clone(), cause });
        self.undo_all(undo).await?;
        self.say(What::RollbackEnded { key: key.clone() });
        Ok(())
    }

    async fn undo_all(&self, undo: &[Undo]) -> Result<()> {
        for undo in undo.iter().rev() {
            match undo {
                Undo::Step(armed) => self.act(armed, Act::Rollback).await?,
                Undo::Scope(inner) => Box::pin(self.undo_all(inner)).await?,
                Undo::Irreversible { key, title, why } => {
                    self.leave_behind(key, title, LeftBecause::Irreversible(why.clone()), Vec::new()).await?;
                }
                Undo::Committed { key, title, why } => {
                    self.leave_behind(key, title, LeftBecause::PointOfNoReturn(why.clone()), Vec::new()).await?;
                }
            }
        }
        for undo in undo {
            if let Undo::Step(armed) = undo {
                self.act(armed, Act::Settle).await?;
            }
        }
        Ok(())
    }

    /// Takes back one step alone: the end of a hold.
    pub(crate) async fn give_back(&self, armed: &Armed) -> Result<()> {
        self.act(armed, Act::Rollback).await?;
        self.act(armed, Act::Settle).await
    }

    /// One act of an undo, once. Only a journal that cannot be written is an error; an undo that fails is left to a person.
    async fn act(&self, armed: &Armed, act: Act) -> Result<()> {
        let part = if act == Act::Rollback { Part::Undo } else { Part::Settle };
        let mut failure = None;
        let acting = async {
            self.act_now(armed, act).await.inspect_err(|error| failure = Some(error.clone())).map(|took| match act {
                Act::Rollback => Memo::Undone { took },
                Act::Settle => Memo::Settled { took },
            })
        };
        let result = self.once(&armed.key, part, Box::pin(acting)).await;
        match (failure, result) {
            (Some(error), _) => {
                let what = armed.step.describe();
                self.leave_behind(&armed.key, &armed.title, LeftBecause::UndoFailed(error), what.undo_commands).await
            }
            (None, result) => result.map(drop),
        }
    }

    /// Undoes now, with retries and a deadline of its own. The stop that caused the rollback does not stop it.
    async fn act_now(&self, armed: &Armed, act: Act) -> Result<Duration> {
        let settling = act == Act::Settle;
        let (key, title, began) = (armed.key.clone(), armed.title.clone(), Instant::now());
        self.say(What::UndoBegan { key: key.clone(), title, settling });
        let cx = Context::new(armed.host.clone(), self.world.clone(), key.clone(), CancellationToken::new());
        match tokio::time::timeout(DEADLINE, self.attempts(armed, act, &cx)).await {
            Ok(result) => result?,
            Err(_) => return Err(Error::new(format!("the undo of `{}` took longer than {DEADLINE:?}", armed.title))),
        }
        let took = began.elapsed();
        self.say(What::UndoEnded { key, settling, took });
        Ok(took)
    }

    async fn attempts(&self, armed: &Armed, act: Act, cx: &Context) -> Result<()> {
        let retry = Retry::attempts(5);
        let mut attempt = 1;
        loop {
            let result = match act {
                Act::Rollback => armed.step.rollback(cx, &armed.before).await,
                Act::Settle => armed.step.settle(cx, &armed.before).await,
            };
            let Err(error) = result else { return Ok(()) };
            // What nobody knows is tried again as well: doing an undo twice is doing it once.
            let may_pass = error.is_transient() || error.kind() == crate::ErrorKind::Unknown;
            let Some(after) = retry.after(attempt).filter(|_| may_pass) else { return Err(error) };
            self.say(What::StepRetried { key: armed.key.clone(), attempt, after, error });
            attempt += 1;
            tokio::time::sleep(after).await;
        }
    }

    async fn leave_behind(&self, key: &Key, title: &Arc<str>, why: LeftBecause, commands: Vec<String>) -> Result<()> {
        let left = Left { key: key.clone(), title: title.clone(), why: why.clone(), commands: commands.clone() };
        self.say(What::Left(left));
        self.note(key, Memo::LeftBehind { title: title.clone(), why, commands }).await
    }
}

impl Undo {
    /// The same, never to be undone.
    pub(crate) fn committed(self, why: &Arc<str>) -> Self {
        match self {
            Self::Scope(inner) => Self::Scope(inner.into_iter().map(|undo| undo.committed(why)).collect()),
            Self::Step(Armed { key, title, .. }) => Self::Committed { key, title, why: why.clone() },
            other => other,
        }
    }
}
