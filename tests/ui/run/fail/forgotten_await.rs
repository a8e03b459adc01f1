#![deny(unused_must_use)]

use runbook::prelude::*;

#[step(rollback = stop)]
async fn start(_cx: &Context) -> Result<()> {
    Ok(())
}

async fn stop(_cx: &Context) -> Result<()> {
    Ok(())
}

#[procedure]
async fn deploy(run: &Run) -> Result<()> {
    run.step("Start", start());
    run.confirm("Go on?");
    start();
    Ok(())
}

fn main() {}
