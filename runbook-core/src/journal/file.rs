//! Journals in a directory: one file a run, append-only, checksummed, one writer.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use super::index::Index;
use super::line::{self, Chain, Lines};
use super::lock::{Holder, Lock};
use super::{Began, Effect, Entry, FORMAT, Journal, Memo, Part, Slot, Store};
use crate::{Error, ErrorKind, Explain, Key, Result, RunId};

/// Keeps the journals of many runs in one directory: `RUN.journal` for each, and a lock for each book and target.
#[derive(Debug, Clone)]
pub struct FileStore {
    dir: PathBuf,
    syncs: Arc<AtomicU64>,
}

impl FileStore {
    /// The store in this directory, which is made when it is missing. An error when it cannot be written.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        let name = || format!("use `{}` as the journal directory", dir.display());
        std::fs::create_dir_all(&dir).map_err(Error::from).with_context(name)?;
        std::fs::read_dir(&dir).map_err(Error::from).with_context(name)?;
        Ok(Self { dir, syncs: Arc::default() })
    }

    /// How many times this store has waited for the disk.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// The journal file of a run.
    pub fn path(&self, run: &RunId) -> PathBuf {
        self.dir.join(format!("{run}.journal"))
    }

    fn lines(&self, run: &RunId) -> Result<Lines> {
        let path = self.path(run);
        let name = path.display().to_string();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(self.no_run(run)),
            Err(error) => {
                return Err(Error::from(error).context(format!("read journal `{name}`")).kind_of(ErrorKind::Journal));
            }
        };
        line::read(&bytes, &name)
    }

    fn no_run(&self, run: &RunId) -> Error {
        Error::new(format!("there is no run `{run}` in `{}`", self.dir.display())).hint("`runs` lists those there are")
    }

    fn is_over(&self, run: &RunId) -> bool {
        // A run that holds the lock but never got to write its first line has changed nothing.
        let Ok(lines) = self.lines(run) else { return !self.path(run).exists() };
        lines.entries.iter().any(|entry| matches!(&entry.memo, Memo::Ended(ended) if ended.outcome.is_final()))
            || lines.entries.is_empty()
    }

    fn lock(&self, run: &RunId, began: &Began) -> Result<Lock> {
        let file_name = format!("{}@{}.lock", plain(&began.book), plain(&began.target));
        let what = format!("`{}` on `{}`", began.book, began.target);
        let holder = Holder {
            run: run.clone(),
            procedure: began.procedure.clone(),
            by: began.by.clone(),
            host: began.host.clone(),
            pid: std::process::id(),
            since: Timestamp::now(),
        };
        Lock::take(&self.dir.join(file_name), &what, &holder, |run| self.is_over(run))
    }

    fn journal(&self, run: &RunId, lines: Lines, lock: Lock) -> Result<FileJournal> {
        let path = self.path(run);
        let open = OpenOptions::new().append(true).create(true).open(&path);
        let file = open.map_err(Error::from).with_context(|| format!("write journal `{}`", path.display()))?;
        let whole = lines.whole as u64;
        if file.metadata()?.len() != whole {
            file.set_len(whole).map_err(Error::from).with_context(|| format!("cut journal `{}`", path.display()))?;
        }
        let tail = Tail { file: Arc::new(file), chain: lines.chain, length: whole, written: 0 };
        Ok(FileJournal {
            index: Index::new(lines.entries),
            path,
            tail: Mutex::new(tail),
            turn: tokio::sync::Mutex::new(0),
            syncs: self.syncs.clone(),
            lock: Mutex::new(Some(lock)),
        })
    }
}

#[async_trait]
impl Store for FileStore {
    async fn begin(&self, run: &RunId, began: &Began) -> Result<Box<dyn Journal>> {
        if self.path(run).exists() {
            return Err(Error::refused(format!("there is a run `{run}` already")).hint("start it again"));
        }
        let lock = self.lock(run, began)?;
        let lines = Lines { entries: Vec::new(), chain: Chain::default(), whole: 0 };
        let journal = self.journal(run, lines, lock)?;
        let memo = Memo::Began(Box::new(began.clone()));
        journal.once(Slot::new(&Key::root(), Part::Began), Box::pin(async { Ok(memo) })).await?;
        // The file's name is durable too before anything is changed.
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(Error::from)
            .context("sync the journal directory")?;
        Ok(Box::new(journal))
    }

    async fn open(&self, run: &RunId) -> Result<Box<dyn Journal>> {
        let began = began(&self.lines(run)?.entries, run)?;
        let lock = self.lock(run, &began)?;
        // Read again under the lock: another execution may have gone on in between.
        Ok(Box::new(self.journal(run, self.lines(run)?, lock)?))
    }

    async fn read(&self, run: &RunId) -> Result<Vec<Entry>> {
        Ok(self.lines(run)?.entries)
    }

    async fn runs(&self) -> Result<Vec<RunId>> {
        let entries = std::fs::read_dir(&self.dir).map_err(Error::from);
        let entries = entries.with_context(|| format!("list the runs in `{}`", self.dir.display()))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut runs: Vec<_> =
            names.filter_map(|name| Some(RunId(name.strip_suffix(".journal")?.to_owned()))).collect();
        runs.sort();
        Ok(runs)
    }

    fn place(&self) -> String {
        self.dir.display().to_string()
    }

    fn scratch(&self, run: &RunId) -> Option<PathBuf> {
        Some(self.dir.join(format!("{run}.processes")))
    }
}

/// How a run began, from its journal.
fn began(entries: &[Entry], run: &RunId) -> Result<Began> {
    let Some(Memo::Began(began)) = entries.first().map(|entry| &entry.memo) else {
        let message = format!("the journal of run `{run}` was cut before its first line was whole");
        return Err(
            Error::of(ErrorKind::Journal, message).hint("nothing was changed by then; start the procedure anew")
        );
    };
    if began.format > FORMAT {
        let message =
            format!("the journal of run `{run}` has format {}, this program reads up to {FORMAT}", began.format);
        return Err(Error::of(ErrorKind::Journal, message).hint("use the program that wrote it, or a newer one"));
    }
    Ok((**began).clone())
}

/// A name that is safe as part of a file name.
fn plain(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '+' };
    name.chars().map(safe).collect()
}

/// The journal of one run in a file.
struct FileJournal {
    index: Index,
    path: PathBuf,
    tail: Mutex<Tail>,
    /// Whose turn it is to wait for the disk, and how many lines are on it.
    turn: tokio::sync::Mutex<u64>,
    syncs: Arc<AtomicU64>,
    lock: Mutex<Option<Lock>>,
}

/// The end of the file.
struct Tail {
    file: Arc<File>,
    chain: Chain,
    length: u64,
    written: u64,
}

impl Tail {
    /// Appends a line, whole or not at all; gives its number.
    fn append(&mut self, entry: &Entry) -> Result<u64> {
        let (line, chain) = self.chain.encode(entry)?;
        if let Err(error) = (&*self.file).write_all(&line) {
            // A full disk may have taken half of the line.
            let _ = self.file.set_len(self.length);
            return Err(error.into());
        }
        self.chain = chain;
        self.length += line.len() as u64;
        self.written += 1;
        Ok(self.written)
    }
}

impl FileJournal {
    fn tail(&self) -> std::sync::MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this line is on the disk. Branches that come at the same time share one wait.
    async fn sync(&self, line: u64) -> Result<()> {
        // The branches that are ready write their lines first.
        tokio::task::yield_now().await;
        let mut synced = self.turn.lock().await;
        if *synced >= line {
            return Ok(());
        }
        let (file, written) = {
            let tail = self.tail();
            (tail.file.clone(), tail.written)
        };
        // Waiting here blocks the thread, and is on purpose: to hand the wait to another thread and back takes longer than
        // the disk does, and nothing of this run may go on before.
        file.sync_data()?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        *synced = written;
        Ok(())
    }

    fn unwritable(&self, error: Error) -> Error {
        error
            .context(format!("write journal `{}`", self.path.display()))
            .kind_of(ErrorKind::Journal)
            .hint("nothing more was changed; once the journal can be written again, resume the run")
    }
}

#[async_trait]
impl Journal for FileJournal {
    async fn once(&self, slot: Slot, effect: Effect<'_>) -> Result<Memo> {
        if let Some(memo) = self.index.recall(&slot) {
            return Ok(memo);
        }
        let memo = effect.await?;
        let entry = Entry { at: Timestamp::now(), key: slot.key, part: slot.part, memo };
        let line = self.tail().append(&entry).map_err(|error| self.unwritable(error))?;
        if entry.memo.is_barrier() {
            self.sync(line).await.map_err(|error| self.unwritable(error))?;
        }
        Ok(entry.memo)
    }

    fn recall(&self, slot: &Slot) -> Option<Memo> {
        self.index.recall(slot)
    }

    fn entries(&self) -> &[Entry] {
        self.index.entries()
    }

    async fn close(&self, over: bool) -> Result<()> {
        let written = self.tail().written;
        self.sync(written).await.map_err(|error| self.unwritable(error))?;
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        match lock {
            Some(lock) if over => lock.release(),
            _ => Ok(()),
        }
    }
}
