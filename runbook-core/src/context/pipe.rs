//! Running pipelines: every stage at once, every link in constant memory, every status looked at.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{FutureExt as _, join_all};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use self::ends::{Inlet, Outlet};
use self::stages::{Reader, Stages, Streams, Writer};
use super::capture::{Fate, Flow, live, unless_stopped};
use super::intake::{Intake, Kept};
use super::{Context, stopped};
use crate::command::{Command, Input, Pipeline, StageOutput};
use crate::event::What;
use crate::host::Host;
use crate::{Error, ErrorKind, Result};

mod ends;
mod stages;

/// How much goes over a link at once: as much as a pipe holds.
const PIECE: usize = 64 * 1024;

pub(super) async fn run(cx: &Context, pipeline: &Pipeline) -> Result<Vec<StageOutput>> {
    check(pipeline)?;
    if cx.is_cancelled() {
        return Err(stopped());
    }
    let hosts = (host_of(cx, pipeline.stages.first()), host_of(cx, pipeline.stages.last()));
    cx.emit(What::CommandBegan { key: cx.key().clone(), command: pipeline.to_string() });
    let begin = async {
        let source = Inlet::of(pipeline, &hosts.0).await?;
        let sink = Outlet::of(&pipeline.sink, &hosts.1, cx).await?;
        Ok((source, sink, Stages::start(cx, pipeline).await?))
    };
    let (source, mut sink, mut stages) = unless_stopped(cx, begin).await?;
    let verdict = flow(cx, pipeline, source, &mut stages, &mut sink).await;
    sink.end(verdict).await
}

/// What a pipeline cannot be.
fn check(pipeline: &Pipeline) -> Result<()> {
    for (n, command) in pipeline.commands().enumerate() {
        let is_fed = n > 0 || pipeline.source.is_some();
        if is_fed && command.input != Input::Nothing {
            return Err(Error::new(format!("`{command}` has an input of its own, and reads from the pipeline too")));
        }
        if command.is_detached() {
            return Err(Error::new(format!("`{command}` is detached, and cannot be a part of a pipeline")));
        }
    }
    Ok(())
}

fn host_of(cx: &Context, stage: Option<&(Option<Arc<dyn Host>>, Command)>) -> Arc<dyn Host> {
    stage.and_then(|(host, _)| host.clone()).unwrap_or_else(|| cx.host().clone())
}

/// Lets everything flow until all stages have ended, and says how they did.
async fn flow(
    cx: &Context,
    pipeline: &Pipeline,
    source: Inlet<'_>,
    stages: &mut Stages,
    sink: &mut Outlet<'_>,
) -> Result<Vec<StageOutput>> {
    let flow = Flow::default();
    let deadline = stages.deadline();
    let streams = stages.take_streams();
    let mut complaints: Vec<Intake<'_>> = streams.errors.iter().map(|_| Intake::new(cx, true)).collect();
    let (mut trouble, patience) = (Ok(()), sink.patience());
    let (fate, is_complete) = {
        let streams = async { trouble = carry_all(streams, source, sink, &mut complaints, &flow).await };
        live(cx, stages, deadline, pin!(streams.fuse()), &flow, patience).await
    };
    let complaints: Vec<Kept> = complaints.into_iter().map(Intake::finish).collect();
    match fate? {
        Fate::Stopped => Err(Error::of(ErrorKind::Stopped, format!("`{pipeline}` was ended: the run is stopping"))),
        Fate::TooLong(limit) => Err(stages.too_long(limit, complaints)),
        Fate::Ended(_) => {
            // An end that broke makes stages fail, too.
            trouble?;
            let outputs = stages.verdict(pipeline, complaints)?;
            // For a file, an output that something holds open is not known to be whole.
            if is_complete || sink.may_be_cut() { Ok(outputs) } else { Err(held_open(pipeline)) }
        }
    }
}

fn held_open(pipeline: &Pipeline) -> Error {
    Error::new(format!("`{pipeline}` ended, but something it left in the background still holds its output open"))
}

/// Moves everything along: from the source over every link into the sink, and what the stages complain of.
async fn carry_all(
    streams: Streams,
    source: Inlet<'_>,
    sink: &mut Outlet<'_>,
    complaints: &mut [Intake<'_>],
    flow: &Flow,
) -> Result<()> {
    let errors = streams.errors.into_iter().zip(complaints).map(|(stream, intake)| intake.drain(stream, flow));
    if streams.first.is_none() {
        return source.into_sink(sink, flow).await;
    }
    let between = streams.between.into_iter().map(|(from, to)| carry(from, to, flow));
    let (fed, taken, _, _) = tokio::join!(
        source.feed(streams.first, flow),
        sink.take(streams.last, flow),
        join_all(between),
        join_all(errors),
    );
    taken.and(fed)
}

/// Carries bytes from one stage to the next. Whatever breaks shows in the status of a stage.
async fn carry(from: Option<Reader>, to: Option<Writer>, flow: &Flow) {
    let (Some(mut from), Some(mut to)) = (from, to) else { return };
    let mut piece = Vec::with_capacity(PIECE);
    while let Ok(1..) = from.read_buf(&mut piece).await {
        if to.write_all(&piece).await.is_err() {
            return;
        }
        flow.moved();
        piece.clear();
    }
    let _ = to.shutdown().await;
}
