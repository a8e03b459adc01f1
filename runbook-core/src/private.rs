//! What generated code calls. Nothing here is for people, and nothing here is stable.

pub use async_trait::async_trait;
pub use serde;

use crate::{Procedure, Result, Run, ScopeKind, Stored};

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
