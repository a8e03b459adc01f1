//! What a remote says.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use runbook::command::Output;

use super::{MAIN, Repository, Revision, fatal};

/// `git ls-remote URL NAMES`
pub(super) fn list(remotes: &BTreeMap<String, Repository>, url: &str, names: &[&str]) -> Output {
    let Some(remote) = remotes.get(url) else { return gone(url) };
    let mut text = String::new();
    for (name, id) in remote.references() {
        if names.iter().any(|wanted| is(wanted, &name)) {
            let _ = writeln!(text, "{id}\t{name}");
        }
    }
    Output::ok(text)
}

pub(super) fn gone(url: &str) -> Output {
    fatal(&format!("'{url}' does not appear to be a git repository"))
}

/// Whether a pattern of `ls-remote` means this name.
fn is(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

impl Repository {
    /// Its references by their full names, sorted as git does.
    pub(super) fn references(&self) -> Vec<(String, &Revision)> {
        let head = self.branches.get(MAIN).map(|id| ("HEAD".to_owned(), id));
        let branches = self.branches.iter().map(|(name, id)| (format!("refs/heads/{name}"), id));
        let tags = self.tags.iter().map(|(name, id)| (format!("refs/tags/{name}"), id));
        head.into_iter().chain(branches).chain(tags).collect()
    }

    /// A commit and all before it.
    pub(super) fn history(&self, id: &Revision) -> Vec<Revision> {
        std::iter::successors(self.commits.contains_key(id).then(|| id.clone()), |id| self.commits[id].parent.clone())
            .collect()
    }
}
