//! A simulated PostgreSQL, for simulated hosts.

use async_trait::async_trait;
use runbook::command::Output;
use runbook::testing::{Call, SimHost};
use runbook::{Command, Context, Error, Explain as _, Resource, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::error::SqlState;

use super::server::{Port, Server, Session, refusal};
use super::wire::unreachable;
use super::{Ask, Database, Target};

mod cluster;
mod programs;

pub use self::cluster::{Cluster, Data, Role, Table};
use self::cluster::{Login, Refused};

/// A PostgreSQL 15 on a simulated host: roles, databases, tables, and how many rows are in them.
///
/// ```
/// use runbook_core::testing::{Rig, SimHost};
/// use runbook_steps::postgres;
///
/// let postgres = postgres::Fake::new().database("claims", "marb").table("claims", "claims", 100);
/// let host = postgres.on(SimHost::new("db-1").dir("/backups"));
/// # let rig = Rig::new();
/// let rig = rig.host(&host).port(postgres::Fake::port());
/// ```
///
/// It knows what the steps of this library ask of a server, of `pg_dump`, `pg_restore`, `psql` and `zstd`, and refuses
/// everything else. It is held to the real one by one suite that runs against both. Whatever host and port a URL names,
/// it is the server of the host of the step. A role that is [declared](Self::role) here has its password; of one
/// that a step made, any is taken. Nobody else is ever logged in, and nobody waits.
#[derive(Debug, Clone)]
pub struct Fake {
    cluster: Cluster,
    resource: Resource,
}

impl Fake {
    /// A server with the superuser `postgres` and the database of that name.
    pub fn new() -> Self {
        Self { cluster: Cluster::fresh(), resource: Resource::new("database", "server") }
    }

    /// With a role that logs in by this password.
    pub fn role(mut self, name: &str, password: &str) -> Self {
        self.cluster.role(name).password = Some(password.to_owned());
        self
    }

    /// With an empty database that belongs to this role, which is made when it is missing.
    pub fn database(mut self, name: &str, owner: &str) -> Self {
        self.cluster.role(owner);
        self.cluster.make(name, owner);
        self
    }

    /// With so many rows in a table of this database, which belongs to `postgres` unless it was made before.
    pub fn table(mut self, database: &str, table: &str, rows: u64) -> Self {
        self.cluster.make(database, "postgres").tables.insert(table.to_owned(), Table::of(rows));
        self
    }

    /// With this schema, as alembic knows it, in a database.
    pub fn revision(mut self, database: &str, revision: &str) -> Self {
        self.cluster.make(database, "postgres").revisions = Some(vec![revision.to_owned()]);
        self
    }

    /// The server of this database, under the name that its steps have for it: `explore` asks whether they change
    /// anything else.
    pub fn serves(mut self, database: &Database) -> Self {
        self.resource = database.resource();
        self
    }

    /// A server that does not run.
    pub fn stopped(mut self) -> Self {
        self.cluster.stopped = true;
        self
    }

    /// The host, with this server and its programs on it.
    pub fn on(&self, host: SimHost) -> SimHost {
        let host = host.ignoring_state(NUMBERS).with_state(&self.resource, &self.cluster);
        let resource = self.resource.clone();
        programs::install(host.program(ENGINE, move |call: &mut Call<'_>| answer(call, &resource)), &self.resource)
    }

    /// The way to the server for the steps of a run.
    pub fn port() -> Port {
        Port::new(Wire)
    }

    /// What is in the server of a host now.
    pub fn look(&self, host: &SimHost) -> Cluster {
        host.state(&self.resource)
    }

    /// Changes what is in the server of a host, as somebody else would.
    pub fn edit(&self, host: &SimHost, change: impl FnOnce(&mut Cluster)) {
        let mut cluster = self.look(host);
        change(&mut cluster);
        let _ = host.clone().with_state(&self.resource, &cluster);
    }
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

/// The kind of the numbers of roles and databases, which are never given again.
const NUMBERS: &str = "postgres-numbers";

/// What stands for the server on its host, so that all it remembers lies there.
const ENGINE: &str = "simulated-postgres";

/// What a session sends to the server.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    login: Login,
    /// Nothing to ask: logging in.
    ask: Option<Ask>,
}

/// What the server answers.
#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Answer(Value),
    Refused(Refused),
    NobodyListens,
}

/// Works with the server of the host a program runs on.
fn with<T>(call: &mut Call<'_>, resource: &Resource, work: impl FnOnce(&mut Cluster) -> T) -> T {
    let numbers = Resource::new(NUMBERS, "given");
    let mut cluster: Cluster = call.state(resource);
    cluster.number(call.state(&numbers));
    let done = work(&mut cluster);
    call.set_state(&numbers, &cluster.numbers());
    call.set_state(resource, &cluster);
    done
}

fn answer(call: &mut Call<'_>, resource: &Resource) -> Output {
    let request = serde_json::from_slice::<Request>(call.input());
    let reply = request.map(|request| with(call, resource, |cluster| reply(cluster, &request)));
    match reply.and_then(|reply| serde_json::to_vec(&reply)) {
        Ok(reply) => Output::ok(reply),
        Err(error) => Output::failed(2, error.to_string()),
    }
}

fn reply(cluster: &mut Cluster, request: &Request) -> Reply {
    if cluster.stopped {
        return Reply::NobodyListens;
    }
    let answer = cluster.log_in(&request.login).and_then(|()| match &request.ask {
        Some(ask) => cluster.ask(&request.login, ask),
        None => Ok(Value::Null),
    });
    match answer {
        Ok(answer) => Reply::Answer(answer),
        Err(refused) => Reply::Refused(refused),
    }
}

/// Sessions with the server of the host of a step.
struct Wire;

struct Simulated {
    cx: Context,
    target: Target,
}

#[async_trait]
impl Server for Wire {
    async fn session(&self, cx: &Context, target: &Target, _: Option<&str>) -> Result<Box<dyn Session>> {
        let session = Simulated { cx: cx.clone(), target: target.clone() };
        session.send(None).await?;
        Ok(Box::new(session))
    }
}

impl Simulated {
    async fn send(&self, ask: Option<&Ask>) -> Result<Value> {
        let Target { user, name, password, .. } = &self.target;
        let login = Login { user: user.clone(), database: name.clone(), password: password.clone() };
        let request = serde_json::to_vec(&Request { login, ask: ask.cloned() })?;
        let output = self.cx.run(&Command::new(ENGINE).input(request)).await?;
        let reply = serde_json::from_slice(&output.stdout).context("read the answer of the simulated PostgreSQL")?;
        match reply {
            Reply::Answer(answer) => Ok(answer),
            Reply::Refused(Refused { code, message }) => Err(match SqlState::from_code(&code) {
                _ if code == cluster::NOT_SIMULATED => Error::new(message),
                state => refusal(&self.target, &message, &state),
            }),
            Reply::NobodyListens => Err(unreachable(&self.target, "Connection refused (os error 111)")),
        }
    }
}

#[async_trait]
impl Session for Simulated {
    async fn ask(&mut self, ask: &Ask) -> Result<Value> {
        self.send(Some(ask)).await
    }
}
