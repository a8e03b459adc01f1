//! Questions about a git tree.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Resource, Result};

use super::{facts, target};

/// Asks whether no tracked file of the tree at `root` has local changes. Untracked files do not matter.
pub fn clean(root: impl AsRef<Path>) -> Clean {
    Clean { root: root.as_ref().to_owned() }
}

/// The check of [`clean`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Clean {
    root: PathBuf,
}

#[async_trait]
impl Check for Clean {
    fn describe(&self) -> Description {
        let root = self.root.display();
        Description::new("git.clean", root.to_string())
            .summary(format!("{root} has no local changes"))
            .command(format!("git -C {root} status --short --untracked-files=no"))
            .reads(Resource::path(&self.root))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let head = facts::head(cx, &self.root).await?;
        let files = facts::modified(cx, &self.root).await?;
        let (root, count) = (self.root.display(), files.len());
        Ok(match count {
            0 => Finding::pass(format!("{root} is clean at {head}")),
            1 => Finding::fail(format!("{root} has local changes in `{}`", files[0])),
            _ => {
                let evidence = Evidence::new(format!("{root} has local changes in {count} files"));
                Finding::fail(evidence.lines(files.into_iter().take(20)))
            }
        })
    }
}

/// Asks whether the tree at `root` is at `revision`: a branch, as it is at the remote now, a tag or a commit.
pub fn head_is(root: impl AsRef<Path>, revision: impl AsRef<str>) -> HeadIs {
    HeadIs { root: root.as_ref().to_owned(), revision: revision.as_ref().to_owned(), remote: "origin".to_owned() }
}

/// The check of [`head_is`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct HeadIs {
    root: PathBuf,
    revision: String,
    remote: String,
}

impl HeadIs {
    /// Asks this remote instead of `origin`.
    pub fn remote(mut self, remote: impl Into<String>) -> Self {
        self.remote = remote.into();
        self
    }
}

#[async_trait]
impl Check for HeadIs {
    fn describe(&self) -> Description {
        let root = self.root.display();
        Description::new("git.head_is", root.to_string())
            .summary(format!("{root} is at `{}`", self.revision))
            .command(format!("git -C {root} rev-parse HEAD"))
            .reads(Resource::path(&self.root))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let head = facts::head(cx, &self.root).await?;
        let target = target::find(cx, &self.root, &self.remote, &self.revision).await?;
        let (root, wanted) = (self.root.display(), &self.revision);
        Ok(if head.revision == target.revision {
            Finding::pass(format!("{root} is at {}, which is `{wanted}`", head.revision))
        } else {
            Finding::fail(format!("{root} is at {}, and `{wanted}` is {}", head.revision, target.revision))
        })
    }
}
