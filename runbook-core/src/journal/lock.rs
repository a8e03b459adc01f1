//! The lock of a book and target: a lease that a live run holds, and that names the run when it is gone.
//!
//! Two things make it. A lock of the operating system on the open file says that the holder lives; it ends with its
//! process, however that ends. The content of the file says which run it is; it stays until that run is over, so that a
//! run that crashed keeps others away until it is resumed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Explain, Result, RunId};

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) run: RunId,
    pub(super) procedure: String,
    pub(super) by: String,
    pub(super) host: String,
    pub(super) pid: u32,
    pub(super) since: Timestamp,
}

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock at `path` for `holder`. `is_over` tells whether a run that is named there, but gone, is over.
    pub(super) fn take(path: &Path, what: &str, holder: &Holder, is_over: impl Fn(&RunId) -> bool) -> Result<Self> {
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open.map_err(Error::from).with_context(|| format!("open the lock `{}`", path.display()))?;
        let free = file.try_lock();
        let named = read(&mut file);
        match (free, named) {
            (Err(TryLockError::WouldBlock), named) => Err(held(what, named.as_ref(), holder)),
            (Err(TryLockError::Error(error)), _) => {
                Err(Error::from(error).context(format!("lock `{}`", path.display())))
            }
            (Ok(()), Some(named)) if named.run != holder.run && !is_over(&named.run) => Err(left(what, &named)),
            (Ok(()), _) => Self(file).write(holder),
        }
    }

    fn write(mut self, holder: &Holder) -> Result<Self> {
        let mut text = serde_json::to_vec(holder)?;
        let mut write = |file: &mut File| {
            // Over what stands there, in one write: neither a crash nor a full disk may leave a lock that names nobody.
            let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
            text.resize(length.max(text.len()), b' ');
            file.rewind()?;
            file.write_all(&text)?;
            file.sync_data()
        };
        write(&mut self.0).map_err(Error::from).context("write the lock")?;
        Ok(self)
    }

    /// Gives the lock back: the run is over.
    pub(super) fn release(self) -> Result<()> {
        self.0.set_len(0).map_err(Error::from).context("release the lock")
    }
}

/// Who is named in the lock; nobody when it is empty or cannot be read.
fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The refusal when the holder lives.
fn held(what: &str, named: Option<&Holder>, me: &Holder) -> Error {
    let Some(Holder { run, procedure, by, host, pid, since }) = named else {
        return Error::refused(format!("{what} is locked by another run that is just starting"));
    };
    if *run == me.run {
        return Error::refused(format!("run `{run}` is being executed by process {pid} on {host} since {since:.0}"));
    }
    Error::refused(format!(
        "{what} is locked by run `{run}` (`{procedure}`), started by {by} on {host} (process {pid}), since {since:.0}"
    ))
    .hint("wait until it has ended")
}

/// The refusal when the holder is gone and its run is not over.
fn left(what: &str, Holder { run, procedure, by, since, .. }: &Holder) -> Error {
    let message = format!(
        "{what} is locked by run `{run}` (`{procedure}`) of {by}, begun {since:.0}, which is not running any more and not over"
    );
    Error::of(ErrorKind::Refused, message)
        .hint(format!("take it up again: `resume {run}`, or `resume {run} --roll-back`"))
}
