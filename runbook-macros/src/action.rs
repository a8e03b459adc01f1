//! An action: an async function that becomes a value, which steps and checks have in common.
//!
//! The function `async fn start(cx: &Context, unit: &str, port: u16) -> Result<Pid>` gives a type of the same name that
//! keeps `unit` and `port`, and a constructor `fn start(unit: &str, port: u16) -> start` in place of the function.

mod describe;
mod expand;
mod parse;

pub(crate) use self::describe::Describe;
pub(crate) use self::expand::shape;
pub(crate) use self::parse::{Action, Argument};
