use runbook::prelude::*;

#[procedure]
async fn by_value(run: Run) -> Result<()> {
    run.confirm("Deploy?").await
}

#[procedure]
async fn mutable(run: &mut Run) -> Result<()> {
    run.confirm("Deploy?").await
}

#[procedure]
async fn unnamed(_: &Run) -> Result<()> {
    Ok(())
}

fn main() {}
