//! Writing a file.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::host::{Attributes, FileKind};
use runbook_core::{Context, Description, Error, Explain as _, Resource, Result, Rollback, Secret, Step, Survey};
use serde::{Deserialize, Serialize};

use super::before::{Before, Present};
use super::content;
use super::replace::Replace;
use super::template::Filled;
use crate::command;

/// Writes a file atomically. What it replaces, a file or a link, comes back with the rollback.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Write {
    path: PathBuf,
    source: Source,
    attributes: Attributes,
    private: bool,
}

/// Where the content comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Bytes(Vec<u8>),
    Secret(Secret),
    Copy(PathBuf),
    Template(Filled),
}

/// A file that was written and read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// The SHA-256 checksum of its content, in hexadecimal digits; `None` for a content that is secret.
    pub sha256: Option<String>,
}

impl Write {
    pub(super) fn new(path: &Path, source: Source) -> Self {
        Self { path: path.to_owned(), source, attributes: Attributes::default(), private: false }
    }

    pub(super) fn bytes(path: &Path, content: Vec<u8>) -> Self {
        Self::new(path, Source::Bytes(content))
    }

    pub(super) fn of_secret(path: &Path, secret: &Secret) -> Self {
        Self::new(path, Source::Secret(secret.clone())).mode(0o600).secret()
    }

    pub(super) fn copy(from: &Path, to: &Path) -> Self {
        Self::new(to, Source::Copy(from.to_owned()))
    }

    /// With these permission bits, like `0o644`. Without, a new file gets 0644 (a copy the mode of its source) and an
    /// existing one keeps its own.
    pub fn mode(mut self, mode: u32) -> Self {
        self.attributes.mode = Some(mode);
        self
    }

    /// Belonging to `user`, `user:group` or `:group`, by name or number.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.attributes.owner = Some(owner.into());
        self
    }

    /// Its content is nobody's business: no plan, event or journal shows it, or its checksum.
    pub fn secret(mut self) -> Self {
        self.private = true;
        self
    }

    pub(super) fn source(mut self, source: Source) -> Self {
        self.source = source;
        self
    }

    /// The content, and the attributes with those of a copied file.
    async fn wanted(&self, cx: &Context) -> Result<(Vec<u8>, Attributes)> {
        let mut attributes = self.attributes.clone();
        let content = match &self.source {
            Source::Bytes(content) => content.clone(),
            Source::Secret(secret) => secret.expose()?.into_bytes(),
            Source::Template(filled) => filled.render()?.into_bytes(),
            Source::Copy(from) => {
                let stat = cx.files().stat(from).await?;
                let stat = stat.with_context(|| format!("`{}` does not exist", from.display()))?;
                if stat.kind != FileKind::File {
                    return Err(Error::new(format!("`{}` is not a file", from.display())));
                }
                attributes.mode.get_or_insert(stat.mode);
                content::read(cx, from, &stat).await?
            }
        };
        Ok((content, attributes))
    }

    fn replace<'a>(&'a self, (content, attributes): &'a (Vec<u8>, Attributes)) -> Replace<'a> {
        Replace { path: &self.path, content, attributes, private: self.private }
    }

    fn written(&self, replace: Replace<'_>) -> Written {
        Written { path: self.path.clone(), sha256: replace.checksum() }
    }

    fn by_hand(&self) -> (String, String) {
        let (path, word) = (self.path.display(), command::word(&self.path));
        let from = match &self.source {
            Source::Bytes(content) => format!("/dev/stdin {word}  # {} bytes", content.len()),
            Source::Secret(secret) => format!("/dev/stdin {word}  # the secret {secret}"),
            Source::Template(filled) => format!("/dev/stdin {word}  # with {filled}"),
            Source::Copy(from) => format!("{} {word}", command::word(from)),
        };
        let mode = self.attributes.mode.map(|mode| format!(" -m {mode:04o}")).unwrap_or_default();
        let what = match &self.source {
            Source::Copy(from) => format!("copy {} to {path}", from.display()),
            Source::Template(filled) => format!("write {path} with {filled}"),
            Source::Bytes(_) | Source::Secret(_) => format!("write {path}"),
        };
        (what, format!("install{mode} {from}"))
    }
}

#[async_trait]
impl Step for Write {
    type Before = Before;
    type Output = Written;

    fn describe(&self) -> Description {
        let (kind, source) = match &self.source {
            Source::Bytes(_) => ("file.write", None),
            Source::Secret(_) => ("file.secret", None),
            Source::Template(_) => ("file.template", None),
            Source::Copy(from) => ("file.copy", Some(Resource::path(from))),
        };
        let (summary, command) = self.by_hand();
        let mut description = Description::new(kind, self.path.to_string_lossy())
            .summary(summary)
            .command(command)
            .undo_command(super::aside::by_hand(&self.path))
            .reads(Resource::path(&self.path))
            .writes(Resource::path(&self.path));
        description.reads.extend(source);
        description
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Before, Written>> {
        let wanted = self.wanted(cx).await?;
        let replace = self.replace(&wanted);
        let present = Present::look(cx, &self.path).await?;
        Ok(match replace.survey(cx, &present).await? {
            None => Survey::Already(self.written(replace)),
            Some((before, diff)) => Survey::predict(before, diff, self.written(replace)),
        })
    }

    async fn apply(&self, cx: &Context, before: &Before) -> Result<Written> {
        let wanted = self.wanted(cx).await?;
        let replace = self.replace(&wanted);
        replace.apply(cx, before).await?;
        Ok(self.written(replace))
    }

    fn predict(&self) -> Option<Written> {
        let content = match &self.source {
            _ if self.private => return Some(Written { path: self.path.clone(), sha256: None }),
            Source::Bytes(content) => content.clone(),
            Source::Template(filled) => filled.render().ok()?.into_bytes(),
            Source::Secret(_) | Source::Copy(_) => return None,
        };
        Some(Written { path: self.path.clone(), sha256: Some(content::sha256(&content)) })
    }
}

#[async_trait]
impl Rollback for Write {
    async fn rollback(&self, cx: &Context, before: &Before) -> Result<()> {
        before.restore(cx, &self.path).await
    }
}
