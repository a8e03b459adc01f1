//! Before anything: what has to be there, what people have to know, and what runs now.

use runbook::prelude::*;
use runbook::steps::{
    alembic, backup, command, disk, env, file, git, machine, postgres, probes, python, systemd, tool,
};
use serde::{Deserialize, Serialize};

use crate::marb::{API, Marb, WORKER};

/// What the document wants installed, and how recent.
const TOOLS: [(&str, &str); 11] = [
    ("python3", "3.11"),
    ("psql", "14"),
    ("pg_dump", "14"),
    ("pg_restore", "14"),
    ("redis-cli", "7"),
    ("nginx", "1.18"),
    ("git", "2.20"),
    ("systemctl", "247"),
    ("gzip", "1.9"),
    ("find", "4.6"),
    ("curl", "7.70"),
];

/// Prerequisites.
///
/// Every program a deployment needs is there and recent enough, there is room, and root and PostgreSQL's administrator may
/// log in. Nothing changes.
#[procedure(target = marb.on)]
pub async fn prerequisites(run: &Run, marb: &Marb) -> Result<probes::Report> {
    let tools = probes::of("Programs");
    let tools = TOOLS.into_iter().fold(tools, |probes, (name, version)| {
        let probe = if name == "nginx" { tool::version(name).args(["-v"]) } else { tool::version(name) };
        probes.probe(name, probe.at_least(version))
    });
    let administrator = postgres::Database::socket("postgres").become_user("postgres");
    tools
        .probe("PostgreSQL", postgres::version(&administrator).at_least(14))
        .probe("We are root", command::prints(cmd!("id --user --name"), "root"))
        .probe("Room for it", disk::free("/opt").at_least(2.gib()))
        .probe("Room for backups", disk::free("/var").at_least(2.gib()))
        .ask(&marb.server(run))
        .await?
        .all_pass()
}

/// Pre-deployment checklist.
///
/// What a person has to confirm; what the machine can find out, it says itself.
#[procedure(target = marb.on)]
pub async fn checklist(run: &Run, marb: &Marb) -> Result<()> {
    /// The last commits: `git log --oneline -10`.
    let commits = marb.app(run).look(async |cx| git::log(cx, &marb.root, 10).await).await?;
    let commits: Vec<String> = commits.iter().map(ToString::to_string).collect();
    run.say(format!("the last commits here:\n{}", commits.join("\n")));
    let fresh = backup::fresh(&marb.backups, 24.hours()).dump();
    marb.server(run).observe("A backup of the last day", fresh).await?;
    run.checklist("Before the deployment", CHECKLIST).await
}

/// What nobody but a person knows.
const CHECKLIST: [&str; 6] = [
    "The changes of this release have been read",
    "It was proven in staging",
    "Nothing in it breaks clients, or they know",
    "The window is agreed on",
    "The team knows when",
    "Everyone knows the way back: `quick_rollback`, `rollback_with_migration`",
];

/// What runs before a change: the place to come back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// The commit.
    pub commit: String,
    /// The revision of the schema.
    pub schema: Vec<String>,
}

/// Environment verification.
///
/// What runs now is written down, and is well: services, application, database, Redis, settings, and a schema that the code
/// knows.
#[procedure(target = marb.on)]
pub async fn verify_environment(run: &Run, marb: &Marb) -> Result<Now> {
    let app = marb.app(run);
    /// The commit to come back to: `git log -1 --oneline`.
    let head = app.look(async |cx| git::head(cx, &marb.root).await).await?;
    /// The revision of the schema: `alembic current`.
    let schema = app.look(async |cx| alembic::current(cx, &marb.alembic()).await).await?;
    let engine = "from app.config.database import engine; engine.connect().close()";
    probes::of("Environment")
        .probe("No local changes", git::clean(&marb.root))
        .probe("The API runs", systemd::is_active(API))
        .probe("The worker runs", systemd::is_active(WORKER))
        .probe("The application reaches its database", python::probe(marb.venv(), engine).dir(&marb.root))
        .probe("Redis answers", marb.redis().ping())
        .probe("Settings are nobody else's", file::mode_is(marb.settings(), 0o600))
        .probe("Settings are complete", env::diff(marb.settings(), marb.root.join(".env.example")))
        .probe("The user is there", machine::user_exists(if marb.user.is_empty() { "root" } else { &marb.user }))
        .probe("The code knows the schema", alembic::current_is_known(&marb.alembic()))
        .probe("Room for backups", disk::free("/var").at_least(2.gib()))
        .ask(&app)
        .await?
        .all_pass()?;
    Ok(Now { commit: head.revision.as_str().to_owned(), schema })
}
