//! The program of a user, and beside it two that do without `runbook`: the benchmarks measure them from exec to exit.
//!
//! - `figures-book nothing` does nothing;
//! - `figures-book spawn COUNT` runs `/bin/true` through `std::process`;
//! - everything else is the command line of the book.
//!
//! With `SAY_PEAK` set, it says at the end how much memory it needed, in KiB.

use std::process::{Command, ExitCode};

#[path = "../figures/book.rs"]
mod book;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let code = match args[..] {
        ["nothing"] => ExitCode::SUCCESS,
        ["spawn", count] => spawn(count.parse().expect("a count")),
        _ => run(),
    };
    if std::env::var_os("SAY_PEAK").is_some() {
        eprintln!("{}", peak());
    }
    code
}

/// What a user writes as `main`. A runbook waits for other programs: one thread is enough, and starts sooner than many.
#[tokio::main(flavor = "current_thread")]
async fn run() -> ExitCode {
    runbook::cli::main(book::book()).await
}

fn spawn(count: u32) -> ExitCode {
    for _ in 0..count {
        assert!(Command::new("/bin/true").status().expect("it starts").success(), "it ends well");
    }
    ExitCode::SUCCESS
}

/// The most memory this process ever had, in KiB, from `/proc/self/status` (proc(5)).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel says it");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}
