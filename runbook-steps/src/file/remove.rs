//! Removing.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::host::FileKind;
use runbook_core::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::aside;
use crate::command::word;

/// Removes a file, a link or a directory by keeping it aside. It takes no time and no copy, and frees no space: for
/// that, see [`for_good`](Self::for_good) and [`forget`](super::forget).
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Remove(PathBuf);

/// Removes a file, a link or a directory. Nothing brings it back.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.irreversible(\"why\", \"…\", step).await?`"]
pub struct RemoveForGood(PathBuf);

/// What a rollback of [`Remove`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveBefore {
    aside: PathBuf,
}

/// Something that is no longer there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Where it was.
    pub path: PathBuf,
    /// Where it is kept, when there was something and it is kept.
    pub aside: Option<PathBuf>,
}

impl Remove {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Without a way back, and at once.
    pub fn for_good(self) -> RemoveForGood {
        RemoveForGood(self.0)
    }

    fn removed(&self, aside: Option<PathBuf>) -> Removed {
        Removed { path: self.0.clone(), aside }
    }
}

fn describe(path: &Path) -> Description {
    let name = path.display();
    Description::new("file.remove", name.to_string())
        .summary(format!("remove {name}"))
        .command(format!("rm -r {}", word(path)))
        .reads(Resource::path(path))
        .writes(Resource::path(path))
}

/// What removing would change; `None` when there is nothing.
async fn difference(cx: &Context, path: &Path) -> Result<Option<Diff>> {
    let stat = cx.files().stat(path).await?;
    Ok(stat.map(|stat| {
        let what = match stat.kind {
            FileKind::Directory => "directory, with all that is in it".to_owned(),
            FileKind::Symlink(to) => format!("link to {}", to.display()),
            FileKind::File => format!("{} bytes", stat.size),
            FileKind::Other => "socket, device or pipe".to_owned(),
        };
        Diff::none().and_remove(format!("{} ({what})", path.display()))
    }))
}

#[async_trait]
impl Step for Remove {
    type Before = RemoveBefore;
    type Output = Removed;

    fn describe(&self) -> Description {
        describe(&self.0).undo_command(aside::by_hand(&self.0))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<RemoveBefore, Removed>> {
        let Some(diff) = difference(cx, &self.0).await? else { return Ok(Survey::Already(self.removed(None))) };
        let aside = aside::next(cx, &self.0).await?;
        let foreseen = self.removed(Some(aside.clone()));
        Ok(Survey::predict(RemoveBefore { aside }, diff, foreseen))
    }

    async fn apply(&self, cx: &Context, before: &RemoveBefore) -> Result<Removed> {
        let there = cx.files().stat(&self.0).await?.is_some();
        let kept = cx.files().stat(&before.aside).await?.is_some();
        if there && kept {
            return Err(Error::new(format!("`{}` was removed and is there again", self.0.display())));
        }
        if there {
            aside::make_place(cx, &before.aside).await?;
            cx.files().rename(&self.0, &before.aside).await?;
            aside::make_room(cx, &self.0).await?;
        }
        if cx.files().stat(&self.0).await?.is_some() {
            return Err(Error::new(format!("`{}` is still there", self.0.display())));
        }
        Ok(self.removed(Some(before.aside.clone())))
    }

    fn predict(&self) -> Option<Removed> {
        Some(self.removed(None))
    }
}

#[async_trait]
impl Rollback for Remove {
    async fn rollback(&self, cx: &Context, before: &RemoveBefore) -> Result<()> {
        let there = cx.files().stat(&self.0).await?.is_some();
        let kept = cx.files().stat(&before.aside).await?.is_some();
        match (there, kept) {
            (false, true) => cx.files().rename(&before.aside, &self.0).await?,
            (true, false) => {}
            (true, true) => {
                let (path, aside) = (self.0.display(), before.aside.display());
                let error = Error::new(format!("something else is at `{path}` now"));
                return Err(error.hint(format!("what was there before is kept in `{aside}`")));
            }
            (false, false) => {
                let (path, aside) = (self.0.display(), before.aside.display());
                return Err(Error::new(format!("`{path}` is gone, and it is not kept in `{aside}`")));
            }
        }
        aside::tidy(cx, &before.aside).await
    }
}

#[async_trait]
impl Step for RemoveForGood {
    type Before = ();
    type Output = Removed;

    fn describe(&self) -> Description {
        let description = describe(&self.0);
        let line = format!("{} for good", description.line());
        description.summary(line)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), Removed>> {
        let removed = Removed { path: self.0.clone(), aside: None };
        Ok(match difference(cx, &self.0).await? {
            Some(diff) => Survey::predict((), diff, removed),
            None => Survey::Already(removed),
        })
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Removed> {
        cx.files().remove(&self.0).await?;
        if cx.files().stat(&self.0).await?.is_some() {
            return Err(Error::new(format!("`{}` is still there", self.0.display())));
        }
        Ok(Removed { path: self.0.clone(), aside: None })
    }

    fn predict(&self) -> Option<Removed> {
        Some(Removed { path: self.0.clone(), aside: None })
    }
}
