//! Backups: made, proven by restoring them, kept, and restored.

use std::path::PathBuf;

use clap::Args;
use runbook::prelude::*;
use runbook::steps::backup::{self, Dump, Scheduled, VerifiedBackup};
use runbook::steps::{disk, file, tool};
use serde::{Deserialize, Serialize};

use crate::marb::Marb;

/// Database backup.
///
/// A dump that is whole when it has its name, with its checksum and what was in the database; then proven: restored into a
/// scratch database and compared. Of the proven ones the newest fourteen stay.
#[procedure(target = marb.on)]
pub async fn back_up(run: &Run, marb: &Marb) -> Result<Dump> {
    let proven = proven_backup(run, marb).await?;
    let keep = backup::keep(&marb.backups, 14).but(proven.backup());
    marb.server(run).irreversible("old backups are of no use", "Remove old backups", keep).await?;
    Ok(proven.backup().clone())
}

/// Make a backup and prove it.
///
/// It was restored once already: what a step that can lose data asks for.
#[part]
pub async fn proven_backup(run: &Run, marb: &Marb) -> Result<VerifiedBackup<Dump>> {
    let server = marb.server(run);
    server.step("Make room for backups", file::directory(&marb.backups).mode(0o700)).await?;
    server.check("There is room", disk::free(&marb.backups).at_least(1.gib())).await?;
    let dump = server.step("Back up the database", backup::postgres(&marb.database()).into_dir(&marb.backups)).await?;
    server.step("Prove the backup", backup::rehearse(&dump)).await
}

/// Backup verification.
///
/// The newest backup is restored into a scratch database and compared with what it says was in the database.
#[procedure(target = marb.on)]
pub async fn verify_backup(run: &Run, marb: &Marb) -> Result<Dump> {
    let server = marb.server(run);
    server.check("A backup of the last day", backup::fresh(&marb.backups, 24.hours()).dump()).await?;
    let dump = server.step("Find the newest backup", backup::latest(&marb.backups).dump()).await?;
    let proven = server.step("Prove the backup", backup::rehearse(&dump)).await?;
    Ok(proven.backup().clone())
}

/// Automated backups.
///
/// Every night the server runs `back_up` of this program, which is installed on it for that: by a timer of systemd. Whoever
/// is on call sees a failed night in `verify_backup`.
#[procedure(target = nightly.marb.on)]
pub async fn back_up_every_night(run: &Run, nightly: &Nightly) -> Result<Scheduled> {
    let (marb, server) = (&nightly.marb, nightly.marb.server(run));
    let program = nightly.program.to_string_lossy();
    server.check("The program is there", tool::version(program.as_ref()).at_least("0.1")).await?;
    let (root, backups) = (marb.root.to_string_lossy(), marb.backups.to_string_lossy());
    let words = [&program, "run", "back_up", "--root", &root, "--backups", &backups, "--journal", JOURNAL];
    let every_night = backup::schedule("marb-backup").runs(words).daily_at(&nightly.time);
    server.step("Back up every night", every_night).await
}

/// Where the runs of the night are remembered.
const JOURNAL: &str = "/var/lib/marb-runbook";

/// When, and by which program.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Nightly {
    #[command(flatten)]
    pub marb: Marb,
    /// Where this program is on the server.
    #[arg(long, default_value = "/usr/local/bin/marb")]
    pub program: PathBuf,
    /// When, by the clock of the server.
    #[arg(long, default_value = "02:30")]
    pub time: String,
}
