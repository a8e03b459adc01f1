use runbook::prelude::*;

#[step(rollback = put_back)]
async fn install(_cx: &Context, _version: &str, before: &String) -> Result<()> {
    println!("{before}");
    Ok(())
}

async fn put_back(_cx: &Context, _version: &str, _before: &String) -> Result<()> {
    Ok(())
}

fn main() {}
