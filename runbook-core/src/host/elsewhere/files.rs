//! Files of a place, through the tools every system has (POSIX and coreutils or busybox).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::Elsewhere;
use super::errand::Errand;
use super::streams::{FarDraft, FarReading};
use crate::host::local::beside;
use crate::host::{Attributes, Draft, FileKind, Files, Reading, Stat};
use crate::{Error, Result};

/// Raw mode, owner and size; for a link, where it points to. Messages in English, to tell what is not there.
const STAT: &str = r#"LC_ALL=C; export LC_ALL
stat -c '%f %u %g %s' -- "$1" || exit
[ ! -L "$1" ] || readlink -n -- "$1""#;

/// The second half of writing: `$5` is beside `$1` and gets mode `$3` and owner `$4`, then goes into its place. It must
/// have `$2` bytes: when a connection breaks off in the middle, it has fewer.
macro_rules! settle {
    () => {
        r#"
[ "$(wc -c <"$5")" -eq "$2" ] || { echo "the content was cut off" >&2; exit 1; }
mode=$3 owner=$4
if [ -f "$1" ] && [ ! -L "$1" ]; then
  : "${mode:=$(stat -c %a -- "$1")}"
  old=$(stat -c %u:%g -- "$1")
  [ -n "$owner" ] || [ "$old" = "$(stat -c %u:%g -- "$5")" ] || owner=$old
fi
[ -z "$owner" ] || chown -- "$owner" "$5"
chmod -- "${mode:-644}" "$5"
sync -- "$5" 2>/dev/null || sync
mv -fT -- "$5" "$1"
trap - EXIT"#
    };
}
/// Both begin with this: whatever happens, nothing is left beside the place.
macro_rules! tidy {
    () => {
        "set -e; umask 077; trap 'rm -f -- \"$5\"' EXIT"
    };
}

const WRITE: &str = concat!(tidy!(), "; cat >\"$5\"", settle!());
pub(super) const KEEP: &str = concat!(tidy!(), settle!());

const SYMLINK: &str = r#"set -e; trap 'rm -f -- "$3"' EXIT
ln -s -- "$1" "$3"
mv -fT -- "$3" "$2"
trap - EXIT"#;

/// Names may hold newlines, so they end with a zero byte.
const LIST: &str = r#"cd -- "$1" && ls -A >/dev/null || exit
for name in * .[!.]* ..?*; do
  if [ -e "$name" ] || [ -L "$name" ]; then printf '%s\0' "$name"; fi
done"#;

const SET: &str = r#"set -e
[ -z "$3" ] || chown -h -- "$3" "$1"
[ -z "$2" ] || { [ ! -L "$1" ] || { echo "it is a link, and links have no mode" >&2; exit 1; }; chmod -- "$2" "$1"; }"#;

impl Elsewhere {
    /// Runs a script, and says what it did to which path when it fails.
    pub(super) async fn act(
        &self,
        doing: &str,
        path: &Path,
        script: &str,
        args: &[&OsStr],
        input: &[u8],
    ) -> Result<Vec<u8>> {
        self.sh(script, args, input).await?.done(|| self.doing(doing, path))
    }

    pub(super) fn doing(&self, doing: &str, path: &Path) -> String {
        format!("{doing} `{}` on {}", path.display(), self.name())
    }
}

#[async_trait]
impl Files for Elsewhere {
    async fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        let errand = self.sh(STAT, &[path.as_ref()], b"").await?;
        if is_nothing(&errand) {
            return Ok(None);
        }
        let printed = errand.done(|| self.doing("look at", path))?;
        let stat = parse_stat(&printed);
        stat.map(Some).ok_or_else(|| Error::new(self.doing("understand what `stat` says of", path)))
    }

    async fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.act("read", path, r#"cat -- "$1""#, &[path.as_ref()], b"").await
    }

    async fn open<'a>(&'a self, path: &Path) -> Result<Box<dyn Reading + 'a>> {
        Ok(Box::new(FarReading::begin(self, path).await?))
    }

    async fn write(&self, path: &Path, content: &[u8], attributes: &Attributes) -> Result<()> {
        let (mode, owner) = words(attributes);
        let size = content.len().to_string();
        let beside = beside(path);
        let args = [path.as_os_str(), size.as_ref(), mode.as_ref(), owner.as_ref(), beside.as_os_str()];
        self.act("write", path, WRITE, &args, content).await.map(drop)
    }

    async fn create<'a>(&'a self, path: &Path, attributes: &Attributes) -> Result<Box<dyn Draft + 'a>> {
        Ok(Box::new(FarDraft::begin(self, path, attributes).await?))
    }

    async fn make_dir(&self, path: &Path) -> Result<()> {
        self.act("make directory", path, r#"mkdir -p -- "$1""#, &[path.as_ref()], b"").await.map(drop)
    }

    async fn remove(&self, path: &Path) -> Result<()> {
        self.act("remove", path, r#"rm -rf -- "$1""#, &[path.as_ref()], b"").await.map(drop)
    }

    async fn symlink(&self, target: &Path, link: &Path) -> Result<()> {
        self.act("link", link, SYMLINK, &[target.as_ref(), link.as_ref(), beside(link).as_ref()], b"").await.map(drop)
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let doing = format!("rename `{}` to", from.display());
        self.act(&doing, to, r#"mv -fT -- "$1" "$2""#, &[from.as_ref(), to.as_ref()], b"").await.map(drop)
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>> {
        let printed = self.act("list", path, LIST, &[path.as_ref()], b"").await?;
        let names = printed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let mut names: Vec<String> = names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        names.sort();
        Ok(names)
    }

    async fn set(&self, path: &Path, attributes: &Attributes) -> Result<()> {
        let (mode, owner) = words(attributes);
        let args = [path.as_os_str(), mode.as_ref(), owner.as_ref()];
        self.act("set mode and owner of", path, SET, &args, b"").await.map(drop)
    }
}

/// Mode and owner as words for the scripts; empty for what stays as it is.
pub(super) fn words(attributes: &Attributes) -> (String, String) {
    let mode = attributes.mode.map(|mode| format!("{mode:o}")).unwrap_or_default();
    (mode, attributes.owner.clone().unwrap_or_default())
}

/// Whether `stat` found nothing. That it was not allowed to look is another matter.
fn is_nothing(errand: &Errand) -> bool {
    let complaint = errand.complaint();
    !errand.is_done() && ["No such file or directory", "Not a directory"].iter().any(|end| complaint.ends_with(end))
}

fn parse_stat(printed: &[u8]) -> Option<Stat> {
    let end = memchr::memchr(b'\n', printed)?;
    let mut fields = std::str::from_utf8(&printed[..end]).ok()?.split(' ');
    let raw = u32::from_str_radix(fields.next()?, 16).ok()?;
    let kind = match raw & 0o170_000 {
        0o100_000 => FileKind::File,
        0o040_000 => FileKind::Directory,
        0o120_000 => FileKind::Symlink(PathBuf::from(OsStr::from_bytes(&printed[end + 1..]))),
        _ => FileKind::Other,
    };
    Some(Stat {
        kind,
        mode: raw & 0o7777,
        uid: fields.next()?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
        size: fields.next()?.parse().ok()?,
    })
}
