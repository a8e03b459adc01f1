//! The memory a run needs.

use std::process::{Command, Stdio};

use super::measure::dir;
use super::program::call;
use super::table::{Memory, Row};

const STEPS: u32 = 10_000;
/// How much more than the empty process it may need, in KiB: 12 MB.
const MORE: u64 = 12_000_000 / 1024;

/// What a program says of its peak, on its last line of standard error.
fn peak_of(program: &mut Command) -> u64 {
    program.env("SAY_PEAK", "yes").stdin(Stdio::null()).stdout(Stdio::null());
    let output = program.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said.lines().last().and_then(|line| line.parse().ok()).expect("it says its peak")
}

pub(crate) fn rows() -> Vec<Row> {
    let (dir, steps) = (dir(), STEPS.to_string());
    let ours = peak_of(call(&["run", "idle", "--steps", &steps, "--journal"]).arg(dir.path()));
    let empty = peak_of(&mut call(&["nothing"]));
    let peer = format!("the empty process, {}, and", Memory(empty));
    let (more, allowed) = (Memory(ours - empty), Memory(MORE));
    vec![Row::of(format!("memory of {STEPS} durable steps, beyond"), more, &peer, allowed).at_most(1.0)]
}
