//! Updates.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::git::{self, Release};
use serde::{Deserialize, Serialize};

use crate::marb::{Marb, restart};

/// Another release.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct To {
    #[command(flatten)]
    pub marb: Marb,
    /// The release: a tag, a branch or a commit.
    #[arg(long, default_value = "main")]
    pub revision: String,
}

/// Update, code only.
///
/// For a release with the same packages and the same schema; one that changes either is refused before any service notices.
/// Puts the old code and the old processes back by itself when a service does not stay up or the site is not healthy.
#[procedure(target = to.marb.on)]
pub async fn update_code(run: &Run, to: &To) -> Result<Release> {
    let marb = &to.marb;
    run.require("Healthy before we begin", marb.is_healthy()).await?;
    let code = check_out(run, marb, &to.revision).await?;
    restart(run, marb).await?;
    run.check("Healthy", marb.is_healthy()).await?;
    Ok(code.release())
}

/// Checks out a release that needs nothing but a restart.
pub async fn check_out(run: &Run, marb: &Marb, revision: &str) -> Result<git::Checkout> {
    let app = marb.app(run);
    app.step("Get what is new", git::fetch(&marb.root)).await?;
    let code = app.step("Check out the release", git::checkout(&marb.root, revision)).await?;
    for (what, pattern) in [("packages", "requirements.txt"), ("the schema", "alembic/versions")] {
        ensure!(!code.changed(pattern), "`{revision}` changes {what}: it takes more than other code");
    }
    Ok(code)
}
