//! Backups: made, proven by restoring them, kept, and restored.

use std::path::PathBuf;

use clap::Args;
use runbook::prelude::*;
use runbook::steps::backup::{self, Dump, VerifiedBackup};
use runbook::steps::{disk, file, systemd, tool};
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
/// A timer of systemd runs `back_up` of this program every night, which is installed on the server for that. Whoever is on
/// call sees a failed night in `verify_backup`.
#[procedure(target = nightly.marb.on)]
pub async fn back_up_every_night(run: &Run, nightly: &Nightly) -> Result<()> {
    let (marb, server) = (&nightly.marb, nightly.marb.server(run));
    let program = nightly.program.display();
    server.check("The program is there", tool::version(nightly.program.to_string_lossy()).at_least("0.1")).await?;
    let arguments = format!("--root {} --backups {}", marb.root.display(), marb.backups.display());
    let service = format!(
        "[Unit]\nDescription=Backup of mARB\n\n[Service]\nType=oneshot\n\
         ExecStart={program} run back_up {arguments} --journal /var/lib/marb-runbook\n"
    );
    let timer = format!(
        "[Unit]\nDescription=Backup of mARB every night\n\n[Timer]\nOnCalendar={}\nPersistent=true\n\n\
         [Install]\nWantedBy=timers.target\n",
        nightly.calendar
    );
    server.step("Install the service", systemd::install("marb-backup.service", service)).await?;
    server.step("Install the timer", systemd::install("marb-backup.timer", timer)).await?;
    server.step("Start the timer", systemd::start("marb-backup.timer")).await?;
    server.step("Enable the timer", systemd::enable("marb-backup.timer")).await?;
    server.check("It will run", systemd::timer_active("marb-backup.timer")).await
}

/// When, and by which program.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Nightly {
    #[command(flatten)]
    pub marb: Marb,
    /// Where this program is on the server.
    #[arg(long, default_value = "/usr/local/bin/marb")]
    pub program: PathBuf,
    /// When, as systemd.time(7) writes it.
    #[arg(long, default_value = "*-*-* 02:30:00 UTC")]
    pub calendar: String,
}
