//! The speed of `runbook`, against its peers and floors in the same program.
//!
//! `cargo bench --bench figures` prints the whole table, one line a row. Words behind `--` pick families of rows
//! (`steps durable resume commands list memory crates`); `-- build` times clean builds too, which takes minutes.

use self::table::Row;

#[path = "figures/book.rs"]
mod book;
#[path = "figures/build.rs"]
mod build;
#[path = "figures/commands.rs"]
mod commands;
#[path = "figures/durable.rs"]
mod durable;
#[path = "figures/list.rs"]
mod list;
#[path = "figures/measure.rs"]
mod measure;
#[path = "figures/memory.rs"]
mod memory;
#[path = "figures/peers.rs"]
mod peers;
#[path = "figures/program.rs"]
mod program;
#[path = "figures/resume.rs"]
mod resume;
#[path = "figures/steps.rs"]
mod steps;
#[path = "figures/table.rs"]
mod table;

/// The name of a family of rows, and what measures them.
type Family = (&'static str, fn() -> Vec<Row>);

/// The families of rows, in the order of the table. Clean builds are slow, and only made when asked for by name.
const FAMILIES: [Family; 8] = [
    ("steps", steps::rows),
    ("durable", durable::rows),
    ("resume", resume::rows),
    ("commands", commands::rows),
    ("list", list::rows),
    ("memory", memory::rows),
    ("crates", build::crates),
    ("build", build::times),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    table::head();
    for (name, rows) in FAMILIES {
        let wanted = if args.is_empty() { name != "build" } else { args.iter().any(|arg| arg == name) };
        if wanted {
            rows().iter().for_each(Row::print);
        }
    }
}
