//! How a database is read.

use std::collections::BTreeMap;

use runbook::{Context, Explain as _, Result};
use serde::de::DeserializeOwned;

use super::ask::{Activity, Ask, DatabaseFacts, Lock, Notice};
use super::{Database, Session, server};

/// A session in a database, with typed answers.
pub(crate) struct Open(Box<dyn Session>);

/// Logs in.
pub(crate) async fn open(cx: &Context, database: &Database) -> Result<Open> {
    let target = database.target(cx).await?;
    server::session(cx, &target, database.os_user()).await.map(Open)
}

impl Open {
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, ask: &Ask) -> Result<T> {
        let answer = self.0.ask(ask).await?;
        serde_json::from_value(answer).with_context(|| format!("read the answer to {ask:?}"))
    }

    /// An order has no answer worth reading.
    pub(crate) async fn order(&mut self, ask: &Ask) -> Result<()> {
        self.0.ask(ask).await.map(drop)
    }
}

async fn ask<T: DeserializeOwned>(cx: &Context, database: &Database, ask: &Ask) -> Result<T> {
    open(cx, database).await?.ask(ask).await
}

/// What the server says of itself.
pub async fn server_version(cx: &Context, database: &Database) -> Result<Notice> {
    ask(cx, database, &Ask::Hello).await
}

/// The tables people made in it, sorted; those outside `public` with their schema.
pub async fn tables(cx: &Context, database: &Database) -> Result<Vec<String>> {
    ask(cx, database, &Ask::Tables).await
}

/// The number of rows of every table, counted: that reads all of them.
pub async fn row_counts(cx: &Context, database: &Database) -> Result<BTreeMap<String, u64>> {
    ask(cx, database, &Ask::RowCounts).await
}

/// A hash over these columns of a table. It does not depend on the order of rows, nor on columns that are not named, so
/// it can be compared across a migration that adds one.
pub async fn table_hash(cx: &Context, database: &Database, table: &str, columns: &[&str]) -> Result<String> {
    let columns = columns.iter().map(ToString::to_string).collect();
    ask(cx, database, &Ask::Hash { table: table.to_owned(), columns }).await
}

/// How many rows point nowhere: `orphans(cx, db, "claims.customer_id", "customers.id")`. An empty pointer is none.
pub async fn orphans(cx: &Context, database: &Database, from: &str, to: &str) -> Result<u64> {
    ask(cx, database, &Ask::Orphans { from: from.to_owned(), to: to.to_owned() }).await
}

/// The other sessions in it.
pub async fn activity(cx: &Context, database: &Database) -> Result<Vec<Activity>> {
    ask(cx, database, &Ask::Activity).await
}

/// The sessions in it that wait for others.
pub async fn locks(cx: &Context, database: &Database) -> Result<Vec<Lock>> {
    ask(cx, database, &Ask::Locks).await
}

/// What its server knows of it, asked of its administrator; `None` when there is none.
pub(crate) async fn database_facts(cx: &Context, database: &Database) -> Result<Option<DatabaseFacts>> {
    let name = database.target(cx).await?.name;
    open(cx, &database.maintenance(&name)).await?.ask(&Ask::Database(name)).await
}
