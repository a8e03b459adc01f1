//! The commands of the machine, as values. None asks a question, and all speak English.

use std::path::Path;

use runbook::command::Output;
use runbook::{Command, Context, Error, ErrorKind, Result};

/// How long apt waits for another apt, in seconds.
const LOCK_TIMEOUT: u32 = 120;

fn english(program: &str) -> Command {
    Command::new(program).env("LC_ALL", "C")
}

fn apt_get() -> Command {
    english("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        // List the services that should be restarted; restart none behind our back.
        .env("NEEDRESTART_MODE", "l")
        .arg("-q")
        .arg("-o")
        .arg(format!("DPkg::Lock::Timeout={LOCK_TIMEOUT}"))
        // A configuration file that was changed here stays as it is.
        .args(["-o", "Dpkg::Options::=--force-confold"])
}

/// Fetches the lists of packages. Any list that cannot be had is an error.
pub(super) fn refresh() -> Command {
    apt_get().args(["-o", "APT::Update::Error-Mode=any", "update"])
}

/// `install`, `purge` or `remove` packages.
pub(super) fn apt<'a>(verb: &str, more: &[&str], packages: impl IntoIterator<Item = &'a str>) -> Command {
    apt_get().args([verb, "-y"]).args(more).arg("--").args(packages)
}

/// What that would do; nothing happens.
pub(super) fn simulate<'a>(verb: &str, more: &[&str], packages: impl IntoIterator<Item = &'a str>) -> Command {
    apt_get().args([verb, "-y", "--simulate"]).args(more).arg("--").args(packages)
}

/// Name, status and version of packages, one a line; exits with 1 when one of them is unknown.
pub(super) fn package_states<'a>(packages: impl IntoIterator<Item = &'a str>) -> Command {
    english("dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status} ${Version}\\n", "--"])
        .args(packages)
        .expect([0, 1])
}

/// Says what an interrupted dpkg left half done; nothing when all is well.
pub(super) fn half_done() -> Command {
    english("dpkg").arg("--audit")
}

/// Finishes what an interrupted dpkg left half done.
pub(super) fn finish() -> Command {
    english("dpkg").args(["--configure", "-a", "--force-confold"]).env("DEBIAN_FRONTEND", "noninteractive")
}

/// An entry of a database of the system: `passwd`, `group`; exits with 2 when there is none.
pub(super) fn entry(database: &str, name: &str) -> Command {
    english("getent").args([database, name]).expect([0, 2])
}

/// All processes. Source: ps(1).
pub(super) fn processes() -> Command {
    english("ps").args(["-ww", "-eo", "pid=,ppid=,user:64=,rss=,pcpu=,etimes=,args="])
}

/// The descriptors of processes that are one of these sockets, one path a line. A process that ended meanwhile makes
/// it exit with 1.
pub(super) fn sockets(inodes: &[u64]) -> Command {
    let is_one = |inode: &u64| ["-lname".to_owned(), format!("socket:\\[{inode}\\]")];
    let alternatives: Vec<String> = inodes.iter().map(is_one).collect::<Vec<_>>().join(&"-o".to_owned());
    english("find")
        .args(["/proc", "-mindepth", "3", "-maxdepth", "3", "-path", "/proc/[0-9]*/fd/*", "("])
        .args(alternatives)
        .arg(")")
        .expect([0, 1])
}

pub(super) fn kill(signal: &str, pid: u32) -> Command {
    english("kill").args(["-s", signal, "--"]).arg(pid.to_string()).expect([0, 1])
}

/// Swap in use: its name and its size in bytes, one a line.
pub(super) fn swaps() -> Command {
    english("swapon").args(["--show=NAME,SIZE", "--bytes", "--noheadings", "--raw"])
}

/// Fills a file with this many MiB of zeros. (A file from `fallocate` has holes on some file systems, and swap wants none.)
pub(super) fn zeros(path: &Path, mib: u64) -> Command {
    let mut to = std::ffi::OsString::from("of=");
    to.push(path);
    english("dd")
        .args(["if=/dev/zero", "bs=1M", "conv=notrunc,fsync", "status=none"])
        .arg(format!("count={mib}"))
        .arg(to)
}

pub(super) fn format_swap(path: &Path) -> Command {
    english("mkswap").arg("--").arg(path)
}

pub(super) fn swap_on(path: &Path) -> Command {
    english("swapon").arg("--").arg(path)
}

pub(super) fn swap_off(path: &Path) -> Command {
    english("swapoff").arg("--").arg(path)
}

/// Runs a command; a failure says what to do where that is known.
pub(super) async fn ask(cx: &Context, command: &Command) -> Result<Output> {
    let output = cx.output(command).await?;
    if output.code.is_some_and(|code| command.accepts(code)) {
        return Ok(output);
    }
    let error = Error::new(format!("`{command}` on {} {}", cx.host().name(), output.ending())).details(output.tail(10));
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    Err(explained(error, &said))
}

/// What the words of a tool mean, and what to do.
const MEANINGS: [(&str, ErrorKind, &str); 9] = [
    ("Could not get lock", ErrorKind::Transient, "another apt is at work on the host; wait for it"),
    ("Unable to lock", ErrorKind::Transient, "another apt is at work on the host; wait for it"),
    ("cannot lock /etc/", ErrorKind::Transient, "someone else is changing users on the host; wait for them"),
    ("are you root?", ErrorKind::Failed, NOT_ROOT),
    ("Permission denied", ErrorKind::Failed, NOT_ROOT),
    ("Operation not permitted", ErrorKind::Failed, NOT_ROOT),
    ("Unable to locate package", ErrorKind::Failed, "is the name right? else run `machine::refresh_packages()` before"),
    ("Failed to fetch", ErrorKind::Transient, "the host cannot reach its package server: see /etc/apt/sources.list"),
    ("No space left on device", ErrorKind::Failed, "make room on the host"),
];

const NOT_ROOT: &str = "it takes root: `run.on(&Become::user(\"root\").on(&host))`";

fn explained(error: Error, said: &str) -> Error {
    match MEANINGS.iter().find(|(words, ..)| said.contains(words)) {
        Some((_, kind, hint)) => error.kind_of(*kind).hint(*hint),
        None => error,
    }
}
