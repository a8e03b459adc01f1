//! How a git tree is read.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook::command::Output;
use runbook::{Command, Context, Error, ErrorKind, Explain, Result};
use serde::{Deserialize, Serialize};

use super::trail::{Phase, Trail};
use super::{Release, Revision, commands};

/// Where a tree is: at a commit, on a branch or on none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The commit.
    pub revision: Revision,
    /// The branch it is on, without `refs/heads/`; `None` when HEAD is detached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.branch {
            Some(branch) => write!(f, "{} ({branch})", self.revision.short()),
            None => f.write_str(self.revision.short()),
        }
    }
}

/// A commit, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its id.
    pub revision: Revision,
    /// Who wrote it.
    pub author: String,
    /// When it was committed.
    pub at: Timestamp,
    /// The first line of its message.
    pub subject: String,
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({}, {})", self.revision.short(), self.subject, self.author, self.at)
    }
}

/// Where the tree at `root` is. Source: `git rev-parse HEAD`.
pub async fn head(cx: &Context, root: impl AsRef<Path>) -> Result<Head> {
    Ok(place(cx, root.as_ref()).await?.head)
}

/// The tracked files that differ from HEAD, sorted. Source: `git status`.
pub async fn local_changes(cx: &Context, root: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    Ok(modified(cx, root.as_ref()).await?.into_iter().map(PathBuf::from).collect())
}

/// The files that differ between two revisions, sorted. Source: `git diff-tree`.
pub async fn changed_files(
    cx: &Context,
    root: impl AsRef<Path>,
    from: impl AsRef<str>,
    to: impl AsRef<str>,
) -> Result<Vec<PathBuf>> {
    let root = root.as_ref();
    let from = known(cx, root, from.as_ref()).await?;
    let to = known(cx, root, to.as_ref()).await?;
    Ok(difference(cx, root, &from, &to).await?.into_paths())
}

/// The last commits up to HEAD, newest first. Source: `git log`.
pub async fn log(cx: &Context, root: impl AsRef<Path>, count: u32) -> Result<Vec<Commit>> {
    let output = ask(cx, &commands::log(root.as_ref(), "HEAD", count)).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    records(&text).map(commit).collect()
}

/// The release that the last checkout of a run brought here, with what was there before it: what a quick rollback
/// goes back to. `None` when no run has checked anything out since, or when the tree was moved by hand.
pub async fn previous(cx: &Context, root: impl AsRef<Path>) -> Result<Option<Release>> {
    let place = place(cx, root.as_ref()).await?;
    let trail = Trail::read(cx, &place.git_dir).await?;
    let ours = trail.filter(|trail| trail.phase == Phase::Done && trail.to == place.head.revision);
    Ok(ours.map(|trail| Release { revision: trail.to, previous: Some(trail.from.revision) }))
}

/// A tree and where it is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) git_dir: PathBuf,
    pub(super) head: Head,
}

/// Where the tree is, once it is certain that `root` is the top of one.
pub(super) async fn place(cx: &Context, root: &Path) -> Result<Place> {
    let command = commands::place(root);
    let output = cx.output(&command).await?;
    let text = output.lossy().into_owned();
    let lines: Vec<&str> = text.lines().collect();
    if let [_, prefix, ..] = lines[..]
        && !prefix.is_empty()
    {
        return Err(Error::new(format!("`{}` is not the top of a git tree but `{prefix}` inside one", root.display())));
    }
    if output.code == Some(128) && lines.len() >= 2 {
        return Err(Error::new(format!("the git tree `{}` has no commit yet", root.display()))
            .hint("clone it with `git::clone(url, path)`"));
    }
    let output = judged(cx, &command, output)?;
    let [git_dir, _, id, name] = lines[..] else { return Err(unread(&command, &output)) };
    let revision = Revision::full(id).ok_or_else(|| unread(&command, &output))?;
    let branch = name.strip_prefix("refs/heads/").map(str::to_owned);
    Ok(Place { git_dir: git_dir.into(), head: Head { revision, branch } })
}

/// The commit a name means here, if it means any.
pub(super) async fn resolve(cx: &Context, root: &Path, name: &str) -> Result<Option<Revision>> {
    let output = ask(cx, &commands::resolve(root, name)).await?;
    Ok(Revision::full(output.text()?))
}

/// The commit a name means here; not knowing it is an error.
pub(super) async fn known(cx: &Context, root: &Path, name: &str) -> Result<Revision> {
    super::target::ensure_no_option(name)?;
    let found = resolve(cx, root, name).await?;
    found.with_context(|| format!("the git tree `{}` knows no revision `{name}`", root.display()))
}

/// Whether this commit is here.
pub(super) async fn has(cx: &Context, root: &Path, revision: &Revision) -> Result<bool> {
    Ok(ask(cx, &commands::has(root, revision)).await?.success())
}

/// The tracked files that differ from HEAD.
pub(super) async fn modified(cx: &Context, root: &Path) -> Result<Vec<String>> {
    let output = ask(cx, &commands::status(root)).await?;
    let mut files: Vec<String> =
        records(&whole(&output)?).filter_map(|entry| entry.get(3..)).map(str::to_owned).collect();
    files.sort();
    Ok(files)
}

/// Which of these files are there, although the tree does not track them.
pub(super) async fn untracked(cx: &Context, root: &Path, files: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for some in files.chunks(200) {
        let output = ask(cx, &commands::untracked(root, some.iter().map(String::as_str))).await?;
        found.extend(records(&whole(&output)?).map(str::to_owned));
    }
    Ok(found)
}

/// How two commits differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// All files that differ, sorted.
    pub(super) files: Vec<String>,
    /// Those that only the second has.
    pub(super) added: Vec<String>,
}

impl Difference {
    pub(super) fn into_paths(self) -> Vec<PathBuf> {
        self.files.into_iter().map(PathBuf::from).collect()
    }
}

pub(super) async fn difference(cx: &Context, root: &Path, from: &Revision, to: &Revision) -> Result<Difference> {
    let output = ask(cx, &commands::diff(root, from, to)).await?;
    let text = whole(&output)?;
    let fields: Vec<&str> = records(&text).collect();
    let mut difference = Difference::default();
    for pair in fields.chunks_exact(2) {
        difference.files.push(pair[1].to_owned());
        if pair[0] == "A" {
            difference.added.push(pair[1].to_owned());
        }
    }
    difference.files.sort();
    Ok(difference)
}

/// Runs a git command; an exit code it does not expect is an error that says what git says, and what to do.
pub(super) async fn ask(cx: &Context, command: &Command) -> Result<Output> {
    let output = cx.output(command).await?;
    judged(cx, command, output)
}

fn judged(cx: &Context, command: &Command, output: Output) -> Result<Output> {
    if output.code.is_some_and(|code| command.accepts(code)) { Ok(output) } else { Err(failure(cx, command, &output)) }
}

/// What git says when something went wrong, what that means, and what to do about it.
const SAYINGS: &[(&str, ErrorKind, &str)] = &[
    (
        "dubious ownership",
        ErrorKind::Failed,
        "the tree belongs to another user: run as its owner (`become`), or `git config --global --add safe.directory PATH`",
    ),
    ("not a git repository", ErrorKind::Failed, "clone it with `git::clone(url, path)`"),
    ("Could not resolve host", ErrorKind::Transient, "is the name of the remote right, and does DNS answer?"),
    ("Connection refused", ErrorKind::Transient, "is the git server up?"),
    ("Connection timed out", ErrorKind::Transient, "is the git server reachable from this host?"),
    ("Failed to connect", ErrorKind::Transient, "is the git server reachable from this host?"),
    ("Connection reset", ErrorKind::Transient, "the git server hung up"),
    ("early EOF", ErrorKind::Transient, "the git server hung up"),
    ("hung up unexpectedly", ErrorKind::Transient, "the git server hung up"),
    ("The requested URL returned error: 5", ErrorKind::Transient, "the git server has trouble of its own"),
    ("terminal prompts disabled", ErrorKind::Failed, "set up a deploy key or a credential helper for this user"),
    ("Authentication failed", ErrorKind::Failed, "set up a deploy key or a credential helper for this user"),
    ("Permission denied (publickey", ErrorKind::Failed, "set up a deploy key for this user"),
    ("Host key verification failed", ErrorKind::Failed, "add the git server to this user's known_hosts"),
    (
        "would clobber existing tag",
        ErrorKind::Failed,
        "a tag moved at the remote: look why, then `git fetch --tags --force`",
    ),
    (".lock': File exists", ErrorKind::Transient, "another git is at work in this tree"),
    ("No space left on device", ErrorKind::Failed, "free some space"),
];

fn failure(cx: &Context, command: &Command, output: &Output) -> Error {
    let error = Error::new(format!("`{command}` on {} {}", cx.host().name(), output.ending())).details(output.tail(10));
    let said = String::from_utf8_lossy(&output.stderr);
    match SAYINGS.iter().find(|(words, ..)| said.contains(words)) {
        Some((_, kind, hint)) => error.kind_of(*kind).hint(*hint),
        None => error,
    }
}

pub(super) fn unread(command: &Command, output: &Output) -> Error {
    Error::new(format!("cannot read what `{command}` says")).details(output.tail(10))
}

/// The output as text, when nothing of it is missing. Names that are not UTF-8 are shown as well as possible.
fn whole(output: &Output) -> Result<String> {
    if output.omitted > 0 {
        return Err(Error::new(format!("git lists too many files: {} bytes were left out", output.omitted)));
    }
    Ok(output.lossy().into_owned())
}

fn records(text: &str) -> impl Iterator<Item = &str> {
    text.split('\0').filter(|record| !record.is_empty())
}

fn commit(record: &str) -> Result<Commit> {
    let bad = || Error::new(format!("cannot read the line `{record}` of `git log`"));
    let fields: Vec<&str> = record.trim_start_matches('\n').splitn(4, '\x1f').collect();
    let [id, author, seconds, subject] = fields[..] else { return Err(bad()) };
    let at = seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    Ok(Commit {
        revision: Revision::full(id).ok_or_else(bad)?,
        author: author.to_owned(),
        at: at.ok_or_else(bad)?,
        subject: subject.to_owned(),
    })
}
