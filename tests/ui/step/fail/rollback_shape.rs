use runbook::prelude::*;

#[step(rollback = not_async)]
async fn start(_cx: &Context) -> Result<()> {
    Ok(())
}

fn not_async(_cx: &Context) -> Result<()> {
    Ok(())
}

#[step(rollback = missing)]
async fn restart(_cx: &Context) -> Result<()> {
    Ok(())
}

fn main() {}
