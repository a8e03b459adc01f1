use runbook::prelude::*;

async fn start() -> Result<()> {
    Ok(())
}

#[procedure]
async fn deploy(run: &Run) -> Result<()> {
    run.step("Start", start()).await?;
    run.check("Start", start()).await
}

fn main() {}
