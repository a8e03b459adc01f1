//! Streams of a host that has none: the whole content at once.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Attributes, Draft, Files, Reading};
use crate::Result;

/// The whole content of a file, read or yet to be written.
pub(super) struct Whole<T> {
    content: Vec<u8>,
    place: T,
}

/// Where it will be written.
pub(super) struct Place<'a, F: ?Sized>(&'a F, PathBuf, Attributes);

impl Whole<()> {
    pub(super) fn of(content: Vec<u8>) -> Self {
        Self { content, place: () }
    }
}

impl<'a, F: Files + ?Sized> Whole<Place<'a, F>> {
    pub(super) fn for_file(files: &'a F, path: &Path, attributes: &Attributes) -> Self {
        Self { content: Vec::new(), place: Place(files, path.to_owned(), attributes.clone()) }
    }
}

#[async_trait]
impl Reading for Whole<()> {
    async fn next(&mut self) -> Result<Vec<u8>> {
        Ok(std::mem::take(&mut self.content))
    }
}

#[async_trait]
impl<F: Files + ?Sized> Draft for Whole<Place<'_, F>> {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    async fn keep(self: Box<Self>) -> Result<()> {
        let Place(files, path, attributes) = &self.place;
        files.write(path, &self.content, attributes).await
    }

    async fn discard(self: Box<Self>) {}
}
