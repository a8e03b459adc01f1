//! Cuts: the journal file of a run is cut at every byte, and every byte of it is changed, and the run is resumed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::journal::FileStore;
use crate::{Error, ErrorKind, Outcome, Procedure, Resume, RunId, Stored};

use super::drill::Drill;
use super::ran::Ending;
use super::rig::{Orders, Rig, Start};
use super::world::World;

/// What came of cutting and changing a journal.
#[derive(Debug, Clone, Default)]
pub struct Cuts {
    resumed: usize,
    refused: usize,
    broken: Vec<String>,
}

/// Runs a procedure with its journal in a file, and resumes it from every journal that a crash or a bad disk could leave:
/// cut at every byte, and with every single byte changed. Cuts meet the world as it was when the line that is cut was
/// about to be written, and between lines also the world before that and at the end of the run; changed bytes meet the world of a finished run and of one that was
/// killed half way.
///
/// Each time the run must go on and end whole, or refuse with an error that names the journal and leaves the world alone.
///
/// ```ignore
/// cuts::<deploy>(|| Rig::new().host(&web()), Site { version: 2 }).await.are_sound();
/// ```
pub async fn cuts<P: Procedure>(rig: impl Fn() -> Rig + Send + 'static, input: P::Input) -> Cuts {
    let cutting = tokio::task::spawn_blocking(move || {
        let input = Stored::of(&input).unwrap_or_else(|error| panic!("{error:#}"));
        let rig = Box::new(move || super::explore::knowing::<P>(rig()));
        let room = Room::new().unwrap_or_else(|error| panic!("no place for journals: {error:#}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
        Cutter { rig, name: P::OUTLINE.name, input, room, runtime }.cut()
    });
    match cutting.await {
        Ok(cuts) => cuts,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => panic!("{error}"),
    }
}

impl Cuts {
    /// Panics, telling what happened, unless each run ended whole or was refused.
    #[track_caller]
    pub fn are_sound(&self) -> &Self {
        assert!(self.broken.is_empty(), "{self}");
        self
    }

    /// How many runs went on.
    pub fn resumed(&self) -> usize {
        self.resumed
    }

    /// How many were refused.
    pub fn refused(&self) -> usize {
        self.refused
    }
}

impl fmt::Display for Cuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} journals: {} resumed, {} refused", self.resumed + self.refused, self.resumed, self.refused)?;
        f.write_str(&super::lines(&self.broken))
    }
}

/// Where journals are kept for the time of the cutting.
struct Room(PathBuf);

impl Room {
    fn new() -> std::io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Thousands of journals are written; in memory that is quick.
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let name = format!("runbook-cuts-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        std::fs::create_dir_all(base.join(&name))?;
        Ok(Self(base.join(name)))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Cutter {
    rig: Box<dyn Fn() -> Rig + Send>,
    name: &'static str,
    input: Stored,
    room: Room,
    runtime: tokio::runtime::Runtime,
}

/// A run that ended or was killed: its journal, and the world it left.
struct Recorded {
    run: RunId,
    bytes: Vec<u8>,
    world: World,
    /// How many things were done.
    counted: usize,
    /// After how many things done each line of the journal was written.
    writes: Vec<usize>,
}

impl Cutter {
    fn cut(&self) -> Cuts {
        let old = (self.rig)().world();
        let whole = self.record(None);
        let mut cuts = Cuts::default();
        let worlds = self.worlds(&whole);
        for length in 0..=whole.bytes.len() {
            let line = whole.bytes[..length].iter().fold(0, |lines, byte| lines + usize::from(*byte == b'\n'));
            let (before, after) = (&worlds[line], &worlds[(line + 1).min(worlds.len() - 1)]);
            let at_the_edge = length == 0 || whole.bytes[length - 1] == b'\n';
            let mut possible = match line {
                // Without its first line there is no run, and the world cannot be ahead of it.
                0 => vec![before],
                _ if at_the_edge => vec![before, after, &whole.world],
                _ => vec![after],
            };
            possible.dedup();
            for world in possible {
                let what = format!("cut after {length} of {} bytes", whole.bytes.len());
                self.resume(&mut cuts, &what, &whole, &whole.bytes[..length], world, [&old, &whole.world]);
            }
        }
        let half = self.record(whole.writes.get(whole.writes.len() / 2).copied());
        for recorded in [&whole, &half] {
            for at in 0..recorded.bytes.len() {
                let mut bytes = recorded.bytes.clone();
                bytes[at] ^= 1 << (at % 8);
                let what = format!("with byte {at} of {} changed", bytes.len());
                self.resume(&mut cuts, &what, recorded, &bytes, &recorded.world, [&old, &whole.world]);
            }
        }
        cuts
    }

    /// The world at the time when each line was written.
    fn worlds(&self, whole: &Recorded) -> Vec<World> {
        let first = (self.rig)().world();
        let at =
            |count: &usize| if *count < whole.counted { self.record(Some(*count)).world } else { whole.world.clone() };
        std::iter::once(first).chain(whole.writes.iter().map(at)).collect()
    }

    /// Runs the procedure, until it ends or is killed.
    fn record(&self, die_after: Option<usize>) -> Recorded {
        self.runtime.block_on(async {
            let store = self.store();
            let mut rig = (self.rig)().store(store.clone());
            let drill = Drill::default();
            let drill = Arc::new(match die_after {
                Some(count) => drill.dying_after(count),
                None => drill,
            });
            let orders = Orders { drill: drill.clone(), ..Orders::default() };
            let ending = rig.execute(Start::Run(self.name, self.input.clone()), orders).await;
            let run = match rig.last_run().await {
                Ok(run) => run,
                Err(error) => panic!("the run did not begin: {error:#} {ending:?}"),
            };
            let bytes = std::fs::read(store.path(&run)).unwrap_or_default();
            let counted = drill.counted();
            let writes = counted.iter().enumerate().filter(|(_, counted)| counted.what.starts_with("journal: "));
            let writes = writes.map(|(n, _)| n + 1).collect();
            Recorded { run, bytes, world: rig.world(), counted: counted.len(), writes }
        })
    }

    /// Resumes a run from these bytes in this world.
    fn resume(&self, cuts: &mut Cuts, what: &str, of: &Recorded, bytes: &[u8], world: &World, whole: [&World; 2]) {
        let (ending, after) = self.runtime.block_on(async {
            let store = self.store();
            let path = store.path(&of.run);
            let written = std::fs::write(&path, bytes);
            written.unwrap_or_else(|error| panic!("no place for journals: {error}"));
            let mut rig = (self.rig)().store(store);
            rig.restore(world);
            let ending = rig.execute(Start::Resume(&of.run, Resume::Continue), Orders::default()).await;
            let _ = path.parent().map(std::fs::remove_dir_all);
            (ending, rig.world())
        });
        match (&ending, judge(&ending, world, &after, whole)) {
            (Ending::Finished(_), None) => cuts.resumed += 1,
            (_, None) => cuts.refused += 1,
            (_, Some(why)) => cuts.broken.push(format!("{what}: {why}")),
        }
    }

    fn store(&self) -> FileStore {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dir = self.room.0.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        FileStore::open(dir).unwrap_or_else(|error| panic!("no place for journals: {error:#}"))
    }
}

/// What is wrong with how it ended, if anything is.
fn judge(ending: &Ending, world: &World, after: &World, [old, new]: [&World; 2]) -> Option<String> {
    match ending {
        Ending::Finished(finished) => match finished.outcome() {
            Outcome::Done if after == new => None,
            Outcome::RolledBack | Outcome::Refused if after == old => None,
            outcome => {
                let differences = super::lines(&new.diff(after));
                Some(format!("it ended `{}` in a world that is not whole:\n{differences}", outcome.words()))
            }
        },
        Ending::Error(error) if !is_clear(error) => Some(format!("it was refused without a clear reason: {error:?}")),
        Ending::Error(error) if world != after => Some(format!("it was refused, and changed the world: {error:#}")),
        Ending::Error(_) => None,
        Ending::Crashed => Some("its runner died".to_owned()),
    }
}

/// Whether an error says that it is about the journal, or that the run was over.
fn is_clear(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Journal | ErrorKind::Refused | ErrorKind::Mismatch) && !error.message().is_empty()
}
