use runbook::prelude::*;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Site;

#[procedure]
async fn deploy(run: &Run, site: &Site) -> Result<()> {
    let _ = site;
    run.confirm("Deploy?").await
}

fn main() {}
