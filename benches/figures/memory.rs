//! The memory a run needs.

use std::process::{Command, Stdio};

use super::book::this;
use super::measure::dir;
use super::table::{Memory, Row};

const STEPS: u32 = 10_000;
/// How much more than the empty process it may need, in KiB: 12 MB.
const MORE: u64 = 12_000_000 / 1024;

/// The most memory this process ever had, in KiB, from `/proc/self/status` (proc(5)).
pub(crate) fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel says it");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}

/// What a child says of its peak, on its last line of standard error.
fn peak_of(child: &mut Command) -> Memory {
    let output = child.stdin(Stdio::null()).stdout(Stdio::null()).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Memory(said.lines().last().and_then(|line| line.parse().ok()).expect("it says its peak"))
}

pub(crate) fn rows() -> Vec<Row> {
    let dir = dir();
    let steps = STEPS.to_string();
    let run = ["run", "idle", "--steps", &steps, "--journal"];
    let ours = peak_of(this("as-book-weighed").args(run).arg(dir.path()));
    let empty = peak_of(&mut this("as-nobody"));
    let most = (empty.0 + MORE) as f64 / empty.0 as f64;
    vec![
        Row::of(format!("peak memory of {STEPS} durable steps"), ours, "the empty process", empty).at_most(most),
        Row::of("what it needs beyond that", Memory(ours.0 - empty.0), "allowed", Memory(MORE)).at_most(1.0),
    ]
}
