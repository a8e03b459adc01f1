//! Symbolic links.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::aside;
use super::before::{Before, Present};
use crate::command::word;

/// A link that does not lead anywhere yet.
#[derive(Debug, Clone)]
#[must_use = "a link leads somewhere: `file::symlink(link).to(target)`"]
pub struct Link(PathBuf);

/// Makes a link lead somewhere, atomically, whatever it led to or was before.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Symlink {
    link: PathBuf,
    target: PathBuf,
}

/// A link as it was read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// The link.
    pub link: PathBuf,
    /// Where it leads.
    pub target: PathBuf,
    /// Where it led before, when it was a link.
    pub previous: Option<PathBuf>,
}

impl Link {
    pub(super) fn new(link: &Path) -> Self {
        Self(link.to_owned())
    }

    /// Leading there: a whole path, or one relative to the directory of the link. It need not exist.
    pub fn to(self, target: impl AsRef<Path>) -> Symlink {
        Symlink { link: self.0, target: target.as_ref().to_owned() }
    }
}

impl Symlink {
    fn linked(&self, previous: Option<PathBuf>) -> Linked {
        Linked { link: self.link.clone(), target: self.target.clone(), previous }
    }
}

#[async_trait]
impl Step for Symlink {
    type Before = Before;
    type Output = Linked;

    fn describe(&self) -> Description {
        let (link, target) = (self.link.display(), self.target.display());
        Description::new("file.symlink", link.to_string())
            .summary(format!("link {link} to {target}"))
            .command(format!("ln -sfn {} {}", word(&self.target), word(&self.link)))
            .undo_command(aside::by_hand(&self.link))
            .reads(Resource::path(&self.link))
            .writes(Resource::path(&self.link))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Before, Linked>> {
        let present = Present::look(cx, &self.link).await?;
        let (from, previous) = match &present {
            Present::Link(to) if *to == self.target => return Ok(Survey::Already(self.linked(Some(to.clone())))),
            Present::Link(to) => (to.display().to_string(), Some(to.clone())),
            Present::File(..) => ("a file".to_owned(), None),
            Present::Nothing => ("nothing".to_owned(), None),
        };
        let before = Before::of(cx, &self.link, &present, false).await?;
        let diff = Diff::turn(self.link.to_string_lossy(), from, self.target.display());
        Ok(Survey::predict(before, diff, self.linked(previous)))
    }

    async fn apply(&self, cx: &Context, before: &Before) -> Result<Linked> {
        let present = Present::look(cx, &self.link).await?;
        if before.is(&present) {
            before.keep(cx, &self.link, &present).await?;
        } else if present != Present::Link(self.target.clone()) {
            return Err(Error::new(format!("`{}` has changed since it was looked at", self.link.display())));
        }
        cx.files().symlink(&self.target, &self.link).await?;
        match Present::look(cx, &self.link).await? {
            Present::Link(to) if to == self.target => Ok(self.linked(before.link())),
            _ => Err(Error::new(format!("`{}` is not the link that was just made", self.link.display()))),
        }
    }
}

#[async_trait]
impl Rollback for Symlink {
    async fn rollback(&self, cx: &Context, before: &Before) -> Result<()> {
        before.restore(cx, &self.link).await
    }
}
