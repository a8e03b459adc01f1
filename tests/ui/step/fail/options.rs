use runbook::prelude::*;

#[step(undo = stop)]
async fn unknown(_cx: &Context) -> Result<()> {
    Ok(())
}

#[step(rollback = "stop", kind = start, reads = Resource::path("/srv"))]
async fn wrong(_cx: &Context) -> Result<()> {
    Ok(())
}

#[step(settle = stop)]
async fn nothing_to_settle(_cx: &Context) -> Result<()> {
    Ok(())
}

fn main() {}
