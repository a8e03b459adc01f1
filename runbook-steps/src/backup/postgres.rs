//! Backups of PostgreSQL databases: dumps, proven by restoring them into a scratch database.
//!
//! ```no_run
//! # use runbook_core::{Result, Run};
//! # use runbook_steps::{backup, postgres::Database};
//! # async fn deploy(run: &Run, claims: &Database) -> Result<()> {
//! let dump = run.step("Back up the claims", backup::postgres(claims).into_dir("/backups")).await?;
//! let dump = run.step("Prove the dump", backup::rehearse(&dump)).await?;
//! // … and when it comes to that:
//! run.step("Restore the claims", backup::restore(&dump).to(claims)).await?;
//! # Ok(()) }
//! ```
//!
//! A dump is a directory `NAME-20260131T120000Z` of mode 0700, like every backup here, with two files: `dump.zst` or
//! `dump.sql.zst`, and `dump.json` with its checksum and what was in the database at that very moment. `pg_dump`
//! compresses with one core, so it does not compress here; `zstd` does, with all of them, while the dump flows. It is made
//! under a hidden name and gets its own last: what has the name is whole.
//!
//! The host needs the client programs of PostgreSQL, zstd and coreutils.

use std::path::Path;

use runbook_core::{Command, Context, Explain as _, Result};

use crate::postgres::{Database, Pass};

mod dump;
mod make;
mod rehearse;
mod restore;
mod scratch;

pub use self::dump::{Contents, Dump, Format};
pub use self::make::{BackUpDatabase, DumpBefore, DumpSource};
pub use self::rehearse::{RehearseDump, RehearseDumpBefore};
pub use self::restore::{RestoreDump, RestoreDumpBefore, RestoredDump, RestoringDump};

pub(crate) use self::scratch::Scratch;

#[cfg(test)]
mod tests;

/// A database to back up; [`into_dir`](DumpSource::into_dir) says where to.
pub fn postgres(database: &Database) -> DumpSource {
    DumpSource::new(database)
}

/// What a program says its version is.
async fn version_of(cx: &Context, program: &str) -> Result<String> {
    let output = cx.run(&crate::postgres::tool(program).arg("--version")).await?;
    let said = output.lossy();
    let line = said.lines().next().map(|line| line.trim_matches(['*', ' ']).to_owned());
    line.with_context(|| format!("`{program} --version` says nothing"))
}

/// Decompresses to its output.
fn unpack(file: &Path) -> Command {
    Command::new("zstd").args(["-d", "-q", "-c", "--"]).arg(file)
}

/// Logs in for the time of some commands; the password lies in this directory until they are done.
async fn with_pass<T>(
    cx: &Context,
    database: &Database,
    dir: &Path,
    work: impl AsyncFnOnce(&Pass) -> Result<T>,
) -> Result<T> {
    let pass = Pass::write(cx, database, dir).await?;
    let done = work(&pass).await;
    let removed = pass.remove(cx).await;
    let done = done?;
    removed.map(|()| done)
}
