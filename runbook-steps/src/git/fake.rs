//! A simulated git, for simulated hosts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runbook::Resource;
use runbook::command::Output;
use runbook::testing::{Call, Program, SimHost};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Revision;

mod local;
mod remote;

use self::local::Local;

/// A git with remotes that live in the test. A clone is another handle to the same remotes.
///
/// ```
/// use runbook_core::testing::SimHost;
/// use runbook_steps::git;
///
/// let git = git::Fake::new()
///     .release("https://example.org/app.git", "v1", [("app.py", "one")])
///     .release("https://example.org/app.git", "v2", [("app.py", "two"), ("requirements.txt", "flask")]);
/// let host = git.on(SimHost::new("web-1").dir("/srv"));
/// ```
///
/// It knows what the steps of this library ask of git, and refuses everything else. It is held to the real
/// git by one suite that runs against both. Trees lie in the files of the host, so a snapshot has them. The commits that were fetched are left
/// out of snapshots: a rollback keeps them too. Locks, modes and links are not simulated.
#[derive(Debug, Clone, Default)]
pub struct Fake(Arc<Mutex<BTreeMap<String, Repository>>>);

/// A repository at a remote: its commits, and what names mean.
#[derive(Debug, Clone, Default)]
struct Repository {
    commits: BTreeMap<Revision, Commit>,
    branches: BTreeMap<String, Revision>,
    tags: BTreeMap<String, Revision>,
}

type Files = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Commit {
    parent: Option<Revision>,
    message: String,
    files: Files,
}

const MAIN: &str = "main";

impl Fake {
    /// A git without any remote.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a remote at this URL that has no commit yet.
    pub fn remote(self, url: &str) -> Self {
        self.remotes().entry(url.to_owned()).or_default();
        self
    }

    /// With one more commit on `main` of the remote at this URL, tagged with this name, whose tree has exactly these
    /// files.
    pub fn release<P: Into<String>, C: Into<String>>(
        self,
        url: &str,
        tag: &str,
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Self {
        self.publish(url, tag, files);
        self
    }

    /// The same while a test goes on: someone pushes. The commit it made.
    pub fn publish<P: Into<String>, C: Into<String>>(
        &self,
        url: &str,
        tag: &str,
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Revision {
        let mut remotes = self.remotes();
        let remote = remotes.entry(url.to_owned()).or_default();
        let files = files.into_iter().map(|(path, content)| (path.into(), content.into())).collect();
        let commit = Commit { parent: remote.branches.get(MAIN).cloned(), message: tag.to_owned(), files };
        let id = commit.id();
        remote.commits.insert(id.clone(), commit);
        remote.branches.insert(MAIN.to_owned(), id.clone());
        remote.tags.insert(tag.to_owned(), id.clone());
        id
    }

    /// The commit that a tag or a branch means at a remote.
    pub fn revision(&self, url: &str, name: &str) -> Option<Revision> {
        let remotes = self.remotes();
        let remote = remotes.get(url)?;
        remote.tags.get(name).or_else(|| remote.branches.get(name)).cloned()
    }

    /// The host, with this git on it.
    pub fn on(&self, host: SimHost) -> SimHost {
        host.program("git", self.clone()).ignoring_state(OBJECTS)
    }

    fn remotes(&self) -> MutexGuard<'_, BTreeMap<String, Repository>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kind of resource under which a host remembers the commits it has, by the URL they came from.
const OBJECTS: &str = "git-objects";

fn objects(url: &str) -> Resource {
    Resource::new(OBJECTS, url)
}

impl Commit {
    fn id(&self) -> Revision {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let digits = Sha256::digest(text).iter().take(20).fold(String::new(), |mut digits, byte| {
            let _ = write!(digits, "{byte:02x}");
            digits
        });
        Revision::full(&digits).unwrap_or_else(|| unreachable!("twenty bytes are forty digits"))
    }
}

impl Program for Fake {
    fn run(&self, call: &mut Call<'_>) -> Output {
        let remotes = self.remotes();
        match call.args()[..] {
            ["-C", root, ref rest @ ..] => {
                let root = call.path(root);
                if !call.files().is_dir(&root) {
                    return fatal(&format!("cannot change to '{}': No such file or directory", root.display()));
                }
                match Local::open(call, &root, &remotes) {
                    Some(mut local) => local.run(rest),
                    None if rest == ["remote"] || rest.first() == Some(&"config") => Output::failed(1, ""),
                    None => fatal("not a git repository (or any of the parent directories): .git"),
                }
            }
            ["ls-remote", "--", url, ref names @ ..] => remote::list(&remotes, url, names),
            ["clone", "--quiet", "--origin", "origin", "--branch", branch, "--", url, into] => {
                local::clone(call, &remotes, url, Some(branch), into)
            }
            ["clone", "--quiet", "--origin", "origin", "--", url, into] => {
                local::clone(call, &remotes, url, None, into)
            }
            _ => unknown(&call.args()),
        }
    }
}

fn fatal(words: &str) -> Output {
    Output::failed(128, format!("fatal: {words}\n"))
}

fn unknown(args: &[&str]) -> Output {
    Output::failed(129, format!("the simulated git does not know `git {}`\n", args.join(" ")))
}
