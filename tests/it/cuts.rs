//! A journal may be cut anywhere, and any byte of it may be wrong: the run goes on whole, or says why it does not.

use runbook::prelude::*;
use runbook::testing::{Rig, SimHost, cuts};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct Site {
    version: u32,
}

#[procedure]
async fn deploy(run: &Run, site: &Site) -> Result<u32> {
    let began = run.now().await?;
    run.scope("Release", async |run| {
        run.step("Make", runbook::steps::file::directory("/srv/app/releases")).await?;
        run.step("Write", runbook::steps::file::write("/srv/app/releases/notes", "what is new")).await
    })
    .await?;
    run.step("Version", runbook::steps::file::write("/srv/app/VERSION", site.version.to_string())).await?;
    ensure!(site.version < 3, "version {} is bad, as was known at {began}", site.version);
    Ok(site.version)
}

fn rig() -> Rig {
    Rig::new().host(&SimHost::new("web-1").file("/srv/app/VERSION", "1"))
}

#[tokio::test]
async fn a_good_release_survives_every_cut_and_every_wrong_byte() {
    let cuts = cuts::<deploy>(rig, Site { version: 2 }).await;
    assert!(cuts.are_sound().resumed() > 1000 && cuts.refused() > 1000, "{cuts}");
}

#[tokio::test]
async fn a_bad_release_survives_them_too() {
    let cuts = cuts::<deploy>(rig, Site { version: 3 }).await;
    assert!(cuts.are_sound().resumed() > 1000 && cuts.refused() > 1000, "{cuts}");
}
