//! Files of a place, piece by piece, through `cat`.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Elsewhere;
use super::errand;
use super::files::{KEEP, words};
use crate::host::local::beside;
use crate::host::{Attributes, Draft, Process, Reading};
use crate::{Error, Result};

/// How much is read at once.
const PIECE: usize = 64 * 1024;

pub(super) struct FarReading<'a> {
    place: &'a Elsewhere,
    path: PathBuf,
    process: Option<Process>,
}

impl<'a> FarReading<'a> {
    pub(super) async fn begin(place: &'a Elsewhere, path: &Path) -> Result<Self> {
        let mut process = place.script(r#"exec cat -- "$1""#, &[path.as_ref()]).await?;
        // It reads nothing, and an input that is open keeps a connection busy.
        process.stdin = None;
        Ok(Self { place, path: path.to_owned(), process: Some(process) })
    }
}

#[async_trait]
impl Reading for FarReading<'_> {
    async fn next(&mut self) -> Result<Vec<u8>> {
        let mut piece = Vec::with_capacity(PIECE);
        if let Some(stdout) = self.process.as_mut().and_then(|process| process.stdout.as_mut()) {
            stdout.read_buf(&mut piece).await?;
        }
        // A stream that is at its end may have broken off: only the exit code tells.
        if piece.is_empty()
            && let Some(process) = self.process.take()
        {
            errand::run(process, b"").await?.done(|| self.place.doing("read", &self.path))?;
        }
        Ok(piece)
    }
}

pub(super) struct FarDraft<'a> {
    place: &'a Elsewhere,
    path: PathBuf,
    beside: PathBuf,
    attributes: Attributes,
    process: Option<Process>,
    size: u64,
}

impl<'a> FarDraft<'a> {
    pub(super) async fn begin(place: &'a Elsewhere, path: &Path, attributes: &Attributes) -> Result<Self> {
        let beside = beside(path);
        // Opened by a command of its own, so that a place that cannot be written is known before anything is sent.
        place.act("write", path, r#"umask 077; : >"$1""#, &[beside.as_ref()], b"").await?;
        let process = place.script(r#"exec cat >>"$1""#, &[beside.as_ref()]).await?;
        Ok(Self {
            place,
            path: path.to_owned(),
            beside,
            attributes: attributes.clone(),
            process: Some(process),
            size: 0,
        })
    }

    /// Ends the input, and waits until all of it is in the file.
    async fn close(&mut self) -> Result<()> {
        let Some(process) = self.process.take() else { return Ok(()) };
        errand::run(process, b"").await?.done(|| self.place.doing("write", &self.path)).map(drop)
    }
}

#[async_trait]
impl Draft for FarDraft<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        if let Some(stdin) = self.process.as_mut().and_then(|process| process.stdin.as_mut())
            && stdin.write_all(bytes).await.is_ok()
        {
            return Ok(());
        }
        // It does not listen any more: what it said last is why.
        self.close().await?;
        Err(Error::new(self.place.doing("write", &self.path)))
    }

    async fn keep(mut self: Box<Self>) -> Result<()> {
        let kept = async {
            self.close().await?;
            let (mode, owner) = words(&self.attributes);
            let size = self.size.to_string();
            let args = [self.path.as_os_str(), size.as_ref(), mode.as_ref(), owner.as_ref(), self.beside.as_os_str()];
            self.place.sh(KEEP, &args, b"").await?.done(|| self.place.doing("write", &self.path)).map(drop)
        };
        match kept.await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.discard().await;
                Err(error)
            }
        }
    }

    async fn discard(mut self: Box<Self>) {
        let _ = self.close().await;
        // What cannot be removed lies beside its place under a name that nothing reads.
        let _ = self.place.sh(r#"rm -f -- "$1""#, &[self.beside.as_ref()], b"").await;
    }
}
