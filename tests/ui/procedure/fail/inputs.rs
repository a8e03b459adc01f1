use runbook::prelude::*;

#[procedure]
async fn two(run: &Run, site: &NoInput, version: &NoInput) -> Result<()> {
    run.confirm(format!("{version:?} to {site:?}?")).await
}

#[procedure]
async fn by_value(run: &Run, site: NoInput) -> Result<()> {
    run.confirm(format!("{site:?}?")).await
}

fn main() {
    let _ = procedures![two, by_value];
}
