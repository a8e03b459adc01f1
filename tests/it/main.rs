//! The tests that use the facade as a program would: one binary, a module a subject.

mod cuts;
mod explore;
mod macros;
