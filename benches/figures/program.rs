//! The program that is measured from exec to exit: `programs/book.rs`, built like this one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(build);

/// A call of the program.
pub(crate) fn call(args: &[&str]) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command.args(args);
    command
}

/// Cargo, in this directory. Nothing is fetched: what is measured does not depend on a network.
pub(crate) fn cargo(dir: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(dir).args(["--offline", "--quiet"]);
    cargo
}

/// The workspace of this package.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a member")
}

fn build() -> PathBuf {
    // `target/release/deps/figures-…`: examples are beside `deps`.
    let this = std::env::current_exe().expect("this program has a path");
    let release = this.ancestors().nth(2).expect("it is in the build directory");
    let target = release.parent().expect("it is in the build directory");
    let mut cargo = cargo(workspace());
    cargo.args(["build", "--profile", "bench", "--example", "figures-book"]).env("CARGO_TARGET_DIR", target);
    assert!(cargo.status().expect("cargo starts").success(), "the example builds");
    release.join("examples/figures-book")
}
