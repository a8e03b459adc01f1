//! Files, directories and links as steps and checks.
//!
//! ```
//! # use runbook_core::Secret;
//! # use runbook_steps::file;
//! file::write("/etc/app.conf", "workers = 4\n").mode(0o644);
//! file::template("/etc/nginx/app.conf", "listen {{port}};\n").set("port", 8000);
//! file::secret("/run/app/token", &Secret::env("APP_TOKEN"));
//! file::symlink("/srv/app/current").to("/srv/app/releases/42");
//! file::directory("/srv/app/data").mode(0o750);
//! file::remove("/srv/app/cache");
//! ```
//!
//! # The way back
//!
//! Every change is atomic, and what was there before is kept for the rollback:
//!
//! - A small text or binary file (up to 64 KiB) that everyone on the host may read is kept in the journal.
//! - A bigger file, one that is marked [`secret`](Write::secret) and one that not everyone may read is copied beside
//!   itself, into `.runbook/NAME.N` with mode 0600, before it is replaced. Journals hold no secrets.
//! - What [`remove`] removes is renamed to `.runbook/NAME.N`, in no time whatever its size.
//!
//! `.runbook/` is a directory of mode 0700 that git ignores. A rollback empties it. After a run that went well the
//! last versions stay there, at most 16 of each file, until [`forget`] removes them.
//!
//! Files are read into memory: those over 64 MiB are refused with an error that says so. ([`remove`] takes any size.)

use std::path::Path;

use runbook_core::Secret;

pub use self::attributes::{Permissions, SetAttributes};
pub use self::before::Before;
pub use self::checks::{Absent, Contains, Exists, ModeIs};
pub use self::directory::{Directory, DirectoryBefore, MakeDirectory};
pub use self::forget::{Forget, Forgotten};
pub use self::remove::{Remove, RemoveBefore, RemoveForGood, Removed};
pub use self::symlink::{Link, Linked, Symlink};
pub use self::template::Template;
pub use self::write::{Write, Written};

pub(crate) mod aside;
mod attributes;
pub(crate) mod before;
mod checks;
pub(crate) mod content;
mod directory;
mod forget;
mod lines;
mod owner;
mod remove;
pub(crate) mod replace;
mod symlink;
mod template;
#[cfg(test)]
mod tests;
mod write;

/// Writes this content to this path. The directory must exist.
pub fn write(path: impl AsRef<Path>, content: impl Into<Vec<u8>>) -> Write {
    Write::bytes(path.as_ref(), content.into())
}

/// Writes this secret, and nothing after it, to this path with mode 0600.
pub fn secret(path: impl AsRef<Path>, secret: &Secret) -> Write {
    Write::of_secret(path.as_ref(), secret)
}

/// Copies a file on the host, with its mode.
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Write {
    Write::copy(from.as_ref(), to.as_ref())
}

/// Writes a text with its `{{keys}}` filled in. A key without a value and a value without a key are errors before
/// anything changes.
pub fn template(path: impl AsRef<Path>, text: impl Into<String>) -> Template {
    Template::new(path.as_ref(), text.into())
}

/// Gives what is at this path these permission bits, like `0o600`.
pub fn mode(path: impl AsRef<Path>, mode: u32) -> SetAttributes {
    SetAttributes::mode(path.as_ref(), mode)
}

/// Gives what is at this path to `user`, `user:group` or `:group`, by name or number.
pub fn owner(path: impl AsRef<Path>, owner: impl Into<String>) -> SetAttributes {
    SetAttributes::owner(path.as_ref(), owner.into())
}

/// A symbolic link at this path; [`to`](Link::to) says where it leads.
pub fn symlink(link: impl AsRef<Path>) -> Link {
    Link::new(link.as_ref())
}

/// Makes a directory, and those above it.
pub fn directory(path: impl AsRef<Path>) -> MakeDirectory {
    MakeDirectory::new(path.as_ref())
}

/// Removes a file, a link or a directory with all that is in it, keeping it aside.
pub fn remove(path: impl AsRef<Path>) -> Remove {
    Remove::new(path.as_ref())
}

/// Removes for good what earlier steps kept aside of this path. Nothing brings it back.
pub fn forget(path: impl AsRef<Path>) -> Forget {
    Forget::new(path.as_ref())
}

/// Whether there is something at this path; a link counts, wherever it leads.
pub fn exists(path: impl AsRef<Path>) -> Exists {
    Exists::new(path.as_ref())
}

/// Whether there is nothing at this path.
pub fn absent(path: impl AsRef<Path>) -> Absent {
    Absent::new(path.as_ref())
}

/// Whether what is at this path has exactly these permission bits.
pub fn mode_is(path: impl AsRef<Path>, mode: u32) -> ModeIs {
    ModeIs::new(path.as_ref(), mode)
}

/// Whether the file at this path contains this text.
pub fn contains(path: impl AsRef<Path>, text: impl Into<String>) -> Contains {
    Contains::new(path.as_ref(), text.into())
}
