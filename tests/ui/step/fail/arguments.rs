use runbook::prelude::*;

#[step]
async fn mutable(_cx: &Context, _list: &mut Vec<String>) -> Result<()> {
    Ok(())
}

#[step]
async fn inside(_cx: &Context, _unit: Option<&str>) -> Result<()> {
    Ok(())
}

#[step]
async fn generic<T: Clone>(_cx: &Context, _unit: T, (_a, _b): (u8, u8)) -> Result<()> {
    Ok(())
}

fn main() {}
