use runbook::prelude::*;

#[part]
struct Restart;

fn main() {}
