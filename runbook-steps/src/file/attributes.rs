//! Mode and owner.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::host::{Attributes, FileKind, Stat};
use runbook_core::{Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::replace::has;
use crate::command::word;

/// Sets the mode or the owner of what is at a path.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct SetAttributes {
    path: PathBuf,
    attributes: Attributes,
}

/// The mode and the owner of something, as they are on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Permission bits.
    pub mode: u32,
    /// The user, by number.
    pub uid: u32,
    /// The group, by number.
    pub gid: u32,
}

impl Permissions {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { mode: stat.mode, uid: stat.uid, gid: stat.gid }
    }

    /// As attributes to be set.
    pub(super) fn attributes(&self) -> Attributes {
        Attributes { mode: Some(self.mode), owner: Some(format!("{}:{}", self.uid, self.gid)) }
    }
}

impl SetAttributes {
    pub(super) fn mode(path: &Path, mode: u32) -> Self {
        Self { path: path.to_owned(), attributes: Attributes::mode(mode) }
    }

    pub(super) fn owner(path: &Path, owner: String) -> Self {
        Self { path: path.to_owned(), attributes: Attributes { mode: None, owner: Some(owner) } }
    }

    async fn stat(&self, cx: &Context) -> Result<Stat> {
        let path = self.path.display();
        let stat = cx.files().stat(&self.path).await?.with_context(|| format!("`{path}` does not exist"))?;
        if let FileKind::Symlink(to) = &stat.kind {
            let error = Error::new(format!("`{path}` is a symbolic link to `{}`", to.display()));
            return Err(error.hint("name what it leads to"));
        }
        Ok(stat)
    }

    fn diff(&self, stat: &Stat) -> Diff {
        match (&self.attributes.mode, &self.attributes.owner) {
            (Some(mode), _) => Diff::turn("mode", format!("{:04o}", stat.mode), format!("{mode:04o}")),
            (None, Some(owner)) => Diff::turn("owner", format!("{}:{}", stat.uid, stat.gid), owner),
            (None, None) => Diff::none(),
        }
    }
}

#[async_trait]
impl Step for SetAttributes {
    type Before = Permissions;
    type Output = Permissions;

    fn describe(&self) -> Description {
        let path = self.path.display();
        let (kind, value, program) = match &self.attributes {
            Attributes { mode: Some(mode), .. } => ("file.mode", format!("{mode:04o}"), "chmod"),
            Attributes { owner, .. } => ("file.owner", owner.clone().unwrap_or_default(), "chown"),
        };
        Description::new(kind, path.to_string())
            .summary(format!("give {path} the {} {value}", kind.trim_start_matches("file.")))
            .command(format!("{program} {value} {}", word(&self.path)))
            .reads(Resource::path(&self.path))
            .writes(Resource::path(&self.path))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Permissions, Permissions>> {
        let stat = self.stat(cx).await?;
        let before = Permissions::of(&stat);
        if has(cx, &self.attributes, &stat).await? {
            return Ok(Survey::Already(before));
        }
        let foreseen = self.attributes.mode.map(|mode| Permissions { mode, ..before.clone() });
        Ok(Survey::Change { before, diff: self.diff(&stat), predicted: foreseen })
    }

    async fn apply(&self, cx: &Context, _: &Permissions) -> Result<Permissions> {
        self.stat(cx).await?;
        cx.files().set(&self.path, &self.attributes).await?;
        let stat = self.stat(cx).await?;
        if has(cx, &self.attributes, &stat).await? {
            return Ok(Permissions::of(&stat));
        }
        Err(Error::new(format!("`{}` does not have the attributes it was given", self.path.display())))
    }
}

#[async_trait]
impl Rollback for SetAttributes {
    async fn rollback(&self, cx: &Context, before: &Permissions) -> Result<()> {
        self.stat(cx).await?;
        cx.files().set(&self.path, &before.attributes()).await
    }
}
