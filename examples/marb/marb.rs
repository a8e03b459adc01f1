//! What is deployed, and where: the input that all procedures share, and the pieces they are made of.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use runbook::host::Place;
use runbook::prelude::*;
use runbook::steps::alembic::Alembic;
use runbook::steps::postgres::Database;
use runbook::steps::redis::Redis;
use runbook::steps::{downtime, http, systemd};
use serde::{Deserialize, Serialize};

/// The unit of the API.
pub const API: &str = "marb2.0.service";
/// The unit of the worker.
pub const WORKER: &str = "marb2.0-celery.service";
/// The port of the API, behind nginx.
pub const PORT: u16 = 8000;
/// The site of nginx.
pub const SITE: &str = "marb2.0";
/// The list in Redis where tasks wait for the worker.
pub const QUEUE: &str = "celery";

/// A mARB in production.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Marb {
    /// The server: `local`, `ssh:NAME` or `container:NAME`.
    #[arg(long, default_value = "local")]
    pub on: Place,
    /// Where the application is.
    #[arg(long, default_value = "/opt/marb2.0")]
    pub root: PathBuf,
    /// The user it belongs to; nobody in particular when this is empty.
    #[arg(long, default_value = "marb")]
    pub user: String,
    /// Its site.
    #[arg(long, default_value = "https://api.yourdomain.com")]
    pub url: String,
    /// Ask this address, whatever the name of the site leads to.
    #[arg(long)]
    pub at: Option<IpAddr>,
    /// Trust the certificates in this file too.
    #[arg(long)]
    pub ca: Option<PathBuf>,
    /// Where backups of its database are kept.
    #[arg(long, default_value = "/var/backups/marb")]
    pub backups: PathBuf,
    /// How long it may take, in seconds, until it is healthy after a restart.
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
}

impl Marb {
    /// The run on the server, as root: for services.
    pub fn server(&self, run: &Run) -> Run {
        run.at(&self.on)
    }

    /// The run on the server as the application's own user: for its code.
    pub fn app(&self, run: &Run) -> Run {
        let server = self.server(run);
        if self.user.is_empty() { server } else { server.as_user(&self.user) }
    }

    /// The health endpoint, through nginx, asked as the document shows: every part of the answer is compared.
    pub fn is_healthy(&self) -> http::Probe {
        self.get("/api/v1/health").json("/status", "healthy").json("/database", "connected").json("/redis", "connected")
    }

    /// A request to the site.
    pub fn get(&self, path: &str) -> http::Probe {
        let probe = http::get(format!("{}{path}", self.url.trim_end_matches('/')));
        let probe = systemd_resources(probe).timeout(5.seconds());
        let probe = self.at.map_or(probe.clone(), |address| probe.at(address));
        self.ca.iter().fold(probe, http::Probe::root_certificate)
    }

    /// Says afterwards how long users had no good answer, the way back included.
    pub async fn watched<R>(&self, run: &Run, body: impl AsyncFnOnce(&Run) -> Result<R>) -> Result<R> {
        downtime::of("the site", self.is_healthy().timeout(2.seconds())).during(run, body).await
    }

    /// The name of the site.
    pub fn domain(&self) -> &str {
        let name = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        name.split(['/', ':']).next().unwrap_or(name)
    }

    /// The settings of the application.
    pub fn settings(&self) -> PathBuf {
        self.root.join(".env")
    }

    /// Its virtual environment.
    pub fn venv(&self) -> PathBuf {
        self.root.join("venv")
    }

    /// Its database: the one the application itself uses. PostgreSQL's own user makes and restores it.
    pub fn database(&self) -> Database {
        let postgres = Database::socket("postgres").become_user("postgres");
        Database::in_env_file(self.settings(), "DATABASE_URL").administered_by(&postgres)
    }

    /// The migrations of its database.
    pub fn alembic(&self) -> Alembic {
        Alembic::in_dir(&self.root, &self.database()).venv(self.venv()).env_file(self.settings())
    }

    /// Its queue and its results.
    pub fn redis(&self) -> Redis {
        Redis::at("redis://127.0.0.1:6379/0").password_in_env_file(self.settings(), "CELERY_BROKER_URL")
    }

    /// How long it may take to become healthy.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

/// The health endpoint, asked on the server, past nginx.
pub fn answers_directly() -> http::Probe {
    let probe = http::get(format!("http://127.0.0.1:{PORT}/api/v1/health")).json("/status", "healthy");
    systemd_resources(probe).timeout(5.seconds()).from_the_host()
}

/// What the site answers depends on the API's unit: a plan does not ask before a step that restarts it.
fn systemd_resources(probe: http::Probe) -> http::Probe {
    probe.reads(systemd::Unit::named(API).resource())
}

/// Restart both services.
///
/// The API, until it is healthy; then the worker. On the way back, the API is healthy too before it counts as put back.
#[part]
pub async fn restart(run: &Run, marb: &Marb) -> Result<()> {
    let server = marb.server(run);
    server.step("Restart the API", systemd::restart(API).ready(marb.is_healthy(), marb.patience())).await?;
    server.step("Restart the worker", systemd::restart(WORKER).stable_for(3.seconds())).await?;
    Ok(())
}

/// Stop both services.
///
/// First what takes in work, then what does it.
#[part]
pub async fn stop(run: &Run, marb: &Marb) -> Result<()> {
    let server = marb.server(run);
    server.step("Stop the API", systemd::stop(API)).await?;
    server.step("Stop the worker", systemd::stop(WORKER).within(60.seconds())).await?;
    Ok(())
}

/// Start both services.
///
/// The API is asked on the server itself: users may still see a maintenance page.
#[part]
pub async fn start(run: &Run, marb: &Marb) -> Result<()> {
    let server = marb.server(run);
    server.step("Start the API", systemd::start(API).ready(answers_directly(), marb.patience())).await?;
    server.step("Start the worker", systemd::start(WORKER).stable_for(3.seconds())).await?;
    Ok(())
}
