//! The note a checkout leaves in the git directory.
//!
//! It is written before git moves the tree and completed afterwards. So whoever comes next can tell a tree that
//! was cut off half way from one with changes of a person, and knows which release was there before.

use std::path::{Path, PathBuf};

use runbook::host::Attributes;
use runbook::{Context, Explain, Result};
use serde::{Deserialize, Serialize};

use super::{Head, Revision, commands, facts};

/// From where to where the last checkout of a run went, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trail {
    pub(super) from: Head,
    pub(super) to: Revision,
    pub(super) phase: Phase,
}

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// On its way to the new revision.
    Forward,
    /// There.
    Done,
    /// On its way back.
    Back,
}

impl Trail {
    fn path(git_dir: &Path) -> PathBuf {
        git_dir.join("runbook-checkout.json")
    }

    pub(super) async fn read(cx: &Context, git_dir: &Path) -> Result<Option<Self>> {
        let path = Self::path(git_dir);
        if cx.files().stat(&path).await?.is_none() {
            return Ok(None);
        }
        let text = cx.files().read(&path).await?;
        let trail = serde_json::from_slice(&text);
        trail.map(Some).with_context(|| format!("read the note of the last checkout in `{}`", path.display())).map_err(
            |error| error.hint("it belongs to another version of this program; when no run is under way, remove it"),
        )
    }

    pub(super) async fn write(&self, cx: &Context, git_dir: &Path) -> Result<()> {
        let text = serde_json::to_vec(self)?;
        cx.files().write(&Self::path(git_dir), &text, &Attributes::default()).await
    }

    /// Makes the note what it was.
    pub(super) async fn restore(before: Option<&Self>, cx: &Context, git_dir: &Path) -> Result<()> {
        match before {
            Some(trail) => trail.write(cx, git_dir).await,
            None => cx.files().remove(&Self::path(git_dir)).await,
        }
    }

    /// Whether it went from here to there.
    pub(super) fn is(&self, from: &Head, to: &Revision) -> bool {
        self.from == *from && self.to == *to
    }

    /// When the tree may be half way, what the other half is made of. Git moves HEAD last, so HEAD still stands
    /// where the way began.
    fn other_end(&self, head: &Head) -> Option<&Revision> {
        match self.phase {
            Phase::Forward if head.revision == self.from.revision => Some(&self.to),
            Phase::Back if head.revision == self.to => Some(&self.from.revision),
            _ => None,
        }
    }
}

/// What a checkout that was cut off has left lying about.
#[derive(Debug)]
pub(super) struct Wreck {
    other: Revision,
    /// The files that are no longer, or not yet, what they should be.
    pub(super) files: Vec<String>,
}

impl Wreck {
    /// Looks for one. Files that the checkout did not touch are never counted as its doing.
    pub(super) async fn find(cx: &Context, root: &Path, head: &Head, trail: Option<&Trail>) -> Result<Option<Self>> {
        let Some(other) = trail.and_then(|trail| trail.other_end(head)) else { return Ok(None) };
        if !facts::has(cx, root, other).await? {
            return Ok(None);
        }
        let touched = facts::difference(cx, root, &head.revision, other).await?;
        let mut files = facts::modified(cx, root).await?;
        files.retain(|file| touched.files.binary_search(file).is_ok());
        files.extend(facts::untracked(cx, root, &touched.added).await?);
        files.sort();
        files.dedup();
        Ok((!files.is_empty()).then(|| Self { other: other.clone(), files }))
    }

    /// Makes the tree what it is at HEAD. The index is first made what it is at the other end, so that git
    /// knows every file that is its own, and removes no other.
    pub(super) async fn mend(&self, cx: &Context, root: &Path) -> Result<()> {
        cx.say(format!("mending {} files that a checkout left half done", self.files.len()));
        facts::ask(cx, &commands::read_tree(root, &self.other)).await?;
        facts::ask(cx, &commands::refresh(root)).await?;
        facts::ask(cx, &commands::reset(root)).await?;
        Ok(())
    }
}
