//! Asking the engine.

use std::time::Duration;

use runbook::command::Output;
use runbook::host::{Exit, Process};
use runbook::{Command, Context, Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::failure;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How often, and how soon, a command that collided with another is tried again.
const ATTEMPTS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(500);

/// `docker`, with these words.
pub(crate) fn docker<const N: usize>(words: [&str; N]) -> Command {
    Command::new("docker").args(words)
}

/// Runs a command, whose output is told line by line; one that fails is an error that says what Docker says.
pub(crate) async fn run(cx: &Context, command: &Command) -> Result<Output> {
    let output = cx.output(command).await?;
    if output.success() { Ok(output) } else { Err(failure::of(cx, command, &output)) }
}

/// Runs a command of Docker that changes containers. One that collides with another is tried again for a while: what a
/// runner left behind that was killed may still be at it.
pub(crate) async fn change(cx: &Context, command: &Command) -> Result<Output> {
    persist(cx, command, failure::is_collision).await
}

/// The same for a command of Compose, for which a container that has gone meanwhile is another collision.
pub(crate) async fn compose(cx: &Context, command: &Command) -> Result<Output> {
    persist(cx, command, |output| failure::is_collision(output) || failure::has_lost_a_container(output)).await
}

/// The same; one that fails is an error that says what Docker says.
pub(crate) async fn run_compose(cx: &Context, command: &Command) -> Result<Output> {
    let output = compose(cx, command).await?;
    if output.success() { Ok(output) } else { Err(failure::of(cx, command, &output)) }
}

async fn persist(cx: &Context, command: &Command, collides: fn(&Output) -> bool) -> Result<Output> {
    for _ in 1..ATTEMPTS {
        let output = cx.output(command).await?;
        if output.success() || !collides(&output) {
            return Ok(output);
        }
        cx.pause(BETWEEN).await?;
    }
    cx.output(command).await
}

/// Asks, and keeps the answer to itself: it may hold what is not for the log, and would fill it.
pub(crate) async fn ask(cx: &Context, command: &Command) -> Result<Output> {
    let output = answer(cx, command).await?;
    if output.success() { Ok(output) } else { Err(failure::of(cx, command, &output)) }
}

/// The same, whatever the exit code.
pub(crate) async fn answer(cx: &Context, command: &Command) -> Result<Output> {
    tokio::select! {
        biased;
        () = cx.cancelled() => Err(Error::of(ErrorKind::Stopped, "stopped, because the run is stopping")),
        answer = tokio::time::timeout(LIMIT, whole(cx, command)) => answer.unwrap_or_else(|_| {
            Err(Error::transient(format!("`{command}` on {} did not answer within {LIMIT:?}", cx.host().name())))
        }),
    }
}

async fn whole(cx: &Context, command: &Command) -> Result<Output> {
    let mut process = cx.host().start(command).await?;
    drop(process.stdin.take());
    let Process { stdout, stderr, control, .. } = &mut process;
    let (stdout, stderr) = tokio::join!(read(stdout.take()), read(stderr.take()));
    let (code, signal) = match control.wait().await? {
        Exit::Code(code) => (Some(code), None),
        Exit::Signal(signal) => (None, Some(signal)),
    };
    Ok(Output { code, signal, stdout, stderr, omitted: 0 })
}

/// All of a stream. One that breaks has ended.
async fn read(stream: Option<Box<dyn AsyncRead + Send + Unpin>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = stream.read_to_end(&mut bytes).await;
    }
    bytes
}

/// The lines of an answer, each of which is a value.
pub(crate) fn lines<T: serde::de::DeserializeOwned>(command: &Command, output: &Output) -> Result<Vec<T>> {
    let values = output.text()?.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
    values.collect::<Result<_, _>>().map_err(|error| {
        Error::unknown(format!("cannot read what `{}` says", command.program().display())).caused_by(error)
    })
}
