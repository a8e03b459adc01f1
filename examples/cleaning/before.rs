//! Before anything: what has to be there, and what people have to know.

use runbook::prelude::*;
use runbook::steps::{backup, disk, git, probes, tool};

use crate::cleaning::{Cleaning, Environment};
use crate::deployment::To;

/// Prerequisites.
///
/// Every program a deployment needs is there and recent enough, and there is room. Nothing changes.
#[procedure(target = cleaning.on)]
pub async fn prerequisites(run: &Run, cleaning: &Cleaning) -> Result<probes::Report> {
    probes::of("Programs")
        .probe("Docker", tool::version("docker").at_least("20.10"))
        .probe("Compose", tool::version("docker").args(["compose", "version"]).at_least("2.0"))
        .probe("git", tool::version("git").at_least("2.0"))
        .probe("Room for images and backups", disk::free("/").at_least(2.gib()))
        .ask(&cleaning.server(run))
        .await?
        .all_pass()
}

/// Pre-deployment checklist.
///
/// What a person has to confirm; what the machine can find out, it says itself.
#[procedure(target = to.cleaning.on)]
pub async fn checklist(run: &Run, to: &To) -> Result<()> {
    let cleaning = &to.cleaning;
    /// What is here: `git log -10 --oneline`.
    let commits = cleaning.server(run).look(async |cx| git::log(cx, &cleaning.root, 10).await).await?;
    let commits: Vec<String> = commits.iter().map(ToString::to_string).collect();
    run.say(format!("the last commits here:\n{}", commits.join("\n")));
    let fresh = backup::fresh(Cleaning::backups(), 24.hours()).dump();
    cleaning.database_host(run).observe("A backup of the last day", fresh).await?;
    run.checklist("Before the deployment", CHECKLIST).await?;
    if cleaning.environment == Environment::Production {
        run.approve("whoever decides go or no-go").await?;
    }
    Ok(())
}

/// What nobody but a person knows.
const CHECKLIST: [&str; 5] = [
    "All checks of this commit passed in CI",
    "The release checklist is complete",
    "Staging ran this commit, with test keys, and its smoke tests passed",
    "The team knows the window",
    "Everyone knows the way back: `quick_rollback`, `rollback_with_downgrade`, `emergency_rollback`",
];
