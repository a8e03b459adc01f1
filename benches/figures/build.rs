//! What it costs to build a program with `runbook`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::measure::{dir, time};
use super::program::{cargo, workspace};
use super::table::{Count, Row, Time};

/// How many crates the core alone may have: under 40.
const CORE: u64 = 39;

/// How many crates are built for a package, itself and its macros included.
fn crates_of(package: &str, features: &[&str]) -> Count {
    let mut cargo = cargo(workspace());
    cargo.args(["tree", "--package", package, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    let output = cargo.args(features).output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names of crates are text");
    let crates: BTreeSet<_> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Count(crates.len() as u64)
}

pub(crate) fn crates() -> Vec<Row> {
    let core = crates_of("runbook-core", &["--no-default-features"]);
    let small = crates_of("runbook-rs", &["--no-default-features"]);
    let all = crates_of("runbook-rs", &["--all-features"]);
    vec![
        Row::of("crates of the core alone", core, "allowed", Count(CORE)).at_most(1.0),
        Row::of("crates of core and command steps", small, "with everything on", all),
    ]
}

/// A program that only runs a command.
const PROGRAM: &str = r#"
use runbook::prelude::*;
use runbook::steps::command;

/// Say hello.
#[procedure]
async fn hello(run: &Run) -> Result<()> {
    run.irreversible("words cannot be unsaid", "Hello", command::run(cmd!("echo hello"))).await?;
    Ok(())
}

#[tokio::main]
async fn main() {
    let book = Book::new("hello").procedures(procedures![hello]);
    let inputs = runbook::Stored::of(&NoInput {}).expect("it can be stored");
    runbook::Runner::new(book).run("hello", inputs).await.expect("it begins");
}
"#;

/// How long a clean debug build of that program takes. Sources are fetched before the clock starts.
fn build(features: &str) -> Duration {
    let (dir, workspace) = (dir(), workspace());
    let path = workspace.display();
    let manifest = format!(
        "[package]\nname = \"hello\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         runbook-rs = {{ path = \"{path}\", {features} }}\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n"
    );
    std::fs::create_dir(dir.path().join("src")).expect("a directory");
    std::fs::write(dir.path().join("Cargo.toml"), manifest).expect("a manifest");
    std::fs::write(dir.path().join("src/main.rs"), PROGRAM).expect("a program");
    std::fs::copy(workspace.join("Cargo.lock"), dir.path().join("Cargo.lock")).expect("the same versions");
    let mut cargo = cargo(dir.path());
    cargo.arg("build").env("CARGO_TARGET_DIR", dir.path().join("target"));
    time(|| assert!(cargo.status().expect("cargo starts").success(), "it builds"))
}

pub(crate) fn times() -> Vec<Row> {
    let small = Time(build("default-features = false"));
    let all = Time(build("features = [\"testing\", \"ssh\"]"));
    vec![Row::of("clean build with core and command steps", small, "with everything on", all)]
}
