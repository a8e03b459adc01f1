use runbook::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Backup;
#[derive(Clone, Serialize, Deserialize)]
struct VerifiedBackup;

#[step]
async fn migrate(_cx: &Context, _guard: &VerifiedBackup) -> Result<()> {
    Ok(())
}

#[procedure]
async fn deploy(run: &Run) -> Result<()> {
    run.irreversible("no way back", "Migrate", migrate()).await?;
    run.irreversible("no way back", "Migrate", migrate(&Backup)).await
}

fn main() {}
