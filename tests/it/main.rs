//! The tests that use the facade as a program would: one binary, a module a subject.

#[cfg(feature = "cli")]
mod cli;
mod cuts;
mod example;
mod explore;
mod macros;
#[cfg(all(feature = "cli", feature = "http"))]
mod quickstart;
mod tidy;
mod ui;
