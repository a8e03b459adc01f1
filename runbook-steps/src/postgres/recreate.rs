//! Emptying a database.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Explain as _, Result, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Ask, Database, DatabaseFacts, Open, facts};
use crate::backup::Guard;

/// Removes a database with all that is in it, and makes an empty one of the same name, owner and locale. The empty one is
/// made first, so who may not make any removes none. Nothing brings the old one back but a backup, so it wants one: a reference to a [`VerifiedBackup`](crate::backup::VerifiedBackup), or
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

/// The name of the empty database until it has its own.
fn empty(name: &str) -> String {
    format!("{}_empty_by_runbook", name.chars().take(40).collect::<String>())
}

async fn find(server: &mut Open, name: &str) -> Result<Option<DatabaseFacts>> {
    server.ask(&Ask::Database(name.to_owned())).await
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
            .command(format!("createdb --maintenance-db={admin} --owner=ROLE NAME_empty"))
            .command(format!("dropdb --force --maintenance-db={admin} NAME"))
            .command(format!("psql -d {admin} -c 'ALTER DATABASE NAME_empty RENAME TO NAME'"))
            .reads(database.resource())
            .writes(database.resource())
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<DatabaseFacts, Recreated>> {
        let name = self.database.target(cx).await?.name;
        let mut server = facts::open(cx, &self.database.maintenance(&name)).await?;
        if let Some(found) = find(&mut server, &name).await? {
            let counts = facts::row_counts(cx, &self.database.beside(&name)).await?;
            let rows: u64 = counts.values().sum();
            let diff = Diff::none().and_remove(format!("{} tables with {rows} rows in {name}", counts.len()));
            return Ok(Survey::predict(found, diff, Recreated { database: name, oid: None }));
        }
        // Cut off between the removal and the new name.
        let found = find(&mut server, &empty(&name)).await?;
        let found = found.with_context(|| format!("there is no database `{name}`"))?;
        let diff = Diff::none().and_add(format!("database {name}"));
        Ok(Survey::predict(DatabaseFacts { oid: 0, ..found }, diff, Recreated { database: name, oid: None }))
    }

    async fn apply(&self, cx: &Context, before: &DatabaseFacts) -> Result<Recreated> {
        let name = self.database.target(cx).await?.name;
        let mut server = facts::open(cx, &self.database.maintenance(&name)).await?;
        let now = find(&mut server, &name).await?;
        // Another number: an earlier try got that far.
        if now.is_none_or(|now| now.oid == before.oid) {
            let empty = empty(&name);
            if find(&mut server, &empty).await?.is_none() {
                let (owner, locale) = (Some(before.owner.clone()), Some(before.locale.clone()));
                server.order(&Ask::CreateDatabase { name: empty.clone(), owner, locale }).await?;
            }
            server.order(&Ask::DropDatabase(name.clone())).await?;
            server.order(&Ask::RenameDatabase(empty, name.clone())).await?;
        }
        let made: DatabaseFacts = server.ask(&Ask::Database(name.clone())).await?;
        Ok(Recreated { database: name, oid: Some(made.oid) })
    }
}
