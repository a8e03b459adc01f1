//! Another machine, over SSH.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::elsewhere::{Elsewhere, Way, host_elsewhere, one_line};
use super::{Control, Exit, Process};
use crate::{Error, Result};

/// A machine reached with the `ssh` of this one: the user's configuration, agent, known hosts and jump hosts apply.
///
/// It connects when it is first used, and again when the connection was lost. The user's login shell there must be a
/// POSIX shell (or one that reads single quotes the same, like fish).
///
/// ```
/// use runbook_core::host::{Host as _, Ssh};
///
/// let web = Ssh::to("deploy@web-1").shared();
/// assert_eq!(web.name(), "deploy@web-1");
/// ```
#[derive(Debug, Clone)]
pub struct Ssh {
    settings: Settings,
    place: Elsewhere,
}

#[derive(Debug, Clone)]
struct Settings {
    destination: String,
    timeout: Duration,
    config: Option<PathBuf>,
}

#[derive(Debug)]
struct Connection {
    settings: Settings,
    session: Mutex<Option<Arc<Session>>>,
}

/// How long a connection that nobody uses is kept by the `ssh` in the background; a runner that was killed leaves it.
const IDLE: ControlPersist = match NonZeroUsize::new(600) {
    Some(seconds) => ControlPersist::IdleFor(seconds),
    None => ControlPersist::ClosedAfterInitialConnection,
};

impl Ssh {
    /// This destination, as `ssh` takes it: a name of the configuration, `user@host` or `ssh://user@host:port`.
    pub fn to(destination: impl Into<String>) -> Self {
        Self::by(Settings { destination: destination.into(), timeout: Duration::from_secs(15), config: None })
    }

    /// With this configuration file instead of that of the user.
    pub fn config(self, file: impl Into<PathBuf>) -> Self {
        Self::by(Settings { config: Some(file.into()), ..self.settings })
    }

    /// Waiting this long for the connection, instead of 15 seconds.
    pub fn connect_within(self, timeout: Duration) -> Self {
        Self::by(Settings { timeout, ..self.settings })
    }

    fn by(settings: Settings) -> Self {
        let way = Connection { settings: settings.clone(), session: Mutex::new(None) };
        Self { settings, place: Elsewhere::by(way) }
    }
}

impl Connection {
    /// The session, made when there is none.
    async fn session(&self) -> Result<Arc<Session>> {
        let mut session = self.session.lock().await;
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        let new = Arc::new(self.settings.connect().await?);
        *session = Some(new.clone());
        Ok(new)
    }

    /// Forgets a session that is lost, so that the next command connects again.
    async fn forget(&self, lost: &Arc<Session>) {
        let mut session = self.session.lock().await;
        if session.as_ref().is_some_and(|session| Arc::ptr_eq(session, lost)) {
            *session = None;
        }
    }
}

impl Settings {
    async fn connect(&self) -> Result<Session> {
        let mut builder = SessionBuilder::default();
        // `ssh` itself counts whole seconds, and only the time until the other side answers at all.
        builder.connect_timeout(Duration::from_secs(self.timeout.as_secs().max(1)));
        builder.known_hosts_check(KnownHosts::Strict).server_alive_interval(Duration::from_secs(15));
        builder.control_persist(IDLE);
        if let Some(config) = &self.config {
            builder.config_file(config);
        }
        let connecting = builder.connect_mux(&self.destination);
        match tokio::time::timeout(self.timeout + Duration::from_secs(5), connecting).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(self.no_connection(error)),
            Err(_) => {
                Err(Error::transient(format!("connect to `{}`", self.destination)).caused_by(Error::new("no answer")))
            }
        }
    }

    fn no_connection(&self, error: openssh::Error) -> Error {
        let passing = is_passing(&error);
        let failed = Error::new(format!("connect to `{}`", self.destination)).caused_by(error);
        if passing {
            return failed.kind_of(crate::ErrorKind::Transient);
        }
        failed.hint(format!("try `ssh -o BatchMode=yes {} true`: it must work without a question", self.destination))
    }
}

/// Whether trying again may help: the other side did not answer, or closed the door.
fn is_passing(error: &openssh::Error) -> bool {
    use std::io::ErrorKind as Io;
    let openssh::Error::Connect(cause) = error else { return false };
    matches!(cause.kind(), Io::ConnectionRefused | Io::ConnectionReset | Io::TimedOut)
}

#[async_trait]
impl Way for Connection {
    fn name(&self) -> &str {
        &self.settings.destination
    }

    async fn open(&self, words: &[OsString]) -> Result<Process> {
        let session = self.session().await?;
        match start(&session, words).await {
            Ok(process) => Ok(process),
            // Nothing ran yet when the connection turns out to be lost.
            Err(openssh::Error::Disconnected) => {
                self.forget(&session).await;
                start(&self.session().await?, words).await.map_err(|error| self.lost(error))
            }
            Err(error) => Err(self.lost(error)),
        }
    }
}

impl Connection {
    fn lost(&self, error: openssh::Error) -> Error {
        Error::transient(format!("start a command on `{}`", self.settings.destination)).caused_by(error)
    }
}

async fn start(session: &Arc<Session>, words: &[OsString]) -> Result<Process, openssh::Error> {
    let mut command = session.clone().arc_raw_command(one_line(words));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().await?;
    let streams = (child.stdin().take(), child.stdout().take(), child.stderr().take());
    let session = session.clone();
    let end = tokio::spawn(async move { exit_of(child.wait().await, &session).await });
    Ok(Process {
        stdin: streams.0.map(|stdin| Box::new(stdin) as _),
        stdout: streams.1.map(|stdout| Box::new(stdout) as _),
        stderr: streams.2.map(|stderr| Box::new(stderr) as _),
        control: Box::new(Remote { end }),
    })
}

host_elsewhere!(Ssh);

/// A command on the other machine. Its end is awaited apart, because it can be awaited only once.
struct Remote {
    end: JoinHandle<Result<Exit>>,
}

#[async_trait]
impl Control for Remote {
    async fn wait(&mut self) -> Result<Exit> {
        (&mut self.end).await?
    }

    /// The connection has no word for it; what is there is signalled there.
    async fn end(&mut self, _force: bool) {
        self.end.abort();
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.end.abort();
    }
}

/// The protocol of the multiplexer says neither which signal ended a command, nor whether it was a signal or the loss of
/// the connection; whether the connection is still there tells them apart.
async fn exit_of(ended: Result<std::process::ExitStatus, openssh::Error>, session: &Session) -> Result<Exit> {
    match ended {
        Ok(status) => Ok(status.code().map_or(Exit::Signal(status.signal().unwrap_or(0)), Exit::Code)),
        Err(openssh::Error::Remote(cause)) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Exit::Code(127)),
        Err(openssh::Error::RemoteProcessTerminated) if session.check().await.is_ok() => Ok(Exit::Signal(0)),
        Err(error) => {
            Err(Error::unknown("the connection was lost while a command ran: nobody knows how it ended")
                .caused_by(error))
        }
    }
}
