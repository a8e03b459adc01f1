//! Files of this machine, piece by piece.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::files::{begin, off_thread, refused, settle};
use crate::Result;
use crate::host::{Attributes, Draft, Reading};

/// How much is read or written at once: a trip to another thread for each.
const PIECE: usize = 1 << 20;

pub(super) struct NearReading {
    path: PathBuf,
    file: Option<File>,
}

impl NearReading {
    pub(super) async fn begin(path: &Path) -> Result<Self> {
        let file = off_thread(path, |path| File::open(path).map_err(|error| refused("read", path, &error))).await?;
        Ok(Self { path: path.to_owned(), file: Some(file) })
    }
}

#[async_trait]
impl Reading for NearReading {
    async fn next(&mut self) -> Result<Vec<u8>> {
        let Some(file) = self.file.take() else { return Ok(Vec::new()) };
        let (file, piece) = off_thread(&self.path, move |path| {
            let mut piece = Vec::new();
            let read = (&file).take(PIECE as u64).read_to_end(&mut piece);
            read.map_err(|error| refused("read", path, &error))?;
            Ok((file, piece))
        })
        .await?;
        self.file = (!piece.is_empty()).then_some(file);
        Ok(piece)
    }
}

pub(super) struct NearDraft {
    path: PathBuf,
    beside: PathBuf,
    file: Option<File>,
    pending: Vec<u8>,
}

impl NearDraft {
    pub(super) async fn begin(path: &Path, attributes: &Attributes) -> Result<Self> {
        let attributes = attributes.clone();
        let (file, beside) = off_thread(path, move |path| begin(path, &attributes)).await?;
        Ok(Self { path: path.to_owned(), beside, file: Some(file), pending: Vec::new() })
    }

    /// Hands what is pending to the file, on a thread that may wait for the disk.
    async fn flush(&mut self) -> Result<()> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let pending = std::mem::replace(&mut self.pending, Vec::with_capacity(PIECE));
        let write = move |path: &Path| {
            file.write_all(&pending).map_err(|error| refused("write", path, &error))?;
            Ok(file)
        };
        self.file = Some(off_thread(&self.path, write).await?);
        Ok(())
    }
}

#[async_trait]
impl Draft for NearDraft {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PIECE { self.flush().await } else { Ok(()) }
    }

    async fn keep(mut self: Box<Self>) -> Result<()> {
        self.flush().await?;
        let Some(file) = self.file.take() else { return Ok(()) };
        let beside = std::mem::take(&mut self.beside);
        off_thread(&self.path, move |path| settle(path, &beside, file.sync_all())).await
    }

    async fn discard(self: Box<Self>) {}
}

impl Drop for NearDraft {
    fn drop(&mut self) {
        if !self.beside.as_os_str().is_empty() {
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}
