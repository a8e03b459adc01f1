//! The tests that use the facade as a program would: one binary, a module a subject.

#![allow(
    clippy::unused_async,
    clippy::similar_names,
    unreachable_pub,
    reason = "procedures and steps are async and public by nature"
)]

#[cfg(feature = "cli")]
mod cli;
#[cfg(all(feature = "cli", feature = "http", feature = "ssh"))]
mod coverage;
mod cuts;
mod diagnosis;
mod example;
mod explore;
#[cfg(all(feature = "cli", feature = "http"))]
mod inputs;
#[cfg(all(feature = "cli", feature = "http", feature = "ssh"))]
mod lab;
#[cfg(feature = "cli")]
mod locks;
mod macros;
mod mistakes;
#[cfg(all(feature = "cli", feature = "http"))]
mod quickstart;
mod report;
#[cfg(feature = "cli")]
mod secrets;
#[cfg(all(feature = "cli", feature = "http", feature = "ssh"))]
mod stacks;
mod tidy;
mod ui;
