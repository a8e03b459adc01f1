//! What a runner that was killed left running: a note of every process group, so that the next execution can end it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::group::{Group, Status};
use crate::{Explain, Result};

/// A small file that names the process groups that are running: one line of fixed length for each, written when it
/// starts and blanked when it ends, so the file never grows beyond what ran at once.
///
/// A runner that is killed leaves its lines behind. Nothing is synced: the file outlives the runner, and need not
/// outlive the machine, whose processes end with it.
pub struct Leftovers {
    path: PathBuf,
    book: OnceLock<Option<Mutex<Book>>>,
}

/// A process group that an earlier execution left running, and that was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The process that led it.
    pub pid: u32,
    /// The name of its program.
    pub program: String,
    /// Whether it ended when it was asked to, or had to be killed.
    pub killed: bool,
}

/// The length of a line, its newline included.
const LINE: usize = 96;

struct Book {
    file: File,
    taken: BTreeSet<usize>,
    /// This start of this machine, and this namespace of process numbers.
    world: String,
}

/// A line of a [`Leftovers`] file; dropping it blanks the line.
pub(super) struct Line {
    of: Arc<Leftovers>,
    at: usize,
}

impl Leftovers {
    /// The file at this path. It is made when the first command starts.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), book: OnceLock::new() }
    }

    /// Ends every process group of an earlier execution that still runs: asks first, waits this long for all of them
    /// together, then kills. Then the file is empty. Call it before the first command of a new execution.
    pub async fn sweep(&self, grace: Duration) -> Result<Vec<Leftover>> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).context(format!("read `{}`", self.path.display())),
        };
        let world = world();
        let found: Vec<Note> =
            text.lines().filter_map(|line| Note::parse(line, &world)).filter(Note::is_alive).collect();
        let ended = end_all(found, grace).await?;
        std::fs::remove_file(&self.path).with_context(|| format!("remove `{}`", self.path.display()))?;
        Ok(ended)
    }

    /// Notes a process that leads a group. A file that cannot be written costs the note, not the command.
    pub(super) fn note(self: &Arc<Self>, pid: u32, program: &OsStr) -> Option<Line> {
        let book = self.book.get_or_init(|| Book::open(&self.path).ok().map(Mutex::new)).as_ref()?;
        let started = Status::of(pid)?.started;
        let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (0..=book.taken.len()).find(|line| !book.taken.contains(line))?;
        let note = Note { pid, started, program: program_name(program) };
        book.write(at, &note.line(&book.world)).ok()?;
        book.taken.insert(at);
        Some(Line { of: self.clone(), at })
    }
}

impl fmt::Debug for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Leftovers").field(&self.path).finish()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(Some(book)) = self.of.book.get() {
            let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
            // A line that stays is found to be no longer alive.
            let _ = book.write(self.at, "");
            book.taken.remove(&self.at);
        }
    }
}

impl Book {
    /// Lines that are there already are kept: they belong to an execution whose leftovers were not swept.
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let text = io::read_to_string(&file)?;
        let taken = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(at, _)| at).collect();
        Ok(Self { file, taken, world: world() })
    }

    fn write(&self, at: usize, text: &str) -> io::Result<()> {
        let line = format!("{text:<width$}\n", width = LINE - 1);
        self.file.write_all_at(line.as_bytes(), (at * LINE) as u64)
    }
}

/// One line, read.
struct Note {
    pid: u32,
    started: u64,
    program: String,
}

impl Note {
    fn line(&self, world: &str) -> String {
        format!("{} {} {world} {}", self.pid, self.started, self.program)
    }

    /// The note in this line, if it was made in this world; in another, the number names some other process.
    fn parse(line: &str, world: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (pid, started) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        (words.next()? == world).then(|| Self { pid, started, program: words.next().unwrap_or("?").to_owned() })
    }

    /// Whether the group still runs. While a group lasts, no new process gets its number: a leader that started at
    /// another time is another process, and no leader at all means that the group outlived it.
    fn is_alive(&self) -> bool {
        let same = Status::of(self.pid).is_none_or(|status| status.started == self.started);
        same && Group::of(self.pid).is_some_and(Group::is_alive)
    }
}

async fn end_all(found: Vec<Note>, grace: Duration) -> Result<Vec<Leftover>> {
    for note in &found {
        end(note, false)?;
    }
    let _ = tokio::time::timeout(grace, all_gone(&found)).await;
    let mut ended = Vec::new();
    for note in &found {
        let killed = note.is_alive();
        if killed {
            end(note, true)?;
        }
        ended.push(Leftover { pid: note.pid, program: note.program.clone(), killed });
    }
    let _ = tokio::time::timeout(Duration::from_secs(1), all_gone(&found)).await;
    Ok(ended)
}

fn end(note: &Note, force: bool) -> Result<()> {
    let Some(group) = Group::of(note.pid) else { return Ok(()) };
    group.end(force).with_context(|| format!("end process {} (`{}`) of an earlier run", note.pid, note.program))
}

async fn all_gone(notes: &[Note]) {
    while notes.iter().any(Note::is_alive) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The name of the program, short and without blanks; its arguments are nobody's business.
fn program_name(program: &OsStr) -> String {
    let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    name.chars().filter(char::is_ascii_graphic).take(24).collect()
}

/// A word for this start of this machine and this namespace of process numbers: elsewhere, a number names another
/// process.
fn world() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let space: String = space.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    format!("{}/{space}", boot.trim().split('-').next().unwrap_or_default())
}
