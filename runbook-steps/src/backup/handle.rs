//! Backups, as later steps know them.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::host::FileKind;
use runbook_core::{Context, Error, Explain as _, Record, Result};
use serde::{Deserialize, Serialize};

use crate::file::content;

/// The file that describes a backup, in its directory.
pub(super) const ABOUT: &str = "backup.json";
/// The archive of a backup, in its directory.
pub(super) const ARCHIVE: &str = "archive.tar.gz";
/// The names, modes, sizes and checksums of what is in the archive.
pub(super) const MANIFEST: &str = "manifest";

/// A backup that was made, read back and compared with its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The directory that holds it.
    pub path: PathBuf,
    /// The name of what was backed up.
    pub name: String,
    /// What was backed up.
    pub source: PathBuf,
    /// The SHA-256 checksum of the archive, in hexadecimal digits.
    pub checksum: String,
    /// The SHA-256 checksum of the manifest, in hexadecimal digits.
    pub manifest: String,
    /// The size of the archive.
    pub bytes: u64,
    /// How many files are in it.
    pub files: u64,
    /// When it was begun; `None` in a plan.
    pub taken_at: Option<Timestamp>,
}

impl Backup {
    /// Its archive.
    pub fn archive(&self) -> PathBuf {
        self.path.join(ARCHIVE)
    }

    /// A hidden place beside it.
    pub(super) fn beside(&self, what: &str) -> PathBuf {
        beside(&self.path, what)
    }
}

/// A hidden place beside a path.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{what}"))
}

/// A kind of backup: what all that lie in directories have in common.
pub trait Kept: Record + Clone {
    /// The file that describes it, in its directory.
    const ABOUT: &'static str;
    /// The same one, found here.
    fn found_at(self, path: PathBuf) -> Self;
    /// The directory that holds it.
    fn place(&self) -> &Path;
    /// The name of what was backed up.
    fn of_what(&self) -> &str;
    /// Its one big file, and the size of that.
    fn content(&self) -> (PathBuf, u64);
    /// When it was begun; `None` in a plan.
    fn begun_at(&self) -> Option<Timestamp>;
    /// How much is in it, for people.
    fn amount(&self) -> String;
}

impl Kept for Backup {
    const ABOUT: &'static str = ABOUT;

    fn found_at(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }

    fn place(&self) -> &Path {
        &self.path
    }

    fn of_what(&self) -> &str {
        &self.name
    }

    fn content(&self) -> (PathBuf, u64) {
        (self.archive(), self.bytes)
    }

    fn begun_at(&self) -> Option<Timestamp> {
        self.taken_at
    }

    fn amount(&self) -> String {
        format!("{} files, {} bytes", self.files, self.bytes)
    }
}

/// The backup in a directory; `None` when there is none. An archive that is missing or has another size is an error.
pub(crate) async fn read<B: Kept>(cx: &Context, path: &Path) -> Result<Option<B>> {
    let about = path.join(B::ABOUT);
    let Some(stat) = cx.files().stat(&about).await? else { return Ok(None) };
    let text = content::read(cx, &about, &stat).await?;
    let backup: B = serde_json::from_slice(&text).with_context(|| format!("read `{}`", about.display()))?;
    let backup = backup.found_at(path.to_owned());
    let (archive, bytes) = backup.content();
    match cx.files().stat(&archive).await? {
        Some(stat) if stat.size == bytes => Ok(Some(backup)),
        Some(stat) => {
            let (archive, is, was) = (archive.display(), stat.size, bytes);
            Err(Error::new(format!("the backup `{archive}` is damaged: it has {is} bytes, not {was}")))
        }
        None => Err(Error::new(format!("the backup `{}` is damaged: it is gone", archive.display()))),
    }
}

/// The backups in a directory, newest first, of one name if that is given. A damaged one is an error in its place.
pub(super) async fn all<B: Kept>(cx: &Context, dir: &Path, name: Option<&str>) -> Result<Vec<(PathBuf, Result<B>)>> {
    match cx.files().stat(dir).await? {
        None => return Ok(Vec::new()),
        Some(stat) if stat.kind == FileKind::File => {
            return Err(Error::new(format!("`{}` is not a directory", dir.display())));
        }
        Some(_) => {}
    }
    let mut found = Vec::new();
    for entry in cx.files().list(dir).await?.into_iter().filter(|entry| !entry.starts_with('.')) {
        let (Some(named), path) = (name_of(&entry), dir.join(&entry)) else { continue };
        if name.is_some_and(|name| name != named) {
            continue;
        }
        match read(cx, &path).await {
            Ok(None) => {}
            Ok(Some(backup)) => found.push((path, Ok(backup))),
            Err(error) => found.push((path, Err(error))),
        }
    }
    // By the time in the name: it is there also when the description is damaged.
    found.sort_by(|(a, _), (b, _)| time_of(b).cmp(&time_of(a)).then_with(|| b.cmp(a)));
    Ok(found)
}

/// The name of what was backed up, from the name of a backup.
pub(super) fn name_of(entry: &str) -> Option<&str> {
    let (name, time) = entry.rsplit_once('-')?;
    let (time, number) = time.split_once('.').unwrap_or((time, "1"));
    let shape = time.len() == 16 && time.ends_with('Z') && time.as_bytes()[8] == b'T';
    (shape && number.parse::<u32>().is_ok()).then_some(name)
}

fn time_of(path: &Path) -> Option<String> {
    let entry = path.file_name()?.to_str()?;
    Some(entry.rsplit_once('-')?.1.to_owned())
}

/// A backup that was restored in a rehearsal, and found to be all there.
///
/// There is no way to make one but [`rehearse`](super::rehearse). Steps that destroy data ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedBackup<B = Backup> {
    backup: B,
    rehearsed_at: Option<Timestamp>,
}

impl<B: Clone> VerifiedBackup<B> {
    pub(super) fn new(backup: &B, rehearsed_at: Option<Timestamp>) -> Self {
        Self { backup: backup.clone(), rehearsed_at }
    }

    /// The backup.
    pub fn backup(&self) -> &B {
        &self.backup
    }

    /// When it was rehearsed; `None` in a plan.
    pub fn rehearsed_at(&self) -> Option<Timestamp> {
        self.rehearsed_at
    }
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn the_name_of_a_backup_tells_what_it_is_of() {
        for (entry, name) in [
            ("data-20260131T120000Z", Some("data")),
            ("my-data-20260131T120000Z.2", Some("my-data")),
            ("data-20260131", None),
            ("data", None),
            ("data-20260131T120000Z.x", None),
        ] {
            assert_eq!(name_of(entry), name);
        }
    }
}
