//! Cloning a repository.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::host::FileKind;
use runbook::{Context, Description, Diff, Error, Explain, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Revision, commands, facts, target};

/// Clones `url` into `path`, which must not be there yet or be an empty directory.
///
/// The clone is made under another name and moved to its place when it is whole, so that nobody ever sees half
/// of it. A tree that was cloned from the same URL is left as it is.
pub fn clone(url: impl Into<String>, path: impl AsRef<Path>) -> CloneStep {
    CloneStep { url: url.into(), path: path.as_ref().to_owned(), branch: None }
}

/// The step of [`clone`](clone()).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct CloneStep {
    url: String,
    path: PathBuf,
    branch: Option<String>,
}

impl CloneStep {
    /// Begins on this branch or tag instead of the one the remote names.
    pub fn branch(mut self, branch: impl Into<String>) -> Self {
        self.branch = Some(branch.into());
        self
    }
}

/// What was there before the clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloneBefore {
    /// Whether an empty directory was there already.
    empty_directory: bool,
}

/// What a clone brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cloned {
    /// The tree.
    pub root: PathBuf,
    /// Where it came from.
    pub url: String,
    /// The commit it is at.
    pub revision: Revision,
}

/// What is at the place of a clone.
enum Found {
    Nothing,
    EmptyDirectory,
    /// A tree cloned from this URL.
    Tree(String),
    Other,
}

#[async_trait]
impl Step for CloneStep {
    type Before = CloneBefore;
    type Output = Cloned;

    fn describe(&self) -> Description {
        let path = self.path.display();
        let branch = self.branch.as_ref().map(|branch| format!("--branch {branch} ")).unwrap_or_default();
        Description::new("git.clone", path.to_string())
            .summary(format!("clone {} into {path}", self.url))
            .command(format!("git clone {branch}{} {path}", self.url))
            .undo_command(format!("rm -rf {path}"))
            .reads(Resource::new("url", &self.url))
            .writes(Resource::path(&self.path))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<CloneBefore, Cloned>> {
        self.ensure_sane()?;
        let empty_directory = match self.found(cx).await? {
            Found::Tree(url) if url == self.url => return Ok(Survey::Already(self.output(cx).await?)),
            Found::Tree(url) => return Err(self.taken(&format!("a clone of `{url}`"))),
            Found::Other => return Err(self.taken("something else")),
            Found::EmptyDirectory => true,
            Found::Nothing => false,
        };
        self.ensure_parent(cx).await?;
        let revision = self.tip(cx).await?;
        let diff = Diff::none()
            .and_add(format!("{} at {}", self.path.display(), revision.short()))
            .and_note(format!("from {}", self.url));
        let output = Cloned { root: self.path.clone(), url: self.url.clone(), revision };
        Ok(Survey::predict(CloneBefore { empty_directory }, diff, output))
    }

    async fn apply(&self, cx: &Context, before: &CloneBefore) -> Result<Cloned> {
        if !matches!(self.found(cx).await?, Found::Tree(_)) {
            let aside = self.aside(before);
            cx.files().remove(&aside).await?;
            facts::ask(cx, &commands::clone(&self.url, self.branch.as_deref(), &aside)).await?;
            self.move_in(cx, &aside, before).await?;
        }
        self.output(cx).await
    }
}

#[async_trait]
impl Rollback for CloneStep {
    async fn rollback(&self, cx: &Context, before: &CloneBefore) -> Result<()> {
        if !before.empty_directory {
            cx.files().remove(&self.path).await?;
            return cx.files().remove(&self.aside(before)).await;
        }
        for name in cx.files().list(&self.path).await? {
            cx.files().remove(&self.path.join(name)).await?;
        }
        Ok(())
    }
}

impl CloneStep {
    /// What is wrong with it before anything is asked.
    fn ensure_sane(&self) -> Result<()> {
        if self.url.is_empty() || self.url.starts_with('-') {
            return Err(Error::new(format!("`{}` is no URL of a repository", self.url)));
        }
        if url::Url::parse(&self.url).is_ok_and(|url| url.password().is_some()) {
            return Err(Error::new(
                "the URL of the repository has a password in it, which every process list would show",
            )
            .hint("set up a deploy key or a credential helper for this user"));
        }
        self.branch.as_deref().map_or(Ok(()), target::ensure_no_option)
    }

    /// Git would make the directories above by itself, and nobody would take them away again.
    async fn ensure_parent(&self, cx: &Context) -> Result<()> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let Some(parent) = parent else { return Ok(()) };
        match cx.files().stat(parent).await? {
            Some(_) => Ok(()),
            None => {
                Err(Error::refused(format!("`{}` does not exist, so nothing can be cloned into it", parent.display()))
                    .hint("make it in a step before, with the owner and mode it should have"))
            }
        }
    }

    /// Where the clone is made: beside its place, or inside when there is a directory already, whose parent may not
    /// be ours to write in.
    fn aside(&self, before: &CloneBefore) -> PathBuf {
        if before.empty_directory {
            return self.path.join(ASIDE);
        }
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.path.with_file_name(format!(".{name}{ASIDE}"))
    }

    /// Moves the whole clone to its place. Into a directory that is there it goes piece by piece, the git
    /// directory last: only with that it counts as a tree.
    async fn move_in(&self, cx: &Context, aside: &Path, before: &CloneBefore) -> Result<()> {
        if !before.empty_directory {
            return cx.files().rename(aside, &self.path).await;
        }
        let mut names = cx.files().list(aside).await?;
        names.sort_by_key(|name| name == ".git");
        for name in names {
            let place = self.path.join(&name);
            cx.files().remove(&place).await?;
            cx.files().rename(&aside.join(&name), &place).await?;
        }
        cx.files().remove(aside).await
    }

    async fn found(&self, cx: &Context) -> Result<Found> {
        let Some(stat) = cx.files().stat(&self.path).await? else { return Ok(Found::Nothing) };
        if matches!(stat.kind, FileKind::File | FileKind::Other) {
            return Ok(Found::Other);
        }
        let names = cx.files().list(&self.path).await?;
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        // A clone that was cut off while its pieces were moved in has the rest of them still aside.
        if names.is_empty() || has(ASIDE) {
            return Ok(Found::EmptyDirectory);
        }
        if !has(".git") {
            return Ok(Found::Other);
        }
        let url = facts::ask(cx, &commands::remote_url(&self.path, "origin")).await?;
        Ok(Found::Tree(url.text()?.to_owned()))
    }

    /// The commit the clone will be at.
    async fn tip(&self, cx: &Context) -> Result<Revision> {
        let names = self.branch.as_deref().map_or_else(|| vec!["HEAD".to_owned()], target::full_names);
        let answer = facts::ask(cx, &commands::ls_url(&self.url, &names)).await;
        let answer = answer.with_context(|| format!("ask the repository `{}`", self.url))?;
        // A pattern matches ends of names too: a clone that is cloned has `refs/remotes/origin/HEAD` as well.
        let exact = |line: &&str| self.branch.is_some() || line.ends_with("\tHEAD");
        let lines: Vec<&str> = answer.text()?.lines().filter(exact).collect();
        let found = target::pick(&lines.join("\n"), self.branch.as_deref().unwrap_or("HEAD"))?;
        found.map(|target| target.revision).with_context(|| match &self.branch {
            Some(branch) => format!("the repository `{}` has no branch or tag `{branch}`", self.url),
            None => format!("the repository `{}` has no commit yet", self.url),
        })
    }

    async fn output(&self, cx: &Context) -> Result<Cloned> {
        let head = facts::head(cx, &self.path).await?;
        Ok(Cloned { root: self.path.clone(), url: self.url.clone(), revision: head.revision })
    }

    fn taken(&self, by: &str) -> Error {
        Error::refused(format!("cannot clone into `{}`: {by} is there", self.path.display()))
            .hint("choose another path, or move away what is there")
    }
}

const ASIDE: &str = ".runbook-clone";
