//! Initial deployment: from a bare server to a service behind nginx with TLS.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::backup::NoBackup;
use runbook::steps::{alembic, env, file, git, machine, nginx, postgres, probes, python, systemd, tls};
use serde::{Deserialize, Serialize};

use crate::before::prerequisites;
use crate::health::comprehensive_health;
use crate::marb::{API, Marb, PORT, SITE, WORKER, answers_directly};

/// A server that is to become a mARB.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Deployment {
    #[command(flatten)]
    pub marb: Marb,
    /// Where the code comes from.
    #[arg(long)]
    pub repository: String,
    /// The release: a tag, a branch or a commit.
    #[arg(long, default_value = "main")]
    pub revision: String,
    /// The URL of the database with role and password: `env:NAME` or `file:PATH`.
    #[arg(long, default_value = "env:MARB_DATABASE_URL")]
    pub database_url: Secret,
    /// The URL of Redis with its password.
    #[arg(long, default_value = "env:MARB_REDIS_URL")]
    pub redis_url: Secret,
    /// Where the certificate authority writes to when a certificate is about to expire.
    #[arg(long)]
    pub email: String,
    /// The directory URL of the certificate authority, where it is another one than certbot's.
    #[arg(long)]
    pub authority: Option<String>,
}

/// Initial deployment.
///
/// Twelve steps from a bare server to a healthy service. A second run changes nothing; a run that fails takes back all it did.
#[procedure(target = new.marb.on)]
pub async fn initial_deployment(run: &Run, new: &Deployment) -> Result<probes::Report> {
    let marb = &new.marb;
    prerequisites(run, marb).await?;
    code(run, new).await?;
    packages(run, marb).await?;
    settings(run, new).await?;
    schema(run, marb).await?;
    loads(run, marb).await?;
    services(run, marb).await?;
    certificate(run, new).await?;
    site(run, marb).await?;
    run.check("Healthy", marb.is_healthy().within(marb.patience())).await?;
    comprehensive_health(run, marb).await
}

/// Steps 1 and 2: the code, in a directory that belongs to the application's user.
#[part]
pub async fn code(run: &Run, new: &Deployment) -> Result<()> {
    let marb = &new.marb;
    if !marb.user.is_empty() {
        marb.server(run).step("Make the user", machine::make_user(&marb.user)).await?;
    }
    let root = file::directory(&marb.root).mode(0o755);
    let root = if marb.user.is_empty() { root } else { root.owner(&marb.user) };
    marb.server(run).step("Make the directory", root).await?;
    let app = marb.app(run);
    app.step("Clone", git::clone(&new.repository, &marb.root)).await?;
    app.step("Check out the release", git::checkout(&marb.root, &new.revision)).await?;
    Ok(())
}

/// Step 3: the virtual environment.
#[part]
pub async fn packages(run: &Run, marb: &Marb) -> Result<()> {
    let app = marb.app(run);
    let venv = app.step("Create the virtual environment", python::venv(marb.venv()).with("python3.11")).await?;
    let wanted = python::install(&venv).requirements(marb.root.join("requirements.txt"));
    app.step("Install the requirements", wanted).await?;
    app.check("The packages fit together", python::pip_check(&venv)).await?;
    app.check("FastAPI is there", python::imports(&venv, "fastapi").and("celery").and("alembic")).await
}

/// Steps 5 and 4: the settings.
///
/// In this order: the keys go into a file that is there. Keys that exist stay, or stored data would be lost. `SENTRY_DSN` is
/// optional: who wants it sets it by hand.
#[part]
pub async fn settings(run: &Run, new: &Deployment) -> Result<()> {
    let (marb, path) = (&new.marb, new.marb.settings());
    let app = marb.app(run);
    app.step("Make the settings", env::from_template(marb.root.join(".env.example"), &path)).await?;
    let set = env::set(&path)
        .secret("DATABASE_URL", &new.database_url)
        .secret("CELERY_BROKER_URL", &new.redis_url)
        .secret("CELERY_RESULT_BACKEND", &new.redis_url)
        .generate("JWT_SECRET_KEY", 48)
        .generate("ENCRYPTION_KEY", 32)
        .key("ENVIRONMENT", "production")
        .key("DEBUG", "false")
        .key("REQUIRE_AUTH", "true")
        .key("CORS_ORIGINS", &marb.url)
        .mode(0o600);
    app.step("Set them", set).await?;
    app.check("Settings are fit for production", fit_for_production(marb)).await
}

/// What the document wants of `.env`.
pub fn fit_for_production(marb: &Marb) -> env::Satisfies {
    env::satisfies(marb.settings())
        .required(["DATABASE_URL", "JWT_SECRET_KEY", "ENCRYPTION_KEY", "CORS_ORIGINS", "REDIS_HOST", "REDIS_PORT"])
        .url("DATABASE_URL", |url| url.password().query("sslmode"))
        .url("CELERY_BROKER_URL", |url| url.scheme("redis").password())
        .url("CELERY_RESULT_BACKEND", |url| url.scheme("redis").password())
        .length("JWT_SECRET_KEY", 32..)
        .length("ENCRYPTION_KEY", 32..=32)
        .equals("ENVIRONMENT", "production")
        .equals("DEBUG", "false")
        .equals("REQUIRE_AUTH", "true")
        .no_wildcard("CORS_ORIGINS")
}

/// Step 6: role, database, rights, tables.
#[part]
pub async fn schema(run: &Run, marb: &Marb) -> Result<()> {
    let database = marb.database();
    marb.server(run).step("Make the database", postgres::provision(&database)).await?;
    let app = marb.app(run);
    app.check("The database lets us in", postgres::ready(&database).within(30.seconds())).await?;
    let schema = marb.alembic();
    if app.look(async |cx| alembic::current(cx, &schema).await).await?.is_empty() {
        let empty = NoBackup::because("there is no schema yet");
        app.step("Make the tables", alembic::upgrade(&schema).guarded_by(empty)).await?;
    }
    app.require("The schema is the one of the code", alembic::current_is_head(&schema)).await
}

/// Step 7: the application loads.
///
/// And reaches what it needs, with its own settings.
#[part]
pub async fn loads(run: &Run, marb: &Marb) -> Result<()> {
    let engine = "from app.config.database import engine; engine.connect().close()";
    let loads = python::imports(marb.venv(), "app.main").dir(&marb.root);
    probes::of("The application")
        .probe("loads", loads)
        .probe("reaches its database", python::probe(marb.venv(), engine).dir(&marb.root))
        .probe("reaches Redis", marb.redis().ping())
        .ask(&marb.app(run))
        .await?
        .all_pass()
        .map(drop)
}

/// Steps 8 and 9: the units, started before they are enabled.
#[part]
pub async fn services(run: &Run, marb: &Marb) -> Result<()> {
    let server = marb.server(run);
    for unit in [API, WORKER] {
        let path = marb.root.join("deployment").join(unit);
        /// The unit that came with the code.
        let text = server.look(async |cx| read(cx, &path).await).await?;
        server.step(format!("Install {unit}"), systemd::install(unit, text)).await?;
    }
    let start = systemd::start(API).ready(answers_directly(), marb.patience());
    server.step("Start the API", start).await?;
    server.step("Start the worker", systemd::start(WORKER).stable_for(3.seconds())).await?;
    for unit in [API, WORKER] {
        server.step(format!("Enable {unit}"), systemd::enable(unit)).await?;
    }
    Ok(())
}

/// Step 11, before step 10: the certificate.
///
/// nginx does not take a site whose certificate is not there.
#[part]
pub async fn certificate(run: &Run, new: &Deployment) -> Result<()> {
    let (server, domain) = (new.marb.server(run), new.marb.domain());
    let certbot = machine::packages(["certbot", "python3-certbot-nginx"]);
    server.step("Install certbot", certbot).await?;
    let obtain = tls::obtain(domain).nginx().email(&new.email);
    let obtain = new.authority.iter().fold(obtain, tls::Obtain::server);
    server.step("Obtain the certificate", obtain).await?;
    server.check("It will be renewed", systemd::timer_active("certbot.timer")).await?;
    server.check("Renewing would work", tls::renew(domain).dry_run()).await
}

/// Step 10: the site.
#[part]
pub async fn site(run: &Run, marb: &Marb) -> Result<()> {
    let server = marb.server(run);
    let path = marb.root.join("deployment/nginx.conf.example");
    /// The site that came with the code.
    let config = server.look(async |cx| read(cx, &path).await).await?;
    let config = config.replace("api.yourdomain.com", marb.domain());
    let site = server.step("Install the site", nginx::site(SITE, config)).await?;
    if site.changed {
        server.step("Reload nginx", nginx::reload()).await?;
    }
    server.check("nginx passes on to the API", nginx::upstream_port(SITE, PORT)).await
}

/// A text file of the server.
async fn read(cx: &Context, path: &std::path::Path) -> Result<String> {
    let content = cx.files().read(path).await?;
    String::from_utf8(content).with_context(|| format!("read `{}`", path.display()))
}
