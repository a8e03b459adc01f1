//! Backups of the database: made, and proven by restoring them.

use runbook::prelude::*;
use runbook::steps::backup::{self, Dump, VerifiedBackup};
use runbook::steps::disk;

use crate::cleaning::Cleaning;

/// Database backup.
///
/// A dump that is whole when it has its name, restored once into a scratch database and compared. The newest fourteen stay.
#[procedure(target = cleaning.on)]
pub async fn back_up(run: &Run, cleaning: &Cleaning) -> Result<Dump> {
    let proven = proven_backup(run, cleaning).await?;
    let keep = backup::keep(Cleaning::backups(), 14).but(proven.backup());
    let database = cleaning.database_host(run);
    database.irreversible("old backups are of no use", "Remove old backups", keep).await?;
    Ok(proven.backup().clone())
}

/// Make a backup and prove it.
///
/// It was restored once already: what a step that can lose data asks for.
#[part]
pub async fn proven_backup(run: &Run, cleaning: &Cleaning) -> Result<VerifiedBackup<Dump>> {
    let database = cleaning.database_host(run);
    database.check("There is room", disk::free(Cleaning::backups()).at_least(1.gib())).await?;
    let dump = backup::postgres(&Cleaning::database()).into_dir(Cleaning::backups());
    let dump = database.step("Back up the database", dump).await?;
    database.step("Prove the backup", backup::rehearse(&dump)).await
}
