//! From what a person asks for (a branch, a tag, a few digits) to one commit.

use std::path::Path;

use runbook::{Context, Error, Explain, Result};
use serde::{Deserialize, Serialize};

use super::{Revision, commands, facts};

/// The commit a name means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) revision: Revision,
    /// What to fetch when the remote does not give out single commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
}

/// A name that begins with `-` would be taken for an option.
pub(super) fn ensure_no_option(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::new("an empty name is no revision"));
    }
    if name.starts_with('-') || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Error::new(format!("`{name}` is no name of a revision")));
    }
    Ok(())
}

/// What `asked` means.
///
/// - A full id means itself. Nobody is asked.
/// - A branch means what it is at the remote now, never the copy from the last fetch: `main` and `origin/main`
///   are the same. A tag that is here already means what it is here; tags do not move.
/// - Anything else (`v1~2`, a short id, a branch that only exists here, a tree without remotes) means what git
///   says it means here.
pub(super) async fn find(cx: &Context, root: &Path, remote: &str, asked: &str) -> Result<Target> {
    ensure_no_option(asked)?;
    if let Some(revision) = Revision::full(asked) {
        return Ok(Target { revision, name: None });
    }
    let asked = asked.strip_prefix(remote).and_then(|rest| rest.strip_prefix('/')).unwrap_or(asked);
    if let Some(revision) = tag(cx, root, asked).await? {
        return Ok(Target { revision, name: None });
    }
    if may_be_remote(asked)
        && has_remote(cx, root, remote).await?
        && let Some(target) = at_remote(cx, root, remote, asked).await?
    {
        return Ok(target);
    }
    let here = facts::resolve(cx, root, asked).await?;
    let revision = here.with_context(|| {
        format!("neither the git tree `{}` nor its remote `{remote}` knows a revision `{asked}`", root.display())
    })?;
    Ok(Target { revision, name: None })
}

async fn tag(cx: &Context, root: &Path, asked: &str) -> Result<Option<Revision>> {
    let name = asked.strip_prefix("refs/tags/").unwrap_or(asked);
    if name.starts_with("refs/") || !may_be_remote(name) {
        return Ok(None);
    }
    facts::resolve(cx, root, &format!("refs/tags/{name}")).await
}

/// Whether it is the name of a reference, rather than an expression about commits that are here.
fn may_be_remote(name: &str) -> bool {
    name != "HEAD" && !name.contains(['~', '^', '@', '{', ':', '*', '?', '[', '\\'])
}

async fn has_remote(cx: &Context, root: &Path, remote: &str) -> Result<bool> {
    let output = facts::ask(cx, &commands::remotes(root)).await?;
    Ok(output.text()?.lines().any(|name| name == remote))
}

async fn at_remote(cx: &Context, root: &Path, remote: &str, asked: &str) -> Result<Option<Target>> {
    let names = full_names(asked);
    let output = facts::ask(cx, &commands::ls_remote(root, remote, &names)).await?;
    pick(output.text()?, asked)
}

/// The names a reference may have, an annotated tag with the commit it stands for.
pub(super) fn full_names(asked: &str) -> Vec<String> {
    if asked.starts_with("refs/") {
        return vec![asked.to_owned(), format!("{asked}^{{}}")];
    }
    vec![format!("refs/heads/{asked}"), format!("refs/tags/{asked}"), format!("refs/tags/{asked}^{{}}")]
}

/// What the answer of `ls-remote` means. A name that is both a branch and a tag is refused, unless both agree.
pub(super) fn pick(answer: &str, asked: &str) -> Result<Option<Target>> {
    let mut found: Vec<Target> = Vec::new();
    for line in answer.lines() {
        let (id, name) = line.split_once('\t').with_context(|| format!("cannot read `{line}` of `git ls-remote`"))?;
        let revision = Revision::full(id).with_context(|| format!("cannot read `{line}` of `git ls-remote`"))?;
        let plain = name.strip_suffix("^{}").unwrap_or(name).to_owned();
        match found.iter_mut().find(|target| target.name.as_deref() == Some(&plain)) {
            // The second line of an annotated tag: the commit, after the tag itself.
            Some(target) => target.revision = revision,
            None => found.push(Target { revision, name: Some(plain) }),
        }
    }
    if found.windows(2).any(|pair| pair[0].revision != pair[1].revision) {
        return Err(Error::new(format!("`{asked}` is both a branch and a tag at the remote"))
            .hint(format!("write `refs/heads/{asked}` or `refs/tags/{asked}`")));
    }
    Ok(found.into_iter().next())
}

/// Brings the commit here, when it is not here yet: the commit alone if the remote gives it out, else what its
/// name means there now.
pub(super) async fn bring(cx: &Context, root: &Path, remote: &str, target: &Target) -> Result<()> {
    if facts::has(cx, root, &target.revision).await? {
        return Ok(());
    }
    let alone = facts::ask(cx, &commands::fetch_one(root, remote, target.revision.as_str())).await;
    if let (Err(error), Some(name)) = (&alone, &target.name)
        && !error.is_transient()
    {
        facts::ask(cx, &commands::fetch_one(root, remote, name)).await?;
    } else {
        alone?;
    }
    if facts::has(cx, root, &target.revision).await? {
        return Ok(());
    }
    Err(Error::new(format!("the remote `{remote}` no longer has the commit {}", target.revision))
        .hint("the branch was rewritten since the tree was surveyed; run again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    fn picked(answer: &str) -> Option<String> {
        pick(answer, "x").expect("is clear").map(|target| target.revision.to_string())
    }

    #[test]
    fn an_annotated_tag_means_its_commit() {
        assert_eq!(picked(&format!("{ONE}\trefs/tags/x\n{TWO}\trefs/tags/x^{{}}")), Some(TWO.to_owned()));
        assert_eq!(picked(&format!("{ONE}\trefs/heads/x")), Some(ONE.to_owned()));
        assert_eq!(picked(""), None);
    }

    #[test]
    fn a_branch_and_a_tag_of_one_name_are_refused_unless_they_agree() {
        assert!(pick(&format!("{ONE}\trefs/heads/x\n{TWO}\trefs/tags/x"), "x").is_err());
        assert_eq!(picked(&format!("{ONE}\trefs/heads/x\n{ONE}\trefs/tags/x")), Some(ONE.to_owned()));
    }

    #[test]
    fn what_looks_like_an_option_is_refused() {
        for name in ["-f", "--upload-pack=evil", "", "a b", "a\nb"] {
            assert!(ensure_no_option(name).is_err(), "{name:?}");
        }
        assert!(ensure_no_option("release/2.0").is_ok());
    }
}
