//! The static outline of a procedure: what its source says, before anything runs.

use serde::Serialize;

/// What `#[procedure]` read from the source of a procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// The name of the function.
    pub name: &'static str,
    /// The first line of its doc comment, or its name.
    pub title: &'static str,
    /// The rest of its doc comment.
    pub doc: &'static str,
    /// What it does, in the order of the source.
    pub items: &'static [Item],
    /// A fingerprint of the steps and their order; it does not change with titles and comments.
    pub fingerprint: u64,
}

/// One statement of a procedure that matters to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// The title in the source; for `if` and `for`, the condition or what is looped over.
    pub title: &'static str,
    /// The doc comment on the statement.
    pub doc: &'static str,
    /// The step or check as the source writes it: `git::checkout(&marb.root, &marb.revision)`.
    pub code: &'static str,
    /// What is inside it.
    pub items: &'static [Item],
}

/// The kinds of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ItemKind {
    /// `run.step`
    Step,
    /// `run.irreversible`; the title is the step's, the doc starts with why.
    Irreversible,
    /// `run.point_of_no_return`
    PointOfNoReturn,
    /// `run.check`
    Check,
    /// `run.require`
    Require,
    /// `run.observe`
    Observe,
    /// `run.probe`
    Probe,
    /// `run.look`, with the fact that is read.
    Look,
    /// `run.each`
    Each,
    /// `run.both`, with a branch for each side.
    Both,
    /// One side of a `both`.
    Branch,
    /// `run.scope`
    Scope,
    /// `run.hold`
    Hold,
    /// `run.guard`
    Guard,
    /// `run.confirm`
    Confirm,
    /// `run.checklist`
    Checklist,
    /// `run.approve`
    Approve,
    /// `run.window`
    Window,
    /// A call of another procedure or function that is given the run.
    Call,
    /// A call that is given the run and a body to run: `site.watched(run, async |run| …)`. What is in it is the body.
    Around,
    /// `if`, with its condition.
    If,
    /// `else`, with its condition when it is an `else if`. It follows its `if`.
    Else,
    /// `match`, with what is matched.
    Match,
    /// One arm of a `match`, with its pattern.
    Arm,
    /// `for`, `while` or `loop`, with its head.
    Loop,
}
