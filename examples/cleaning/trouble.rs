//! Issues: symptom, suspects, cause, remedy, and the proof that it helped.

use std::fmt;

use clap::Args;
use runbook::prelude::*;
use runbook::steps::diagnosis::{self, Risk};
use runbook::steps::{alembic, env, http, memory, postgres};
use serde::{Deserialize, Serialize};

use crate::backups::proven_backup;
use crate::cleaning::Cleaning;
use crate::deployment::{To, database_up};
use crate::verification::heartbeat;

/// Why the site does not answer.
#[derive(Debug, Clone, Copy)]
enum NoAnswer {
    Service,
    Inside,
    Proxy,
    Firewall,
}

/// Issue: the health check fails.
///
/// Suspects: a container does not run, the API does not answer in its own container, the proxy, or the way to the server.
#[procedure(target = cleaning.on)]
pub async fn health_check_fails(run: &Run, cleaning: &Cleaning) -> Result<()> {
    let server = cleaning.server(run);
    keep_the_logs(run, cleaning).await?;
    let compose = cleaning.compose();
    let found = diagnosis::of("the API does not live", cleaning.is_live())
        .suspect(NoAnswer::Service, compose.healthy().services(["api"]))
        .suspect(NoAnswer::Inside, inside())
        .suspect(NoAnswer::Proxy, compose.healthy().services(["caddy"]))
        .suspect(NoAnswer::Firewall, cleaning.is_live())
        .ask(&server)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(NoAnswer::Service | NoAnswer::Inside) => restart(run, cleaning, "api").await?,
        Some(NoAnswer::Proxy) => restart(run, cleaning, "caddy").await?,
        Some(NoAnswer::Firewall) => bail!(
            "the API answers inside and the proxy runs: look at the published ports, the firewall and the DNS of `{}`",
            cleaning.api
        ),
    }
    found.cured(run, cleaning.patience()).await
}

/// The API, asked on the server, past the proxy.
fn inside() -> http::Probe {
    http::get("http://127.0.0.1:8000/healthz").json("/status", "ok").timeout(5.seconds()).from_the_host()
}

/// Why the API is not ready.
#[derive(Debug, Clone, Copy)]
enum NotReady {
    Database,
    Migrations,
    Jobs,
}

/// Issue: the readiness check fails.
///
/// Its own answer tells which part: the database, the schema or the jobs.
#[procedure(target = to.cleaning.on)]
pub async fn readiness_fails(run: &Run, to: &To) -> Result<()> {
    let cleaning = &to.cleaning;
    keep_the_logs(run, cleaning).await?;
    let found = diagnosis::of("the API is not ready", cleaning.is_ready())
        .suspect(NotReady::Database, cleaning.get_api("/readyz").json("/checks/0/ok", true))
        .suspect(NotReady::Migrations, cleaning.get_api("/readyz").json("/checks/1/ok", true))
        .suspect(NotReady::Jobs, heartbeat(to))
        .ask(&cleaning.server(run))
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(NotReady::Database) => database_up(run, cleaning).await?,
        Some(NotReady::Migrations) => migrate_with_a_backup(run, cleaning).await?,
        Some(NotReady::Jobs) => restart(run, cleaning, "jobs").await?,
    }
    found.cured(run, cleaning.patience()).await
}

/// Why migrating fails.
#[derive(Debug, Clone, Copy)]
enum NoMigration {
    UnknownRevision,
    TwoHeads,
    Waiting,
    Pending,
}

/// Issue: a migration fails.
///
/// Suspects: somebody changed the schema past alembic, the code has two newest migrations, somebody holds a lock, or it has
/// just not been run. The first two are for the developers of the migration, or for a rollback.
#[procedure(target = cleaning.on)]
pub async fn migration_fails(run: &Run, cleaning: &Cleaning) -> Result<()> {
    let (database, schema) = (cleaning.database_host(run), cleaning.alembic());
    keep_the_logs(run, cleaning).await?;
    let found = diagnosis::of("the schema is not the one of the code", alembic::current_is_head(&schema))
        .suspect(NoMigration::UnknownRevision, alembic::current_is_known(&schema))
        .suspect(NoMigration::TwoHeads, alembic::one_head(&schema))
        .suspect(NoMigration::Waiting, postgres::nobody_waits(&Cleaning::database()))
        .suspect(NoMigration::Pending, alembic::current_is_head(&schema))
        .ask(&database)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(NoMigration::UnknownRevision) => {
            return Err(Error::new("the code here does not know the revision of the database")
                .hint("check out the release that brought it, or go back with `rollback_with_downgrade` from there"));
        }
        Some(NoMigration::TwoHeads) => {
            return Err(Error::new("the code has more than one newest migration")
                .hint("a developer merges them (`alembic merge heads`) and makes a release of it"));
        }
        Some(NoMigration::Waiting) => {
            Risk::Destructive("database administrator").gate(run, "End all other connections").await?;
            let end = postgres::terminate_connections(&Cleaning::database());
            database.irreversible("their transactions are lost", "End all other connections", end).await?;
        }
        Some(NoMigration::Pending) => migrate_with_a_backup(run, cleaning).await?,
    }
    found.cured(&database, cleaning.patience()).await
}

/// Why a service starts again and again.
#[derive(Debug, Clone, Copy)]
enum Restarting {
    Settings,
    Database,
    Memory,
    Itself,
}

/// A service that is in trouble.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Service {
    #[command(flatten)]
    pub cleaning: Cleaning,
    /// Its name.
    #[arg(default_value = "api")]
    pub service: String,
}

/// Issue: a service keeps restarting.
///
/// Suspects: a setting is missing, the database is not ready, memory is short, or it ends by itself. Its last lines are kept,
/// its exit code read, and no setting is shown.
#[procedure(target = what.cleaning.on)]
pub async fn service_keeps_restarting(run: &Run, what: &Service) -> Result<()> {
    let (cleaning, server) = (&what.cleaning, what.cleaning.server(run));
    keep_the_logs(run, cleaning).await?;
    server.observe("Its containers take little", cleaning.compose().usage().memory_at_most(1.gib())).await?;
    let steady = cleaning.compose().healthy().services([&*what.service]).stable_for(5.seconds());
    let found = diagnosis::of(format!("{} keeps restarting", what.service), steady.clone())
        .suspect(Restarting::Settings, env::diff(cleaning.settings(), cleaning.example()))
        .suspect(Restarting::Database, cleaning.compose().healthy().services(["db"]))
        .suspect(Restarting::Memory, memory::available().at_least(128.mib()))
        .suspect(Restarting::Itself, steady)
        .ask(&server)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(Restarting::Settings) => bail!("a setting of this release is missing: `change_setting` sets it"),
        Some(Restarting::Database) => database_up(run, cleaning).await?,
        Some(Restarting::Memory) => bail!("this server has too little memory for it: see `docker stats`"),
        Some(Restarting::Itself) => restart(run, cleaning, &what.service).await?,
    }
    found.cured(&server, cleaning.patience()).await
}

/// Issue: the web image does not build.
///
/// It is built once more from nothing, with its whole output in the log. The version that serves goes on serving.
#[procedure(target = cleaning.on)]
pub async fn web_build_fails(run: &Run, cleaning: &Cleaning) -> Result<()> {
    let server = cleaning.server(run);
    keep_the_logs(run, cleaning).await?;
    let wanted = env::satisfies(cleaning.settings()).required(["NEXT_PUBLIC_API_BASE_URL"]);
    server.check("The build has its variables", wanted).await?;
    let build = cleaning.compose().build().services(["web"]).no_cache();
    server.step("Build the web image from nothing", build).await?;
    Ok(())
}

/// Why the database cannot be reached.
#[derive(Debug, Clone, Copy)]
enum NoDatabase {
    Url,
    Down,
    Network,
}

/// Issue: the database cannot be reached.
///
/// Suspects: a URL that is none, a database that does not run, or a network between the containers that does not pass.
#[procedure(target = cleaning.on)]
pub async fn no_database(run: &Run, cleaning: &Cleaning) -> Result<()> {
    let server = cleaning.server(run);
    keep_the_logs(run, cleaning).await?;
    let url =
        env::satisfies(cleaning.settings()).url("DATABASE_URL", |url| url.scheme("postgresql+asyncpg").password());
    let found = diagnosis::of("the API does not reach its database", cleaning.is_ready())
        .suspect(NoDatabase::Url, url)
        .suspect(NoDatabase::Down, cleaning.compose().healthy().services(["db"]))
        .suspect(NoDatabase::Network, cleaning.is_ready())
        .ask(&server)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(NoDatabase::Url) => bail!("`DATABASE_URL` in {} is no URL of a database", cleaning.settings().display()),
        Some(NoDatabase::Down) => database_up(run, cleaning).await?,
        Some(NoDatabase::Network) => restart(run, cleaning, "api").await?,
    }
    found.cured(run, cleaning.patience()).await
}

/// Keep the logs.
///
/// A restart would bury what the containers said last.
#[part]
pub async fn keep_the_logs(run: &Run, cleaning: &Cleaning) -> Result<()> {
    for service in ["api", "web", "jobs", "caddy", "db"] {
        let logs = cleaning.compose().logs(service).tail(100);
        let lines = cleaning.server(run).look(async |cx| logs.lines(cx).await).await?;
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        run.say(format!("the last lines of {service}, before anything changes:\n{}", lines.join("\n")));
    }
    Ok(())
}

/// Restart a service.
#[part]
pub async fn restart(run: &Run, cleaning: &Cleaning, service: &str) -> Result<()> {
    Risk::Noticeable.gate(run, &format!("Restart {service}")).await?;
    let restart = cleaning.compose().restart([service]).within(cleaning.patience());
    cleaning.server(run).step(format!("Restart {service}"), restart).await?;
    Ok(())
}

/// Migrate, with a backup that is proven first.
#[part]
pub async fn migrate_with_a_backup(run: &Run, cleaning: &Cleaning) -> Result<()> {
    let dump = proven_backup(run, cleaning).await?;
    Risk::Noticeable.gate(run, "Migrate the database").await?;
    let upgrade = alembic::upgrade(&cleaning.alembic()).guarded_by(&dump);
    cleaning.database_host(run).step("Migrate the database", upgrade).await?;
    Ok(())
}

/// In words, as the diagnosis tells them.
macro_rules! in_words {
    ($cause:ident { $($name:ident => $words:literal,)+ }) => {
        impl fmt::Display for $cause {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $words,)+ })
            }
        }
    };
}

in_words!(NoAnswer {
    Service => "the container of the API is not healthy",
    Inside => "the API does not answer on the server",
    Proxy => "the proxy is not healthy",
    Firewall => "the way from here to the proxy",
});
in_words!(NotReady {
    Database => "the database",
    Migrations => "the schema",
    Jobs => "the jobs",
});
in_words!(NoMigration {
    UnknownRevision => "the code does not know the revision of the database",
    TwoHeads => "the code has two newest migrations",
    Waiting => "somebody holds a lock",
    Pending => "it has not been run",
});
in_words!(Restarting {
    Settings => "a setting is missing",
    Database => "the database is not healthy",
    Memory => "memory is short",
    Itself => "it ends by itself",
});
in_words!(NoDatabase {
    Url => "the URL is none",
    Down => "the database is not healthy",
    Network => "the API does not get through to it",
});
