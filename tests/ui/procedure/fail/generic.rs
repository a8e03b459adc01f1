use runbook::prelude::*;

#[procedure]
async fn deploy<T: Clone>(run: &Run, site: &T) -> Result<()> {
    let _ = site.clone();
    run.confirm("Deploy?").await
}

#[procedure]
async fn update(run: &Run, site: &impl Clone) -> Result<()> {
    let _ = site.clone();
    run.confirm("Update?").await
}

fn main() {}
