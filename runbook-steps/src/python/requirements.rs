//! How a file of requirements differs between two revisions.

use std::collections::BTreeMap;
use std::path::Path;

use runbook::{Context, Error, Result};
use serde::{Deserialize, Serialize};

use super::{commands, facts};

/// How two versions of a file of requirements differ: whole requirements (`fastapi>=0.110`), sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementsChange {
    /// New ones.
    pub added: Vec<String>,
    /// Those that are gone.
    pub removed: Vec<String>,
    /// Those that ask for something else now, as they were and as they are.
    pub changed: Vec<(String, String)>,
}

impl RequirementsChange {
    /// Whether both versions ask for the same.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn between(old: &str, new: &str) -> Self {
        let (old, new) = (read(old), read(new));
        let only = |these: &BTreeMap<String, String>, those: &BTreeMap<String, String>| {
            these.iter().filter(|(name, _)| !those.contains_key(*name)).map(|(_, line)| line.clone()).collect()
        };
        let both = old.iter().filter_map(|(name, line)| Some((line, new.get(name)?)));
        let changed = both.filter(|(old, new)| old != new).map(|(old, new)| (old.clone(), new.clone())).collect();
        Self { added: only(&new, &old), removed: only(&old, &new), changed }
    }
}

/// How `file`, below the git tree at `root`, differs between two revisions of it. A revision without the file asks for
/// nothing. Other files that it includes are not followed. Source: `git show`.
pub async fn requirements_changed(
    cx: &Context,
    root: impl AsRef<Path>,
    file: &str,
    from: impl AsRef<str>,
    to: impl AsRef<str>,
) -> Result<RequirementsChange> {
    let old = file_at(cx, root.as_ref(), from.as_ref(), file).await?;
    let new = file_at(cx, root.as_ref(), to.as_ref(), file).await?;
    Ok(RequirementsChange::between(&old, &new))
}

async fn file_at(cx: &Context, root: &Path, revision: &str, file: &str) -> Result<String> {
    let command = commands::file_at(root, revision, file);
    let output = cx.run(&command).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.success() {
        true => Ok(output.text()?.to_owned()),
        false if said.contains("does not exist in") || said.contains("exists on disk, but not in") => Ok(String::new()),
        false => Err(Error::new(format!("`{command}` {}", output.ending())).details(output.tail(5))),
    }
}

/// The requirements in a file by name; options by themselves. Comments and hashes do not count.
fn read(text: &str) -> BTreeMap<String, String> {
    let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let lines = text.lines().map(|line| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let words = line.split_whitespace().filter(|word| !word.starts_with("--hash="));
        words.collect::<Vec<_>>().join(" ")
    });
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| (facts::name_of(&line).unwrap_or_else(|| line.clone()), line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_compared_by_name() {
        let old = "# web\nFastAPI==0.1 \\\n  --hash=sha256:00\nuvicorn[standard]>=0.29 # server\nold\n-r base.txt\n";
        let new = "fastapi==0.2 --hash=sha256:11\nuvicorn[standard]>=0.29\nnew>1\n-r base.txt\n";
        let change = RequirementsChange::between(old, new);
        assert_eq!(change.added, ["new>1"]);
        assert_eq!(change.removed, ["old"]);
        assert_eq!(change.changed, [("FastAPI==0.1".to_owned(), "fastapi==0.2".to_owned())]);
        assert!(RequirementsChange::between(old, &old.replace("00", "22")).is_empty());
    }
}
