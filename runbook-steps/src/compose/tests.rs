//! Tests of the compose steps.

mod health;
mod laws;
mod ways_back;

mod conformance;
mod lab;

use std::path::PathBuf;
use std::sync::Arc;

use runbook::testing::SimHost;
use runbook::{Context, Units as _};

use super::*;
use crate::docker::{Behaviour, Fake};

/// A database, an API that is built from the files beside it, and a web server of which there are two.
const FILES: &str = "
services:
  db:
    image: postgres:15
    volumes: [data:/var/lib/postgresql/data]
  api:
    build: .
    restart: always
    depends_on: {db: {condition: service_healthy}}
  web:
    image: nginx:1
    deploy: {replicas: 2}
    depends_on: [api]
volumes: {data: }
";

/// What the API does depends on its version.
fn engine() -> Fake {
    Fake::new().image("postgres:15").image("nginx:1").behaves("db", Behaviour::healthy_after(1.seconds())).decides(
        "api",
        |image| match image.text("VERSION") {
            "crashes" => Behaviour::dies_after(200.millis(), 3).says("ERROR no database"),
            "starves" => Behaviour::dies_after(200.millis(), 1).out_of_memory(),
            "unhealthy" => Behaviour::unhealthy_after(2.seconds()).says("ERROR listening on another port"),
            "slow" => Behaviour::healthy_after(40.seconds()),
            "dead" => Behaviour::never_healthy(),
            _ => Behaviour::healthy_after(500.millis()).says("startup complete"),
        },
    )
}

fn host(engine: &Fake, version: &str) -> SimHost {
    engine.on(SimHost::new("web-1").file("/opt/app/docker-compose.yml", FILES).file("/opt/app/VERSION", version))
}

fn app() -> Project {
    project("app", PathBuf::from("/opt/app"))
}

/// The project is up, at version 1.
fn running() -> (SimHost, Context) {
    let host = host(&engine().running("app", "/opt/app"), "1");
    (host.clone(), Context::on(Arc::new(host)))
}

/// Nothing of the project is there but its files.
fn bare(version: &str) -> (SimHost, Context) {
    let host = host(&engine(), version);
    (host.clone(), Context::on(Arc::new(host)))
}
