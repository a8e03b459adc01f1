//! Local commands as journaled steps, told in plain lines.

use std::process::Command;

use super::measure::{dir, exec, interleaved};
use super::program::call;
use super::table::Row;

/// How many commands each contender runs.
const COMMANDS: u32 = 100;

pub(crate) fn rows() -> Vec<Row> {
    let dir = dir();
    let (journal, output) = (dir.path().join("journal"), dir.path().join("output"));
    let script = format!("for ((n = 0; n < {COMMANDS}; n++)); do /bin/true; done");
    let steps = COMMANDS.to_string();
    let mut ours = || exec(call(&["run", "commands", "--steps", &steps, "--journal"]).arg(&journal), &output);
    let mut spawner = || exec(&mut call(&["spawn", &steps]), &output);
    let mut bash = || exec(Command::new("bash").arg("-c").arg(&script), &output);
    let [ours, spawner, bash] = interleaved(21, [&mut ours, &mut spawner, &mut bash]);
    let name = format!("{COMMANDS} commands as steps");
    vec![
        Row::of(&*name, ours, "through std::process", spawner).at_most(1.3),
        Row::of(&*name, ours, "a bash loop", bash).at_most(1.2),
    ]
}
