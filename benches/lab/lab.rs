//! The speed of steps and procedures on real services, against the commands that people paste, in the same program.
//!
//! `cargo bench -p runbook-lab-figures` prints the table. Words behind `--` pick families of rows (`dump health update`).
//! The first two want a PostgreSQL (`tests/services/postgres`), the third the lab (`tests/lab/up`); a family whose
//! service is not there says so. Each figure is the shortest of several interleaved runs: others on the machine only
//! ever make one longer.

use std::time::Duration;

use self::table::Time;

#[path = "database.rs"]
mod database;
#[path = "dump.rs"]
mod dump;
#[path = "health.rs"]
mod health;
#[allow(dead_code, reason = "shared with the other figures")]
#[path = "../figures/measure.rs"]
mod measure;
#[allow(dead_code, reason = "shared with the other figures")]
#[path = "../figures/table.rs"]
mod table;
#[path = "update.rs"]
mod update;

/// The name of a family of rows, the variable that says where its service is, and what measures and prints them.
type Family = (&'static str, &'static str, fn(usize));

const FAMILIES: [Family; 3] = [
    ("dump", database::URL, dump::rows),
    ("health", database::URL, health::rows),
    ("update", update::CONTAINER, update::rows),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let rounds = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(5);
    let named = |name: &str| args.iter().any(|arg| arg == name);
    let all = FAMILIES.iter().all(|(name, ..)| !named(name));
    table::head();
    for (name, variable, rows) in FAMILIES {
        if !(all || named(name)) {
            continue;
        }
        match std::env::var_os(variable) {
            Some(_) => rows(rounds),
            None => println!("{name}: not measured, because `{variable}` is not set"),
        }
    }
}

/// The shortest time of each contender over this many rounds (A B C, A B C, …), after one round to warm up.
fn shortest<const N: usize>(rounds: usize, mut contenders: [measure::Contender<'_>; N]) -> [Time; N] {
    let mut best = [Duration::MAX; N];
    for round in 0..=rounds {
        for (contender, best) in contenders.iter_mut().zip(&mut best) {
            let took = contender();
            if round > 0 {
                *best = took.min(*best);
            }
        }
    }
    best.map(Time)
}

/// A runtime with as many threads as there are cores, as a program of a user has.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

/// How long a script takes in a shell. Its errors are those of the whole pipeline.
fn shell(script: &str, variables: &[(&str, &str)]) -> Duration {
    let mut bash = std::process::Command::new("bash");
    bash.args(["-e", "-o", "pipefail", "-c", script]).envs(variables.iter().copied());
    bash.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    measure::time(|| {
        let status = bash.status().expect("bash starts");
        assert!(status.success(), "{script}: {status}");
    })
}
