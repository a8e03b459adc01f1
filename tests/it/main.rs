//! The tests that use the facade as a program would: one binary, a module a subject.

mod explore;
mod macros;
mod ui;
