//! PostgreSQL: is it ready, what is in it, who is in it; and making room for an application in it.
//!
//! ```no_run
//! # use runbook_core::{CheckExt as _, Result, Run, Secret, Units as _};
//! # use runbook_steps::postgres::{self, Database};
//! # async fn deploy(run: &Run) -> Result<()> {
//! let server = Database::socket("postgres").become_user("postgres");
//! let claims = Database::from_env("DATABASE_URL").administered_by(&server);
//! run.check("PostgreSQL answers", postgres::ready(&claims).within(30.seconds())).await?;
//! run.step("Make the database", postgres::provision(&claims)).await?;
//! run.check("No claim without a customer", postgres::no_orphans(&claims, "claims.customer_id", "customers.id")).await?;
//! # Ok(()) }
//! ```
//!
//! - A [`Database`] is named by its URL; the driver names of SQLAlchemy are understood. A URL that is unset or names no
//!   database is an error: nothing is ever asked of another database instead.
//! - Connections go out from the host of the step, so `localhost` in a URL is that host: a machine reached over SSH, a
//!   container. There they pass through a few lines of Perl or Python; nothing has to be installed.
//! - A password reaches a tool through a file of mode 0600, and PostgreSQL as a SCRAM verifier. It is in no argument, no
//!   journal and no log, that of the server included.

mod database;
mod url;

mod ask;
mod encryption;
mod server;
mod sql;
mod wire;

mod facts;
mod tools;

mod activity;
mod checks;
mod provision;
mod recreate;
mod validate;

#[cfg(feature = "testing")]
pub mod fake;

pub use self::activity::{Ended, NobodyWaits, Terminate, nobody_waits, terminate_connections};
pub use self::ask::{Activity, Ask, DatabaseFacts, Locale, Lock, Notice, RoleFacts};
pub use self::checks::{Ping, Ready, ServerVersion, ping, ready, version};
pub use self::database::Database;
pub use self::facts::{activity, locks, orphans, row_counts, server_version, table_hash, tables};
#[cfg(feature = "testing")]
pub use self::fake::Fake;
pub use self::provision::{Provision, ProvisionBefore, Provisioned, provision};
pub use self::recreate::{Recreate, Recreated, recreate};
pub use self::server::{Port, Server, Session};
pub use self::url::Target;
pub use self::validate::{NoOrphans, RowCount, SameHash, has_rows, no_orphans, same_hash};

pub(crate) use self::facts::{Open, database_facts, open};
pub(crate) use self::tools::{Pass, tool};

#[cfg(test)]
pub(crate) use self::server::Real;
#[cfg(test)]
pub(crate) mod tests;
