//! Emptying a database.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Explain as _, Result, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Ask, Database, DatabaseFacts, facts};
use crate::backup::Guard;

/// Removes a database with all that is in it, and makes an empty one of the same name, owner and locale. Nothing
/// brings it back but a backup, so it wants one: a reference to a [`VerifiedBackup`](crate::backup::VerifiedBackup), or
/// a [`NoBackup`](crate::backup::NoBackup) with the reason.
pub fn recreate(database: &Database, guard: impl Into<Guard>) -> Recreate {
    Recreate { database: database.clone(), guard: guard.into() }
}

/// The step of [`recreate`]; it has no way back: `run.irreversible("why", "title", postgres::recreate(..))`.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.irreversible(\"why\", \"…\", step).await?`"]
pub struct Recreate {
    database: Database,
    guard: Guard,
}

/// An empty database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recreated {
    /// Its name.
    pub database: String,
    /// Its number, which is not the one of the database that was there; `None` in a plan.
    pub oid: Option<u32>,
}

#[async_trait]
impl Step for Recreate {
    type Before = DatabaseFacts;
    type Output = Recreated;

    fn describe(&self) -> Description {
        let Self { database, guard } = self;
        let admin = database.admin().by_hand();
        Description::new("postgres.recreate", database.to_string())
            .summary(format!("empty {database} ({guard})"))
            .command(format!("dropdb --force --maintenance-db={admin} NAME"))
            .command(format!("createdb --maintenance-db={admin} --owner=ROLE NAME"))
            .reads(database.resource())
            .writes(database.resource())
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<DatabaseFacts, Recreated>> {
        let name = self.database.target(cx).await?.name;
        let found = facts::database_facts(cx, &self.database).await?;
        let found = found.with_context(|| format!("there is no database `{name}`"))?;
        let counts = facts::row_counts(cx, &self.database.beside(&name)).await?;
        let rows: u64 = counts.values().sum();
        let diff = Diff::none().and_remove(format!("{} tables with {rows} rows in {name}", counts.len()));
        Ok(Survey::predict(found, diff, Recreated { database: name, oid: None }))
    }

    async fn apply(&self, cx: &Context, before: &DatabaseFacts) -> Result<Recreated> {
        let name = self.database.target(cx).await?.name;
        let mut server = facts::open(cx, &self.database.maintenance(&name)).await?;
        let now: Option<DatabaseFacts> = server.ask(&Ask::Database(name.clone())).await?;
        // Another number: an earlier try got that far.
        if now.as_ref().is_none_or(|now| now.oid == before.oid) {
            server.order(&Ask::DropDatabase(name.clone())).await?;
            let (owner, locale) = (Some(before.owner.clone()), Some(before.locale.clone()));
            server.order(&Ask::CreateDatabase { name: name.clone(), owner, locale }).await?;
        }
        let made: DatabaseFacts = server.ask(&Ask::Database(name.clone())).await?;
        Ok(Recreated { database: name, oid: Some(made.oid) })
    }
}
