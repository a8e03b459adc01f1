//! Backups of directories, proven by restoring them.
//!
//! ```no_run
//! # async fn deploy(run: &runbook_core::Run) -> runbook_core::Result<()> {
//! use runbook_steps::backup;
//!
//! let backup = run.step("Back up the data", backup::directory("/srv/app/data").into_dir("/backups")).await?;
//! let backup = run.step("Prove the backup", backup::rehearse(&backup)).await?;
//! // … and when it comes to that:
//! run.step("Restore the data", backup::restore(&backup).to("/srv/app/data")).await?;
//! run.irreversible("older ones are not needed", "Keep ten", backup::keep("/backups", 10).but(backup.backup())).await?;
//! # Ok(()) }
//! ```
//!
//! A backup is a directory `NAME-20260131T120000Z` of mode 0700 with three files: `archive.tar.gz`, the `manifest` (every
//! name, mode, size and SHA-256 checksum at the time of the backup) and `backup.json`, which holds the checksums of the
//! other two. It is made under a hidden name, read back and compared with its source, and gets its name last: what
//! has the name is whole.
//!
//! The host needs GNU tar and find, gzip and coreutils, as every Debian or Red Hat has.

use std::path::Path;
use std::time::Duration;

pub use self::fresh::Fresh;
pub use self::guard::{Guard, NoBackup};
pub use self::handle::{Backup, Kept, VerifiedBackup};
pub use self::keep::{Keep, Pruned};
pub use self::latest::Latest;
pub use self::make::{BackUp, BackUpBefore, Source};
#[cfg(feature = "postgres")]
pub use self::postgres::{
    BackUpDatabase, Contents, Dump, DumpBefore, DumpSource, Format, RehearseDump, RehearseDumpBefore, RestoreDump,
    RestoreDumpBefore, RestoredDump, RestoringDump, postgres,
};
pub use self::rehearse::{Rehearse, RehearseBefore};
pub use self::restore::{Restore, RestoreBefore, Restored, Restoring};
pub use self::schedule::{Daily, Schedule, ScheduleBefore, Scheduled, Scheduler, Scheduling, TimerBefore};
#[cfg(all(feature = "postgres", feature = "testing"))]
pub(crate) use self::simulated::script as simulated_script;
#[cfg(any(test, feature = "testing"))]
pub use self::simulated::simulated;

pub(crate) mod archive;
mod fresh;
mod guard;
pub(crate) mod handle;
mod keep;
mod latest;
mod make;
pub(crate) mod place;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod rehearse;
mod restore;
mod schedule;
#[cfg(any(test, feature = "testing"))]
mod simulated;
#[cfg(test)]
mod tests;

/// A directory to back up; [`into_dir`](Source::into_dir) says where to.
pub fn directory(path: impl AsRef<Path>) -> Source {
    Source::new(path.as_ref())
}

/// What can be proven by restoring it: a [`Backup`] of a directory, a dump of a database.
pub trait Provable {
    /// The step that does it.
    type Rehearsal;
    /// The step that restores this, compares it and removes it again.
    fn rehearsal(&self) -> Self::Rehearsal;
}

impl Provable for Backup {
    type Rehearsal = Rehearse;

    fn rehearsal(&self) -> Rehearse {
        Rehearse::new(self)
    }
}

/// What can be restored: a backup that was proven.
pub trait Restorable {
    /// What still has to be told where to.
    type Restoring;
    /// The beginning of its restore.
    fn restoring(&self) -> Self::Restoring;
}

impl Restorable for VerifiedBackup {
    type Restoring = Restoring;

    fn restoring(&self) -> Restoring {
        Restoring::new(self)
    }
}

/// Proves a backup by restoring it beside itself (a dump: into a scratch database), and comparing all of it with the
/// manifest. That needs the space of what is restored, for the time of the rehearsal.
pub fn rehearse<B: Provable>(backup: &B) -> B::Rehearsal {
    backup.rehearsal()
}

/// A backup to restore; [`to`](Restoring::to) says where.
pub fn restore<B: Restorable>(backup: &B) -> B::Restoring {
    backup.restoring()
}

/// Removes all but the newest `newest` backups of each directory that are in `dir`. At least one is kept.
pub fn keep(dir: impl AsRef<Path>, newest: usize) -> Keep {
    Keep::new(dir.as_ref(), newest)
}

/// The newest backup in a directory, as a step that changes nothing.
pub fn latest(dir: impl AsRef<Path>) -> Latest {
    Latest::new(dir.as_ref())
}

/// Whether the newest backup in a directory is whole and no older than this.
pub fn fresh(dir: impl AsRef<Path>, max_age: Duration) -> Fresh {
    Fresh::new(dir.as_ref(), max_age)
}

/// A job of this name, which makes a backup every day.
///
/// ```
/// use runbook_steps::backup;
///
/// let step = backup::schedule("marb-backup").runs(["/usr/local/bin/marb", "run", "back_up"]).daily_at("02:00");
/// ```
pub fn schedule(name: impl Into<String>) -> Scheduling {
    Scheduling::new(name)
}
