//! An application whose schema alembic keeps, and the commands that ask it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use runbook::{Command, Context, Description, Host, Resource, Result, Secret};
use serde::{Deserialize, Serialize};

use crate::env;
use crate::postgres::Database;

/// What is asked of alembic. It goes through the input of the interpreter, so no process list shows the URL.
const CLERK: &str = include_str!("clerk.py");

/// An application whose schema alembic keeps: where its code is, and its database.
///
/// ```
/// # use runbook_core::{Secret, Units as _};
/// # use runbook_steps::{alembic::Alembic, postgres::Database};
/// let claims = Database::in_env_file("/opt/marb/.env", "DATABASE_URL");
/// let schema = Alembic::in_dir("/opt/marb", &claims).venv("/opt/marb/venv").env_file("/opt/marb/.env");
///
/// let claims = Database::from_env("CLAIMS_URL");
/// let in_a_container = Alembic::in_dir("/app", &claims).url_as("MARB_DATABASE").lock_timeout(10.seconds());
/// ```
///
/// Where it runs (here, over SSH, in a container) is the host's business: `run.on(&container)`. Where the code is in one
/// container and the database in another, see [`code_on`](Self::code_on).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alembic {
    pub(super) dir: PathBuf,
    pub(super) database: Database,
    python: PathBuf,
    config: Option<String>,
    env_file: Option<PathBuf>,
    env: BTreeMap<String, String>,
    secrets: BTreeMap<String, Secret>,
    variable: String,
    lock_timeout: Duration,
    statement_timeout: Duration,
    #[serde(skip)]
    code: Code,
    reached_as: Option<Database>,
}

/// Where the code is: `None` is where the step is.
#[derive(Debug, Clone, Default)]
struct Code(Option<Arc<dyn Host>>);

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().map(|host| host.name()) == other.0.as_ref().map(|host| host.name())
    }
}

impl Eq for Code {}

/// What a question is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) verb: &'static str,
    /// A revision, as alembic names them.
    pub(super) target: Option<String>,
    pub(super) from: Option<String>,
    /// How long somebody else is waited for who migrates.
    pub(super) patience: Duration,
    /// Whether SQL is to lead forward.
    pub(super) forward: bool,
}

/// What the script is told.
#[derive(Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) env: BTreeMap<String, String>,
    pub(super) variable: String,
    /// The name of the database in plans.
    pub(super) database: String,
    pub(super) config: Option<String>,
    pub(super) target: Option<String>,
    pub(super) from: Option<String>,
    pub(super) forward: bool,
    pub(super) patience: u64,
    /// In milliseconds; 0 is none.
    pub(super) lock_timeout: u128,
    pub(super) statement_timeout: u128,
}

impl Alembic {
    /// The one whose `alembic.ini` is in this directory, with its database. It runs as `python3` of the host until it is
    /// told of a [`venv`](Self::venv).
    pub fn in_dir(dir: impl AsRef<Path>, database: &Database) -> Self {
        Self {
            dir: dir.as_ref().to_owned(),
            database: database.clone(),
            python: "python3".into(),
            config: None,
            env_file: None,
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            variable: "DATABASE_URL".to_owned(),
            lock_timeout: Duration::ZERO,
            statement_timeout: Duration::ZERO,
            code: Code::default(),
            reached_as: None,
        }
    }

    /// With its code on this host, while the step is where the database's programs and dumps are: in the container of the
    /// application, which has no `pg_restore`. Its [variable](Self::url_as) is set there, and leads to the same server.
    pub fn code_on(mut self, host: &Arc<dyn Host>) -> Self {
        self.code = Code(Some(host.clone()));
        self
    }

    /// With the database reached in this way where its code is; the URL in its variable there counts otherwise.
    pub fn reached_as(mut self, database: &Database) -> Self {
        self.reached_as = Some(database.clone());
        self
    }

    /// In this virtual environment; one that is named relatively lies in the directory.
    pub fn venv(self, venv: impl AsRef<Path>) -> Self {
        let python = self.dir.join(venv).join("bin/python");
        self.python(python)
    }

    /// By this interpreter: a path, or a name on the path of the host.
    pub fn python(mut self, python: impl AsRef<Path>) -> Self {
        python.as_ref().clone_into(&mut self.python);
        self
    }

    /// With this file instead of `alembic.ini`.
    pub fn config(mut self, file: impl Into<String>) -> Self {
        self.config = Some(file.into());
        self
    }

    /// With the variables of this env file on the host.
    pub fn env_file(mut self, path: impl AsRef<Path>) -> Self {
        self.env_file = Some(path.as_ref().to_owned());
        self
    }

    /// With this variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// With a secret in this variable.
    pub fn secret_env(mut self, name: impl Into<String>, secret: &Secret) -> Self {
        self.secrets.insert(name.into(), secret.clone());
        self
    }

    /// With the URL of the database in this variable; in `DATABASE_URL` unless told otherwise.
    pub fn url_as(mut self, variable: impl Into<String>) -> Self {
        self.variable = variable.into();
        self
    }

    /// With migrations that give up when they wait this long for a lock, instead of making all others wait behind them.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// With statements that are ended when they take longer than this.
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// The same with another database, like a copy.
    pub(super) fn with_database(&self, database: &Database) -> Self {
        Self { database: database.clone(), ..self.clone() }
    }

    /// The database it is about, for plans.
    pub(super) fn resource(&self) -> Resource {
        self.database.resource()
    }

    /// What a person types: `alembic` with these words.
    pub(super) fn by_hand(&self, words: &[&str]) -> String {
        let program = match self.python.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            Some(bin) => bin.join("alembic"),
            None => "alembic".into(),
        };
        let config = self.config.iter().flat_map(|file| ["-c", file]);
        let alembic = Command::new(program).args(config).args(words);
        let assign = format!("{}={}", self.variable, self.database.by_hand());
        format!("({} && {assign} {alembic})", Command::new("cd").arg(&self.dir))
    }

    /// A step that leads the schema to `target` with one command of alembic, and back with another.
    pub(super) fn describe(&self, command: &str, target: &str, back: &str) -> Description {
        Description::new(format!("alembic.{command}"), format!("{self} {target}"))
            .command(self.by_hand(&[command, target]))
            .undo_command(self.by_hand(&[back, "REVISION_BEFORE"]))
            .reads(Resource::path(&self.dir))
            .reads(self.resource())
            .writes(self.resource())
            .writes(Resource::new("schema", self.database.to_string()))
    }

    /// The environment of the application, with the URL in it.
    async fn environment(&self, cx: &Context) -> Result<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        if let Some(path) = &self.env_file {
            let file = env::read(&self.there(cx), path).await?;
            all.extend(
                file.keys().into_iter().map(|key| (key.to_owned(), file.get(key).unwrap_or_default().to_owned())),
            );
        }
        all.extend(self.env.clone());
        for (name, secret) in &self.secrets {
            all.insert(name.clone(), secret.expose()?);
        }
        all.insert(self.variable.clone(), self.url(cx).await?);
        Ok(all)
    }

    /// The URL for the code: where that is elsewhere, the one it has there, with the name of the database of here.
    async fn url(&self, cx: &Context) -> Result<String> {
        let target = self.database.target(cx).await?;
        if self.code.0.is_none() {
            return target.full_url();
        }
        let there = self.reached_as.clone().unwrap_or_else(|| Database::in_variable(&self.variable));
        there.named(target.name).target(&self.there(cx)).await?.full_url()
    }

    /// Where the code is.
    pub(super) fn there(&self, cx: &Context) -> Context {
        self.code.0.as_ref().map_or_else(|| cx.clone(), |host| cx.at(host))
    }

    /// The command that asks a question.
    pub(super) async fn command(&self, cx: &Context, question: &Question) -> Result<Command> {
        let orders = Orders {
            env: self.environment(cx).await?,
            variable: self.variable.clone(),
            database: self.database.to_string(),
            config: self.config.clone(),
            target: question.target.clone(),
            from: question.from.clone(),
            forward: question.forward,
            patience: question.patience.as_secs(),
            lock_timeout: self.lock_timeout.as_millis(),
            statement_timeout: self.statement_timeout.as_millis(),
        };
        // A string of JSON is a string of Python.
        let orders = serde_json::to_string(&serde_json::to_string(&orders)?)?;
        let command = Command::new(&self.python).args(["-B", "-", "alembic", question.verb]).args(&question.target);
        Ok(command.dir(&self.dir).env("LC_ALL", "C.UTF-8").input(format!("ORDERS = {orders}\n{CLERK}")))
    }
}

impl fmt::Display for Alembic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dir.display())
    }
}
