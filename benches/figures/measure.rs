//! Measuring: medians of interleaved runs, so that a busy machine slows all contenders alike.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::table::Time;

/// A contender: does its work once, and says how long that took.
pub(crate) type Contender<'a> = &'a mut dyn FnMut() -> Duration;

/// The median time of each contender over this many rounds (A B C, A B C, …), after one round to warm up.
pub(crate) fn interleaved<const N: usize>(rounds: usize, mut contenders: [Contender<'_>; N]) -> [Time; N] {
    let mut times = [(); N].map(|()| Vec::with_capacity(rounds));
    for round in 0..=rounds {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            let time = contender();
            if round > 0 {
                times.push(time);
            }
        }
    }
    times.map(|mut times| {
        times.sort();
        Time(times[times.len() / 2])
    })
}

/// The time of each of this many things.
pub(crate) fn each(time: Duration, things: u32) -> Duration {
    time / things
}

/// How long this takes. What it gives is dropped after the clock has stopped.
pub(crate) fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    let _kept = work();
    began.elapsed()
}

/// How long a program takes from exec to exit. Its output goes to this file.
pub(crate) fn exec(command: &mut Command, output: &Path) -> Duration {
    let output = std::fs::File::create(output).expect("the output can be written");
    command.stdin(Stdio::null()).stdout(output);
    time(|| {
        let status = command.status().expect("the program starts");
        assert!(status.success(), "{command:?} {status}");
    })
}

/// A directory on the disk that holds the build, for what is measured on a disk.
pub(crate) fn dir() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build directory can be written")
}

/// A runtime for one contender: one thread, so that none pays for waking another.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
