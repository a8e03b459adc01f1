//! Who is in a database, and sending them out.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Diff, Evidence, Finding, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Ask, Database, facts};

/// Whether no session in the database waits for a lock of another one.
pub fn nobody_waits(database: &Database) -> NobodyWaits {
    NobodyWaits(database.clone())
}

/// Ends all other sessions in a database, by its administrator. They may come back: stop what makes them first.
pub fn terminate_connections(database: &Database) -> Terminate {
    Terminate(database.clone())
}

/// The check of [`nobody_waits`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct NobodyWaits(Database);

/// The step of [`terminate_connections`]. What the sessions had not committed is gone; there is nothing to undo, for
/// clients connect again by themselves.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Terminate(Database);

/// Sessions that were ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How many.
    pub sessions: u64,
}

#[async_trait]
impl Check for NobodyWaits {
    fn describe(&self) -> Description {
        let Self(database) = self;
        Description::new("postgres.nobody_waits", database.to_string())
            .summary(format!("nobody waits for a lock in {database}"))
            .command(format!(
                "psql -X -d {} -c 'SELECT pid, pg_blocking_pids(pid), query FROM pg_stat_activity'",
                database.by_hand()
            ))
            .reads(database.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let locks = facts::locks(cx, &self.0).await?;
        let lines = locks
            .iter()
            .map(|lock| format!("{} (`{}`) waits for {} (`{}`)", lock.waiting, lock.query, lock.held_by, lock.holder));
        let evidence = Evidence::new(format!("{} sessions wait for another one", locks.len())).lines(lines);
        Ok(Finding::of(locks.is_empty(), evidence))
    }
}

impl Terminate {
    async fn others(&self, cx: &Context) -> Result<u64> {
        let name = self.0.target(cx).await?.name;
        // Asked in the database itself: it is the sessions there that count.
        let there: Vec<super::Activity> = facts::open(cx, &self.0.beside(&name)).await?.ask(&Ask::Activity).await?;
        Ok(there.len() as u64)
    }
}

#[async_trait]
impl Step for Terminate {
    type Before = ();
    type Output = Ended;

    fn describe(&self) -> Description {
        let Self(database) = self;
        Description::new("postgres.terminate", database.to_string())
            .summary(format!("end all sessions in {database}"))
            .command(format!(
                "psql -X -d {} -c 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()'",
                database.by_hand()
            ))
            .reads(database.resource())
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), Ended>> {
        let sessions = self.others(cx).await?;
        Ok(match sessions {
            0 => Survey::Already(Ended::default()),
            _ => Survey::predict((), Diff::note(format!("{sessions} sessions are ended")), Ended { sessions }),
        })
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Ended> {
        let name = self.0.target(cx).await?.name;
        let sessions = facts::open(cx, &self.0.maintenance(&name)).await?.ask(&Ask::Terminate(name)).await?;
        Ok(Ended { sessions })
    }
}

#[async_trait]
impl Rollback for Terminate {
    async fn rollback(&self, _: &Context, (): &()) -> Result<()> {
        Ok(())
    }
}
