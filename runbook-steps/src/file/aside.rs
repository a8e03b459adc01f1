//! Things kept aside for a rollback, in `.runbook/NAME.N` beside what they were.

use std::path::{Path, PathBuf};

use crate::command::word;
use runbook_core::host::{Attributes, FileKind};
use runbook_core::{Context, Error, Explain as _, Result};

/// The directory, beside the thing.
const PLACE: &str = ".runbook";
/// How many versions of one thing are kept.
const VERSIONS: u64 = 16;

/// The next free name for keeping what is at this path aside. Looks only.
pub(crate) async fn next(cx: &Context, path: &Path) -> Result<PathBuf> {
    let last = versions(cx, path).await?.into_iter().max().unwrap_or(0);
    version(path, last + 1)
}

/// Everything kept aside of this path, oldest first.
pub(crate) async fn all(cx: &Context, path: &Path) -> Result<Vec<PathBuf>> {
    let mut versions = versions(cx, path).await?;
    versions.sort_unstable();
    versions.into_iter().map(|n| version(path, n)).collect()
}

/// Makes the directory for it. Nobody else may look inside, and git does not see it.
pub(crate) async fn make_place(cx: &Context, aside: &Path) -> Result<()> {
    let place = parent(aside)?;
    cx.files().make_dir(&place).await?;
    cx.files().set(&place, &Attributes::mode(0o700)).await?;
    let ignore = place.join(".gitignore");
    if cx.files().stat(&ignore).await?.is_none() {
        cx.files().write(&ignore, b"*\n", &Attributes::mode(0o600)).await?;
    }
    Ok(())
}

/// Removes versions that are too old to be of use to a run.
pub(crate) async fn make_room(cx: &Context, path: &Path) -> Result<()> {
    let versions = versions(cx, path).await?;
    let last = versions.iter().copied().max().unwrap_or(0);
    for old in versions.into_iter().filter(|n| n + VERSIONS <= last) {
        cx.files().remove(&version(path, old)?).await?;
    }
    Ok(())
}

/// Removes one thing kept aside, and the directory when nothing is left in it.
pub(crate) async fn drop(cx: &Context, aside: &Path) -> Result<()> {
    cx.files().remove(aside).await?;
    tidy(cx, aside).await
}

/// Removes the directory of things kept aside when nothing is left in it.
pub(crate) async fn tidy(cx: &Context, aside: &Path) -> Result<()> {
    let place = parent(aside)?;
    if cx.files().stat(&place).await?.is_none() {
        return Ok(());
    }
    let names = cx.files().list(&place).await?;
    if names.iter().all(|name| name == ".gitignore") {
        cx.files().remove(&place).await?;
    }
    Ok(())
}

/// What a person would type to put the last version of this path back.
pub(crate) fn by_hand(path: &Path) -> String {
    let place = path.parent().unwrap_or(Path::new("/")).join(PLACE);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kept = place.join(format!("{name}.N"));
    format!("ls -l {}; mv {} {}  # the highest N", word(&place), word(&kept), word(path))
}

/// The directory a path lies in.
pub(crate) fn parent(path: &Path) -> Result<PathBuf> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent
        .map(Path::to_owned)
        .context(format!("`{}` lies in no directory", path.display()))
        .map_err(|error| error.hint("name it by its whole path"))
}

fn version(path: &Path, n: u64) -> Result<PathBuf> {
    Ok(parent(path)?.join(PLACE).join(format!("{}.{n}", name(path)?)))
}

fn name(path: &Path) -> Result<&str> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| Error::new(format!("`{}` has no name that is text", path.display())))
}

/// The numbers of what is kept aside of this path.
async fn versions(cx: &Context, path: &Path) -> Result<Vec<u64>> {
    let place = parent(path)?.join(PLACE);
    let Some(stat) = cx.files().stat(&place).await? else { return Ok(Vec::new()) };
    if stat.kind != FileKind::Directory {
        let error = Error::new(format!("`{}` is not a directory", place.display()));
        return Err(error.hint("steps keep there what they replace; move it away"));
    }
    let prefix = format!("{}.", name(path)?);
    let names = cx.files().list(&place).await?;
    Ok(names.iter().filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect())
}
