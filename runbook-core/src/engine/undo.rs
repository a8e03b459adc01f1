//! Undoing: what a scope did, in reverse, then settling in the original order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{DynStep, Engine, Scope, locked};
use crate::event::{Left, LeftBecause, What};
use crate::journal::{Memo, Part};
use crate::{Context, Error, Host, Key, Resource, Result, Retry, Stored};

/// How long one undo may take in all its attempts, before it is left to a person.
const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Something on an undo stack.
pub(crate) enum Undo {
    /// A step.
    Step(Armed),
    /// What a scope inside this one did.
    Scope(Vec<Undo>),
    /// Steps of a failed scope that are rolled back, and still to settle.
    Settling(Vec<Armed>),
    /// A step that has no way back.
    Irreversible { key: Key, title: Arc<str>, why: Arc<str> },
    /// Something before a point of no return.
    Committed { key: Key, title: Arc<str>, why: Arc<str> },
}

/// A step that can be undone, with what it needs for that.
#[derive(Clone)]
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
        let empty = undo.iter().all(|undo| matches!(undo, Undo::Settling(_)));
        let unwound = if empty && self.recall(&scope.key, Part::Unwind).is_none() {
            Ok(())
        } else {
            self.unwind_all(&scope.key, &undo, cause.clone()).await
        };
        let settled = match unwound {
            Ok(()) => self.settle(scope, undo, empty).await,
            Err(error) => Err(error),
        };
        settled.err().unwrap_or(cause)
    }

    async fn unwind_all(&self, key: &Key, undo: &[Undo], cause: Error) -> Result<()> {
        let unwinding = Memo::Unwinding(cause.clone());
        self.once(key, Part::Unwind, Box::pin(async { Ok(unwinding) })).await?;
        self.say(What::RollbackBegan { key: key.clone(), cause });
        self.roll_back(undo, &mut Vec::new()).await?;
        self.say(What::RollbackEnded { key: key.clone() });
        Ok(())
    }

    /// Rolls back last to first. What could not be undone is `stuck`, and so is every earlier step whose work it changed:
    /// put back now, that would be lost under the later one, which is tried again when the run is resumed.
    async fn roll_back<'a>(&self, undo: &'a [Undo], stuck: &mut Vec<&'a Armed>) -> Result<()> {
        for undo in undo.iter().rev() {
            match undo {
                Undo::Step(armed) => {
                    match stuck.iter().find_map(|later| self.waits_for(armed, later)) {
                        Some(error) => self.undo_failed(armed, error).await?,
                        None => self.act(armed, Act::Rollback).await?,
                    }
                    stuck.extend(self.undo_failure(armed).map(|_| armed));
                }
                Undo::Scope(inner) => Box::pin(self.roll_back(inner, stuck)).await?,
                Undo::Settling(inner) => stuck.extend(inner.iter().filter(|armed| self.undo_failure(armed).is_some())),
                Undo::Irreversible { key, title, why } => {
                    self.leave_behind(key, title, LeftBecause::Irreversible(why.clone()), Vec::new()).await?;
                }
                Undo::Committed { key, title, why } => {
                    self.leave_behind(key, title, LeftBecause::PointOfNoReturn(why.clone()), Vec::new()).await?;
                }
            }
        }
        Ok(())
    }

    /// Lets the steps of a rolled back scope settle. A scope inside another leaves that to the one around it: on its way out
    /// the error may roll that back as well, and what a step reads is only back once everything before it is. What has
    /// settled since a scope inside failed, and has nothing put back before it, does not do so once more.
    async fn settle(&self, scope: &Scope, undo: Vec<Undo>, empty: bool) -> Result<()> {
        let armed = undo.into_iter().flat_map(Undo::into_armed).collect();
        let has_settled = empty && !scope.is_unsettled();
        if scope.parent.is_some() {
            scope.leave_to_settle(armed, !has_settled);
            return Ok(());
        }
        if has_settled {
            return Ok(());
        }
        for armed in armed {
            self.act(&armed, Act::Settle).await?;
        }
        Ok(())
    }

    /// Lets settle what a failed scope inside this one left to it.
    pub(crate) async fn settle_pending(&self, scope: &Scope) -> Result<()> {
        for armed in scope.unsettled() {
            let key = armed.key.settled_in(&scope.key);
            Box::pin(self.act(&Armed { key, ..armed }, Act::Settle)).await?;
        }
        Ok(())
    }

    /// Takes back one step alone: the end of a hold. An error when it could not be taken back.
    pub(crate) async fn give_back(&self, armed: &Armed) -> Result<()> {
        self.act(armed, Act::Rollback).await?;
        self.act(armed, Act::Settle).await?;
        match self.undo_failure(armed) {
            Some(error) => Err(error.context(format!("give back `{}`", armed.title))),
            None => Ok(()),
        }
    }

    /// Why the undo of a step failed, when it did.
    fn undo_failure(&self, armed: &Armed) -> Option<Error> {
        locked(&self.left).iter().filter(|left| left.key == armed.key).find_map(|left| match &left.why {
            LeftBecause::UndoFailed(error) => Some(error.clone()),
            _ => None,
        })
    }

    /// Why a step is not put back before a later one whose undo failed: that one changed what this one wrote, there.
    fn waits_for(&self, armed: &Armed, later: &Armed) -> Option<Error> {
        let has_gone_back = self.recall(&armed.key, Part::Undo).is_some();
        if has_gone_back || armed.host.name() != later.host.name() {
            return None;
        }
        let written = later.step.describe().writes;
        let covered = |resource: &Resource| written.iter().any(|wrote| wrote.contains(resource));
        let both = armed.step.describe().writes.into_iter().find(covered)?;
        let error = Error::new(format!("`{}` changed {both} after it, and could not be undone", later.title));
        Some(error.hint("once that one can be, `resume` undoes both, in their order"))
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
        let result = if act == Act::Settle && self.has_undo_to_come() {
            // What settles now reads a world that is not wholly put back: it settles again after the rest, so nothing
            // remembers that it has.
            acting.await
        } else {
            self.once(&armed.key, part, Box::pin(acting)).await
        };
        match (failure, result) {
            (Some(error), _) => self.undo_failed(armed, error).await,
            (None, result) => result.map(drop),
        }
    }

    async fn undo_failed(&self, armed: &Armed, error: Error) -> Result<()> {
        let commands = armed.step.describe().undo_commands;
        self.leave_behind(&armed.key, &armed.title, LeftBecause::UndoFailed(error), commands).await
    }

    /// Whether an undo has failed, and is tried again when the run is resumed.
    fn has_undo_to_come(&self) -> bool {
        locked(&self.left).iter().any(|left| matches!(left.why, LeftBecause::UndoFailed(_)))
    }

    /// Undoes now, with retries and a deadline of its own. The stop that caused the rollback does not stop it.
    async fn act_now(&self, armed: &Armed, act: Act) -> Result<Duration> {
        let settling = act == Act::Settle;
        let key = if settling { armed.key.of_settled() } else { armed.key.clone() };
        let (title, began) = (armed.title.clone(), Instant::now());
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
    /// The steps in it, first to last.
    pub(crate) fn into_armed(self) -> Vec<Armed> {
        match self {
            Self::Step(armed) => vec![armed],
            Self::Scope(inner) => inner.into_iter().flat_map(Self::into_armed).collect(),
            Self::Settling(armed) => armed,
            Self::Irreversible { .. } | Self::Committed { .. } => Vec::new(),
        }
    }

    /// The steps in it that are rolled back and may settle once more.
    pub(crate) fn settling(&self) -> impl Iterator<Item = &Armed> {
        match self {
            Self::Settling(armed) => armed.as_slice(),
            _ => &[],
        }
        .iter()
    }

    /// The same, never to be undone.
    pub(crate) fn committed(self, why: &Arc<str>) -> Self {
        match self {
            Self::Scope(inner) => Self::Scope(inner.into_iter().map(|undo| undo.committed(why)).collect()),
            Self::Step(Armed { key, title, .. }) => Self::Committed { key, title, why: why.clone() },
            other => other,
        }
    }
}
