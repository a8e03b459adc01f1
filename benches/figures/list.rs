//! `list` of a book, from exec to exit.

use std::process::Command;

use super::measure::{dir, exec, interleaved};
use super::program::call;
use super::table::Row;

pub(crate) fn rows() -> Vec<Row> {
    let dir = dir();
    let output = dir.path().join("output");
    let mut ours = || exec(&mut call(&["list"]), &output);
    let mut nothing = || exec(&mut Command::new("/bin/true"), &output);
    let [ours, nothing] = interleaved(201, [&mut ours, &mut nothing]);
    vec![Row::of("`list`, exec to exit", ours, "/bin/true", nothing).at_most(3.0)]
}
