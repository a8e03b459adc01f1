//! Processes.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use runbook::{Context, Error, ErrorKind, Explain as _, Result};
use serde::{Deserialize, Serialize};

use super::commands;
use crate::sizes::{Bytes, Sizes as _};
use crate::systemd::{self, Unit};

/// A process of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The number of the process that started it.
    pub parent: u32,
    /// Whose it is, by name.
    pub user: String,
    /// The memory it holds, shared memory included.
    pub memory: Bytes,
    /// The share of one processor it has used since it was started, in percent.
    pub cpu: f32,
    /// How long it has been running.
    pub age: Duration,
    /// The command it was started by.
    pub command: String,
    /// The unit it belongs to. Of a list, only the first ones know: see [`top_by_memory`].
    pub unit: Option<Unit>,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command: String = self.command.chars().take(60).collect();
        write!(f, "process {} ({command})", self.pid)?;
        match &self.unit {
            Some(unit) => write!(f, " of {unit}"),
            None => write!(f, " of {}", self.user),
        }
    }
}

/// Which process: numbers are given again, but not with the same start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it was started, in ticks of the kernel since the host was booted.
    pub started: u64,
}

/// All processes of the host, without their units. Source: `ps`.
pub async fn processes(cx: &Context) -> Result<Vec<Process>> {
    let command = commands::processes();
    let output = commands::ask(cx, &command).await?;
    let line = |line: &str| parse(line).with_context(|| format!("cannot read `{line}` of `{command}`"));
    output.text()?.lines().map(line).collect()
}

/// `  812     1 marb  104448  1.5  3600 gunicorn app.main:app`
fn parse(line: &str) -> Option<Process> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(word)
    };
    let (pid, parent) = (word()?.parse().ok()?, word()?.parse().ok()?);
    let user = word()?.to_owned();
    let memory = word()?.parse::<u64>().ok()?.kib();
    let (cpu, age) = (word()?.parse().ok()?, Duration::from_secs(word()?.parse().ok()?));
    Some(Process { pid, parent, user, memory, cpu, age, command: rest.trim().to_owned(), unit: None })
}

/// The processes that hold the most memory, with their units.
pub async fn top_by_memory(cx: &Context, count: usize) -> Result<Vec<Process>> {
    top(cx, count, |a, b| b.memory.cmp(&a.memory)).await
}

/// The processes that have used the largest share of a processor over their lives, with their units.
pub async fn top_by_cpu(cx: &Context, count: usize) -> Result<Vec<Process>> {
    top(cx, count, |a, b| b.cpu.total_cmp(&a.cpu)).await
}

async fn top(
    cx: &Context,
    count: usize,
    order: impl FnMut(&Process, &Process) -> std::cmp::Ordering,
) -> Result<Vec<Process>> {
    let mut all = processes(cx).await?;
    all.sort_by(order);
    all.truncate(count);
    for process in &mut all {
        process.unit = systemd::unit_of_pid(cx, process.pid).await?;
    }
    Ok(all)
}

/// The process of this number, with its unit; `None` when there is none.
pub async fn process(cx: &Context, pid: u32) -> Result<Option<Process>> {
    let Some(mut process) = processes(cx).await?.into_iter().find(|process| process.pid == pid) else {
        return Ok(None);
    };
    process.unit = systemd::unit_of_pid(cx, pid).await?;
    Ok(Some(process))
}

/// When a process was started, in ticks since the host was booted; `None` when there is no such process, or it has ended
/// and nobody has asked how. Source: `/proc/PID/stat`.
pub(super) async fn started(cx: &Context, pid: u32) -> Result<Option<u64>> {
    let path = PathBuf::from(format!("/proc/{pid}/stat"));
    let text = match cx.files().read(&path).await {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) if cx.files().stat(&path).await?.is_none() => return Ok(None),
        Err(error) => return Err(error.kind_of(ErrorKind::Unknown)),
    };
    match start_in(&text) {
        Some((true, at)) => Ok(Some(at)),
        Some((false, _)) => Ok(None),
        None => Err(Error::new(format!("cannot read `{}`", path.display()))),
    }
}

/// `812 (a name) S 1 …`: the state behind the name, the start in the 20th field from there. Whether it lives, and since
/// when.
fn start_in(stat: &str) -> Option<(bool, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let lives = !matches!(fields.next()?, "Z" | "X");
    Some((lives, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ps_is_read() {
        let process = parse("  812     1 marb  1024  1.5  3600 gunicorn -k  uvicorn").expect("is read");
        assert_eq!((process.pid, process.memory, &*process.command), (812, 1.mib(), "gunicorn -k  uvicorn"));
        assert_eq!(process.to_string(), "process 812 (gunicorn -k  uvicorn) of marb");
        assert_eq!(parse("what is this"), None);
    }

    #[test]
    fn the_start_of_a_process_is_read_whatever_its_name() {
        let tail = "S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 100";
        assert_eq!(start_in(&format!("812 (a) b) {tail}")), Some((true, 4711)));
        assert_eq!(start_in(&format!("812 (a) {}", tail.replacen('S', "Z", 1))), Some((false, 4711)));
        assert_eq!(start_in("812"), None);
    }

    #[tokio::test]
    async fn this_process_is_among_them() {
        let cx = Context::local();
        let me = process(&cx, std::process::id()).await.expect("is asked").expect("runs");
        assert!(me.memory > Bytes(0) && me.command.contains("runbook"), "{me:?}");
        assert!(started(&cx, me.pid).await.expect("is asked").is_some());
        assert_eq!(started(&cx, 4_000_000).await.expect("is asked"), None);
        let top = top_by_memory(&cx, 3).await.expect("are asked");
        assert!(top.len() == 3 && top.is_sorted_by(|a, b| a.memory >= b.memory), "{top:?}");
    }
}
