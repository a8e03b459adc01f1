//! The step library of `runbook`.

extern crate runbook_core as runbook;

pub mod backup;
pub mod command;
pub mod env;
pub mod file;
#[cfg(test)]
mod laws;
