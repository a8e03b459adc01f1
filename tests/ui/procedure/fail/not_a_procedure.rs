use runbook::prelude::*;

async fn deploy(run: &Run) -> Result<()> {
    run.confirm("Deploy?").await
}

struct Update;

fn main() {
    let _ = procedures![deploy];
    let _ = procedures![Update];
}
