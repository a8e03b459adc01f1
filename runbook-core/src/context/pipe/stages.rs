//! The stages of a pipeline, started, ended and judged together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use tokio::io::{AsyncRead, AsyncWrite};

use super::host_of;
use crate::command::{Command, Output, Pipeline, StageOutput};
use crate::context::capture::{output, too_long};
use crate::context::intake::Kept;
use crate::host::{Control, Exit, Process};
use crate::{Context, Error, Result};

pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// The signal of a process that writes to one that is gone, and how a shell counts it.
const SIGPIPE: i32 = 13;
const SIGPIPE_CODE: i32 = 128 + SIGPIPE;

/// All stages; as a whole, they are waited for and ended like one process.
pub(super) struct Stages(Vec<Stage>);

struct Stage {
    command: Command,
    host: String,
    process: Process,
    exit: Option<Exit>,
    /// How many stages ended before it did: of all that went wrong, the first is the cause.
    rank: usize,
}

/// The streams of all stages.
pub(super) struct Streams {
    pub(super) first: Option<Writer>,
    pub(super) between: Vec<(Option<Reader>, Option<Writer>)>,
    pub(super) last: Option<Reader>,
    pub(super) errors: Vec<Option<Reader>>,
}

impl Stages {
    pub(super) async fn start(cx: &Context, pipeline: &Pipeline) -> Result<Self> {
        let mut stages = Vec::new();
        for stage in &pipeline.stages {
            let (host, command) = (host_of(cx, Some(stage)), stage.1.clone());
            let process = host.start(&command).await?;
            stages.push(Stage { command, host: host.name().to_owned(), process, exit: None, rank: 0 });
        }
        Ok(Self(stages))
    }

    pub(super) fn take_streams(&mut self) -> Streams {
        let mut writers: Vec<_> = self.0.iter_mut().map(|stage| stage.process.stdin.take()).collect();
        let mut readers: Vec<_> = self.0.iter_mut().map(|stage| stage.process.stdout.take()).collect();
        let errors = self.0.iter_mut().map(|stage| stage.process.stderr.take()).collect();
        let last = readers.pop().flatten();
        let first = if writers.is_empty() { None } else { writers.remove(0) };
        Streams { first, between: readers.into_iter().zip(writers).collect(), last, errors }
    }

    /// The first deadline of any stage.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.0.iter().filter_map(|stage| stage.command.deadline).min()
    }

    pub(super) fn too_long(&self, limit: Duration, complaints: Vec<Kept>) -> Error {
        let mut stages = self.0.iter().zip(complaints);
        let stage = stages.find(|(stage, _)| stage.command.deadline == Some(limit));
        let Some((stage, complaints)) = stage else { return Error::new("a stage of a pipeline ran too long") };
        too_long(&stage.host, &stage.command, limit, &stage.output(complaints))
    }

    /// How every stage ended, if all ended well.
    pub(super) fn verdict(&self, pipeline: &Pipeline, complaints: Vec<Kept>) -> Result<Vec<StageOutput>> {
        let stages: Vec<(&Stage, Output)> =
            self.0.iter().zip(complaints).map(|(stage, complaints)| (stage, stage.output(complaints))).collect();
        let bad = || stages.iter().enumerate().filter(|(_, (stage, output))| !stage.is_well(output));
        // One that wrote to a stage that was gone is a consequence.
        let Some((n, (stage, output))) = bad().min_by_key(|(_, (stage, output))| (is_sigpipe(output), stage.rank))
        else {
            let output = |(stage, output): (&Stage, Output)| StageOutput { command: stage.command.to_string(), output };
            return Ok(stages.into_iter().map(output).collect());
        };
        let error = Error::new(format!("`{pipeline}` failed"));
        let others = bad().filter(|(other, _)| *other != n).map(|(other, (stage, output))| stage.says(other, output));
        Err(error.caused_by(Error::new(stage.says(n, output))).details(output.tail(10)).details(others))
    }
}

impl Stage {
    fn output(&self, complaints: Kept) -> Output {
        output(self.exit.unwrap_or(Exit::Signal(0)), Kept::default(), complaints)
    }

    fn is_well(&self, output: &Output) -> bool {
        let code = if is_sigpipe(output) { Some(SIGPIPE_CODE) } else { output.code };
        code.is_some_and(|code| self.command.accepts(code))
    }

    fn says(&self, n: usize, output: &Output) -> String {
        format!("stage {}, `{}` on {}, {}", n + 1, self.command, self.host, output.ending())
    }
}

fn is_sigpipe(output: &Output) -> bool {
    output.signal == Some(SIGPIPE) || output.code == Some(SIGPIPE_CODE)
}

#[async_trait]
impl Control for Stages {
    /// Until all have ended; the exit is that of the last.
    async fn wait(&mut self) -> Result<Exit> {
        let ended = AtomicUsize::new(self.0.iter().filter(|stage| stage.exit.is_some()).count());
        let exits = try_join_all(self.0.iter_mut().map(async |stage| {
            let exit = stage.process.control.wait().await?;
            if stage.exit.replace(exit).is_none() {
                stage.rank = ended.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Error>(exit)
        }))
        .await?;
        Ok(exits.last().copied().unwrap_or(Exit::Code(0)))
    }

    async fn end(&mut self, force: bool) {
        join_all(self.0.iter_mut().map(|stage| stage.process.control.end(force))).await;
    }
}
