use runbook::prelude::*;

#[procedure]
fn deploy(run: &Run) -> Result<()> {
    run.confirm("Deploy?").await
}

fn main() {
    let _ = procedures![deploy];
}
