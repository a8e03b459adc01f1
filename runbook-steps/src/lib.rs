//! The step library of `runbook`.

extern crate runbook_core as runbook;

#[cfg(feature = "postgres")]
pub mod alembic;
pub mod backup;
pub mod command;
#[cfg(all(test, feature = "testing"))]
mod conformance;
pub mod diagnosis;
pub mod disk;
pub mod downtime;
pub mod env;
pub mod file;
pub mod git;
#[cfg(feature = "http")]
pub mod http;
pub mod journald;
#[cfg(test)]
mod laws;
pub mod machine;
pub mod memory;
pub mod nginx;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod percent;
pub mod port;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod probes;
pub mod python;
#[cfg(feature = "redis")]
pub mod redis;
pub mod sizes;
pub mod systemd;
#[cfg(test)]
mod taking;
#[cfg(feature = "tls")]
pub mod tls;
pub mod tool;

#[cfg(any(feature = "http", feature = "postgres", feature = "tls"))]
mod trust;
