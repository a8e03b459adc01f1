//! The step library of `runbook`.

extern crate runbook_core as runbook;

#[cfg(feature = "postgres")]
pub mod alembic;
pub mod backup;
pub mod command;
pub mod disk;
pub mod env;
pub mod file;
pub mod git;
#[cfg(feature = "http")]
pub mod http;
#[cfg(test)]
mod laws;
pub mod memory;
pub mod port;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sizes;
#[cfg(feature = "tls")]
pub mod tls;
pub mod tool;

#[cfg(any(feature = "http", feature = "tls"))]
mod trust;
