use runbook::prelude::*;

#[procedure]
struct Deploy;

fn main() {}
