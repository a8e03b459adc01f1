//! Fetching the branches and tags of a remote.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Explain, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Revision, commands, facts, locks, target};

/// Brings the branches and tags of the remote into the tree at `root`, and touches no file. Branches that are gone
/// at the remote stay here.
///
/// A [`checkout`](super::checkout()) fetches what it needs by itself.
pub fn fetch(root: impl AsRef<Path>) -> FetchStep {
    FetchStep { root: root.as_ref().to_owned(), remote: "origin".to_owned() }
}

/// The step of [`fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct FetchStep {
    root: PathBuf,
    remote: String,
}

impl FetchStep {
    /// From this remote instead of `origin`.
    pub fn remote(mut self, remote: impl Into<String>) -> Self {
        self.remote = remote.into();
        self
    }
}

/// The references a fetch moves, as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchBefore {
    moves: Vec<RefChange>,
}

/// What a fetch brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// The tree.
    pub root: PathBuf,
    /// The references that moved, sorted by name.
    pub moved: Vec<RefChange>,
}

/// A reference that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefChange {
    /// Its full name here: `refs/remotes/origin/main`, `refs/tags/v2`.
    pub name: String,
    /// Where it was; `None` when it was not there.
    pub from: Option<Revision>,
    /// Where it is now. For an annotated tag this is the tag, not its commit.
    pub to: Revision,
}

type References = BTreeMap<String, Revision>;

#[async_trait]
impl Step for FetchStep {
    type Before = FetchBefore;
    type Output = Fetched;

    fn describe(&self) -> Description {
        let root = self.root.display();
        Description::new("git.fetch", root.to_string())
            .summary(format!("fetch the branches and tags of `{}` into {root}", self.remote))
            .command(format!("git -C {root} fetch --tags {}", self.remote))
            .reads(Resource::path(self.root.join(".git")))
            .writes(Resource::path(self.root.join(".git")))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<FetchBefore, Fetched>> {
        target::ensure_no_option(&self.remote)?;
        facts::place(cx, &self.root).await?;
        let here = self.here(cx).await?;
        let moves = moves(&here, &self.there(cx).await?);
        let output = Fetched { root: self.root.clone(), moved: moves.clone() };
        if moves.is_empty() {
            return Ok(Survey::Already(output));
        }
        Ok(Survey::predict(FetchBefore { moves: moves.clone() }, shown(&moves), output))
    }

    async fn apply(&self, cx: &Context, before: &FetchBefore) -> Result<Fetched> {
        self.settle_locks(cx, before).await?;
        facts::ask(cx, &commands::fetch_all(&self.root, &self.remote)).await?;
        let here = self.here(cx).await?;
        let old: References =
            before.moves.iter().filter_map(|one| Some((one.name.clone(), one.from.clone()?))).collect();
        // What is here now, against what was here: also what the remote got in the meantime.
        let names: Vec<&String> = before.moves.iter().map(|one| &one.name).collect();
        let now = here.into_iter().filter(|(name, _)| names.contains(&name)).collect();
        Ok(Fetched { root: self.root.clone(), moved: moves(&old, &now) })
    }
}

#[async_trait]
impl Rollback for FetchStep {
    /// Puts the references back. The commits stay until git cleans up by itself.
    async fn rollback(&self, cx: &Context, before: &FetchBefore) -> Result<()> {
        self.settle_locks(cx, before).await?;
        let here = self.here(cx).await?;
        let mut input = String::new();
        for RefChange { name, from, .. } in &before.moves {
            let _ = match (from, here.get(name)) {
                (Some(from), now) if now != Some(from) => writeln!(input, "update {name} {from}"),
                (None, Some(_)) => writeln!(input, "delete {name}"),
                _ => Ok(()),
            };
        }
        if !input.is_empty() {
            facts::ask(cx, &commands::update_references(&self.root, input)).await?;
        }
        Ok(())
    }
}

impl FetchStep {
    async fn settle_locks(&self, cx: &Context, before: &FetchBefore) -> Result<()> {
        let git_dir = facts::place(cx, &self.root).await?.git_dir;
        let locks: Vec<PathBuf> = before.moves.iter().map(|one| git_dir.join(format!("{}.lock", one.name))).collect();
        locks::settle(cx, &self.root, &git_dir, &locks).await
    }

    async fn here(&self, cx: &Context) -> Result<References> {
        let below = [format!("refs/remotes/{}/", self.remote), "refs/tags/".to_owned()];
        let output = facts::ask(cx, &commands::references(&self.root, &below)).await?;
        parse(output.text()?, ' ')
    }

    /// The references of the remote, under the names they have here.
    async fn there(&self, cx: &Context) -> Result<References> {
        let names = ["refs/heads/*".to_owned(), "refs/tags/*".to_owned()];
        let output = facts::ask(cx, &commands::ls_remote(&self.root, &self.remote, &names)).await?;
        let there = parse(output.text()?, '\t')?.into_iter().filter(|(name, _)| !name.ends_with("^{}"));
        Ok(there.map(|(name, revision)| (self.local_name(&name), revision)).collect())
    }

    fn local_name(&self, name: &str) -> String {
        match name.strip_prefix("refs/heads/") {
            Some(branch) => format!("refs/remotes/{}/{branch}", self.remote),
            None => name.to_owned(),
        }
    }
}

fn parse(text: &str, separator: char) -> Result<References> {
    let one = |line: &str| {
        let (id, name) = line.split_once(separator)?;
        Some((name.to_owned(), Revision::full(id)?))
    };
    text.lines().map(|line| one(line).with_context(|| format!("cannot read the reference `{line}`"))).collect()
}

/// How the references here change when they become those.
fn moves(here: &References, there: &References) -> Vec<RefChange> {
    let differ = there.iter().filter(|(name, to)| here.get(*name) != Some(to));
    differ.map(|(name, to)| RefChange { name: name.clone(), from: here.get(name).cloned(), to: to.clone() }).collect()
}

fn shown(moves: &[RefChange]) -> Diff {
    moves.iter().fold(Diff::none(), |diff, RefChange { name, from, to }| match from {
        Some(from) => diff.and_turn(name, from.short(), to.short()),
        None => diff.and_add(format!("{name} at {}", to.short())),
    })
}
