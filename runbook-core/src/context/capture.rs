//! Running a command to its end: capture in bounded memory, deadlines, redaction, line events.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{FusedFuture, FutureExt as _};
use jiff::SignedDuration;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::intake::{Intake, Kept};
use super::{Context, stopped};
use crate::command::{Command, Input, Output};
use crate::event::What;
use crate::host::{Control, Exit};
use crate::{Error, ErrorKind, Result};

/// How long a process group that was asked to end may take, before it is killed.
const GRACE: Duration = if cfg!(test) { Duration::from_millis(800) } else { Duration::from_secs(5) };
pub(super) async fn run(cx: &Context, command: &Command) -> Result<Output> {
    if cx.is_cancelled() {
        return Err(stopped());
    }
    let input = bytes_of(&command.input)?;
    let (mut stdout, mut stderr) = (Intake::new(cx, false), Intake::new(cx, true));
    cx.emit(What::CommandBegan { key: cx.key().clone(), command: command.to_string() });
    let mut process = unless_stopped(cx, cx.host().start(command)).await?;
    let flow = Flow::default();
    let (fate, _) = {
        let feed = feed(process.stdin.take(), input);
        let drains = (stdout.drain(process.stdout.take(), &flow), stderr.drain(process.stderr.take(), &flow));
        let streams = async { _ = tokio::join!(feed, drains.0, drains.1) };
        live(cx, &mut *process.control, command.deadline, pin!(streams.fuse()), &flow, Patience::Brief).await
    };
    let (stdout, stderr) = (stdout.finish(), stderr.finish());
    match fate? {
        Fate::Ended(exit) => Ok(output(exit, stdout, stderr)),
        Fate::Stopped => Err(Error::of(ErrorKind::Stopped, format!("`{command}` was ended: the run is stopping"))),
        Fate::TooLong(limit) => {
            Err(too_long(cx.host().name(), command, limit, &output(Exit::Signal(0), stdout, stderr)))
        }
    }
}

/// Does this unless the run stops: a host that cannot be reached must not hold it up.
pub(super) async fn unless_stopped<T>(cx: &Context, what: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        () = cx.cancelled() => Err(stopped()),
        done = what => done,
    }
}

pub(super) fn too_long(host: &str, command: &Command, limit: Duration, output: &Output) -> Error {
    let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
    Error::new(format!("`{command}` on {host} was ended: it ran longer than {limit:#}")).details(output.tail(10))
}

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Ended(Exit),
    Stopped,
    TooLong(Duration),
}

/// Counts what moves through streams.
#[derive(Debug, Default)]
pub(super) struct Flow(AtomicU64);

impl Flow {
    pub(super) fn moved(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How long the streams of a process that ended are still read: something it left in the background may hold them
/// open for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// A second of silence, at most five in all: for people's eyes.
    Brief,
    /// Half a minute of silence: every byte counts.
    Long,
}

impl Patience {
    /// Lets the streams flow to their end, and says whether they got there.
    async fn exhaust(self, mut streams: impl FusedFuture<Output = ()> + Unpin, flow: &Flow) -> bool {
        let (silence, times) = match self {
            Self::Brief => (Duration::from_secs(1), 5),
            Self::Long => (Duration::from_secs(30), u32::MAX),
        };
        for _ in 0..times {
            let before = flow.0.load(Ordering::Relaxed);
            if streams.is_terminated() || timeout(silence, &mut streams).await.is_ok() {
                return true;
            }
            if flow.0.load(Ordering::Relaxed) == before {
                return false;
            }
        }
        false
    }
}

/// Waits for the end of a process while its streams flow, and ends it when it has to be ended. Says what became of it
/// and whether its streams came to their end. Nothing of it runs when this returns, unless it ended by itself and left
/// something in the background.
pub(super) async fn live(
    cx: &Context,
    control: &mut dyn Control,
    deadline: Option<Duration>,
    mut streams: impl FusedFuture<Output = ()> + Unpin,
    flow: &Flow,
    patience: Patience,
) -> (Result<Fate>, bool) {
    let too_long = async {
        match deadline {
            Some(limit) => sleep(limit).await,
            None => pending().await,
        }
    };
    let fate = async {
        tokio::select! {
            biased;
            exit = control.wait() => exit.map(Fate::Ended),
            () = cx.cancelled() => Ok(Fate::Stopped),
            () = too_long => Ok(Fate::TooLong(deadline.unwrap_or_default())),
        }
    };
    let fate = while_flowing(&mut streams, fate).await;
    if !matches!(fate, Ok(Fate::Ended(_))) {
        while_flowing(&mut streams, end(control)).await;
    }
    (fate, patience.exhaust(streams, flow).await)
}

/// Awaits something while the streams flow: a process whose output nobody takes does not end.
async fn while_flowing<T>(streams: &mut (impl FusedFuture<Output = ()> + Unpin), what: impl Future<Output = T>) -> T {
    let mut what = pin!(what);
    loop {
        tokio::select! {
            biased;
            done = &mut what => return done,
            () = &mut *streams, if !streams.is_terminated() => {}
        }
    }
}

/// Asks the process group to end, and kills it when it does not.
async fn end(control: &mut dyn Control) {
    control.end(false).await;
    if timeout(GRACE, control.wait()).await.is_err() {
        control.end(true).await;
        let _ = timeout(GRACE, control.wait()).await;
    }
}

pub(super) fn bytes_of(input: &Input) -> Result<Vec<u8>> {
    match input {
        Input::Nothing => Ok(Vec::new()),
        Input::Bytes(bytes) => Ok(bytes.clone()),
        Input::Secret(secret) => secret.expose().map(String::into_bytes),
    }
}

/// Writes the input and closes it. A program that does not read all of it has its reasons, and its exit code tells.
async fn feed(stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>, input: Vec<u8>) {
    if let Some(mut stdin) = stdin
        && !input.is_empty()
        && stdin.write_all(&input).await.is_ok()
    {
        let _ = stdin.shutdown().await;
    }
}

pub(super) fn output(exit: Exit, stdout: Kept, stderr: Kept) -> Output {
    let (code, signal) = match exit {
        Exit::Code(code) => (Some(code), None),
        Exit::Signal(signal) => (None, Some(signal)),
    };
    let omitted = stdout.omitted();
    let stderr = stderr.into_bytes_that_say_what_is_missing();
    Output { code, signal, stdout: stdout.into_bytes(), stderr, omitted }
}
