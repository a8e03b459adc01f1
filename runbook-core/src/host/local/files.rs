//! The files of this machine.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind as IoKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::Local;
use super::streams::{NearDraft, NearReading};
use crate::host::owner::Owner;
use crate::host::{Attributes, Draft, FileKind, Files, Reading, Stat};
use crate::{Error, Result};

#[async_trait]
impl Files for Local {
    async fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        off_thread(path, stat).await
    }

    async fn read(&self, path: &Path) -> Result<Vec<u8>> {
        off_thread(path, |path| fs::read(path).map_err(|error| refused("read", path, &error))).await
    }

    async fn write(&self, path: &Path, content: &[u8], attributes: &Attributes) -> Result<()> {
        let (content, attributes) = (content.to_owned(), attributes.clone());
        off_thread(path, move |path| write(path, &content, &attributes)).await
    }

    async fn open<'a>(&'a self, path: &Path) -> Result<Box<dyn Reading + 'a>> {
        Ok(Box::new(NearReading::begin(path).await?))
    }

    async fn create<'a>(&'a self, path: &Path, attributes: &Attributes) -> Result<Box<dyn Draft + 'a>> {
        Ok(Box::new(NearDraft::begin(path, attributes).await?))
    }

    async fn make_dir(&self, path: &Path) -> Result<()> {
        off_thread(path, |path| fs::create_dir_all(path).map_err(|error| refused("make directory", path, &error))).await
    }

    async fn remove(&self, path: &Path) -> Result<()> {
        off_thread(path, |path| remove(path).map_err(|error| refused("remove", path, &error))).await
    }

    async fn symlink(&self, target: &Path, link: &Path) -> Result<()> {
        let target = target.to_owned();
        off_thread(link, move |link| {
            let beside = beside(link);
            let made = std::os::unix::fs::symlink(&target, &beside).and_then(|()| fs::rename(&beside, link));
            made.map_err(|error| {
                let _ = fs::remove_file(&beside);
                refused("link", link, &error)
            })
        })
        .await
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let to = to.to_owned();
        off_thread(from, move |from| {
            let doing = format!("rename `{}` to", from.display());
            fs::rename(from, &to).map_err(|error| refused(&doing, &to, &error))
        })
        .await
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>> {
        off_thread(path, |path| names_in(path).map_err(|error| refused("list", path, &error))).await
    }

    async fn set(&self, path: &Path, attributes: &Attributes) -> Result<()> {
        let attributes = attributes.clone();
        off_thread(path, move |path| set(path, &attributes)).await
    }
}

/// File systems know no asynchrony: one trip to a thread that may wait for the disk, for the whole operation.
pub(super) async fn off_thread<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T> + Send + 'static,
) -> Result<T> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || work(&path)).await?
}

/// What could not be done to which path, and what to do about it where that is known.
pub(super) fn refused(doing: &str, path: &Path, cause: &io::Error) -> Error {
    let error = Error::new(format!("{doing} `{}`", path.display())).caused_by(Error::new(cause.to_string()));
    match cause.kind() {
        IoKind::StorageFull => error.hint("free some space on its file system"),
        IoKind::QuotaExceeded => error.hint("the disk quota of this user is used up"),
        IoKind::ReadOnlyFilesystem => error.hint("its file system is mounted read-only"),
        IoKind::PermissionDenied => error.hint("run as a user who may, or change its owner or mode"),
        _ => error,
    }
}

fn stat(path: &Path) -> Result<Option<Stat>> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if matches!(error.kind(), IoKind::NotFound | IoKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(refused("look at", path, &error)),
    };
    let kind = match meta.file_type() {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_dir() => FileKind::Directory,
        kind if kind.is_symlink() => {
            FileKind::Symlink(fs::read_link(path).map_err(|error| refused("read link", path, &error))?)
        }
        _ => FileKind::Other,
    };
    Ok(Some(Stat { kind, mode: meta.mode() & 0o7777, uid: meta.uid(), gid: meta.gid(), size: meta.size() }))
}

fn write(path: &Path, content: &[u8], attributes: &Attributes) -> Result<()> {
    let (mut file, beside) = begin(path, attributes)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    settle(path, &beside, written)
}

/// An empty file beside this place, with mode and owner as they will be: there is never content to see for others.
pub(super) fn begin(path: &Path, attributes: &Attributes) -> Result<(fs::File, PathBuf)> {
    let wanted = Wanted::of(path, attributes)?;
    let beside = beside(path);
    match make(&beside, &wanted) {
        Ok(file) => Ok((file, beside)),
        Err(error) => {
            let _ = fs::remove_file(&beside);
            Err(refused("write", path, &error))
        }
    }
}

fn make(beside: &Path, wanted: &Wanted) -> io::Result<fs::File> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    if wanted.owner != Owner::default() {
        std::os::unix::fs::fchown(&file, wanted.owner.uid, wanted.owner.gid)?;
    }
    file.set_permissions(fs::Permissions::from_mode(wanted.mode))?;
    Ok(file)
}

/// Renames what was written into its place, or removes it when it could not be written.
pub(super) fn settle(path: &Path, beside: &Path, written: io::Result<()>) -> Result<()> {
    written.and_then(|()| fs::rename(beside, path)).and_then(|()| sync_parent(path)).map_err(|error| {
        let _ = fs::remove_file(beside);
        refused("write", path, &error)
    })
}

/// Mode and owner a written file gets.
struct Wanted {
    mode: u32,
    owner: Owner,
}

impl Wanted {
    fn of(path: &Path, attributes: &Attributes) -> Result<Self> {
        let old = stat(path)?.filter(|old| old.kind == FileKind::File);
        let named = attributes.owner.as_deref().map(Owner::look_up).transpose()?.unwrap_or_default();
        let mine = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        // Only what differs is asked of the system: changing owners is for root.
        let kept = |old: Option<u32>, mine: u32| old.filter(|old| *old != mine);
        Ok(Self {
            mode: attributes.mode.or(old.as_ref().map(|old| old.mode)).unwrap_or(0o644),
            owner: Owner {
                uid: named.uid.or(kept(old.as_ref().map(|old| old.uid), mine.0)),
                gid: named.gid.or(kept(old.as_ref().map(|old| old.gid), mine.1)),
            },
        })
    }
}

/// A rename is durable once its directory is.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(parent)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if matches!(error.kind(), IoKind::NotFound | IoKind::NotADirectory) => Ok(()),
        other => other,
    }
}

fn names_in(path: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn set(path: &Path, attributes: &Attributes) -> Result<()> {
    let refused = |error: io::Error| refused("set mode and owner of", path, &error);
    let owner = attributes.owner.as_deref().map(Owner::look_up).transpose()?.unwrap_or_default();
    if owner != Owner::default() {
        std::os::unix::fs::lchown(path, owner.uid, owner.gid).map_err(refused)?;
    }
    let Some(mode) = attributes.mode else { return Ok(()) };
    if fs::symlink_metadata(path).map_err(refused)?.is_symlink() {
        return Err(Error::new(format!("set mode of `{}`: it is a link, and links have none", path.display())));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(refused)
}

/// A name in the same directory that nothing else uses.
pub(in crate::host) fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut name = OsString::from(".");
    // Names are at most 255 bytes long.
    name.push(path.file_name().unwrap_or_default().to_string_lossy().chars().take(50).collect::<String>());
    name.push(format!(".{}-{}.new", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}
