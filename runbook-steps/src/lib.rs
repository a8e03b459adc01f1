//! The step library of `runbook`.

extern crate runbook_core as runbook;

pub mod command;
pub mod file;
#[cfg(test)]
mod laws;
