//! The step library of `runbook`.

extern crate runbook_core as runbook;

#[cfg(test)]
mod laws;
