use runbook::prelude::*;

struct Release;

#[procedure]
async fn deploy(run: &Run) -> Result<Release> {
    run.confirm("Deploy?").await?;
    Ok(Release)
}

fn main() {}
