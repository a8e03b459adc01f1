//! Logging in to a registry.

use std::path::PathBuf;

use async_trait::async_trait;
use runbook::{Command, Context, Description, Diff, Error, Resource, Result, Rollback, Secret, Step, Survey};
use serde::{Deserialize, Serialize};

use super::ask::{answer, docker, run};
use super::failure;

/// Logs in to a registry, `ghcr.io` or `registry.example.org:5000`, as this user. The password goes in by the input of the
/// program, where nobody sees it.
///
/// On the way back it logs out again, unless somebody was logged in before: whose password that was, nobody may remember.
pub fn login(registry: impl Into<String>, user: impl Into<String>, password: Secret) -> Login {
    Login { registry: registry.into(), user: user.into(), password }
}

/// The step of [`login`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Login {
    registry: String,
    user: String,
    password: Secret,
}

/// Whether anybody was logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedIn {
    /// The registry.
    pub registry: String,
    /// Whether there was a login before.
    pub before: bool,
}

/// The part of Docker's settings that says where somebody is logged in. What is in an entry is a password.
#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    auths: serde_json::Map<String, serde_json::Value>,
}

/// What Docker calls its own registry.
const HUB: &str = "https://index.docker.io/v1/";

impl Login {
    async fn is_logged_in(&self, cx: &Context) -> Result<bool> {
        let path = settings(cx).await?;
        if cx.files().stat(&path).await?.is_none() {
            return Ok(false);
        }
        let text = cx.files().read(&path).await?;
        // The words of the parser may hold a part of the file.
        let settings: Settings = serde_json::from_slice(&text)
            .map_err(|_| Error::new(format!("`{}` on {} is no JSON", path.display(), cx.host().name())))?;
        let name = if matches!(self.registry.as_str(), "docker.io" | "index.docker.io") { HUB } else { &self.registry };
        Ok(settings.auths.contains_key(name))
    }
}

/// Where Docker keeps its settings.
async fn settings(cx: &Context) -> Result<PathBuf> {
    let dir = answer(cx, &Command::new("printenv").arg("DOCKER_CONFIG")).await?;
    let dir = match dir.text()? {
        "" => PathBuf::from(run(cx, &Command::new("printenv").arg("HOME")).await?.text()?).join(".docker"),
        dir => PathBuf::from(dir),
    };
    Ok(dir.join("config.json"))
}

#[async_trait]
impl Step for Login {
    type Before = LoggedIn;
    type Output = LoggedIn;

    fn describe(&self) -> Description {
        let Self { registry, user, .. } = self;
        Description::new("docker.login", registry)
            .summary(format!("log in to {registry} as {user}"))
            .command(format!("docker login --username {user} --password-stdin {registry} < password"))
            .undo_command(format!("docker logout {registry}"))
            .writes(Resource::new("registry-login", registry))
            .repeats()
    }

    /// Whether a password still holds is known to the registry alone.
    async fn survey(&self, cx: &Context) -> Result<Survey<LoggedIn, LoggedIn>> {
        let before = LoggedIn { registry: self.registry.clone(), before: self.is_logged_in(cx).await? };
        let from = if before.before { "logged in" } else { "not logged in" };
        let diff = Diff::turn(&self.registry, from, format!("logged in as {}", self.user));
        Ok(Survey::predict(before.clone(), diff, before))
    }

    async fn apply(&self, cx: &Context, before: &LoggedIn) -> Result<LoggedIn> {
        let command = docker(["login", "--username", &self.user, "--password-stdin", &self.registry]);
        run(cx, &command.secret_input(&self.password)).await?;
        if self.is_logged_in(cx).await? {
            return Ok(before.clone());
        }
        Err(Error::new(format!("`docker login {}` succeeded, and nobody is logged in", self.registry)))
    }
}

#[async_trait]
impl Rollback for Login {
    async fn rollback(&self, cx: &Context, before: &LoggedIn) -> Result<()> {
        if before.before || !self.is_logged_in(cx).await? {
            return Ok(());
        }
        let command = docker(["logout", &self.registry]);
        let output = cx.output(&command).await?;
        if output.success() { Ok(()) } else { Err(failure::of(cx, &command, &output)) }
    }
}
