//! Another machine, over SSH.

use std::ffi::OsString;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use async_trait::async_trait;
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{Mutex, oneshot};
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
        // In a directory of its own that only this user can enter. A user of a service may have no home to put it.
        builder.control_directory(std::env::temp_dir());
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
    use io::ErrorKind as Io;
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
    let stdin = child.stdin().take().map(|stdin| Box::new(stdin) as _);
    let (stdout, stdout_ended) = Watched::new(child.stdout().take());
    let (stderr, stderr_ended) = Watched::new(child.stderr().take());
    let session = session.clone();
    let end = tokio::spawn(async move {
        // Neither sends anything: that the other half is gone is the message.
        let _ = (stdout_ended.await, stderr_ended.await);
        exit_of(child.wait().await, &session).await
    });
    Ok(Process {
        stdin,
        stdout: Some(Box::new(stdout)),
        stderr: Some(Box::new(stderr)),
        control: Box::new(Remote { end, ended: None }),
    })
}

host_elsewhere!(Ssh);

/// A command on the other machine. Its end is awaited apart, because it can be awaited only once.
struct Remote {
    end: JoinHandle<Result<Exit>>,
    ended: Option<Result<Exit>>,
}

#[async_trait]
impl Control for Remote {
    async fn wait(&mut self) -> Result<Exit> {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let ended = (&mut self.end).await.unwrap_or_else(|error| Err(error.into()));
        self.ended = Some(ended.clone());
        ended
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

/// A stream that lets it be known when it ended, or nobody reads it any more.
///
/// The exit code may be asked for only then: with the answer, the client closes its connection to the multiplexer, and
/// the multiplexer throws away what is still on its way (openssh#103). So a command that left something in the
/// background with its output open is waited for, like `ssh` itself does; one that is detached is not.
struct Watched<R> {
    stream: Option<R>,
    ended: Option<oneshot::Sender<()>>,
}

impl<R> Watched<R> {
    fn new(stream: Option<R>) -> (Self, oneshot::Receiver<()>) {
        let (ended, end) = oneshot::channel();
        (Self { stream, ended: Some(ended) }, end)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(Ok(())) };
        let before = buffer.filled().len();
        let polled = Pin::new(stream).poll_read(cx, buffer);
        let goes_on = polled.is_pending() || buffer.filled().len() > before || buffer.remaining() == 0;
        if !goes_on {
            (this.stream, this.ended) = (None, None);
        }
        polled
    }
}

/// The protocol of the multiplexer says neither which signal ended a command, nor whether it was a signal or the loss of
/// the connection; whether the connection is still there tells them apart.
async fn exit_of(ended: Result<std::process::ExitStatus, openssh::Error>, session: &Session) -> Result<Exit> {
    match ended {
        Ok(status) => Ok(status.code().map_or(Exit::Signal(status.signal().unwrap_or(0)), Exit::Code)),
        Err(openssh::Error::Remote(cause)) if cause.kind() == io::ErrorKind::NotFound => Ok(Exit::Code(127)),
        Err(openssh::Error::RemoteProcessTerminated) if session.check().await.is_ok() => Ok(Exit::Signal(0)),
        Err(error) => {
            Err(Error::unknown("the connection was lost while a command ran: nobody knows how it ended")
                .caused_by(error))
        }
    }
}
