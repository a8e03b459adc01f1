//! Standard deployment: other code, images made of it, another schema, other containers.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::alembic;
use runbook::steps::backup::{Guard, NoBackup};
use runbook::steps::compose::Made;
use runbook::steps::docker::Container;
use runbook::steps::git::{self, Release};
use runbook::steps::{disk, docker, env, postgres};
use serde::{Deserialize, Serialize};

use crate::backups::proven_backup;
use crate::before::prerequisites;
use crate::cleaning::{APPLICATION, Cleaning, Environment};
use crate::verification::{quick_checks, smoke_tests};

/// A release to deploy.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct To {
    #[command(flatten)]
    pub cleaning: Cleaning,
    /// Where the code comes from, for the first deployment.
    #[arg(long, default_value = "https://github.com/org/cleaning.git")]
    pub repository: String,
    /// The release: a tag, a branch or a commit.
    #[arg(long, default_value = "main")]
    pub revision: String,
    /// Settings of this server beside those of the example: `NAME=VALUE`.
    #[arg(long = "set")]
    pub set: Vec<String>,
    /// When the schema cannot be taken back, restore the backup: what was written meanwhile is lost.
    #[arg(long)]
    pub may_restore: bool,
    /// The password of the database: `env:NAME` or `file:PATH`.
    #[arg(long, default_value = "env:POSTGRES_PASSWORD")]
    pub database_password: Secret,
    /// Its URL, with that password.
    #[arg(long, default_value = "env:DATABASE_URL")]
    pub database_url: Secret,
    /// The key of the payment service.
    #[arg(long, default_value = "env:STRIPE_SECRET_KEY")]
    pub stripe_key: Secret,
    /// The administrator whose login the smoke tests try.
    #[arg(long, default_value = "admin")]
    pub admin: String,
    /// The password of the administrator: `env:NAME` or `file:PATH`.
    #[arg(long, default_value = "env:ADMIN_PASS")]
    pub admin_password: Secret,
}

/// What is deployed now, and what was before: the place to go back to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deployed {
    /// The commit, and the one before.
    pub release: Release,
    /// The images, by their ids.
    pub images: Made,
}

/// Standard deployment.
///
/// The code, its settings, its images, a proven backup; then users wait while the application stops, the schema is brought
/// to it, and the new containers become healthy. Without migrations they wait for the new containers alone, and where
/// nothing has to change, not at all. When any of it fails, the old commit, images, schema and containers are back.
#[procedure(target = to.cleaning.on)]
pub async fn standard_deployment(run: &Run, to: &To) -> Result<Deployed> {
    let cleaning = &to.cleaning;
    let server = cleaning.server(run);
    prerequisites(run, cleaning).await?;
    let release = code(run, to).await?;
    settings(run, to).await?;
    let images = images(run, cleaning).await?;
    if !images.changed() && server.probe("All of it runs", cleaning.compose().healthy()).await?.passes() {
        quick_checks(run, cleaning).await?;
        return Ok(Deployed { release, images });
    }
    let guard = backup_if_any(run, cleaning).await?;
    let migrates = migrations_wait(run, cleaning).await?;
    cleaning
        .watched(run, async |run| {
            if migrates {
                let stop = cleaning.compose().stop(APPLICATION);
                cleaning.server(run).step("Stop the application", stop).await?;
                database_up(run, cleaning).await?;
                migrate(run, to, guard).await?;
            }
            start(run, cleaning).await?;
            quick_checks(run, cleaning).await
        })
        .await?;
    let current = alembic::current_is_head(&cleaning.alembic());
    cleaning.database_host(run).check("The schema is the one of the code", current).await?;
    smoke_tests(run, to).await?;
    Ok(Deployed { release, images })
}

/// Step 4: the backup.
///
/// Proven by restoring it. Where there is no database yet, or nothing in it that anyone would miss, there is none.
#[part]
pub async fn backup_if_any(run: &Run, cleaning: &Cleaning) -> Result<Guard> {
    if cleaning.environment == Environment::Development {
        return Ok(NoBackup::because("a development environment: its data is made up").into());
    }
    if !database_runs(run, cleaning).await? {
        return Ok(NoBackup::because("there is no database yet").into());
    }
    Ok((&proven_backup(run, cleaning).await?).into())
}

/// Step 1: the code.
#[part]
pub async fn code(run: &Run, to: &To) -> Result<Release> {
    let (server, root) = (to.cleaning.server(run), &to.cleaning.root);
    server.step("Clone", git::clone(&to.repository, root)).await?;
    server.require("Nobody changed the code here", git::clean(root)).await?;
    server.step("Get what is new", git::fetch(root)).await?;
    let code = server.step("Check out the release", git::checkout(root, &to.revision)).await?;
    Ok(code.release())
}

/// Step 2: the settings.
///
/// Keys are compared, not values, and no value is shown. A key that the release wants and nobody has set is named, before
/// anything is stopped.
#[part]
pub async fn settings(run: &Run, to: &To) -> Result<()> {
    let (cleaning, server) = (&to.cleaning, to.cleaning.server(run));
    let (settings, example) = (cleaning.settings(), cleaning.example());
    server.step("Make the settings", env::from_template(&example, &settings).mode(0o600)).await?;
    let set = env::set(&settings)
        .key("APP_ENV", if cleaning.environment == Environment::Development { "dev" } else { "prod" })
        .secret("POSTGRES_PASSWORD", &to.database_password)
        .secret("DATABASE_URL", &to.database_url)
        .secret("STRIPE_SECRET_KEY", &to.stripe_key)
        .key("ADMIN_USER", &to.admin)
        .secret("ADMIN_PASS", &to.admin_password)
        .mode(0o600);
    let pairs = to.set.iter().filter_map(|pair| pair.split_once('='));
    let set = pairs.fold(set, |set, (name, value)| set.key(name, value));
    server.step("Set them", set).await?;
    server.check("No key of this release is missing", env::diff(&settings, &example)).await?;
    server.check("The settings are fit for this environment", cleaning.fit()).await?;
    server.check("Compose accepts its file", cleaning.compose().is_valid()).await
}

/// Step 3: the images.
///
/// Those that their tags pointed at before are kept for the way back.
#[part]
pub async fn images(run: &Run, cleaning: &Cleaning) -> Result<Made> {
    let server = cleaning.server(run);
    server.check("There is room", disk::free("/").at_least(2.gib())).await?;
    let images = server.step("Build the images", cleaning.compose().build()).await?;
    for pointed in images.images.values() {
        let small = docker::size(pointed.reference.clone()).at_most(2.gib());
        server.check(format!("{} is not too large", pointed.reference), small).await?;
    }
    Ok(images)
}

/// See whether the database runs.
#[part]
pub async fn database_runs(run: &Run, cleaning: &Cleaning) -> Result<bool> {
    /// Its container: `docker compose ps db`.
    let all = cleaning.server(run).look(async |cx| cleaning.compose().containers(cx).await).await?;
    Ok(all.get("db").is_some_and(|containers| containers.iter().any(Container::is_running)))
}

/// See whether migrations wait.
///
/// Before anything stops: a schema that the new code does not know ends the deployment here.
#[part]
pub async fn migrations_wait(run: &Run, cleaning: &Cleaning) -> Result<bool> {
    if !database_runs(run, cleaning).await? {
        return Ok(true);
    }
    let (database, schema) = (cleaning.database_host(run), cleaning.alembic());
    database.check("The code knows the schema", alembic::current_is_known(&schema)).await?;
    /// The migrations that wait: `alembic history -r current:head`.
    let pending = database.look(async |cx| alembic::pending(cx, &schema).await).await?;
    Ok(!pending.is_empty())
}

/// Have the database up.
#[part]
pub async fn database_up(run: &Run, cleaning: &Cleaning) -> Result<()> {
    let up = cleaning.compose().up().services(["db"]).within(cleaning.patience());
    cleaning.server(run).step("Start the database", up).await?;
    let database = cleaning.database_host(run);
    database.check("The database answers", postgres::ready(&Cleaning::database()).within(60.seconds())).await
}

/// Step 6: the schema.
///
/// By the new code, in a container of its own: neither the old application nor the new one runs meanwhile.
#[part]
pub async fn migrate(run: &Run, to: &To, guard: Guard) -> Result<()> {
    let (cleaning, schema) = (&to.cleaning, to.cleaning.alembic());
    let upgrade = alembic::upgrade(&schema).guarded_by(guard);
    let upgrade = if to.may_restore { upgrade.may_restore() } else { upgrade };
    cleaning.database_host(run).step("Migrate the database", upgrade).await?;
    Ok(())
}

/// Step 7: all services.
///
/// The application first and by itself: with everything at once, Compose makes the proxy anew too, and starts nobody before
/// that has stopped.
#[part]
pub async fn start(run: &Run, cleaning: &Cleaning) -> Result<()> {
    let server = cleaning.server(run);
    let application = cleaning.compose().up().services(APPLICATION).within(cleaning.patience());
    server.step("Start the application", application).await?;
    let all = cleaning.compose().up().stable_for(3.seconds()).within(cleaning.patience());
    server.step("Start all services", all).await?;
    Ok(())
}
