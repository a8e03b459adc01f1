//! Running a command to its end: capture in bounded memory, deadlines, redaction, line events.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{FusedFuture, FutureExt as _};
use jiff::SignedDuration;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::intake::{Intake, Kept};
use super::{Context, stopped};
use crate::command::{Command, Input, Output, Pipeline, StageOutput};
use crate::event::What;
use crate::host::{Control, Exit};
use crate::{Error, ErrorKind, Result};

/// How long a process group that was asked to end may take, before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How long the pipes of a process that ended are still read: something it left in the background may hold them open
/// for ever.
const LINGER: Duration = Duration::from_secs(1);

pub(super) async fn run(cx: &Context, command: &Command) -> Result<Output> {
    if cx.is_cancelled() {
        return Err(stopped());
    }
    let input = bytes_of(&command.input)?;
    cx.emit(What::CommandBegan { key: cx.key.clone(), command: command.to_string() });
    let mut process = cx.host.start(command).await?;
    let (mut stdout, mut stderr) = (Intake::new(cx, false), Intake::new(cx, true));
    let fate = {
        let feed = feed(process.stdin.take(), input);
        let drains = (stdout.drain(process.stdout.take()), stderr.drain(process.stderr.take()));
        let streams = async { _ = tokio::join!(feed, drains.0, drains.1) };
        live(cx, &mut *process.control, command.deadline, pin!(streams.fuse())).await
    };
    let (stdout, stderr) = (stdout.finish(), stderr.finish());
    match fate? {
        Fate::Ended(exit) => Ok(output(exit, stdout, stderr)),
        Fate::Stopped => Err(Error::of(ErrorKind::Stopped, format!("`{command}` was ended: the run is stopping"))),
        Fate::TooLong(limit) => Err(too_long(cx, command, limit, &output(Exit::Signal(15), stdout, stderr))),
    }
}

pub(super) async fn pipe(_cx: &Context, _pipeline: &Pipeline) -> Result<Vec<StageOutput>> {
    todo!()
}

fn too_long(cx: &Context, command: &Command, limit: Duration, output: &Output) -> Error {
    let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
    let message = format!("`{command}` on {} was ended: it ran longer than {limit:#}", cx.host.name());
    Error::new(message).details(output.tail(10))
}

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ended(Exit),
    Stopped,
    TooLong(Duration),
}

/// Waits for the end of a process while its streams flow, and ends it when it has to be ended. Nothing of it runs
/// when this returns, unless it ended by itself and left something in the background.
async fn live(
    cx: &Context,
    control: &mut dyn Control,
    deadline: Option<Duration>,
    mut streams: impl FusedFuture<Output = ()> + Unpin,
) -> Result<Fate> {
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
    let fate = while_flowing(&mut streams, fate).await?;
    if !matches!(fate, Fate::Ended(_)) {
        while_flowing(&mut streams, end(control)).await;
    }
    if !streams.is_terminated() {
        let _ = timeout(LINGER, streams).await;
    }
    Ok(fate)
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

fn bytes_of(input: &Input) -> Result<Vec<u8>> {
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

fn output(exit: Exit, stdout: Kept, stderr: Kept) -> Output {
    let (code, signal) = match exit {
        Exit::Code(code) => (Some(code), None),
        Exit::Signal(signal) => (None, Some(signal)),
    };
    let omitted = stdout.omitted();
    let stderr = stderr.into_bytes_that_say_what_is_missing();
    Output { code, signal, stdout: stdout.into_bytes(), stderr, omitted }
}
