use runbook::prelude::*;

#[step(rollback = stop)]
async fn start(_cx: &Context, _unit: &str, _port: u16) -> Result<()> {
    Ok(())
}

async fn stop(_cx: &Context, _unit: &str) -> Result<()> {
    Ok(())
}

fn main() {}
