//! The step library of `runbook`.

extern crate runbook_core as runbook;

#[cfg(feature = "postgres")]
pub mod alembic;
#[cfg(feature = "http")]
pub mod alertmanager;
#[cfg(feature = "http")]
mod api;
pub mod backup;
pub mod command;
pub mod compose;
#[cfg(all(test, feature = "testing"))]
mod conformance;
pub mod diagnosis;
pub mod disk;
pub mod docker;
pub mod downtime;
pub mod env;
pub mod file;
pub mod git;
#[cfg(feature = "http")]
pub mod grafana;
#[cfg(feature = "http")]
pub mod http;
pub mod incident;
#[cfg(feature = "http")]
pub mod jaeger;
pub mod journald;
#[cfg(test)]
mod laws;
#[cfg(feature = "load")]
pub mod load;
pub mod machine;
pub mod memory;
pub mod nginx;
#[cfg(feature = "http")]
pub mod notify;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod percent;
pub mod port;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod probes;
#[cfg(feature = "prometheus")]
pub mod prometheus;
pub mod python;
#[cfg(feature = "redis")]
pub mod redis;
pub mod rollout;
#[cfg(all(test, feature = "http"))]
mod serving;
pub mod sizes;
#[cfg(feature = "http")]
pub mod smoke;
pub mod systemd;
#[cfg(test)]
mod taking;
#[cfg(feature = "tls")]
pub mod tls;
pub mod tool;

#[cfg(any(feature = "http", feature = "postgres", feature = "tls"))]
mod trust;
