//! The programs under `examples/`, as these tests are built.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The examples this process has built: asking again takes time that some tests do not have.
static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The program of an example. It is built here, so that a test run by itself never looks at an old one; whoever has built
/// the examples just now says so with `RUNBOOK_EXAMPLES_ARE_BUILT=1`.
pub(crate) fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("this test");
    let profile = tests.parent().and_then(Path::parent).expect("the directory of the profile");
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if std::env::var_os("RUNBOOK_EXAMPLES_ARE_BUILT").is_none() && !built.contains(name) {
        build(name, profile);
        built.insert(name.to_owned());
    }
    profile.join("examples").join(name)
}

fn build(name: &str, profile: &Path) {
    let target = profile.parent().expect("the target directory");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--offline", "--quiet", "--example", name, "--target-dir"]).arg(target);
    if cfg!(feature = "ssh") {
        cargo.arg("--all-features");
    }
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
