//! What generated code calls. Nothing here is for people, and nothing here is stable.

pub use async_trait::async_trait;
pub use serde;

use std::future::Future;
use std::pin::Pin;

use crate::{Diff, Procedure, Record, Result, Run, ScopeKind, Step, Stored, Survey};

pub use self::shown::{ShowDisplay, ShowNothing, ShowPath, Shown, subject, summary};
pub use self::word::{Word, word};

mod shown;
mod word;

/// The future of a procedure.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Enters a procedure: the handle its body works through. The procedure that the runner called is the whole run; one
/// that is called from another is a scope of it.
pub async fn enter<P: Procedure>(run: &Run, input: &P::Input) -> Result<Run> {
    if run.outermost {
        return Ok(Run { outermost: false, ..run.clone() });
    }
    run.enter(P::OUTLINE.title.into(), ScopeKind::Procedure, Some(Stored::of(input)?)).await
}

/// Leaves a procedure with what came of its body.
pub async fn leave<O>(run: &Run, result: Result<O>) -> Result<O> {
    if run.scope.key.is_root() {
        return result;
    }
    run.engine.leave(&run.scope, result).await
}

/// The survey of a step that does not look: it acts at every run.
pub fn acts_always<S: Step<Before = ()>>(step: &S) -> Survey<(), S::Output> {
    Survey::change((), Diff::note(step.describe().line()))
}

/// What the function given as `survey` answered.
pub fn seen<S, A>(answer: A) -> Result<Survey<S::Before, S::Output>>
where
    S: Step,
    A: Seen<S::Before, S::Output>,
{
    answer.seen()
}

/// An answer that fits the step.
#[diagnostic::on_unimplemented(
    message = "this is no survey of a step that remembers `{Before}` and gives `{Output}`",
    label = "answers with `{Self}`",
    note = "a survey is an async function that returns `Result<Survey<Before, Output>>`",
    note = "`Before` is what the step and its rollback take as their last argument, `before: &Before`; without it, `()`",
    note = "`Output` is what the step returns"
)]
pub trait Seen<Before, Output> {
    /// The answer.
    fn seen(self) -> Result<Survey<Before, Output>>;
}

impl<B, O> Seen<B, O> for Result<Survey<B, O>> {
    fn seen(self) -> Self {
        self
    }
}

/// A procedure can live in a server, so entering and leaving one can, too.
const _: () = {
    const fn is_send<T: Send>(_: &T) {}
    #[allow(dead_code)]
    fn entering<P: Procedure>(run: &Run, input: &P::Input) {
        is_send(&enter::<P>(run, input));
    }
    #[allow(dead_code)]
    fn leaving<O: Record>(run: &Run, result: Result<O>) {
        is_send(&leave(run, result));
    }
};
