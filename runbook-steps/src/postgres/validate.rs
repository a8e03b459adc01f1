//! Whether the data in a database is what it should be.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Result};

use super::{Ask, Database, checks::question, facts, sql};

/// Whether no row points to a row that is not there: `no_orphans(&db, "claims.customer_id", "customers.id")`.
pub fn no_orphans(database: &Database, from: impl Into<String>, to: impl Into<String>) -> NoOrphans {
    NoOrphans { database: database.clone(), from: from.into(), to: to.into() }
}

/// Whether a table has rows; say [how many](RowCount::exactly).
pub fn has_rows(database: &Database, table: impl Into<String>) -> RowCount {
    RowCount { database: database.clone(), table: table.into(), least: 1, most: None }
}

/// Whether these columns of a table still have this hash, which [`table_hash`](super::table_hash) gave before.
pub fn same_hash(
    database: &Database,
    table: impl Into<String>,
    columns: impl IntoIterator<Item = impl Into<String>>,
    hash: impl Into<String>,
) -> SameHash {
    let columns = columns.into_iter().map(Into::into).collect();
    SameHash { database: database.clone(), table: table.into(), columns, hash: hash.into() }
}

/// The check of [`no_orphans`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct NoOrphans {
    database: Database,
    from: String,
    to: String,
}

/// The check of [`has_rows`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct RowCount {
    database: Database,
    table: String,
    least: u64,
    most: Option<u64>,
}

/// The check of [`same_hash`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct SameHash {
    database: Database,
    table: String,
    columns: Vec<String>,
    hash: String,
}

impl RowCount {
    /// This many.
    pub fn exactly(self, rows: u64) -> Self {
        Self { least: rows, most: Some(rows), ..self }
    }

    /// This many, or more.
    pub fn at_least(self, rows: u64) -> Self {
        Self { least: rows, most: None, ..self }
    }

    fn wanted(&self) -> String {
        match self.most {
            Some(most) => format!("{most} rows"),
            None => format!("at least {} rows", self.least),
        }
    }
}

#[async_trait]
impl Check for NoOrphans {
    fn describe(&self) -> Description {
        let Self { database, from, to } = self;
        let (table, key) = sql::column(from).unwrap_or((from, ""));
        let (parent, id) = sql::column(to).unwrap_or((to, ""));
        Description::new("postgres.no_orphans", format!("{from} -> {to}"))
            .summary(format!("every {from} is a {to}"))
            .command(format!(
                "psql -X -d {} -tAc 'SELECT count(*) FROM {table} c WHERE {key} IS NOT NULL AND NOT EXISTS \
                 (SELECT 1 FROM {parent} p WHERE p.{id} = c.{key})'",
                database.by_hand()
            ))
            .reads(database.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let orphans = facts::orphans(cx, &self.database, &self.from, &self.to).await?;
        Ok(Finding::of(orphans == 0, format!("{orphans} rows of {} point to no {}", self.from, self.to)))
    }
}

#[async_trait]
impl Check for RowCount {
    fn describe(&self) -> Description {
        let Self { database, table, .. } = self;
        Description::new("postgres.rows", table)
            .summary(format!("{table} has {}", self.wanted()))
            .command(format!("psql -X -d {} -tAc 'SELECT count(*) FROM {table}'", database.by_hand()))
            .reads(database.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let counts = facts::row_counts(cx, &self.database).await?;
        let Some(&rows) = counts.get(self.table.trim_start_matches("public.")) else {
            let there = counts.keys().cloned().collect::<Vec<_>>().join(", ");
            let evidence = Evidence::new(format!("there is no table `{}`", self.table));
            return Ok(Finding::fail(evidence.lines([format!("there are: {there}")])));
        };
        let enough = rows >= self.least && self.most.is_none_or(|most| rows <= most);
        let wanted = if enough { String::new() } else { format!(", wanted {}", self.wanted()) };
        Ok(Finding::of(enough, format!("{} has {rows} rows{wanted}", self.table)))
    }
}

#[async_trait]
impl Check for SameHash {
    fn describe(&self) -> Description {
        let columns = self.columns.join(", ");
        Description::new("postgres.same_hash", &self.table)
            .summary(format!("{columns} of {} are what they were", self.table))
            .command(format!(
                "psql -X -d {} -c 'COPY (SELECT {columns} FROM {} ORDER BY 1) TO STDOUT' | sha256sum",
                self.database.by_hand(),
                self.table
            ))
            .reads(self.database.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let ask = Ask::Hash { table: self.table.clone(), columns: self.columns.clone() };
        let hash: String = question(cx, &self.database, &ask).await?;
        Ok(Finding::of(hash == self.hash, format!("hash of {} is {hash}, was {}", self.table, self.hash)))
    }
}
