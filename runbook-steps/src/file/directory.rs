//! Directories.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::host::{Attributes, FileKind, Stat};
use runbook_core::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::attributes::Permissions;
use super::replace::has;
use crate::command::word;

/// Makes a directory and those above it.
///
/// The rollback removes the directories it made, and fails when something was put there since:
/// [`undo_with_contents`](Self::undo_with_contents) removes that too.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct MakeDirectory {
    path: PathBuf,
    attributes: Attributes,
    with_contents: bool,
}

/// What a rollback of [`MakeDirectory`] needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryBefore {
    /// The directories that were missing, the deepest first.
    missing: Vec<PathBuf>,
    /// The attributes of a directory that was there.
    was: Option<Permissions>,
}

/// A directory that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Where.
    pub path: PathBuf,
}

impl MakeDirectory {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), attributes: Attributes::default(), with_contents: false }
    }

    /// With these permission bits, like `0o750`; those above it get what the host gives.
    pub fn mode(mut self, mode: u32) -> Self {
        self.attributes.mode = Some(mode);
        self
    }

    /// Belonging to `user`, `user:group` or `:group`, by name or number.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.attributes.owner = Some(owner.into());
        self
    }

    /// The rollback removes a directory it made with everything that was put there since.
    pub fn undo_with_contents(mut self) -> Self {
        self.with_contents = true;
        self
    }

    async fn stat(&self, cx: &Context) -> Result<Option<Stat>> {
        let stat = cx.files().stat(&self.path).await?;
        match stat.as_ref().map(|stat| &stat.kind) {
            None | Some(FileKind::Directory) => Ok(stat),
            Some(_) => Err(Error::new(format!("`{}` is there, and not a directory", self.path.display()))),
        }
    }

    /// The directories that are missing, the deepest first.
    async fn missing(&self, cx: &Context) -> Result<Vec<PathBuf>> {
        let mut missing = Vec::new();
        for path in self.path.ancestors().filter(|path| !path.as_os_str().is_empty()) {
            if cx.files().stat(path).await?.is_some() {
                break;
            }
            missing.push(path.to_owned());
        }
        Ok(missing)
    }

    fn made(&self) -> Directory {
        Directory { path: self.path.clone() }
    }

    fn diff(&self, before: &DirectoryBefore) -> Diff {
        let added =
            before.missing.iter().rev().fold(Diff::none(), |diff, path| diff.and_add(format!("{}/", path.display())));
        let Attributes { mode, owner } = &self.attributes;
        let was = |was: &Permissions| (format!("{:04o}", was.mode), format!("{}:{}", was.uid, was.gid));
        let (was_mode, was_owner) = before.was.as_ref().map_or_else(|| ("none".into(), "none".into()), was);
        let diff = match mode.map(|mode| format!("{mode:04o}")).filter(|mode| *mode != was_mode) {
            Some(mode) => added.and_turn("mode", was_mode, mode),
            None => added,
        };
        match owner {
            Some(owner) => diff.and_turn("owner", was_owner, owner),
            None => diff,
        }
    }

    async fn remove(&self, cx: &Context, path: &Path) -> Result<()> {
        let here = cx.files().stat(path).await?.is_some();
        if here && !self.with_contents {
            let names = cx.files().list(path).await?;
            if let Some(first) = names.first() {
                let error = Error::new(format!("`{}` is not empty: it holds `{first}`", path.display()));
                return Err(error.hint("see what it is; remove it by hand, or use `.undo_with_contents()`"));
            }
        }
        cx.files().remove(path).await
    }
}

#[async_trait]
impl Step for MakeDirectory {
    type Before = DirectoryBefore;
    type Output = Directory;

    fn describe(&self) -> Description {
        let (path, word) = (self.path.display(), word(&self.path));
        let mode = self.attributes.mode.map(|mode| format!(" -m {mode:04o}")).unwrap_or_default();
        let description = Description::new("file.directory", path.to_string())
            .summary(format!("make the directory {path}"))
            .command(format!("mkdir -p{mode} {word}"))
            .undo_command(format!("rmdir {word}"))
            .reads(Resource::path(&self.path))
            .writes(Resource::path(&self.path));
        match &self.attributes.owner {
            Some(owner) => description.command(format!("chown {owner} {word}")),
            None => description,
        }
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<DirectoryBefore, Directory>> {
        let stat = self.stat(cx).await?;
        if let Some(stat) = &stat
            && has(cx, &self.attributes, stat).await?
        {
            return Ok(Survey::Already(self.made()));
        }
        let before = DirectoryBefore { missing: self.missing(cx).await?, was: stat.as_ref().map(Permissions::of) };
        let diff = self.diff(&before);
        Ok(Survey::predict(before, diff, self.made()))
    }

    async fn apply(&self, cx: &Context, _: &DirectoryBefore) -> Result<Directory> {
        cx.files().make_dir(&self.path).await?;
        if self.attributes != Attributes::default() {
            cx.files().set(&self.path, &self.attributes).await?;
        }
        match self.stat(cx).await? {
            Some(stat) if has(cx, &self.attributes, &stat).await? => Ok(self.made()),
            _ => Err(Error::new(format!("`{}` is not the directory that was just made", self.path.display()))),
        }
    }

    fn predict(&self) -> Option<Directory> {
        Some(self.made())
    }
}

#[async_trait]
impl Rollback for MakeDirectory {
    async fn rollback(&self, cx: &Context, before: &DirectoryBefore) -> Result<()> {
        for path in &before.missing {
            self.remove(cx, path).await?;
        }
        match &before.was {
            Some(was) => cx.files().set(&self.path, &was.attributes()).await,
            None => Ok(()),
        }
    }
}
