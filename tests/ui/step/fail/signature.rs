use runbook::prelude::*;

#[step]
async fn no_context(unit: &str) -> Result<()> {
    println!("{unit}");
    Ok(())
}

#[step]
fn not_async(_cx: &Context) -> Result<()> {
    Ok(())
}

#[step]
async fn no_result(_cx: &Context) {}

fn main() {}
