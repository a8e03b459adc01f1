//! A server that is to become an SBF: programs, code, settings, images.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::{disk, docker, env, git, probes, tool};
use serde::{Deserialize, Serialize};

use crate::deployment::{migrate, verify};
use crate::sbf::Sbf;
use runbook::steps::backup::NoBackup;

/// A server, and what it needs to know.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Setup {
    #[command(flatten)]
    pub sbf: Sbf,
    /// Where the code comes from.
    #[arg(long, default_value = "https://github.com/org/sbf.git")]
    pub repository: String,
    /// The registry of the images.
    #[arg(long, default_value = "ghcr.io")]
    pub registry: String,
    /// Who logs in there.
    #[arg(long, default_value = "sbf")]
    pub user: String,
    /// The password or token for it: `env:NAME` or `file:PATH`.
    #[arg(long, default_value = "env:GITHUB_TOKEN")]
    pub password: Secret,
    /// Where the images are in it.
    #[arg(long, default_value = "ghcr.io/sbf")]
    pub images: String,
    /// The key that signs tokens, 32 characters or more.
    #[arg(long, default_value = "env:JWT_SECRET")]
    pub jwt_secret: Secret,
    /// The keys of the AI providers.
    #[arg(long, default_value = "env:OPENAI_API_KEY")]
    pub openai_key: Secret,
    #[arg(long, default_value = "env:ANTHROPIC_API_KEY")]
    pub anthropic_key: Secret,
    /// The key of the vector store.
    #[arg(long, default_value = "env:PINECONE_API_KEY")]
    pub pinecone_key: Secret,
    /// The port of the site on the server.
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
}

/// Prerequisites.
///
/// Every program is there and recent enough, and there is room. Nothing changes.
#[procedure(target = sbf.on)]
pub async fn prerequisites(run: &Run, sbf: &Sbf) -> Result<probes::Report> {
    probes::of("Programs")
        .probe("Docker", tool::version("docker").at_least("20.10"))
        .probe("Compose", tool::version("docker").args(["compose", "version"]).at_least("2.20"))
        .probe("git", tool::version("git").at_least("2.0"))
        .probe("Room for images", disk::free("/var/lib").at_least(2.gib()))
        .ask(&sbf.server(run))
        .await?
        .all_pass()
}

/// Environment setup.
///
/// From a bare server to a healthy SBF: the code, its settings, its images, its schema. A second run changes nothing.
#[procedure(target = new.sbf.on)]
pub async fn set_up(run: &Run, new: &Setup) -> Result<()> {
    let (sbf, server) = (&new.sbf, new.sbf.server(run));
    prerequisites(run, sbf).await?;
    run.checklist("Access", ACCESS).await?;
    code(run, new).await?;
    settings(run, new).await?;
    log_in(run, new).await?;
    if !server.probe("All of it runs", sbf.compose().healthy()).await?.passes() {
        server.step("Pull the images", sbf.compose().pull()).await?;
        let data = sbf.compose().up().services(["postgres", "redis"]).within(sbf.patience());
        server.step("Start the database and Redis", data).await?;
        migrate(run, sbf, NoBackup::because("there is nothing in the database yet").into()).await?;
        server.step("Start all services", sbf.compose().up().within(sbf.patience())).await?;
    }
    verify(run, sbf).await
}

/// Who grants what this program cannot look for.
const ACCESS: [&str; 2] = [
    "The cloud team has given access to the console",
    "The security team has given read access to the secrets manager, from which the variables of this run come",
];

/// The code.
#[part]
pub async fn code(run: &Run, new: &Setup) -> Result<()> {
    let (server, root) = (new.sbf.server(run), &new.sbf.root);
    server.step("Clone", git::clone(&new.repository, root)).await?;
    server.step("Check out", git::checkout(root, "main")).await?;
    Ok(())
}

/// The settings.
///
/// Every value that the document marks comes from the secrets manager; none is typed, shown or left as it is in the example.
#[part]
pub async fn settings(run: &Run, new: &Setup) -> Result<()> {
    let (sbf, server, path) = (&new.sbf, new.sbf.server(run), new.sbf.settings());
    server.step("Make the settings", env::from_template(sbf.root.join(".env.example"), &path).mode(0o600)).await?;
    let set = env::set(&path)
        .secret("DB_PASSWORD", &sbf.database_password)
        .secret("JWT_SECRET", &new.jwt_secret)
        .secret("OPENAI_API_KEY", &new.openai_key)
        .secret("ANTHROPIC_API_KEY", &new.anthropic_key)
        .secret("PINECONE_API_KEY", &new.pinecone_key)
        .key("SBF_IMAGES", &new.images)
        .key("HTTP_PORT", new.port.to_string())
        .mode(0o600);
    server.step("Set them", set).await?;
    server.check("They are fit for production", fit_for_production(sbf)).await?;
    server.check("Compose accepts its file", sbf.compose().is_valid()).await
}

/// What the document wants of the settings.
pub fn fit_for_production(sbf: &Sbf) -> env::Satisfies {
    env::satisfies(sbf.settings())
        .required([
            "DB_HOST",
            "DB_PORT",
            "DB_NAME",
            "DB_USER",
            "DB_PASSWORD",
            "OPENAI_API_KEY",
            "ANTHROPIC_API_KEY",
            "PINECONE_API_KEY",
        ])
        .url("REDIS_URL", |url| url.scheme("redis"))
        .length("JWT_SECRET", 32..)
        .equals("JWT_ALGORITHM", "HS256")
        .equals("ENABLE_RATE_LIMITING", "true")
        .one_of("LOG_LEVEL", ["INFO", "WARNING", "ERROR"])
}

/// Log in to the registry.
#[part]
pub async fn log_in(run: &Run, new: &Setup) -> Result<()> {
    let login = docker::login(&new.registry, &new.user, new.password.clone());
    new.sbf.server(run).step("Log in to the registry", login).await?;
    Ok(())
}
