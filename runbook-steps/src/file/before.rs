//! What was at a path before a step: how it is remembered, kept and put back.

use std::path::{Path, PathBuf};

use runbook_core::host::{Attributes, FileKind, Stat};
use runbook_core::{Context, Error, Result, redact};
use serde::{Deserialize, Serialize};

use super::aside;
use super::content::{self, Bytes, sha256};

/// The biggest content that is kept in the journal: 64 KiB.
const SMALL: usize = 64 * 1024;
/// How much of the checksum of a private content is kept: two digits. It notices nearly every change, and is too little
/// to guess a password by.
const HINT: usize = 2;
/// The permission bit that lets everyone read.
const EVERYONE_READS: u32 = 0o004;

/// What was at a path before a step changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before(Was);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Was {
    Nothing,
    Link(PathBuf),
    File { mode: u32, uid: u32, gid: u32, mark: String, kept: Kept },
}

/// Where the content of a file is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Here(Bytes),
    Aside(PathBuf),
}

/// What is at a path now, content included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Present {
    Nothing,
    Link(PathBuf),
    File(Stat, Vec<u8>),
}

impl Present {
    /// Looks. Anything but a file, a link or nothing is an error.
    pub(crate) async fn look(cx: &Context, path: &Path) -> Result<Self> {
        let Some(stat) = cx.files().stat(path).await? else { return Ok(Self::Nothing) };
        match &stat.kind {
            FileKind::Symlink(to) => Ok(Self::Link(to.clone())),
            FileKind::File => {
                let content = content::read(cx, path, &stat).await?;
                Ok(Self::File(stat, content))
            }
            FileKind::Directory => Err(Error::new(format!("`{}` is a directory", path.display()))),
            FileKind::Other => Err(Error::new(format!("`{}` is neither a file nor a link", path.display()))),
        }
    }

    pub(crate) fn content(&self) -> Option<&[u8]> {
        match self {
            Self::File(_, content) => Some(content),
            Self::Nothing | Self::Link(_) => None,
        }
    }

    /// Whether not everyone on the host may read it.
    pub(crate) fn is_private(&self) -> bool {
        matches!(self, Self::File(stat, _) if stat.mode & EVERYONE_READS == 0)
    }
}

impl Before {
    /// What a rollback needs to put `present` back. A `private` content stays out of the journal.
    pub(crate) async fn of(cx: &Context, path: &Path, present: &Present, private: bool) -> Result<Self> {
        Ok(Self(match present {
            Present::Nothing => Was::Nothing,
            Present::Link(to) => Was::Link(to.clone()),
            Present::File(stat, content) => {
                let private = private || present.is_private() || holds_secret(content);
                let mut mark = sha256(content);
                if private {
                    mark.truncate(HINT);
                }
                let kept = if private || content.len() > SMALL {
                    Kept::Aside(aside::next(cx, path).await?)
                } else {
                    Kept::Here(Bytes::of(content))
                };
                Was::File { mode: stat.mode, uid: stat.uid, gid: stat.gid, mark, kept }
            }
        }))
    }

    /// Whether this is it.
    pub(crate) fn is(&self, present: &Present) -> bool {
        match (&self.0, present) {
            (Was::Nothing, Present::Nothing) => true,
            (Was::Link(was), Present::Link(is)) => was == is,
            (Was::File { .. }, Present::File(_, content)) => self.is_content(content),
            _ => false,
        }
    }

    fn is_content(&self, content: &[u8]) -> bool {
        matches!(&self.0, Was::File { mark, .. } if sha256(content).starts_with(mark))
    }

    /// Keeps it aside, when it is not kept in the journal. To be called before anything changes.
    pub(crate) async fn keep(&self, cx: &Context, path: &Path, present: &Present) -> Result<()> {
        let Some(aside) = self.aside() else { return Ok(()) };
        if cx.files().stat(aside).await?.is_some() {
            return Ok(());
        }
        let Present::File(_, content) = present else { return Ok(()) };
        aside::make_place(cx, aside).await?;
        cx.files().write(aside, content, &Attributes::mode(0o600)).await?;
        aside::make_room(cx, path).await
    }

    /// Puts it back, whatever became of the change.
    pub(crate) async fn restore(&self, cx: &Context, path: &Path) -> Result<()> {
        let present = Present::look(cx, path).await?;
        match &self.0 {
            Was::Nothing if present == Present::Nothing => Ok(()),
            Was::Nothing => cx.files().remove(path).await,
            Was::Link(_) if self.is(&present) => Ok(()),
            Was::Link(to) => cx.files().symlink(to, path).await,
            Was::File { mode, uid, gid, kept, .. } => {
                let attributes = Attributes { mode: Some(*mode), owner: Some(format!("{uid}:{gid}")) };
                match kept {
                    Kept::Here(bytes) => self.rewrite(cx, path, &present, bytes, &attributes).await,
                    Kept::Aside(aside) => self.take_back(cx, path, &present, aside, &attributes).await,
                }
            }
        }
    }

    async fn rewrite(
        &self,
        cx: &Context,
        path: &Path,
        present: &Present,
        bytes: &Bytes,
        attributes: &Attributes,
    ) -> Result<()> {
        if self.is(present) {
            return cx.files().set(path, attributes).await;
        }
        let content = bytes.bytes()?;
        if !self.is_content(&content) {
            // A secret became known after the survey, and was taken out of the journal.
            return Err(Error::new(format!("the journal does not hold `{}` as it was", path.display())));
        }
        cx.files().write(path, &content, attributes).await
    }

    async fn take_back(
        &self,
        cx: &Context,
        path: &Path,
        present: &Present,
        aside: &Path,
        attributes: &Attributes,
    ) -> Result<()> {
        match Present::look(cx, aside).await? {
            kept if self.is(&kept) => {
                // Mode and owner first: then the rename brings all of it back at once.
                cx.files().set(aside, attributes).await?;
                cx.files().rename(aside, path).await?;
            }
            _ if self.is(present) => cx.files().set(path, attributes).await?,
            _ => {
                let (path, aside) = (path.display(), aside.display());
                return Err(Error::new(format!("`{path}` has changed, and what it was is not kept in `{aside}`")));
            }
        }
        aside::tidy(cx, aside).await
    }

    /// Where it led, when it was a link.
    pub(crate) fn link(&self) -> Option<PathBuf> {
        match &self.0 {
            Was::Link(to) => Some(to.clone()),
            _ => None,
        }
    }

    /// Where it is kept, when that is on the host.
    fn aside(&self) -> Option<&Path> {
        match &self.0 {
            Was::File { kept: Kept::Aside(aside), .. } => Some(aside),
            _ => None,
        }
    }
}

/// Whether the content holds a secret that this process knows.
fn holds_secret(content: &[u8]) -> bool {
    matches!(redact::text(&String::from_utf8_lossy(content)), std::borrow::Cow::Owned(_))
}
