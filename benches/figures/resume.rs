//! Replaying a finished journal.

use std::path::Path;
use std::sync::Arc;

use runbook::journal::{FileStore, Store as _};
use runbook::{RunId, Runner};

use super::book::book;
use super::measure::{dir, interleaved, runtime, time};
use super::steps::take;
use super::table::Row;

const STEPS: u32 = 10_000;
/// How long the checksum before each line of a journal is, in bytes.
const CHECKSUM: usize = 9;

/// Reads a journal and parses every line of it.
fn parse(path: &Path) -> Vec<serde_json::Value> {
    let bytes = std::fs::read(path).expect("the journal is there");
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(&line[CHECKSUM..]).expect("it is JSON")).collect()
}

pub(crate) fn rows() -> Vec<Row> {
    let (dir, runtime) = (dir(), runtime());
    let store = Arc::new(FileStore::open(dir.path()).expect("a directory"));
    runtime.block_on(take(STEPS, store.clone()));
    let run: RunId = runtime.block_on(store.runs()).expect("it lists").pop().expect("there is a run");
    let path = store.path(&run);
    let verify = || runtime.block_on(Runner::new(book()).store(store.clone()).verify(&run)).expect("it matches");
    let [ours, floor] = interleaved(31, [&mut || time(verify), &mut || time(|| parse(&path))]);
    vec![Row::of(format!("replay of {STEPS} steps"), ours, "read and parse the same bytes", floor).at_most(2.0)]
}
