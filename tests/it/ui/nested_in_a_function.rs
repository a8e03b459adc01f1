//! Lints of the user's crate are not tripped, and a procedure may stand anywhere.

#![deny(warnings, missing_docs, clippy::pedantic)]

use runbook::prelude::*;

/// Deploy.
#[procedure]
pub async fn deploy(run: &Run) -> Result<()> {
    /// Ask first.
    run.confirm("Deploy?").await
}

#[test]
fn a_procedure_may_stand_anywhere() {
    #[procedure]
    async fn inner(run: &Run) -> Result<()> {
        deploy(run).await
    }
    assert_eq!(procedures![deploy, inner].map(|known| known.name()), ["deploy", "inner"]);
}
