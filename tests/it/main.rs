//! The tests that use the facade as a program would: one binary, a module a subject.

mod cli;
mod cuts;
mod example;
mod explore;
mod macros;
mod quickstart;
mod ui;
