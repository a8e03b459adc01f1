//! Deployment and operations runbooks as code.

#[doc(hidden)]
pub use runbook_core::__private;
pub use runbook_core::*;
pub use runbook_macros::{check, cmd, procedure, step};
pub use runbook_steps as steps;

#[cfg(feature = "cli")]
pub mod cli;
pub mod prelude;
