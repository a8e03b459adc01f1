//! Running commands to their end: capture in bounded memory, deadlines, redaction, line events.

use super::Context;
use crate::Result;
use crate::command::{Command, Output, Pipeline, StageOutput};

pub(super) async fn run(_cx: &Context, _command: &Command) -> Result<Output> {
    todo!()
}

pub(super) async fn pipe(_cx: &Context, _pipeline: &Pipeline) -> Result<Vec<StageOutput>> {
    todo!()
}
