//! Process groups of this machine: ending them whole, and telling whether anything of them is left.

use std::fs::File;
use std::io::Read as _;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// A process group, named by the process that leads it or led it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group(Pid);

impl Group {
    /// The group that this process leads; `None` for a number that is no process.
    pub(super) fn of(pid: u32) -> Option<Self> {
        // Group 1 belongs to the first process of the machine, and ending it would end everything.
        let pid = i32::try_from(pid).ok().filter(|pid| *pid > 1)?;
        Pid::from_raw(pid).map(Self)
    }

    /// Asks it to end, or ends it. A group that is gone is fine.
    pub(super) fn end(self, force: bool) -> Result<(), Errno> {
        let signal = if force { Signal::KILL } else { Signal::TERM };
        match kill_process_group(self.0, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a process of it still runs. One that ended and was not collected by its parent does not.
    pub(super) fn is_alive(self) -> bool {
        if test_kill_process_group(self.0) == Err(Errno::SRCH) {
            return false;
        }
        let Ok(processes) = std::fs::read_dir("/proc") else { return true };
        processes
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Status::of)
            .any(|status| status.group == self.0.as_raw_pid() && status.is_alive())
    }
}

/// More than a line of `/proc/PID/stat` can be: 52 numbers of at most 20 digits and a name of at most 64 bytes. The
/// kernel gives it in one piece.
const LONGEST: usize = 2048;

/// What the kernel says about a process, from `/proc/PID/stat` (proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status {
    state: u8,
    /// Its process group.
    pub(super) group: i32,
    /// When it started, in clock ticks since the machine did. With its number, it names a process for good.
    pub(super) started: u64,
}

impl Status {
    /// The status of this process, if there is one.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let mut stat = [0; LONGEST];
        let length = File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read(&mut stat)).ok()?;
        Self::parse(&stat[..length])
    }

    /// The name of the program is in brackets and may itself hold brackets and blanks: fields count from the last one.
    fn parse(stat: &[u8]) -> Option<Self> {
        let fields = stat.get(memchr::memrchr(b')', stat)? + 2..)?;
        let fields: Vec<&str> = std::str::from_utf8(fields).ok()?.split_ascii_whitespace().collect();
        Some(Self {
            state: *fields.first()?.as_bytes().first()?,
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    fn is_alive(self) -> bool {
        !matches!(self.state, b'Z' | b'X')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_behind_a_program_name_full_of_brackets() {
        let stat = b"42 (a) b) c) S 1 40 40 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 98765 0 0";
        assert_eq!(Status::parse(stat), Some(Status { state: b'S', group: 40, started: 98765 }));
        assert_eq!(Status::parse(b"42 (cut"), None);
    }

    #[test]
    fn this_process_is_alive_and_no_group_is_that_of_the_first_process() {
        assert!(Status::of(std::process::id()).expect("runs").is_alive());
        assert_eq!(Group::of(0), None);
        assert_eq!(Group::of(1), None);
    }
}
