use runbook::prelude::*;

fn main() {
    let password = Secret::env("PASSWORD");
    let _ = Command::new("psql").arg(&password);
    let _ = Command::new("psql").args([&password]);
}
