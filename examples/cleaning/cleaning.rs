//! What is deployed, and where: the input that all procedures share, and the pieces they are made of.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use runbook::Host;
use runbook::host::Place;
use runbook::prelude::*;
use runbook::steps::alembic::Alembic;
use runbook::steps::compose::{self, Project};
use runbook::steps::postgres::Database;
use runbook::steps::{downtime, env, http};
use serde::{Deserialize, Serialize};

/// What users notice when it is down. The proxy and the database stay up through every procedure but a restore.
pub const APPLICATION: [&str; 3] = ["api", "web", "jobs"];

/// A CleanWithSnapshot.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Cleaning {
    /// The server: `local`, `ssh:NAME` or `container:NAME`.
    #[arg(long, default_value = "local")]
    pub on: Place,
    /// Where it is on the server.
    #[arg(long, default_value = "/opt/cleaning")]
    pub root: PathBuf,
    /// The name of the compose project.
    #[arg(long, default_value = "cleaning")]
    pub project: String,
    /// Which environment this is: its rules are not skipped.
    #[arg(long, default_value = "production")]
    pub environment: Environment,
    /// The API, as users reach it.
    #[arg(long, default_value = "https://api.panidobro.com")]
    pub api: String,
    /// The web interface, as users reach it.
    #[arg(long, default_value = "https://panidobro.com")]
    pub web: String,
    /// Ask this address, whatever the names of the sites lead to.
    #[arg(long)]
    pub at: Option<IpAddr>,
    /// Trust the certificates in this file too.
    #[arg(long)]
    pub ca: Option<PathBuf>,
    /// How long it may take, in seconds, until it is healthy after a start.
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
}

/// Where a CleanWithSnapshot runs, and what has to be done there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// No backup, no confirmation.
    Development,
    /// As in production, with keys that cost nothing.
    Staging,
    /// A backup before, smoke tests after, half an hour of watching.
    Production,
}

impl Cleaning {
    /// The run on the server.
    pub fn server(&self, run: &Run) -> Run {
        run.at(&self.on)
    }

    /// The compose project.
    pub fn compose(&self) -> Project {
        compose::project(&self.project, &self.root)
    }

    /// The run in the container of the database: there are its programs, and its dumps.
    pub fn database_host(&self, run: &Run) -> Run {
        run.on(&self.compose().service("db").on(&self.on.host()).shared())
    }

    /// The run in the container of the proxy.
    pub fn proxy(&self, run: &Run) -> Run {
        run.on(&self.compose().service("caddy").on(&self.on.host()).shared())
    }

    /// A container of the API's image that is made for a command and goes with it: whether the API runs or not.
    pub fn api_image(&self) -> Arc<dyn Host> {
        self.compose().service("api").one_off().on(&self.on.host()).shared()
    }

    /// The database, as its own container sees it.
    pub fn database() -> Database {
        Database::socket("postgres").named("cleaning")
    }

    /// Its migrations, by the code in the image of the API.
    pub fn alembic(&self) -> Alembic {
        Alembic::in_dir("/app", &Self::database()).code_on(&self.api_image())
    }

    /// Where dumps are, in the container of the database: `./backups` of the project.
    pub fn backups() -> PathBuf {
        "/backups".into()
    }

    /// The settings.
    pub fn settings(&self) -> PathBuf {
        self.root.join(".env")
    }

    /// What the release wants to be set.
    pub fn example(&self) -> PathBuf {
        self.root.join("backend/.env.production.example")
    }

    /// What has to be true of the settings in this environment.
    pub fn fit(&self) -> env::Satisfies {
        let settings = env::satisfies(self.settings())
            .required(["APP_ENV", "POSTGRES_PASSWORD", "ADMIN_USER", "ADMIN_PASS", "STRIPE_SECRET_KEY"])
            .url("DATABASE_URL", |url| url.scheme("postgresql+asyncpg").password());
        match self.environment {
            Environment::Development => settings.equals("APP_ENV", "dev"),
            // It looks like production to the application, so its keys alone tell it apart.
            Environment::Staging => settings.equals("APP_ENV", "prod").starts_with("STRIPE_SECRET_KEY", "sk_test_"),
            Environment::Production => settings.equals("APP_ENV", "prod").starts_with("STRIPE_SECRET_KEY", "sk_live_"),
        }
    }

    /// The liveness endpoint, asked as the document shows.
    pub fn is_live(&self) -> http::Probe {
        self.get_api("/healthz").json("/status", "ok")
    }

    /// The readiness endpoint: every check in it is well.
    pub fn is_ready(&self) -> http::Probe {
        self.get_api("/readyz").json("/ok", true)
    }

    /// A request to the API.
    pub fn get_api(&self, path: &str) -> http::Probe {
        self.reach(http::get(format!("{}{path}", self.api.trim_end_matches('/'))))
    }

    /// A request to the web interface.
    pub fn get_web(&self, path: &str) -> http::Probe {
        self.reach(http::get(format!("{}{path}", self.web.trim_end_matches('/'))))
    }

    /// The way to the sites. What they answer depends on the API's container: a plan does not ask before it is replaced.
    pub fn reach(&self, probe: http::Probe) -> http::Probe {
        let probe = probe.timeout(5.seconds()).reads(self.compose().resource("api"));
        let probe = self.at.map_or(probe.clone(), |address| probe.at(address));
        self.ca.iter().fold(probe, http::Probe::root_certificate)
    }

    /// Says afterwards how long users had no good answer, the way back included.
    pub async fn watched<R>(&self, run: &Run, body: impl AsyncFnOnce(&Run) -> Result<R>) -> Result<R> {
        downtime::of("the site", self.is_live().timeout(2.seconds())).during(run, body).await
    }

    /// How long it may take to become healthy.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}
