//! The speed of steps and procedures on real services, against the commands that people paste, in the same program.
//!
//! `cargo bench -p runbook-lab-figures` prints the table. Words behind `--` pick families of rows (`dump health update`).
//! The first two want a PostgreSQL (`tests/services/postgres`), the third the lab (`tests/lab/up`), `compose` its compose
//! projects (`tests/lab/stacks up`), `load` an nginx (`tests/services/nginx`) and `wrk`; a family whose service is not
//! there says so. Each figure is the shortest of several interleaved runs: others on the machine only ever make one longer.

use std::time::Duration;

use self::table::Time;

#[path = "client.rs"]
mod client;
#[path = "compose.rs"]
mod compose;
#[path = "database.rs"]
mod database;
#[path = "dump.rs"]
mod dump;
#[path = "health.rs"]
mod health;
#[path = "load.rs"]
mod load;
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

const FAMILIES: [Family; 5] = [
    ("dump", database::URL, dump::rows),
    ("health", database::URL, health::rows),
    ("update", update::CONTAINER, update::rows),
    ("compose", compose::STACKS, compose::rows),
    ("load", load::NGINX, load::rows),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [word, url] = &args[..]
        && word == load::ONCE
    {
        return load::once(url);
    }
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

fn succeeds(command: &mut std::process::Command) {
    let status = command.status().expect("it starts");
    assert!(status.success(), "{command:?}: {status}");
}

/// An example, built as this program is.
fn example(name: &str) -> std::path::PathBuf {
    // `target/release/deps/lab-…`: examples are beside `deps`.
    let this = std::env::current_exe().expect("this program has a path");
    let profile = this.ancestors().nth(2).expect("it is in the build directory");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("it is in the workspace");
    let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--offline", "--quiet", "--all-features", "--example", name]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    succeeds(cargo.arg("--target-dir").arg(profile.parent().expect("the build directory")));
    profile.join("examples").join(name)
}
