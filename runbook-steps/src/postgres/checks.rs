//! Whether a server answers.

use std::time::Instant;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Finding, Resource, Result};

use super::{Ask, Database, facts, server_version};

/// Whether the database lets us in and answers. While the server starts, that is a *no*; ask with `within(…)`.
pub fn ready(database: &Database) -> Ready {
    Ready(database.clone())
}

/// Whether the database of this URL, and no other, answers a query.
pub fn ping(database: &Database) -> Ping {
    Ping(database.clone())
}

/// Whether the server is of this major version or a newer one.
pub fn version(database: &Database) -> ServerVersion {
    ServerVersion { database: database.clone(), at_least: None }
}

/// The check of [`ready`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Ready(Database);

/// The check of [`ping`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Ping(Database);

/// The check of [`version`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct ServerVersion {
    database: Database,
    at_least: Option<u32>,
}

impl ServerVersion {
    /// This major version: 15.
    pub fn at_least(mut self, major: u32) -> Self {
        self.at_least = Some(major);
        self
    }
}

#[async_trait]
impl Check for Ready {
    fn describe(&self) -> Description {
        let Self(database) = self;
        Description::new("postgres.ready", database.to_string())
            .summary(format!("{database} lets us in"))
            .command(format!("pg_isready -d {}", database.by_hand()))
            .reads(database.resource())
            .reads(Resource::new("unit", "postgresql"))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let target = self.0.target(cx).await?;
        match facts::open(cx, &self.0).await {
            Ok(_) => Ok(Finding::pass(format!("`{target}` lets us in"))),
            Err(error) if error.is_transient() => Ok(Finding::fail(format!("{error:#}"))),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Check for Ping {
    fn describe(&self) -> Description {
        let Self(database) = self;
        Description::new("postgres.ping", database.to_string())
            .summary(format!("{database} answers a query"))
            .command(format!("psql -X -d {} -tAc 'SELECT 1'", database.by_hand()))
            .reads(database.resource())
            .reads(Resource::new("unit", "postgresql"))
    }

    /// That nobody is there is a *no*; a refusal is an error that names its reason.
    async fn check(&self, cx: &Context) -> Result<Finding> {
        let Self(database) = self;
        let (target, began) = (database.target(cx).await?, Instant::now());
        match server_version(cx, database).await {
            Ok(notice) => {
                let right = notice.database == target.name;
                let took = began.elapsed().as_millis();
                let evidence = format!("`{target}` answers in {took} ms: {}", notice.version);
                Ok(Finding::of(
                    right,
                    if right { evidence } else { format!("asked {target}, but {}", notice.database) },
                ))
            }
            Err(error) if error.is_transient() => Ok(Finding::fail(format!("{error:#}"))),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Check for ServerVersion {
    fn describe(&self) -> Description {
        let Self { database, at_least } = self;
        let newer = at_least.map(|major| format!(" {major} or newer")).unwrap_or_default();
        Description::new("postgres.version", database.to_string())
            .summary(format!("{database} is on PostgreSQL{newer}"))
            .command(format!("psql -X -d {} -tAc 'SHOW server_version'", database.by_hand()))
            .reads(database.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let notice = server_version(cx, &self.database).await?;
        let new_enough = self.at_least.is_none_or(|major| notice.number / 10_000 >= major);
        let wanted = self.at_least.filter(|_| !new_enough).map(|major| format!(", wanted {major} or newer"));
        Ok(Finding::of(new_enough, format!("PostgreSQL {}{}", notice.version, wanted.unwrap_or_default())))
    }
}

/// A question to a session of its own.
pub(super) async fn question<T: serde::de::DeserializeOwned>(
    cx: &Context,
    database: &Database,
    ask: &Ask,
) -> Result<T> {
    facts::open(cx, database).await?.ask(ask).await
}
