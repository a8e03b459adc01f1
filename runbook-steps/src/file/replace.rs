//! Replacing what is at a path by a file: what all steps that write one share.

use std::path::Path;

use runbook_core::host::{Attributes, FileKind, Stat};
use runbook_core::{Context, Diff, Error, Result};

use super::before::{Before, Present};
use super::content::sha256;
use super::{aside, lines, owner};

/// A file that is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replace<'a> {
    /// Where.
    pub(crate) path: &'a Path,
    /// What is in it.
    pub(crate) content: &'a [u8],
    /// Its mode and owner; what is missing stays as it is.
    pub(crate) attributes: &'a Attributes,
    /// Whether its content is nobody's business.
    pub(crate) private: bool,
}

impl Replace<'_> {
    /// What would change; `None` when the file is already so.
    pub(crate) async fn survey(&self, cx: &Context, present: &Present) -> Result<Option<(Before, Diff)>> {
        self.require_parent(cx).await?;
        if let Present::File(stat, content) = present
            && content == self.content
            && has(cx, self.attributes, stat).await?
        {
            return Ok(None);
        }
        let private =
            self.private || present.is_private() || self.attributes.mode.is_some_and(|mode| mode & 0o004 == 0);
        let before = Before::of(cx, self.path, present, private).await?;
        Ok(Some((before, self.diff(present, private))))
    }

    /// Makes it so, and reads it back.
    pub(crate) async fn apply(&self, cx: &Context, before: &Before) -> Result<()> {
        let present = Present::look(cx, self.path).await?;
        if before.is(&present) {
            before.keep(cx, self.path, &present).await?;
        } else if present.content() != Some(self.content) {
            let error = Error::new(format!("`{}` has changed since it was looked at", self.path.display()));
            return Err(error.hint("see who else writes it, then run again"));
        }
        cx.files().write(self.path, self.content, self.attributes).await?;
        self.read_back(cx).await
    }

    async fn read_back(&self, cx: &Context) -> Result<()> {
        match Present::look(cx, self.path).await? {
            Present::File(stat, content) if content == self.content && has(cx, self.attributes, &stat).await? => Ok(()),
            _ => Err(Error::new(format!("`{}` is not as it was just written", self.path.display()))),
        }
    }

    async fn require_parent(&self, cx: &Context) -> Result<()> {
        let parent = aside::parent(self.path)?;
        match cx.files().stat(&parent).await?.map(|stat| stat.kind) {
            Some(FileKind::Directory | FileKind::Symlink(_)) => Ok(()),
            Some(_) => Err(Error::new(format!("`{}` is not a directory", parent.display()))),
            None => {
                let error = Error::new(format!("the directory `{}` does not exist", parent.display()));
                Err(error.hint("make it first, with a `file::directory` step"))
            }
        }
    }

    fn diff(&self, present: &Present, private: bool) -> Diff {
        let path = self.path.display();
        let diff = match present {
            Present::Nothing => Diff::none().and_add(format!("{path} ({} bytes)", self.content.len())),
            Present::Link(to) => Diff::turn(path.to_string(), format!("link to {}", to.display()), "file"),
            Present::File(..) => Diff::none(),
        };
        let same = present.content() == Some(self.content);
        let diff = match (same, private) {
            (true, _) => diff,
            (false, true) => diff.and_note(format!("the content of {path} changes; it is not shown")),
            (false, false) => lines::differ(present.content(), self.content).changes().iter().fold(diff, and_change),
        };
        self.attribute_diff(present, diff)
    }

    /// The same difference, and what becomes of mode and owner.
    pub(crate) fn attribute_diff(&self, present: &Present, mut diff: Diff) -> Diff {
        if let (Some(mode), Present::File(stat, _)) = (self.attributes.mode, present)
            && mode != stat.mode
        {
            diff = diff.and_turn("mode", format!("{:04o}", stat.mode), format!("{mode:04o}"));
        }
        match &self.attributes.owner {
            Some(owner) => diff.and_note(format!("owner {owner}")),
            None => diff,
        }
    }

    /// The checksum of the content, unless that is nobody's business.
    pub(crate) fn checksum(&self) -> Option<String> {
        (!self.private).then(|| sha256(self.content))
    }
}

/// The same difference with one change more.
pub(crate) fn and_change(diff: Diff, change: &runbook_core::Change) -> Diff {
    use runbook_core::Change;
    match change {
        Change::Add(line) => diff.and_add(line),
        Change::Remove(line) => diff.and_remove(line),
        Change::Turn { what, from, to } => diff.and_turn(what, from, to),
        Change::Note(line) => diff.and_note(line),
    }
}

/// Whether something has these attributes.
pub(crate) async fn has(cx: &Context, attributes: &Attributes, stat: &Stat) -> Result<bool> {
    let mode = attributes.mode.is_none_or(|mode| mode == stat.mode);
    match &attributes.owner {
        Some(wanted) if mode => owner::is(cx, wanted, stat).await,
        _ => Ok(mode),
    }
}
