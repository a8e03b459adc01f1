//! The port to PostgreSQL, and the real one.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use runbook::{Context, Error, ErrorKind, Explain as _, Result};
use serde_json::Value;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use super::encryption::Encrypt;
use super::url::Tls;
use super::wire::{self, Bridge};
use super::{Ask, Target};

/// A way to talk to PostgreSQL servers.
#[async_trait]
pub trait Server: Send + Sync {
    /// Logs in, from the host of the context, there as this user where one is named.
    async fn session(&self, cx: &Context, target: &Target, os_user: Option<&str>) -> Result<Box<dyn Session>>;
}

/// A session of one role in one database. It ends when it is dropped.
#[async_trait]
pub trait Session: Send + Sync {
    /// Asks something; the answer is JSON, null for an order.
    async fn ask(&mut self, ask: &Ask) -> Result<Value>;
}

/// What a program hands to its steps to talk to PostgreSQL in its own way: `runner.port(postgres::Port::new(server))`.
#[derive(Clone)]
pub struct Port(Arc<dyn Server>);

impl Port {
    /// A port to this.
    pub fn new(server: impl Server + 'static) -> Self {
        Self(Arc::new(server))
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Port")
    }
}

/// Logs in: through the port the program was given, else for real. Ends early when the run is stopped.
pub(super) async fn session(cx: &Context, target: &Target, os_user: Option<&str>) -> Result<Box<dyn Session>> {
    let port = cx.port::<Port>();
    let server: &dyn Server = match &port {
        Some(port) => &*port.0,
        None => &Real,
    };
    tokio::select! {
        session = server.session(cx, target, os_user) => session,
        () = cx.cancelled() => Err(Error::of(ErrorKind::Stopped, format!("logging in to `{target}` was stopped"))),
    }
}

/// Servers over the wire.
pub(crate) struct Real;

struct RealSession {
    client: Client,
    target: Target,
    cx: Context,
}

/// Settings that the text of a value depends on, so that one hash means the same everywhere; and nothing that a role
/// was given as its search path may come between a name and its table.
const SETTINGS: &str = "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; \
    SET extra_float_digits = 1; SET bytea_output = 'hex'; SET standard_conforming_strings = on; \
    SET search_path = public";

#[async_trait]
impl Server for Real {
    async fn session(&self, cx: &Context, target: &Target, os_user: Option<&str>) -> Result<Box<dyn Session>> {
        let wire = wire::open(cx, target, os_user).await?;
        let mut config = Config::new();
        config.user(&target.user).dbname(&target.name).application_name("runbook");
        if let Some(password) = &target.password {
            config.password(password);
        }
        config.ssl_mode(match target.tls {
            // A socket does not leave the machine.
            _ if target.is_socket() => SslMode::Disable,
            Tls::Never => SslMode::Disable,
            Tls::Prefer => SslMode::Prefer,
            Tls::Require | Tls::Verify => SslMode::Require,
        });
        let mut bridge = wire.bridge;
        let encrypt = Encrypt::of(target.tls, &target.host)?;
        let (client, connection) = match config.connect_raw(wire.stream, encrypt).await {
            Ok(both) => both,
            Err(error) => return Err(refused(target, &error, bridge.as_mut()).await),
        };
        tokio::spawn(async move {
            let _ = connection.await;
            end(bridge).await;
        });
        client.batch_execute(SETTINGS).await.map_err(|error| failure(target, &error))?;
        Ok(Box::new(RealSession { client, target: target.clone(), cx: cx.clone() }))
    }
}

async fn end(bridge: Option<Bridge>) {
    if let Some(mut bridge) = bridge {
        bridge.control.end(false).await;
    }
}

async fn refused(target: &Target, error: &tokio_postgres::Error, bridge: Option<&mut Bridge>) -> Error {
    if error.as_db_error().is_none()
        && let Some(bridge) = bridge
    {
        let said = bridge.said().await;
        if !said.is_empty() {
            return wire::unreachable(target, &said);
        }
    }
    failure(target, error)
}

/// What a state of SQL means, and what to do about it.
const MEANINGS: &[(SqlState, ErrorKind, &str)] = &[
    (SqlState::CANNOT_CONNECT_NOW, ErrorKind::Transient, "the server is starting, or stopping"),
    (SqlState::ADMIN_SHUTDOWN, ErrorKind::Transient, "the session was ended by an administrator"),
    (SqlState::TOO_MANY_CONNECTIONS, ErrorKind::Transient, "see `postgres::activity` for who holds them"),
    (SqlState::OBJECT_IN_USE, ErrorKind::Transient, "end the sessions in it: `postgres::terminate_connections`"),
    (SqlState::DISK_FULL, ErrorKind::Failed, "free some space on the database's disk"),
    (SqlState::INVALID_PASSWORD, ErrorKind::Failed, "is the password the one of this role?"),
    (
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        ErrorKind::Failed,
        "does the role exist, and does pg_hba.conf let it in?",
    ),
    (SqlState::INVALID_CATALOG_NAME, ErrorKind::Failed, "make it with `postgres::provision`"),
    (SqlState::INSUFFICIENT_PRIVILEGE, ErrorKind::Failed, "name a role that may: `database.administered_by(&admin)`"),
];

pub(super) fn failure(target: &Target, error: &tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(error) => said(target, error),
        // Nobody knows what became of an order whose connection broke.
        None => Error::unknown(format!("the connection to `{target}` broke")).caused_by(Error::new(chain(error))),
    }
}

fn chain(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn said(target: &Target, error: &DbError) -> Error {
    let new = refusal(target, error.message(), error.code()).details(error.detail());
    match error.hint() {
        Some(hint) if new.advice().is_none() => new.hint(hint),
        _ => new,
    }
}

/// What the server says no with, in our words.
pub(super) fn refusal(target: &Target, message: &str, code: &SqlState) -> Error {
    let new = Error::new(format!("`{target}`: {message} ({})", code.code()));
    match MEANINGS.iter().find(|(state, ..)| state == code) {
        Some((_, kind, hint)) => new.kind_of(*kind).hint(*hint),
        None => new,
    }
}

#[async_trait]
impl Session for RealSession {
    async fn ask(&mut self, ask: &Ask) -> Result<Value> {
        let mut answer = None;
        for statement in ask.statements()? {
            let messages = tokio::select! {
                messages = self.client.simple_query(&statement) => messages,
                () = self.cx.cancelled() => return Err(Error::of(ErrorKind::Stopped, "a query was stopped")),
            };
            let messages = messages.map_err(|error| failure(&self.target, &error))?;
            answer = messages.into_iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
        }
        match answer {
            Some(json) => serde_json::from_str(&json).with_context(|| format!("read what `{}` answers", self.target)),
            None => Ok(Value::Null),
        }
    }
}
