//! Volumes: kept in an archive, and put back from one.
//!
//! What is in a volume is reached through a container of an image that is on the host already, and has `sh`, `tar`, `find`,
//! `stat` and `sha256sum`. It has no network, and sees nothing but the volumes.

use std::path::{Path, PathBuf};

use runbook::host::Attributes;
use runbook::{Context, Error, Explain as _, Result};
use serde::{Deserialize, Serialize};

use super::container::{self, Container};

mod archive;
pub(crate) mod helper;
mod restore;

pub use self::archive::{Archive, archive};
pub use self::restore::{Restore, Restored, VolumeBefore, restore};

/// A volume in an archive that was read back and compared with the volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeArchive {
    /// The archive.
    pub path: PathBuf,
    /// The volume.
    pub volume: String,
    /// The SHA-256 checksum of the archive, in hexadecimal digits; empty in a plan.
    pub checksum: String,
    /// A digest of all names, modes, owners and contents in it.
    pub content: String,
    /// How many files are in it.
    pub files: u64,
}

impl VolumeArchive {
    /// The archive at this path, as the file beside it describes it.
    pub async fn at(cx: &Context, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let about = about(path);
        let text = cx.files().read(&about).await.with_context(|| {
            format!("`{}` is no archive of a volume: `{}` beside it cannot be read", path.display(), about.display())
        })?;
        let this: Self = serde_json::from_slice(&text).with_context(|| format!("read `{}`", about.display()))?;
        Ok(Self { path: path.to_owned(), ..this })
    }

    /// Writes down what is in it, beside it.
    async fn describe(&self, cx: &Context) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        cx.files().write(&about(&self.path), &text, &Attributes::mode(0o600)).await
    }

    /// An error unless the archive is the one that was described.
    async fn require_whole(&self, cx: &Context) -> Result<()> {
        let found = checksum(cx, &self.path).await?;
        if found == self.checksum {
            return Ok(());
        }
        let error =
            Error::new(format!("the archive `{}` is damaged: it does not have its checksum", self.path.display()));
        Err(error.details([format!("wanted {}", self.checksum), format!("found  {found}")]))
    }
}

/// The file that describes an archive.
fn about(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

async fn checksum(cx: &Context, path: &Path) -> Result<String> {
    let output = cx.run(&runbook::Command::new("sha256sum").arg(path)).await?;
    let word = output.text()?.split_whitespace().next().map(|word| word.trim_start_matches('\\').to_owned());
    word.with_context(|| format!("no checksum of `{}`", path.display()))
}

/// The containers that work with a volume now.
async fn users(cx: &Context, volume: &str) -> Result<Vec<Container>> {
    let mut all = container::matching(cx, &[format!("volume={volume}")]).await?;
    all.retain(|container| container.is_up() && container.mounts.iter().any(|mount| mount.name == volume));
    Ok(all)
}
