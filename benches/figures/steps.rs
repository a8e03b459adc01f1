//! A step that does nothing, with the journal in memory and all events read into a summary.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use runbook::journal::{MemoryStore, Store};
use runbook::report::Summary;
use runbook::{Event, Outcome, Runner, Stored};

use super::book::{Many, book};
use super::measure::{each, interleaved, runtime, time};
use super::peers;
use super::table::Row;

/// Takes steps, with all events read into a summary.
pub(crate) async fn take(steps: u32, store: Arc<dyn Store>) -> Summary {
    let summary = Arc::new(Mutex::new(Summary::new()));
    let folded = summary.clone();
    let fold = move |event: &Event| folded.lock().expect("nobody panics").add(event);
    let inputs = Stored::of(&Many { steps }).expect("inputs can be stored");
    let finished = Runner::new(book()).store(store).reader(fold).run("idle", inputs).await.expect("it begins");
    assert_eq!(finished.outcome(), Outcome::Done);
    let summary = std::mem::take(&mut *summary.lock().expect("nobody panics"));
    assert_eq!(summary.changed(), steps as usize);
    summary
}

fn ours(steps: u32) -> Duration {
    let (runtime, store) = (runtime(), Arc::new(MemoryStore::default()));
    each(time(|| runtime.block_on(take(steps, store.clone()))), steps)
}

fn update_engine(steps: u32) -> Duration {
    let runtime = runtime();
    each(time(|| runtime.block_on(peers::update_engine(steps))), steps)
}

fn saga(steps: u32) -> Duration {
    let runtime = runtime();
    each(time(|| runtime.block_on(peers::saga(steps))), steps)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (steps, rounds) in [(1_000, 51), (10_000, 21), (100_000, 7)] {
        let [ours, theirs] = interleaved(rounds, [&mut || ours(steps), &mut || update_engine(steps)]);
        let name = format!("step in memory, of {steps}");
        rows.push(Row::of(name, ours, "oxide-update-engine", theirs).at_most(0.5));
    }
    // What a saga costs grows with the square of its length: longer ones take minutes.
    let [one, theirs] = interleaved(5, [&mut || ours(1_000), &mut || saga(1_000)]);
    rows.push(Row::of("step in memory, of 1000", one, "steno", theirs));
    let [few, many] = interleaved(9, [&mut || ours(1_000), &mut || ours(100_000)]);
    rows.push(Row::of("step in memory, of 100000", many, "one of 1000", few).at_most(1.2));
    rows
}
