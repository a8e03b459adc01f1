#![deny(unused_must_use)]

use runbook::prelude::*;

fn main() {
    cmd!("git status");
}
