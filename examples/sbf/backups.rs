//! Backups of the database: made, and proven by restoring them.

use runbook::prelude::*;
use runbook::steps::backup::{self, Dump, VerifiedBackup};
use runbook::steps::disk;

use crate::sbf::Sbf;

/// Database backup.
///
/// A dump that is whole when it has its name, restored once into a scratch database and compared. The newest fourteen stay.
#[procedure(target = sbf.on)]
pub async fn back_up(run: &Run, sbf: &Sbf) -> Result<Dump> {
    let proven = proven_backup(run, sbf).await?;
    let keep = backup::keep(Sbf::backups(), 14).but(proven.backup());
    sbf.database_host(run).irreversible("old backups are of no use", "Remove old backups", keep).await?;
    Ok(proven.backup().clone())
}

/// Make a backup and prove it.
#[part]
pub async fn proven_backup(run: &Run, sbf: &Sbf) -> Result<VerifiedBackup<Dump>> {
    let database = sbf.database_host(run);
    database.check("There is room", disk::free("/").at_least(1.gib())).await?;
    let dump = backup::postgres(&Sbf::database()).into_dir(Sbf::backups());
    let dump = database.step("Back up the database", dump).await?;
    database.step("Prove the backup", backup::rehearse(&dump)).await
}
