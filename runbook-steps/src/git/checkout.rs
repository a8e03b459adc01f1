//! Moving a tree to a pinned commit, and back.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::facts::{self, Difference, Place};
use super::target::{self, Target};
use super::trail::{Phase, Trail, Wreck};
use super::{Head, Release, Revision, commands, locks};

/// Moves the tree at `root` to `revision`: a branch, a tag, a commit, anything git can resolve.
///
/// - The name becomes a commit id in the survey; that commit is checked out even if the branch moves meanwhile.
///   A branch means what it is at the remote; only what is needed is fetched, when the step is applied.
/// - HEAD ends detached at the commit, so no branch of the tree is moved and the way back is exact: the
///   branch, or the commit, that was there before.
/// - Local changes to tracked files, and untracked or ignored files in the way of new ones, are refused before anything changes.
pub fn checkout(root: impl AsRef<Path>, revision: impl AsRef<str>) -> CheckoutStep {
    CheckoutStep { root: root.as_ref().to_owned(), revision: revision.as_ref().to_owned(), remote: "origin".to_owned() }
}

/// The step of [`checkout`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct CheckoutStep {
    root: PathBuf,
    revision: String,
    remote: String,
}

impl CheckoutStep {
    /// Asks and fetches from this remote instead of `origin`.
    pub fn remote(mut self, remote: impl Into<String>) -> Self {
        self.remote = remote.into();
        self
    }
}

/// Where the tree was, and the one commit it goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutBefore {
    pub(super) head: Head,
    pub(super) target: Target,
    /// The note of the checkout before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trail: Option<Trail>,
}

/// What a checkout brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// The tree.
    pub root: PathBuf,
    /// The commit that was there before. When the tree was already at the revision: the commit that the last
    /// checkout of a run found there, so that a run begun after a crash still sees what is new; `None` when
    /// no run ever moved this tree.
    pub from: Option<Revision>,
    /// The commit that is there now.
    pub to: Revision,
    /// The files that differ between both, relative to the root, sorted. `None` only in a plan, while the commit
    /// is not here yet and nobody can know.
    pub changed: Option<Vec<PathBuf>>,
}

impl Checkout {
    /// Whether any of these files differ: a path, a directory or a pattern, relative to the root. `*` stands for any part of one name, `**` for any directories.
    ///
    /// In a plan, while the commit is not here yet, the answer is `true`: a plan shows the steps that may follow
    /// rather than hide them.
    pub fn changed(&self, pattern: impl AsRef<str>) -> bool {
        let pattern: Vec<&str> = segments(pattern.as_ref()).collect();
        let Some(files) = &self.changed else { return true };
        files.iter().any(|file| matches(&pattern, &segments(&file.to_string_lossy()).collect::<Vec<_>>()))
    }

    /// What is there now, after what.
    pub fn release(&self) -> Release {
        Release { revision: self.to.clone(), previous: self.from.clone() }
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty() && *segment != ".")
}

/// Whether the path, or a directory it lies in, is what the pattern says.
fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], _) => true,
        (["**", rest @ ..], _) => {
            (0..=path.len()).any(|skip| !rest.is_empty() && matches(rest, &path[skip..])) || rest.is_empty()
        }
        ([_, ..], []) => false,
        ([first, rest @ ..], [name, below @ ..]) => glob(first.as_bytes(), name.as_bytes()) && matches(rest, below),
    }
}

/// Whether a name is what a pattern of one segment says: `*` and `?`.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skip| glob(rest, &name[skip..])),
        ([b'?', rest @ ..], [_, name @ ..]) => glob(rest, name),
        ([want, rest @ ..], [is, name @ ..]) => want == is && glob(rest, name),
        _ => false,
    }
}

#[async_trait]
impl Step for CheckoutStep {
    type Before = CheckoutBefore;
    type Output = Checkout;

    fn describe(&self) -> Description {
        let root = self.root.display();
        Description::new("git.checkout", root.to_string())
            .summary(format!("check out `{}` in {root}", self.revision))
            .command(format!("git -C {root} fetch {}", self.remote))
            .command(format!("git -C {root} checkout --detach {}", self.revision))
            .undo_command(format!("git -C {root} checkout -"))
            .reads(Resource::path(&self.root))
            .writes(Resource::path(&self.root))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<CheckoutBefore, Checkout>> {
        let place = facts::place(cx, &self.root).await?;
        let trail = Trail::read(cx, &place.git_dir).await?;
        let wreck = Wreck::find(cx, &self.root, &place.head, trail.as_ref()).await?;
        self.ensure_clean(cx, wreck.as_ref()).await?;
        let target = target::find(cx, &self.root, &self.remote, &self.revision).await?;
        if wreck.is_none() && place.head.revision == target.revision {
            return Ok(Survey::Already(self.already(cx, &place, trail).await?));
        }
        self.change(cx, place.head, target, trail, wreck).await
    }

    async fn apply(&self, cx: &Context, before: &CheckoutBefore) -> Result<Checkout> {
        let place = self.settled(cx).await?;
        let to = &before.target.revision;
        if place.head.revision != *to {
            if place.head.revision != before.head.revision {
                return Err(self.moved(&place.head, &before.head.revision, to));
            }
            target::bring(cx, &self.root, &self.remote, &before.target).await?;
            self.ensure_clean(cx, None).await?;
            let difference = facts::difference(cx, &self.root, &place.head.revision, to).await?;
            self.ensure_free(cx, &difference).await?;
            before.trail(Phase::Forward).write(cx, &place.git_dir).await?;
            facts::ask(cx, &commands::checkout(&self.root, to)).await.map_err(|error| self.in_the_way(error))?;
        }
        self.ensure_at(cx, to).await?;
        before.trail(Phase::Done).write(cx, &place.git_dir).await?;
        let changed = facts::difference(cx, &self.root, &before.head.revision, to).await?;
        Ok(self.output(Some(before.head.revision.clone()), to.clone(), Some(changed)))
    }

    /// A full id says by itself where the tree will be.
    fn predict(&self) -> Option<Checkout> {
        Some(self.output(None, Revision::full(&self.revision)?, None))
    }
}

#[async_trait]
impl Rollback for CheckoutStep {
    async fn rollback(&self, cx: &Context, before: &CheckoutBefore) -> Result<()> {
        let place = self.settled(cx).await?;
        let trail = Trail::read(cx, &place.git_dir).await?;
        if !trail.is_some_and(|trail| trail.is(&before.head, &before.target.revision)) {
            return Ok(()); // Not even the note was written: nothing was changed.
        }
        if place.head != before.head {
            let there = &before.target.revision;
            if place.head.revision != *there && place.head.revision != before.head.revision {
                return Err(self.moved(&place.head, there, &before.head.revision));
            }
            before.trail(Phase::Back).write(cx, &place.git_dir).await?;
            self.go_back(cx, &before.head).await?;
            self.ensure_at(cx, &before.head.revision).await?;
        }
        Trail::restore(before.trail.as_ref(), cx, &place.git_dir).await
    }
}

impl CheckoutBefore {
    pub(super) fn trail(&self, phase: Phase) -> Trail {
        Trail { from: self.head.clone(), to: self.target.revision.clone(), phase }
    }
}

impl CheckoutStep {
    fn output(&self, from: Option<Revision>, to: Revision, changed: Option<Difference>) -> Checkout {
        Checkout { root: self.root.clone(), from, to, changed: changed.map(Difference::into_paths) }
    }

    async fn change(
        &self,
        cx: &Context,
        head: Head,
        target: Target,
        trail: Option<Trail>,
        wreck: Option<Wreck>,
    ) -> Result<Survey<CheckoutBefore, Checkout>> {
        let difference = self.difference_to(cx, &head, &target).await?;
        let mut diff = Diff::turn("HEAD", &head, target.revision.short());
        diff = match (&difference, &wreck) {
            (Some(difference), None) => {
                self.ensure_free(cx, difference).await?;
                listed(diff, &difference.files)
            }
            (Some(difference), Some(_)) => listed(diff, &difference.files),
            (None, _) => diff.and_note("the files that change are known once the commit is fetched"),
        };
        if let Some(wreck) = wreck {
            diff = diff.and_note(format!("mends {} files that a checkout left half done", wreck.files.len()));
        }
        let output = self.output(Some(head.revision.clone()), target.revision.clone(), difference);
        // A tree half way is no state to come back to; what was there before it is.
        let trail = trail.filter(|trail| trail.phase == Phase::Done);
        Ok(Survey::predict(CheckoutBefore { head, target, trail }, diff, output))
    }

    async fn difference_to(&self, cx: &Context, head: &Head, target: &Target) -> Result<Option<Difference>> {
        if !facts::has(cx, &self.root, &target.revision).await? {
            return Ok(None);
        }
        facts::difference(cx, &self.root, &head.revision, &target.revision).await.map(Some)
    }

    /// The output when there is nothing to do, with what the last checkout of a run changed.
    async fn already(&self, cx: &Context, place: &Place, trail: Option<Trail>) -> Result<Checkout> {
        let to = place.head.revision.clone();
        let from = trail.filter(|trail| trail.phase != Phase::Back && trail.to == to).map(|trail| trail.from.revision);
        let changed = match &from {
            Some(from) if facts::has(cx, &self.root, from).await? => {
                facts::difference(cx, &self.root, from, &to).await?
            }
            _ => Difference::default(),
        };
        Ok(self.output(from, to, Some(changed)))
    }

    /// The tree, once no other git is at work in it and nothing is half done.
    async fn settled(&self, cx: &Context) -> Result<Place> {
        let place = facts::place(cx, &self.root).await?;
        locks::settle(cx, &self.root, &place.git_dir, &[]).await?;
        let place = facts::place(cx, &self.root).await?;
        let trail = Trail::read(cx, &place.git_dir).await?;
        if let Some(wreck) = Wreck::find(cx, &self.root, &place.head, trail.as_ref()).await? {
            // Mending makes every tracked file what it is in a commit: a change of a person must not be among them.
            self.ensure_clean(cx, Some(&wreck)).await?;
            wreck.mend(cx, &self.root).await?;
        }
        Ok(place)
    }

    /// To the branch, when it still stands where it stood; else to the commit.
    async fn go_back(&self, cx: &Context, head: &Head) -> Result<()> {
        let mut command = commands::checkout(&self.root, &head.revision);
        if let Some(branch) = &head.branch {
            let stands = facts::resolve(cx, &self.root, &format!("refs/heads/{branch}")).await?;
            if stands.as_ref() == Some(&head.revision) {
                command = commands::checkout_branch(&self.root, branch);
            } else {
                cx.warn(format!("the branch `{branch}` has moved; going back to the commit {} itself", head.revision));
            }
        }
        facts::ask(cx, &command).await.map_err(|error| self.in_the_way(error))?;
        Ok(())
    }

    async fn ensure_at(&self, cx: &Context, revision: &Revision) -> Result<()> {
        let head = facts::place(cx, &self.root).await?.head;
        if head.revision != *revision {
            let root = self.root.display();
            return Err(Error::new(format!("git says it is done, but `{root}` is at {head} and not at {revision}")));
        }
        Ok(())
    }

    async fn ensure_clean(&self, cx: &Context, wreck: Option<&Wreck>) -> Result<()> {
        let mut files = facts::modified(cx, &self.root).await?;
        files.retain(|file| wreck.is_none_or(|wreck| !wreck.files.contains(file)));
        if files.is_empty() {
            return Ok(());
        }
        let root = self.root.display();
        Err(Error::refused(format!("the git tree `{root}` has local changes in {}", named(&files)))
            .details(files.iter().take(50))
            .hint(format!("keep them with `git -C {root} stash`, or drop them with `git -C {root} checkout -- FILE`")))
    }

    /// Files that git does not know must not stand where new ones come.
    async fn ensure_free(&self, cx: &Context, difference: &Difference) -> Result<()> {
        let files = facts::untracked(cx, &self.root, &difference.added).await?;
        if files.is_empty() {
            return Ok(());
        }
        let root = self.root.display();
        Err(Error::refused(format!(
            "`{}` would overwrite untracked files in `{root}`: {}",
            self.revision,
            named(&files)
        ))
        .details(files.iter().take(50))
        .hint("move them away; what they hold is in no commit"))
    }

    fn in_the_way(&self, error: Error) -> Error {
        error.context(format!("check out a commit in `{}`", self.root.display()))
    }

    fn moved(&self, head: &Head, from: &Revision, to: &Revision) -> Error {
        let root = self.root.display();
        Error::new(format!(
            "someone moved `{root}` to {head} meanwhile; it should go from {} to {}",
            from.short(),
            to.short()
        ))
        .hint(format!("look at `git -C {root} reflog`, then check out the commit that should be there"))
    }
}

/// A few files by name.
fn named(files: &[String]) -> String {
    let some: Vec<String> = files.iter().take(3).map(|file| format!("`{file}`")).collect();
    match files.len() - some.len() {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

/// The files that change, as far as one reads.
fn listed(diff: Diff, files: &[String]) -> Diff {
    const SHOWN: usize = 20;
    let diff = files.iter().take(SHOWN).fold(diff, Diff::and_note);
    if files.len() > SHOWN { diff.and_note(format!("and {} more files", files.len() - SHOWN)) } else { diff }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(files: Option<&[&str]>) -> Checkout {
        Checkout {
            root: "/srv/app".into(),
            from: None,
            to: Revision::full(&"a".repeat(40)).expect("a full id"),
            changed: files.map(|files| files.iter().map(PathBuf::from).collect()),
        }
    }

    #[test]
    fn changed_takes_paths_directories_and_patterns() {
        let code = code(Some(&["requirements.txt", "app/migrations/0003_new.py", "web/src/ui/main.ts"]));
        for yes in [
            "requirements.txt",
            "./requirements.txt",
            "*.txt",
            "app",
            "app/migrations/",
            "app/migrations/*.py",
            "**/*.ts",
            "web/**/main.ts",
            "web/**",
            "**",
            "re?uirements.*",
        ] {
            assert!(code.changed(yes), "{yes}");
        }
        for no in ["requirements", "migrations", "ap", "*.py", "app/*.py", "**/*.rs", "web/src/ui/main.ts/x"] {
            assert!(!code.changed(no), "{no}");
        }
    }

    #[test]
    fn while_nobody_knows_everything_may_have_changed() {
        assert!(code(None).changed("anything"));
        assert!(!code(Some(&[])).changed("anything"));
    }

    #[test]
    fn a_release_knows_what_was_there_before() {
        let mut code = code(None);
        code.from = Revision::full(&"b".repeat(40));
        assert_eq!(code.release().previous, code.from);
    }
}
