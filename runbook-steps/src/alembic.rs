//! Alembic: what the schema of a database is, and what the code wants it to be.
//!
//! ```no_run
//! # use runbook_core::{Result, Run};
//! # use runbook_steps::{alembic::{self, Alembic}, backup, postgres::Database};
//! # async fn update(run: &Run, claims: &Database) -> Result<()> {
//! let schema = Alembic::in_dir("/opt/marb", claims).venv("/opt/marb/venv").env_file("/opt/marb/.env");
//! let dump = run.step("Back up the claims", backup::postgres(claims).into_dir("/backups")).await?;
//! let dump = run.step("Prove the dump", backup::rehearse(&dump)).await?;
//!
//! run.check("The code knows the schema", alembic::current_is_known(&schema)).await?;
//! let migrated = run.step("Migrate", alembic::upgrade(&schema).guarded_by(&dump).may_restore()).await?;
//! println!("{} migrations ran", migrated.ran.len());
//! # Ok(()) }
//! ```
//!
//! - Alembic is asked by its own interface, from a few lines of Python that the interpreter of the application reads from
//!   its input. No output for people is parsed, a revision is any word, and what `env.py` connects to is what counts.
//! - The URL of the database reaches it in the environment of that process, and is in no argument. When `env.py` connects
//!   to another database than the one that is named here, nothing is done.
//! - Who migrates holds an advisory lock of PostgreSQL, so a run that is taken up again waits for what the one before it
//!   has left running, and no migration runs twice.
//! - A migration that "succeeds" to be undone is not taken at its word: the tables and columns are compared with those
//!   that were there before.

mod answers;
mod app;

mod facts;

mod downgrade;
mod rehearse;
mod stamp;
mod upgrade;
mod way_back;

mod checks;

#[cfg(feature = "testing")]
pub mod fake;

pub use self::answers::{Back, Migration, Past, Ran, Schema, Shown};
pub use self::app::Alembic;
pub use self::checks::{
    CurrentIsHead, CurrentIsKnown, IsReversible, OneHead, current_is_head, current_is_known, is_reversible, one_head,
};
pub use self::downgrade::{Downgrade, DowngradeBefore, Downgrading, DowngradingTo, downgrade};
pub use self::facts::{current, downgrade_sql, heads, history, pending, show, upgrade_sql};
#[cfg(feature = "testing")]
pub use self::fake::Fake;
pub use self::rehearse::{Rehearsal, RehearseUpgrade, RehearseUpgradeBefore, WentBack, rehearse};
pub use self::stamp::{Stamp, StampBefore, Stamped, stamp};
pub use self::upgrade::{Migrated, Upgrade, UpgradeBefore, Upgrading, upgrade};

#[cfg(test)]
mod tests;
