//! Files of a place, piece by piece, through `cat`.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Elsewhere;
use super::errand;
use super::files::{KEEP, words};
use crate::host::local::beside;
use crate::host::{Attributes, Draft, Exit, Process, Reading};
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
    process: Process,
    size: u64,
}

impl<'a> FarDraft<'a> {
    pub(super) async fn begin(place: &'a Elsewhere, path: &Path, attributes: &Attributes) -> Result<Self> {
        let beside = beside(path);
        // Opened by a command of its own, so that a place that cannot be written is known before anything is sent.
        place.act("write", path, r#"umask 077; : >"$1""#, &[beside.as_ref()], b"").await?;
        let process = place.script(r#"exec cat >>"$1""#, &[beside.as_ref()]).await?;
        Ok(Self { place, path: path.to_owned(), beside, attributes: attributes.clone(), process, size: 0 })
    }

    fn broken(&self) -> Error {
        Error::new(self.place.doing("write", &self.path))
    }
}

#[async_trait]
impl Draft for FarDraft<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        let Some(stdin) = &mut self.process.stdin else { return Err(self.broken()) };
        match stdin.write_all(bytes).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let mut complaint = String::new();
                if let Some(stderr) = &mut self.process.stderr {
                    let _ = stderr.read_to_string(&mut complaint).await;
                }
                Err(self.broken().caused_by(error).details(complaint.lines()))
            }
        }
    }

    async fn keep(mut self: Box<Self>) -> Result<()> {
        let doing = || self.place.doing("write", &self.path);
        if let Some(mut stdin) = self.process.stdin.take() {
            let _ = stdin.shutdown().await;
        }
        if self.process.control.wait().await? != Exit::Code(0) {
            return Err(Error::new(doing()));
        }
        let (mode, owner) = words(&self.attributes);
        let size = self.size.to_string();
        let args = [self.path.as_os_str(), size.as_ref(), mode.as_ref(), owner.as_ref(), self.beside.as_os_str()];
        self.place.sh(KEEP, &args, b"").await?.done(doing).map(drop)
    }

    async fn discard(mut self: Box<Self>) {
        self.process.stdin = None;
        let _ = self.process.control.wait().await;
        // What cannot be removed lies beside its place under a name that nothing reads.
        let _ = self.place.sh(r#"rm -f -- "$1""#, &[self.beside.as_ref()], b"").await;
    }
}
