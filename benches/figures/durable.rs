//! A step that does nothing, with the journal in a file: one wait for the disk for each.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use runbook::journal::FileStore;

use super::measure::{dir, each, interleaved, runtime, time};
use super::steps::take;
use super::table::{Count, Row};

/// What the floor writes for a step, in bytes.
const LINE: usize = 200;

/// The time of a step, and how often the disk was waited for in all.
fn ours(steps: u32) -> (Duration, u64) {
    let (dir, runtime) = (dir(), runtime());
    let store = FileStore::open(dir.path()).expect("a directory");
    let took = time(|| runtime.block_on(take(steps, Arc::new(store.clone()))));
    (each(took, steps), store.syncs())
}

/// Appends a line and waits for the disk, for each step.
fn floor(steps: u32) -> Duration {
    let dir = dir();
    each(time(|| append(&dir.path().join("floor"), steps)), steps)
}

fn append(path: &Path, steps: u32) {
    let mut file = File::options().append(true).create_new(true).open(path).expect("a file");
    for _ in 0..steps {
        file.write_all(&[b'x'; LINE]).and_then(|()| file.sync_data()).expect("the disk has room");
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (steps, rounds) in [(1_000, 15), (10_000, 3)] {
        let [ours, floor] = interleaved(rounds, [&mut || ours(steps).0, &mut || floor(steps)]);
        let name = format!("durable step, of {steps}");
        rows.push(Row::of(name, ours, "append and fdatasync", floor).at_most(1.25));
    }
    // The beginning and the end of a run are durable too.
    let (steps, ends) = (1_000, 2);
    let syncs = Count(ours(steps).1 - ends);
    rows.push(Row::of("syncs of a durable run", syncs, "its steps", Count(steps.into())).at_most(1.0));
    rows
}
