//! The runbook: what a team would otherwise keep in a document, and paste from.

use runbook::prelude::*;
use runbook::steps::git::Release;
use runbook::steps::{backup, disk, file, git, http, tool};

use crate::entries::{all_there, migrate};
use crate::service::{start, stop};
use crate::site::{Deployment, Site};

/// The guestbook's book.
pub fn book() -> Book {
    Book::new("quickstart").about("A small guestbook, deployed").procedures(procedures![deploy, update, retire])
}

/// First deployment.
///
/// From nothing to a guestbook that answers. Run again, it finds everything done and changes nothing.
#[procedure(target = site.site.root.display())]
pub async fn deploy(run: &Run, site: &Deployment) -> Result<Release> {
    let Deployment { site, repository, revision } = site;
    run.require("git can do what we need", tool::version("git").at_least("2.25")).await?;
    run.require("There is room for it", disk::free("/").at_least(100.mib())).await?;

    run.step("Make the place", file::directory(&site.root)).await?;
    run.step("Make room for entries", file::directory(site.data()).mode(0o700)).await?;
    run.step("Make room for the process", file::directory(site.state())).await?;
    run.step("Get the code", git::clone(repository, site.app())).await?;
    let code = run.step("Check out the release", git::checkout(site.app(), revision)).await?;
    run.step("Start the guestbook", start(site)).await?;

    run.check("Health", is_healthy(site)).await?;
    Ok(code.release())
}

/// Update to another release.
///
/// The guestbook is away for about a second. Puts everything back by itself when a step or the health check fails:
/// code, entries and process.
#[procedure(target = site.site.root.display())]
pub async fn update(run: &Run, site: &Deployment) -> Result<Release> {
    let Deployment { site, revision, .. } = site;
    run.require("Healthy before we begin", is_healthy(site)).await?;
    run.step("Get what is new", git::fetch(site.app())).await?;

    /// From here on nobody can add an entry that the backup would miss.
    let stopped = run.step("Stop the guestbook", stop(site)).await?;

    /// Back up the entries, and prove that the backup restores.
    let backup = run.step("Back up the entries", backup::directory(site.data()).into_dir(site.backups())).await?;
    let backup = run.step("Prove the backup", backup::rehearse(&backup)).await?;

    let code = run.step("Check out the release", git::checkout(site.app(), revision)).await?;

    if code.changed("migrations") {
        /// Without a proved backup this does not compile.
        run.step("Migrate the entries", migrate(site, &backup)).await?;
    }

    run.step("Start the guestbook", start(site)).await?;
    run.check("Health", is_healthy(site)).await?;
    run.check("No entry is lost", all_there(site, stopped.entries)).await?;
    Ok(code.release())
}

/// Take the guestbook down.
///
/// Entries and backups stay.
#[procedure(target = site.root.display())]
pub async fn retire(run: &Run, site: &Site) -> Result<()> {
    run.step("Stop the guestbook", stop(site)).await?;
    Ok(())
}

/// Healthy is what answers so three times in a row.
fn is_healthy(site: &Site) -> impl Check + use<> {
    let health = http::get(site.url("/health")).json("/status", "healthy").reads(site.process());
    health.in_a_row(3).every(100.millis()).within(5.seconds()).every(200.millis())
}
