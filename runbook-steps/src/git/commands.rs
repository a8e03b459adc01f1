//! The git commands, as values.
//!
//! All read-only ones take no lock, so that a survey changes nothing and waits for nobody. None asks a question on
//! a terminal, and all speak English.

use std::path::Path;

use runbook::Command;

use super::Revision;

/// Git in this tree.
fn git(root: &Path) -> Command {
    quiet(Command::new("git").arg("-C").arg(root))
}

fn quiet(command: Command) -> Command {
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C")
}

/// Four lines: the git directory, the way down from the top of the tree, the commit and the full name of HEAD.
pub(super) fn place(root: &Path) -> Command {
    git(root).args(["rev-parse", "--absolute-git-dir", "--show-prefix", "HEAD", "--symbolic-full-name", "HEAD"])
}

/// The commit a name means here; exits with 1 when it means nothing.
pub(super) fn resolve(root: &Path, name: &str) -> Command {
    git(root).args(["rev-parse", "--verify", "--quiet"]).arg(format!("{name}^{{commit}}")).expect([0, 1])
}

/// Exits with 0 when the commit is here.
pub(super) fn has(root: &Path, revision: &Revision) -> Command {
    git(root).args(["cat-file", "-e"]).arg(format!("{revision}^{{commit}}")).expect([0, 1, 128])
}

/// Tracked files that differ from HEAD, null-separated.
pub(super) fn status(root: &Path) -> Command {
    git(root).args(["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no"])
}

/// Which of these paths are untracked, null-separated.
pub(super) fn untracked<'a>(root: &Path, paths: impl IntoIterator<Item = &'a str>) -> Command {
    let paths = paths.into_iter().map(|path| format!(":(literal,top){path}"));
    git(root).args(["ls-files", "-z", "--full-name", "--others", "--"]).args(paths)
}

/// How the files of two commits differ: letter and path in turn, null-separated.
pub(super) fn diff(root: &Path, from: &Revision, to: &Revision) -> Command {
    git(root).args(["diff-tree", "-r", "-z", "--no-renames", "--name-status", from.as_str(), to.as_str()])
}

/// The last commits: id, author, time and subject, null-separated, a record a commit.
pub(super) fn log(root: &Path, revision: &str, count: u32) -> Command {
    git(root).args(["log", "-z", "--no-show-signature", "--format=%H%x1f%an%x1f%ct%x1f%s"]).args([
        format!("--max-count={count}"),
        revision.to_owned(),
        "--".to_owned(),
    ])
}

/// The remotes, one a line.
pub(super) fn remotes(root: &Path) -> Command {
    git(root).arg("remote")
}

/// The URL of a remote; exits with 1 when there is none.
pub(super) fn remote_url(root: &Path, remote: &str) -> Command {
    git(root).args(["config", "--get"]).arg(format!("remote.{remote}.url")).expect([0, 1])
}

/// What these full names mean at the remote: id and name, a line each.
pub(super) fn ls_remote(root: &Path, remote: &str, names: &[String]) -> Command {
    git(root).args(["ls-remote", remote]).args(names)
}

/// The same without a tree.
pub(super) fn ls_url(url: &str, names: &[String]) -> Command {
    quiet(Command::new("git")).args(["ls-remote", "--", url]).args(names)
}

/// Brings one commit, or what a name means at the remote, and touches no reference here. The background
/// housekeeping is left out: it would go on after the step.
pub(super) fn fetch_one(root: &Path, remote: &str, what: &str) -> Command {
    git(root)
        .args(["fetch", "--quiet", "--no-tags", "--no-auto-gc", "--no-write-fetch-head", "--refmap="])
        .args([remote, what])
}

/// Brings the branches and tags of a remote. A branch may go anywhere, a tag stays what it is.
pub(super) fn fetch_all(root: &Path, remote: &str) -> Command {
    git(root)
        .args(["fetch", "--no-progress", "--no-tags", "--no-auto-gc", "--no-write-fetch-head", remote])
        .args([format!("+refs/heads/*:refs/remotes/{remote}/*"), "refs/tags/*:refs/tags/*".to_owned()])
}

/// The references below these, id and name a line.
pub(super) fn references(root: &Path, below: &[String]) -> Command {
    git(root).args(["for-each-ref", "--format=%(objectname) %(refname)"]).args(below)
}

/// Sets and deletes references, as its input says.
pub(super) fn update_references(root: &Path, input: String) -> Command {
    git(root).args(["update-ref", "--stdin"]).input(input)
}

/// Goes to a commit and leaves every branch where it is. Ignored files are not overwritten either.
pub(super) fn checkout(root: &Path, revision: &Revision) -> Command {
    git(root).args(["checkout", "--quiet", "--no-overwrite-ignore", "--detach", revision.as_str()])
}

/// Goes back to a branch.
pub(super) fn checkout_branch(root: &Path, branch: &str) -> Command {
    git(root).args(["checkout", "--quiet", "--no-overwrite-ignore", branch, "--"])
}

/// Makes the index what it is at a commit; no file is touched.
pub(super) fn read_tree(root: &Path, revision: &Revision) -> Command {
    git(root).args(["read-tree", revision.as_str()])
}

/// Finds out which files differ from the index.
pub(super) fn refresh(root: &Path) -> Command {
    git(root).args(["update-index", "-q", "--refresh"]).expect([0, 1])
}

/// Makes index and tracked files what they are at HEAD.
pub(super) fn reset(root: &Path) -> Command {
    git(root).args(["reset", "--hard", "--quiet"])
}

/// Clones into a directory that is not there yet.
pub(super) fn clone(url: &str, branch: Option<&str>, into: &Path) -> Command {
    let command = quiet(Command::new("git")).args(["clone", "--quiet", "--origin", "origin"]);
    let command = match branch {
        Some(branch) => command.args(["--branch", branch]),
        None => command,
    };
    command.args(["--", url]).arg(into)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command without what all of them have in common.
    fn text(command: &Command) -> String {
        command.to_string().replace("GIT_TERMINAL_PROMPT=0 GIT_OPTIONAL_LOCKS=0 LC_ALL=C ", "")
    }

    #[test]
    fn commands_are_what_a_person_would_type() {
        let root = Path::new("/srv/app");
        let id = Revision::full("0123456789012345678901234567890123456789").expect("a full id");
        for (command, expected) in [
            (
                checkout_branch(root, "main"),
                "git -C /srv/app checkout --quiet --no-overwrite-ignore main --".to_owned(),
            ),
            (checkout(root, &id), format!("git -C /srv/app checkout --quiet --no-overwrite-ignore --detach {id}")),
            (resolve(root, "v1"), "git -C /srv/app rev-parse --verify --quiet 'v1^{commit}'".to_owned()),
            (
                untracked(root, ["a b"]),
                "git -C /srv/app ls-files -z --full-name --others -- ':(literal,top)a b'".to_owned(),
            ),
            (clone("u", Some("b"), root), "git clone --quiet --origin origin --branch b -- u /srv/app".to_owned()),
        ] {
            assert_eq!(text(&command), expected);
        }
    }

    #[test]
    fn nothing_asks_on_a_terminal() {
        assert!(clone("u", None, Path::new("/x")).to_string().contains("GIT_TERMINAL_PROMPT=0"));
    }
}
