//! What the macros make of the source: procedures, steps, checks, commands.

mod actions;
mod commands;
mod procedures;
