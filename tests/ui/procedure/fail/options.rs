use runbook::prelude::*;

#[procedure(title = "Deploy")]
async fn unknown(run: &Run) -> Result<()> {
    run.confirm("Deploy?").await
}

#[procedure(target)]
async fn no_value(run: &Run) -> Result<()> {
    run.confirm("Deploy?").await
}

#[procedure(target = "a", target = "b")]
async fn twice(run: &Run) -> Result<()> {
    run.confirm("Deploy?").await
}

fn main() {}
