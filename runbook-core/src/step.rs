//! A step: one change to the world that looks first, and knows the way back.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Context, Description, Diff, Record, Result};

pub(crate) mod acts;

/// One change to the world: looks first ([`survey`](Step::survey)), then changes ([`apply`](Step::apply)).
///
/// The laws every step keeps:
///
/// 1. `survey` changes nothing.
/// 2. After `apply`, `survey` answers [`Survey::Already`]; steps that act every time say so with
///    [`Description::repeats`].
/// 3. `apply` twice is `apply` once.
/// 4. The output carries evidence of the change (a revision, a checksum, a process id), never the mere
///    exit code of a tool.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a step",
    label = "not a step",
    note = "put `#[step(rollback = …)]` on the async function, or implement `Step`"
)]
pub trait Step: Send + Sync {
    /// What a rollback needs to know of the world before the change.
    type Before: Record;
    /// What later steps need, with evidence of the change.
    type Output: Record;

    /// What it does, for people and for the plan. It must follow from the step's own fields alone.
    fn describe(&self) -> Description;

    /// Looks at the world, without changing it.
    async fn survey(&self, cx: &Context) -> Result<Survey<Self::Before, Self::Output>>;

    /// Changes the world. May be called again after it failed, was cut off or even finished.
    async fn apply(&self, cx: &Context, before: &Self::Before) -> Result<Self::Output>;

    /// The output a plan may go on with where the world cannot be looked at yet, because an earlier
    /// step has not happened. `None`, the default, ends the plan there.
    fn predict(&self) -> Option<Self::Output> {
        None
    }
}

/// How a step is undone, from what its survey remembered.
///
/// `rollback` puts the state before back whether `apply` finished, half finished or never began, and
/// doing it twice is doing it once.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a step that can be undone",
    label = "no step with a way back",
    note = "a step names its way back: `#[step(rollback = …)]` on the async function, or `impl Rollback`",
    note = "a step without one says why: `run.irreversible(\"why\", \"title\", step)`",
    note = "a check is asked, `run.check(\"title\", check)`, and a procedure is called, `update(run, &input)`"
)]
pub trait Rollback: Step {
    /// Puts `before` back.
    async fn rollback(&self, cx: &Context, before: &Self::Before) -> Result<()>;

    /// Called once every earlier step of the same scope has been rolled back, in the original order. Steps that
    /// read what others wrote, like a restart, come back here.
    async fn settle(&self, cx: &Context, before: &Self::Before) -> Result<()> {
        let _ = (cx, before);
        Ok(())
    }
}

/// What a step saw when it looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Survey<B, O> {
    /// The world is already so; there is nothing to do and nothing to undo.
    Already(O),
    /// There is something to change.
    Change {
        /// What a rollback needs.
        before: B,
        /// What will change.
        diff: Diff,
        /// The output as far as it can be known, so that a plan can go on.
        predicted: Option<O>,
    },
}

impl<B, O> Survey<B, O> {
    /// There is something to change.
    pub fn change(before: B, diff: Diff) -> Self {
        Self::Change { before, diff, predicted: None }
    }

    /// There is something to change, and this is what will come of it.
    pub fn predict(before: B, diff: Diff, output: O) -> Self {
        Self::Change { before, diff, predicted: Some(output) }
    }
}
