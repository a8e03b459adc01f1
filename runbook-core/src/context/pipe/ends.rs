//! Both ends of a pipeline.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::PIECE;
use super::stages::{Reader, Writer};
use crate::command::{Pipeline, Sink, Source, StageOutput};
use crate::context::capture::{Flow, Patience, bytes_of};
use crate::context::intake::Intake;
use crate::host::{Attributes, Draft, Host, Reading};
use crate::{Context, Result};

/// Where the bytes come from.
pub(super) enum Inlet<'a> {
    Bytes(Vec<u8>),
    File(Box<dyn Reading + 'a>),
}

impl<'a> Inlet<'a> {
    pub(super) async fn of(pipeline: &Pipeline, host: &'a Arc<dyn Host>) -> Result<Self> {
        match (&pipeline.source, pipeline.commands().next()) {
            (Some(Source::File(path)), _) => host.files().open(path).await.map(Self::File),
            (Some(Source::Bytes(bytes)), _) => Ok(Self::Bytes(bytes.clone())),
            (None, Some(first)) => bytes_of(&first.input).map(Self::Bytes),
            (None, None) => Ok(Self::Bytes(Vec::new())),
        }
    }

    async fn next(&mut self) -> Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(std::mem::take(bytes)),
            Self::File(reading) => reading.next().await,
        }
    }

    /// Feeds the first stage. One that does not read everything has its reasons, and its exit code tells.
    pub(super) async fn feed(mut self, to: Option<Writer>, flow: &Flow) -> Result<()> {
        let Some(mut to) = to else { return Ok(()) };
        loop {
            let piece = self.next().await?;
            if piece.is_empty() || to.write_all(&piece).await.is_err() {
                let _ = to.shutdown().await;
                return Ok(());
            }
            flow.moved();
        }
    }

    /// Without any stage, the sink gets what the source gives.
    pub(super) async fn into_sink(mut self, sink: &mut Outlet<'_>, flow: &Flow) -> Result<()> {
        loop {
            let piece = self.next().await?;
            if piece.is_empty() {
                return Ok(());
            }
            sink.put(&piece).await?;
            flow.moved();
        }
    }
}

/// Where the bytes go.
pub(super) enum Outlet<'a> {
    Capture(Intake<'a>),
    File(Box<dyn Draft + 'a>),
}

impl<'a> Outlet<'a> {
    pub(super) async fn of(sink: &Sink, host: &'a Arc<dyn Host>, cx: &'a Context) -> Result<Self> {
        match sink {
            Sink::Capture => Ok(Self::Capture(Intake::new(cx, false))),
            Sink::File(path, mode) => host.files().create(path, &Attributes::mode(*mode)).await.map(Self::File),
        }
    }

    /// Whether it is fine when not everything arrives.
    pub(super) fn may_be_cut(&self) -> bool {
        matches!(self, Self::Capture(_))
    }

    pub(super) fn patience(&self) -> Patience {
        if self.may_be_cut() { Patience::Brief } else { Patience::Long }
    }

    /// Takes what the last stage prints, to the end.
    pub(super) async fn take(&mut self, from: Option<Reader>, flow: &Flow) -> Result<()> {
        match self {
            Self::Capture(intake) => intake.drain(from, flow).await,
            Self::File(draft) => {
                let Some(mut from) = from else { return Ok(()) };
                let mut piece = Vec::with_capacity(PIECE);
                while let Ok(1..) = from.read_buf(&mut piece).await {
                    draft.write(&piece).await?;
                    flow.moved();
                    piece.clear();
                }
            }
        }
        Ok(())
    }

    async fn put(&mut self, piece: &[u8]) -> Result<()> {
        match self {
            Self::Capture(intake) => intake.take(piece),
            Self::File(draft) => draft.write(piece).await?,
        }
        Ok(())
    }

    /// Keeps what was written if all went well, and nothing of it if not.
    pub(super) async fn end(self, verdict: Result<Vec<StageOutput>>) -> Result<Vec<StageOutput>> {
        match (self, verdict) {
            (Self::Capture(intake), Ok(mut outputs)) => {
                if let Some(last) = outputs.last_mut() {
                    let kept = intake.finish();
                    last.output.omitted = kept.omitted();
                    last.output.stdout = kept.into_bytes();
                }
                Ok(outputs)
            }
            (Self::File(draft), Ok(outputs)) => draft.keep().await.map(|()| outputs),
            (Self::Capture(_), Err(error)) => Err(error),
            (Self::File(draft), Err(error)) => {
                draft.discard().await;
                Err(error)
            }
        }
    }
}
