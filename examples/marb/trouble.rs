//! Common issues: symptom, suspects, cause, remedy, and the proof that it helped.

use std::fmt;

use clap::Args;
use runbook::prelude::*;
use runbook::steps::diagnosis::{self, Risk};
use runbook::steps::{alembic, file, machine, memory, nginx, postgres, python, systemd};
use serde::{Deserialize, Serialize};

use crate::backups::proven_backup;
use crate::deployment::fit_for_production;
use crate::marb::{API, Marb, PORT, QUEUE, SITE, WORKER, answers_directly, restart};
use crate::rollbacks::keep_the_log;

/// Why the API does not start.
#[derive(Debug, Clone, Copy)]
enum NoStart {
    Database,
    Redis,
    Settings,
    Port,
    Packages,
    Stopped,
}

/// Issue 1: the service does not start.
///
/// Suspects: a setting is missing, PostgreSQL or Redis is down, someone else has the port, a package is missing, or it was
/// just stopped.
#[procedure(target = marb.on)]
pub async fn service_does_not_start(run: &Run, marb: &Marb) -> Result<()> {
    let server = marb.server(run);
    keep_the_log(run, marb).await?;
    let found = diagnosis::of("the API does not run", systemd::is_active(API))
        .suspect(NoStart::Settings, fit_for_production(marb))
        .suspect(NoStart::Database, postgres::ready(&marb.database()))
        .suspect(NoStart::Redis, marb.redis().ping())
        .suspect(NoStart::Port, nobody_else_has(PORT, API))
        .suspect(NoStart::Packages, python::imports(marb.venv(), "app.main").dir(&marb.root))
        .suspect(NoStart::Stopped, systemd::is_active(API))
        .ask(&server)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(NoStart::Settings) => {
            server.step("Nobody else reads the settings", file::mode(marb.settings(), 0o600)).await?;
            server.require("Settings are fit for production", fit_for_production(marb)).await?;
        }
        Some(NoStart::Database) => start_database(run, marb).await?,
        Some(NoStart::Redis) => start_redis(run, marb).await?,
        Some(NoStart::Port) => free_the_port(run, marb).await?,
        Some(NoStart::Packages) => {
            let wanted = python::install(marb.venv()).requirements(marb.root.join("requirements.txt"));
            marb.app(run).step("Install the requirements again", wanted).await?;
        }
        Some(NoStart::Stopped) => {}
    }
    restart(run, marb).await?;
    found.cured(&server, marb.patience()).await
}

/// Whether a port is free, or held by this unit.
#[check]
async fn nobody_else_has(cx: &Context, port: u16, unit: &str) -> Result<Finding> {
    let owner = machine::port_owner(cx, port).await?;
    Ok(match owner {
        None => Finding::pass(format!("nobody has port {port}")),
        Some(owner) => Finding::of(owner.unit().is_some_and(|has| has.to_string() == unit), owner.to_string()),
    })
}

/// Start Redis.
#[part]
pub async fn start_redis(run: &Run, marb: &Marb) -> Result<()> {
    let server = marb.server(run);
    server.step("Start Redis", systemd::start(REDIS)).await?;
    server.check("Redis answers", marb.redis().ping().within(30.seconds())).await
}

/// Start the database.
#[part]
pub async fn start_database(run: &Run, marb: &Marb) -> Result<()> {
    let server = marb.server(run);
    server.step("Start PostgreSQL", systemd::start(POSTGRES)).await?;
    server.check("PostgreSQL answers", postgres::ready(&marb.database()).within(60.seconds())).await
}

/// The unit of PostgreSQL's cluster.
pub const POSTGRES: &str = "postgresql@15-main.service";
/// The unit of Redis.
pub const REDIS: &str = "redis-server.service";

/// Free the port.
///
/// Whoever has it is asked to end: a service by stopping it, a stray process by a signal, never by force first.
#[part]
pub async fn free_the_port(run: &Run, marb: &Marb) -> Result<()> {
    let server = marb.server(run);
    /// Who has the port: `ss -ltnp`.
    let Some(owner) = server.look(async |cx| machine::port_owner(cx, PORT).await).await? else { return Ok(()) };
    run.say(owner.to_string());
    match (owner.unit(), owner.process.as_ref()) {
        (Some(unit), _) => {
            Risk::Noticeable.gate(run, &format!("Stop {unit}")).await?;
            server.step(format!("Stop {unit}"), systemd::stop(unit.clone())).await?;
        }
        (None, Some(process)) => {
            Risk::Destructive("on-call").gate(run, &format!("End process {}", process.pid)).await?;
            let end = machine::end_process(process.pid);
            server.irreversible("a process does not come back", "End the process that has the port", end).await?;
        }
        (None, None) => bail!("port {PORT} is taken, and nobody knows by whom"),
    }
    Ok(())
}

/// Why migrating fails.
#[derive(Debug, Clone, Copy)]
enum NoMigration {
    UnknownRevision,
    TwoHeads,
    Waiting,
    Pending,
}

/// Issue 2: migrations fail.
///
/// Suspects: the database is at a revision the code does not know, the code has two newest migrations, somebody holds a lock,
/// or a migration has just not been run. A migration is never written on the server. Where the schema is ahead of the code,
/// `rollback_with_migration` is the way back.
#[procedure(target = marb.on)]
pub async fn migrations_fail(run: &Run, marb: &Marb) -> Result<()> {
    let (server, schema) = (marb.server(run), marb.alembic());
    let found = diagnosis::of("the schema is not the one of the code", alembic::current_is_head(&schema))
        .suspect(NoMigration::UnknownRevision, alembic::current_is_known(&schema))
        .suspect(NoMigration::TwoHeads, alembic::one_head(&schema))
        .suspect(NoMigration::Waiting, postgres::nobody_waits(&marb.database()))
        .suspect(NoMigration::Pending, alembic::current_is_head(&schema))
        .ask(&server)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(NoMigration::UnknownRevision) => {
            return Err(Error::new("the code here does not know the revision of the database")
                .hint("check out the release that brought it, or go back with `rollback_with_migration` from there"));
        }
        Some(NoMigration::TwoHeads) => {
            return Err(Error::new("the code has more than one newest migration")
                .hint("a developer merges them (`alembic merge heads`) and makes a release of it"));
        }
        Some(NoMigration::Waiting) => {
            Risk::Destructive("database administrator").gate(run, "End all other connections").await?;
            let end = postgres::terminate_connections(&marb.database());
            server.irreversible("their transactions are lost", "End all other connections", end).await?;
        }
        Some(NoMigration::Pending) => {
            let dump = proven_backup(run, marb).await?;
            server.step("Rehearse the migrations", alembic::rehearse(&schema, &dump)).await?;
            Risk::Noticeable.gate(run, "Migrate the database").await?;
            server.step("Migrate the database", alembic::upgrade(&schema).guarded_by(&dump)).await?;
        }
    }
    found.cured(&server, marb.patience()).await
}

/// What memory may be short of, and by how much.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Memory {
    #[command(flatten)]
    pub marb: Marb,
    /// How much has to be available, in MiB.
    #[arg(long, default_value_t = 256)]
    pub wanted: u64,
    /// How much a service may take, in MiB.
    #[arg(long, default_value_t = 2048)]
    pub service: u64,
}

/// Who takes the memory.
#[derive(Debug, Clone, Copy)]
enum Hungry {
    Api,
    Worker,
    Swap,
}

/// Issue 3: high memory usage.
///
/// Suspects: the API or the worker takes too much, or there is no swap. The service gets fewer processes by a drop-in, so the
/// unit stays what it was installed as.
#[procedure(target = memory.marb.on)]
pub async fn memory_is_short(run: &Run, memory: &Memory) -> Result<()> {
    let marb = &memory.marb;
    let server = marb.server(run);
    /// The largest processes: `ps aux --sort=-%mem | head`.
    let top = server.look(async |cx| machine::top_by_memory(cx, 10).await).await?;
    let top: Vec<String> = top.iter().map(ToString::to_string).collect();
    run.say(format!("the largest processes:\n{}", top.join("\n")));
    let found = diagnosis::of("memory is short", memory::available().at_least(memory.wanted.mib()))
        .suspect(Hungry::Api, systemd::memory(API).at_most(memory.service.mib()))
        .suspect(Hungry::Worker, systemd::memory(WORKER).at_most(memory.service.mib()))
        .suspect(Hungry::Swap, memory::available().at_least(memory.wanted.mib()))
        .ask(&server)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(Hungry::Api) => {
            Risk::Noticeable.gate(run, "Halve the workers of the API").await?;
            server.step("Fewer workers", systemd::edit(API, "--workers 4", "--workers 2")).await?;
            restart(run, marb).await?;
        }
        Some(Hungry::Worker) => {
            Risk::Noticeable.gate(run, "Halve the tasks the worker does at once").await?;
            server.step("Less at once", systemd::edit(WORKER, "--concurrency=4", "--concurrency=2")).await?;
            server.step("Restart the worker", systemd::restart(WORKER).stable_for(3.seconds())).await?;
        }
        Some(Hungry::Swap) => {
            server.step("Add swap", machine::swap("/swapfile", 2.gib())).await?;
        }
    }
    found.cured(&server, 60.seconds()).await
}

/// Why tasks wait.
#[derive(Debug, Clone, Copy)]
enum Idle {
    Redis,
    Worker,
    Stuck,
}

/// Issue 4: tasks are not processed.
///
/// Suspects: Redis does not answer, the worker does not run, or it runs and does nothing: the queue is longer a while later.
/// A queue is emptied last, by someone who may, and what was in it is kept.
#[procedure(target = marb.on)]
pub async fn tasks_wait(run: &Run, marb: &Marb) -> Result<()> {
    let (server, redis) = (marb.server(run), marb.redis());
    keep_the_log(run, marb).await?;
    let drains = || marb.redis().not_growing(QUEUE, 5.seconds());
    let found = diagnosis::of("tasks wait", redis.list_length(QUEUE).max(100))
        .suspect(Idle::Redis, redis.ping())
        .suspect(Idle::Worker, systemd::is_active(WORKER))
        .suspect(Idle::Stuck, drains())
        .ask(&server)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(Idle::Redis) => start_redis(run, marb).await?,
        Some(Idle::Worker) => {
            server.step("Start the worker", systemd::start(WORKER).stable_for(3.seconds())).await?;
        }
        Some(Idle::Stuck) => {
            server.step("Restart the worker", systemd::restart(WORKER).stable_for(3.seconds())).await?;
            if !server.observe("The queue gets shorter", drains()).await? {
                Risk::Destructive("on-call").gate(run, "Empty the queue").await?;
                server.step("Empty the queue", redis.delete(QUEUE)).await?;
            }
        }
    }
    found.cured(&server, marb.patience()).await
}

/// Why nginx has nobody to pass requests on to.
#[derive(Debug, Clone, Copy)]
enum BadGateway {
    Nginx,
    Port,
    Stopped,
    Crashing,
    Hangs,
}

/// Issue 5: nginx answers 502 Bad Gateway.
///
/// Suspects: nginx itself, another port in its site than the API's, an API that was stopped, that crashes again and again, or
/// that runs and does not answer.
#[procedure(target = marb.on)]
pub async fn bad_gateway(run: &Run, marb: &Marb) -> Result<()> {
    let server = marb.server(run);
    keep_the_log(run, marb).await?;
    server.observe("nginx is content", nginx::no_errors("/var/log/nginx/marb2.0_error.log")).await?;
    let found = diagnosis::of("the site does not answer", marb.is_healthy())
        .suspect(BadGateway::Nginx, systemd::is_active("nginx.service"))
        .suspect(BadGateway::Port, nginx::upstream_port(SITE, PORT))
        .suspect(BadGateway::Crashing, systemd::restart_count(API).at_most(2))
        .suspect(BadGateway::Stopped, systemd::is_active(API))
        .suspect(BadGateway::Hangs, answers_directly())
        .ask(&server)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(BadGateway::Nginx) => {
            server.require("nginx accepts its configuration", nginx::test()).await?;
            server.step("Start nginx", systemd::start("nginx.service")).await?;
        }
        Some(BadGateway::Port) => crate::deployment::site(run, marb).await?,
        Some(BadGateway::Crashing) => {
            return Err(Error::new("the API crashes again and again, and a restart does not change that").hint(
                "its last lines are above; `service_does_not_start` looks for why, `emergency_rollback` goes back",
            ));
        }
        Some(BadGateway::Stopped | BadGateway::Hangs) => {
            Risk::Noticeable.gate(run, "Restart the API").await?;
            restart(run, marb).await?;
        }
    }
    found.cured(run, marb.patience()).await
}

/// In words, as the diagnosis tells them.
macro_rules! in_words {
    ($kind:ident { $($cause:ident => $words:literal),+ $(,)? }) => {
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$cause => $words),+ })
            }
        }
    };
}

in_words!(NoStart {
    Database => "the database does not let us in",
    Redis => "Redis does not answer",
    Settings => "the settings are not fit",
    Port => "someone else has the port",
    Packages => "the application does not load",
    Stopped => "it is stopped",
});
in_words!(NoMigration {
    UnknownRevision => "the code does not know the revision",
    TwoHeads => "the code has two newest migrations",
    Waiting => "someone holds a lock",
    Pending => "a migration has not been run",
});
in_words!(Hungry {
    Api => "the API takes too much",
    Worker => "the worker takes too much",
    Swap => "there is not enough memory for both",
});
in_words!(Idle {
    Redis => "Redis does not answer",
    Worker => "the worker does not run",
    Stuck => "the worker does nothing",
});
in_words!(BadGateway {
    Nginx => "nginx does not run",
    Port => "nginx asks another port",
    Stopped => "the API does not run",
    Crashing => "the API crashes again and again",
    Hangs => "the API does not answer",
});
