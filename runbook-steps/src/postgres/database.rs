//! A database, as a program names it.

use std::fmt;
use std::path::{Path, PathBuf};

use runbook::{Context, Error, Explain as _, Resource, Result, Secret};
use serde::{Deserialize, Serialize};

use super::url::{SOCKETS, Target};
use crate::env;

/// A database, named by where its URL is. It holds no password, so it can be an input and lie in a journal.
///
/// ```
/// # use runbook_core::Secret;
/// use runbook_steps::postgres::Database;
///
/// let claims = Database::from_env("DATABASE_URL");
/// let claims = Database::in_env_file("/srv/marb/.env", "DATABASE_URL");
/// let claims = Database::url("postgresql://marb@localhost/claims").password(Secret::env("DB_PASSWORD"));
/// # assert_eq!(claims.to_string(), "postgresql://marb@localhost/claims");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    at: At,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    os_user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    admin: Option<Box<Database>>,
}

/// Where a URL is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum At {
    Url(String),
    Secret(Secret),
    EnvFile(PathBuf, String),
    Variable(String),
}

impl Database {
    fn at(at: At) -> Self {
        Self { at, name: None, password: None, os_user: None, admin: None }
    }

    /// The one whose URL is in this environment variable of the runner.
    pub fn from_env(name: impl Into<String>) -> Self {
        Self::at(At::Secret(Secret::env(name)))
    }

    /// The one whose URL is this secret.
    pub fn from_secret(url: &Secret) -> Self {
        Self::at(At::Secret(url.clone()))
    }

    /// The one whose URL stands in this env file on the host, under this key: the one the application uses.
    pub fn in_env_file(path: impl AsRef<Path>, key: impl Into<String>) -> Self {
        Self::at(At::EnvFile(path.as_ref().to_owned(), key.into()))
    }

    /// The one whose URL is in this environment variable of the host: in a container, the one the application uses.
    pub fn in_variable(name: impl Into<String>) -> Self {
        Self::at(At::Variable(name.into()))
    }

    /// The one at this URL, without a password in it: see [`password`](Self::password).
    pub fn url(url: impl Into<String>) -> Self {
        Self::at(At::Url(url.into()))
    }

    /// The database `postgres` as this role, at Debian's socket on the host: for
    /// [`administered_by`](Self::administered_by), with [`become_user`](Self::become_user).
    pub fn socket(role: &str) -> Self {
        Self::url(format!("postgresql://{role}@/postgres?host={SOCKETS}"))
    }

    /// With this password, whatever the URL says.
    pub fn password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Another database of this name, on the same server.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// As this user of the host, whom a socket knows (`peer`): root can be anyone, others use `sudo -n`.
    pub fn become_user(mut self, user: impl Into<String>) -> Self {
        self.os_user = Some(user.into());
        self
    }

    /// Made, restored and rehearsed by this role of the same server, which may create databases and roles. Without
    /// one, the role of the database does it.
    pub fn administered_by(mut self, admin: &Database) -> Self {
        self.admin = Some(Box::new(admin.clone()));
        self
    }

    /// The role that administers it: its own, unless told otherwise.
    pub(crate) fn admin(&self) -> Self {
        match &self.admin {
            Some(admin) => (**admin).clone(),
            None => Self { admin: None, ..self.clone() },
        }
    }

    /// Another database of its server, as its administrator.
    pub(crate) fn beside(&self, name: &str) -> Self {
        self.admin().named(name)
    }

    /// A database of its server to log in to for what is done to databases: not the one it is done to.
    pub(crate) fn maintenance(&self, name: &str) -> Self {
        self.beside(if name == "postgres" { "template1" } else { "postgres" })
    }

    pub(crate) fn has_admin(&self) -> bool {
        self.admin.is_some()
    }

    pub(super) fn os_user(&self) -> Option<&str> {
        self.os_user.as_deref()
    }

    /// Where it is. A URL that is unset, empty or names no database is an error.
    pub async fn target(&self, cx: &Context) -> Result<Target> {
        let text = self.text(cx).await?;
        let mut target = Target::parse(&text).with_context(|| format!("read the URL of `{self}`"))?;
        if let (At::Url(_), Some(_)) = (&self.at, &target.password) {
            return Err(Error::new("a password is written out in the URL of a database")
                .hint("use `Database::from_env`, or `.password(Secret::env(..))`"));
        }
        if let Some(name) = &self.name {
            name.clone_into(&mut target.name);
        }
        if let Some(password) = &self.password {
            target.password = Some(password.expose()?);
        }
        Ok(target)
    }

    async fn text(&self, cx: &Context) -> Result<String> {
        match &self.at {
            At::Url(url) => Ok(url.clone()),
            At::Secret(secret) => secret
                .expose()
                .map_err(|error| error.hint("set it to the URL of the database; no other database is asked instead")),
            At::EnvFile(path, key) => {
                let file = env::read(cx, path).await?;
                let url = file.get(key).map(str::to_owned);
                url.with_context(|| format!("`{key}` is not set in `{}`", path.display()))
            }
            At::Variable(name) => variable(cx, name).await,
        }
    }

    /// What it is for plans: steps that read it wait for steps that write it.
    pub(crate) fn resource(&self) -> Resource {
        Resource::new("database", self.to_string())
    }

    /// What a person types for its URL.
    pub(crate) fn by_hand(&self) -> String {
        match (&self.at, &self.name) {
            (At::Secret(secret), None) => match secret.to_string().split_once(':') {
                Some(("env", name)) => format!("\"${name}\""),
                Some((_, path)) => format!("\"$(cat {path})\""),
                None => "URL".to_owned(),
            },
            (At::EnvFile(path, key), None) => {
                format!("\"$(sed -n 's/^{key}=//p' {})\"", path.display())
            }
            (At::Variable(name), None) => format!("\"${name}\""),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name} beside ")?;
        }
        match &self.at {
            At::Url(url) => f.write_str(url),
            At::Secret(secret) => write!(f, "{secret}"),
            At::EnvFile(path, key) => write!(f, "{key} in {}", path.display()),
            At::Variable(name) => write!(f, "${name}"),
        }
    }
}

/// The environment of what runs on a host, as the kernel tells it (proc_pid_environ(5)): a file, so that no line of a
/// command's output holds the secret.
const ENVIRONMENT: &str = "/proc/self/environ";

async fn variable(cx: &Context, name: &str) -> Result<String> {
    let environment = cx.files().read(Path::new(ENVIRONMENT)).await?;
    let entry = environment.split(|byte| *byte == 0).find_map(|entry| {
        let entry = std::str::from_utf8(entry).ok()?;
        entry.strip_prefix(name)?.strip_prefix('=')
    });
    let value = entry.filter(|value| !value.is_empty());
    let unset = || format!("the variable `{name}` is not set on {}", cx.host().name());
    value.map(str::to_owned).with_context(unset)
}
