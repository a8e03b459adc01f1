use runbook::prelude::*;

#[procedure]
async fn nothing(run: &Run) {
    run.confirm("Deploy?").await?;
}

#[procedure]
async fn a_value(run: &Run) -> u32 {
    run.confirm("Deploy?").await.map_or(1, |()| 0)
}

fn main() {
    let _ = procedures![nothing, a_value];
}
