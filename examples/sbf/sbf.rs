//! What is deployed, and where: the input that all procedures share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use runbook::Host;
use runbook::host::Place;
use runbook::prelude::*;
use runbook::steps::alembic::Alembic;
use runbook::steps::compose::{self, Project};
use runbook::steps::postgres::Database;
use runbook::steps::redis::Redis;
use runbook::steps::{downtime, http, nginx};
use serde::{Deserialize, Serialize};

/// How many instances of the API serve.
pub const INSTANCES: u32 = 2;

/// An SBF.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Sbf {
    /// The server: `local`, `ssh:NAME` or `container:NAME`.
    #[arg(long, default_value = "local")]
    pub on: Place,
    /// Where it is on the server.
    #[arg(long, default_value = "/opt/sbf")]
    pub root: PathBuf,
    /// The name of the compose project.
    #[arg(long, default_value = "sbf")]
    pub project: String,
    /// The site.
    #[arg(long, default_value = "http://localhost:8000")]
    pub url: String,
    /// The password of the database.
    #[arg(long, default_value = "env:DB_PASSWORD")]
    pub database_password: Secret,
    /// A token that may read notebooks: `env:NAME` or `file:PATH`.
    #[arg(long, default_value = "env:TEST_TOKEN")]
    pub token: Secret,
    /// How long it may take, in seconds, until it is healthy after a start.
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
}

impl Sbf {
    /// The run on the server.
    pub fn server(&self, run: &Run) -> Run {
        run.at(&self.on)
    }

    /// The compose project: always this file, which the document forgets in half of its commands.
    pub fn compose(&self) -> Project {
        compose::project(&self.project, &self.root).file("docker-compose.prod.yml").env_file(".env.production")
    }

    /// The project of the developers: what `docker compose` means when nobody says which file.
    pub fn development(&self) -> Project {
        compose::project(format!("{}-dev", self.project), &self.root).env_file(".env.production")
    }

    /// The settings.
    pub fn settings(&self) -> PathBuf {
        self.root.join(".env.production")
    }

    /// The run in the container of the database: there are its programs, and its dumps.
    pub fn database_host(&self, run: &Run) -> Run {
        run.on(&self.compose().service("postgres").on(&self.on.host()).shared())
    }

    /// The run in the container of Redis.
    pub fn redis_host(&self, run: &Run) -> Run {
        run.on(&self.compose().service("redis").on(&self.on.host()).shared())
    }

    /// Where nginx gives requests to the API.
    pub fn balancer() -> nginx::Balancer {
        nginx::upstream("api").file("/etc/nginx/upstreams/api.conf")
    }

    /// The run in the container of nginx.
    pub fn balancer_host(&self, run: &Run) -> Run {
        run.on(&self.compose().service("nginx").on(&self.on.host()).shared())
    }

    /// A container of the API's image that is made for a command and goes with it.
    pub fn api_image(&self) -> Arc<dyn Host> {
        self.compose().service("api").one_off().on(&self.on.host()).shared()
    }

    /// The database, as its own container sees it.
    pub fn database() -> Database {
        Database::socket("sbf_prod").named("sbf")
    }

    /// Its migrations, by the code in the image of the API.
    pub fn alembic(&self) -> Alembic {
        let reached_as =
            Database::url("postgresql://sbf_prod@postgres:5432/sbf").password(self.database_password.clone());
        Alembic::in_dir("/app", &Self::database()).code_on(&self.api_image()).reached_as(&reached_as)
    }

    /// Redis, as its own container sees it.
    pub fn redis() -> Redis {
        Redis::at("redis://127.0.0.1:6379/0")
    }

    /// Where dumps are, in the container of the database.
    pub fn backups() -> PathBuf {
        "/backups".into()
    }

    /// The basic health endpoint.
    pub fn is_healthy(&self) -> http::Probe {
        self.get("/api/v1/health").json("/status", "healthy")
    }

    /// The readiness endpoint: it asks the database and Redis.
    pub fn is_ready(&self) -> http::Probe {
        self.get("/api/v1/health/ready").json("/status", "ready")
    }

    /// A request to the site.
    pub fn get(&self, path: &str) -> http::Probe {
        let probe = http::get(format!("{}{path}", self.url.trim_end_matches('/'))).timeout(5.seconds());
        probe.reads(self.compose().resource("api"))
    }

    /// Says afterwards how long users had no good answer, the way back included.
    pub async fn watched<R>(&self, run: &Run, body: impl AsyncFnOnce(&Run) -> Result<R>) -> Result<R> {
        downtime::of("the API", self.is_healthy().timeout(2.seconds())).every(20.millis()).during(run, body).await
    }

    /// How long it may take to become healthy.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}
