use runbook::prelude::*;

#[check]
async fn no_context() -> Result<Finding> {
    Ok(Finding::pass("asked"))
}

#[check]
async fn no_finding(_cx: &Context) -> Result<bool> {
    Ok(true)
}

#[check]
async fn before(_cx: &Context, before: &String) -> Result<Finding> {
    Ok(Finding::pass(before.clone()))
}

fn main() {}
