use runbook::prelude::*;

#[check]
async fn is_up(_cx: &Context) -> Result<Finding> {
    Ok(Finding::pass("asked"))
}

#[step]
async fn start(_cx: &Context) -> Result<()> {
    Ok(())
}

#[procedure]
async fn deploy(run: &Run) -> Result<()> {
    run.step("Is it up?", is_up()).await?;
    run.check("Start", start()).await
}

fn main() {}
