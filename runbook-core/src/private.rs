//! What generated code calls, so that most of it is ordinary code, here.

use std::ffi::OsString;
use std::fmt::Display;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use crate::command::CommandArg;
use crate::{Diff, Procedure, Record, Result, Run, ScopeKind, Step, Stored, Survey};

pub use async_trait::async_trait;
pub use serde;

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

/// An argument being put together.
#[derive(Default)]
pub struct Word(OsString);

/// An empty argument.
pub fn word() -> Word {
    Word::default()
}

impl Word {
    /// And this text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.0.push(text);
        self
    }

    /// And this value.
    #[must_use]
    pub fn value<T: CommandArg + ?Sized>(mut self, value: &T) -> Self {
        value.append_to(&mut self.0);
        self
    }

    /// The argument.
    pub fn done(self) -> OsString {
        self.0
    }
}

/// Each value of a list as an argument.
pub fn arguments<T: CommandArg>(list: impl IntoIterator<Item = T>) -> Vec<OsString> {
    list.into_iter().map(|value| word().value(&value).done()).collect()
}

/// The subject of a step: its arguments that can be shown, in order.
pub fn subject<const N: usize>(shown: [Option<String>; N]) -> String {
    shown.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The summary of a step that says nothing else of itself.
pub fn summary(words: &str, subject: &str) -> String {
    format!("{words} {subject}").trim_end().to_owned()
}

/// An argument of a step, to be shown if it can be. The three traits below are implemented for different numbers of
/// references, and the compiler takes the first that fits: what can be displayed, else a path, else nothing.
pub struct Shown<'a, T: ?Sized>(pub &'a T);

/// Shows what can be displayed.
pub trait ShowDisplay {
    /// The text.
    fn shown(&self) -> Option<String>;
}

impl<T: Display + ?Sized> ShowDisplay for &&Shown<'_, T> {
    fn shown(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// Shows paths.
pub trait ShowPath {
    /// The text.
    fn shown(&self) -> Option<String>;
}

impl<T: AsRef<Path> + ?Sized> ShowPath for &Shown<'_, T> {
    fn shown(&self) -> Option<String> {
        Some(self.0.as_ref().display().to_string())
    }
}

/// Shows nothing.
pub trait ShowNothing {
    /// No text.
    fn shown(&self) -> Option<String>;
}

impl<T: ?Sized> ShowNothing for Shown<'_, T> {
    fn shown(&self) -> Option<String> {
        None
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
