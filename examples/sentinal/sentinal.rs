//! What is deployed, and where: the input that all procedures share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use runbook::Host;
use runbook::host::Place;
use runbook::prelude::*;
use runbook::steps::compose::{self, Project};
use runbook::steps::redis::{self, Redis, Sentinels, Servers};
use runbook::steps::{downtime, http, nginx, tls};
use serde::{Deserialize, Serialize};

/// The instances of the API, in the order in which they are replaced.
pub const INSTANCES: [&str; 3] = ["api-3", "api-2", "api-1"];
/// The servers of Redis. Which of them is the master, the sentinels say.
pub const REDIS: [&str; 3] = ["redis-master", "redis-replica-1", "redis-replica-2"];
/// The sentinels.
pub const SENTINELS: [&str; 3] = ["redis-sentinel-1", "redis-sentinel-2", "redis-sentinel-3"];
/// What watches the rest.
pub const MONITORING: [&str; 4] = ["prometheus", "alertmanager", "grafana", "jaeger"];

/// A Sentinal.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Sentinal {
    /// The server: `local`, `ssh:NAME` or `container:NAME`.
    #[arg(long, default_value = "local")]
    pub on: Place,
    /// Where it is on the server.
    #[arg(long, default_value = "/opt/sentinal-fraud-detection")]
    pub root: PathBuf,
    /// The name of the compose project.
    #[arg(long, default_value = "sentinal-fraud-detection")]
    pub project: String,
    /// The site.
    #[arg(long, default_value = "https://localhost")]
    pub url: String,
    /// Trust the certificates in this file too.
    #[arg(long)]
    pub ca: Option<PathBuf>,
    /// Prometheus, Alertmanager, Grafana and Jaeger.
    #[arg(long, default_value = "http://localhost:9090")]
    pub prometheus: String,
    #[arg(long, default_value = "http://localhost:9093")]
    pub alertmanager: String,
    #[arg(long, default_value = "http://localhost:3001")]
    pub grafana: String,
    #[arg(long, default_value = "http://localhost:16686")]
    pub jaeger: String,
    /// The password of Redis: `env:NAME` or `file:PATH`.
    #[arg(long, default_value = "env:REDIS_PASSWORD")]
    pub redis_password: Secret,
    /// The password of Grafana's administrator.
    #[arg(long, default_value = "env:GRAFANA_ADMIN_PASSWORD")]
    pub grafana_password: Secret,
    /// The password of `analyst@sentinal.ai`, for the smoke tests.
    #[arg(long, default_value = "env:ANALYST_PASSWORD")]
    pub analyst_password: Secret,
    /// Where backups are kept on the server.
    #[arg(long, default_value = "/backup")]
    pub backups: PathBuf,
    /// An image with `tar`, by which volumes are read and written.
    #[arg(long, default_value = "alpine:3")]
    pub helper: String,
    /// How long it may take, in seconds, until it is healthy after a start.
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
}

impl Sentinal {
    /// The run on the server.
    pub fn server(&self, run: &Run) -> Run {
        run.at(&self.on)
    }

    /// The compose project.
    pub fn compose(&self) -> Project {
        compose::project(&self.project, &self.root).env_file(self.settings())
    }

    /// The settings: not where Compose looks by itself.
    pub fn settings(&self) -> PathBuf {
        self.root.join("python/.env")
    }

    /// Inside the container of a service.
    pub fn inside(&self, service: &str) -> Arc<dyn Host> {
        self.compose().service(service).on(&self.on.host()).shared()
    }

    /// The upstream of nginx with the instances of the API.
    pub fn balancer() -> nginx::Balancer {
        nginx::upstream("api").file("/etc/nginx/upstreams/api.conf")
    }

    /// The health endpoint, through nginx.
    pub fn is_healthy(&self) -> http::Probe {
        self.get("/health").json("/status", "healthy")
    }

    /// A request to the site.
    pub fn get(&self, path: &str) -> http::Probe {
        self.reach(http::get(format!("{}{path}", self.url.trim_end_matches('/'))))
    }

    /// The way to the site.
    pub fn reach(&self, probe: http::Probe) -> http::Probe {
        let probe = probe.timeout(5.seconds()).reads(self.compose().resource("nginx"));
        self.ca.iter().fold(probe, http::Probe::root_certificate)
    }

    /// The certificate of the site.
    pub fn certificate(&self) -> tls::CertificateIsGood {
        let site = self.url.trim_start_matches("https://");
        let (host, port) = site.rsplit_once(':').unwrap_or((site, "443"));
        let certificate = tls::certificate(host, port.parse().unwrap_or(443));
        self.ca.iter().fold(certificate, tls::CertificateIsGood::root_certificate)
    }

    /// The image of a service that is built here.
    pub fn image(&self, service: &str) -> String {
        format!("{}-{service}", self.project)
    }

    /// A volume of the project.
    pub fn volume(&self, name: &str) -> String {
        format!("{}_{name}", self.project)
    }

    /// Where the archive of a volume is.
    pub fn archive(&self, volume: &str) -> PathBuf {
        self.backups.join(format!("{volume}.tar.gz"))
    }

    /// The health of one instance, asked in its own container: behind the load balancer nobody knows who answered.
    pub fn instance_is_healthy(&self, instance: &str) -> compose::Healthy {
        self.compose().healthy().services([instance]).stable_for(2.seconds())
    }

    /// The sentinels, asked from inside their network.
    pub fn sentinels(&self) -> Sentinels {
        redis::sentinels("mymaster")
            .at(SENTINELS.map(|name| format!("{name}:26379")))
            .password(&self.redis_password)
            .through(&self.inside(SENTINELS[0]))
    }

    /// One server of Redis, by the name of its container.
    pub fn redis(&self, name: &str) -> Redis {
        Redis::at(format!("redis://{name}:6379")).password(&self.redis_password)
    }

    /// All servers of Redis, with their files and processes in reach.
    pub fn redis_servers(&self) -> Servers {
        let compose = self.compose();
        self.sentinels().servers(REDIS.map(|name| {
            redis::node(self.redis(name))
                .on(&self.on.host())
                .files_on(&compose.service(name).one_off().on(&self.on.host()).shared())
                .process(compose.stop([name]), compose.up().services([name]).no_deps())
        }))
    }

    /// Says afterwards how long users had no good answer, the way back included.
    pub async fn watched<R>(&self, run: &Run, body: impl AsyncFnOnce(&Run) -> Result<R>) -> Result<R> {
        downtime::of("the site", self.is_healthy().timeout(2.seconds())).every(20.millis()).during(run, body).await
    }

    /// How long it may take to become healthy.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}
