//! The tests that use the facade as a program would: one binary, a module a subject.

#[cfg(feature = "cli")]
mod cli;
mod explore;
mod macros;
mod ui;
