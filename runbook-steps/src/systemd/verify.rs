//! Reading a unit file as systemd would, before it gets its place.

use std::path::{Path, PathBuf};

use runbook::host::Attributes;
use runbook::{Context, Error, ErrorKind, Result};

use super::{Unit, commands, failure};

/// Where the files of a unit wait while they are read: where only root writes, and that is gone with the next boot.
fn place(unit: &Unit) -> PathBuf {
    PathBuf::from(format!("/run/runbook-verify.{unit}"))
}

/// An error unless `systemd-analyze verify` finds nothing wrong with these files: the unit, and a drop-in beside it.
pub(super) async fn verify(cx: &Context, unit: &Unit, files: &[(PathBuf, &[u8])]) -> Result<()> {
    let place = place(unit);
    let verdict = judge(cx, unit, &place, files).await;
    let tidied = cx.files().remove(&place).await;
    verdict.and(tidied)
}

/// Removes what a look that was cut off left behind.
pub(super) async fn tidy(cx: &Context, unit: &Unit) -> Result<()> {
    let place = place(unit);
    if cx.files().stat(&place).await?.is_some() {
        cx.files().remove(&place).await?;
    }
    Ok(())
}

async fn judge(cx: &Context, unit: &Unit, place: &Path, files: &[(PathBuf, &[u8])]) -> Result<()> {
    for (name, content) in files {
        let path = place.join(name);
        cx.files().make_dir(path.parent().unwrap_or(place)).await?;
        cx.files().write(&path, content, &Attributes::mode(0o600)).await?;
    }
    let command = commands::verify(&place.join(unit.as_str()));
    let output = cx.output(&command).await?;
    if output.success() {
        return Ok(());
    }
    let error = match failure::saying(&output) {
        Some((kind, hint)) => Error::of(kind, format!("cannot verify `{unit}`")).hint(hint),
        None => Error::of(ErrorKind::Failed, format!("systemd finds fault with `{unit}`: nothing was changed"))
            .hint("`.without_verify(\"why\")` installs it all the same; `systemd-analyze` is to be 250 or newer"),
    };
    Err(error.details(output.tail(10)))
}
