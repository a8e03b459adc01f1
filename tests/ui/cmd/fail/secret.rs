use runbook::prelude::*;

fn main() {
    let password = Secret::env("PASSWORD");
    let _ = cmd!("psql --password={password}");
}
