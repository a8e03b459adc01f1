//! How nginx is read.

use std::path::Path;

use runbook::command::Output;
use runbook::{Context, Error, Explain as _, Result};
use serde::{Deserialize, Serialize};

use super::reload::Workers;
use super::{Nginx, commands};

/// A line of an error log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// `error`, `warn`, `crit` and so on; `None` where a line begins with none.
    pub level: Option<String>,
    /// The whole line.
    pub text: String,
}

impl LogLine {
    fn of(line: &str) -> Self {
        let level = line.split_once(" [").and_then(|(_, rest)| rest.split_once(']')).map(|(level, _)| level.to_owned());
        Self { level, text: line.to_owned() }
    }

    /// Whether it tells of an error or worse.
    pub fn is_error(&self) -> bool {
        matches!(self.level.as_deref(), Some("error" | "crit" | "alert" | "emerg"))
    }
}

/// The last lines of an error log, oldest first. Source: `tail`.
pub async fn error_log(cx: &Context, log: impl AsRef<Path>, lines: usize) -> Result<Vec<LogLine>> {
    let output = cx.run(&commands::tail(log.as_ref(), lines)).await?;
    Ok(output.lossy().lines().map(LogLine::of).collect())
}

/// Whether nginx accepts its configuration, and what it says. What it says counts, not only how it exits.
pub(super) async fn test(cx: &Context, server: &Nginx) -> Result<(bool, Vec<String>)> {
    let output: Output = cx.run(&commands::test(server)).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    Ok((output.success() && said.contains("test is successful"), output.tail(10)))
}

/// What nginx complains of, and what to do about it.
const SAYINGS: &[(&str, &str)] = &[
    (
        "cannot load certificate",
        "the certificate is not there yet: install a site without TLS first, obtain it, then this one",
    ),
    ("host not found in upstream", "the upstream has no address yet: is it running, and does DNS know it?"),
    ("Permission denied", "nginx is tested and reloaded as root: use `become`"),
];

/// Makes sure that nginx accepts its configuration.
pub(super) async fn ensure_accepted(cx: &Context, server: &Nginx) -> Result<()> {
    let (accepted, lines) = test(cx, server).await?;
    if accepted {
        return Ok(());
    }
    let complaint = lines.iter().find(|line| line.contains("[emerg]")).or(lines.first()).cloned().unwrap_or_default();
    let hint = SAYINGS.iter().find(|(words, _)| complaint.contains(words)).map(|(_, hint)| *hint);
    let error = Error::new(format!("nginx does not accept its configuration: {complaint}")).details(lines);
    Err(match hint {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

/// The master and its workers that take requests.
pub(super) async fn workers(cx: &Context, server: &Nginx) -> Result<Workers> {
    let path = &server.pid_file;
    let not_running = || format!("nginx is not running: `{}` holds no process number", path.display());
    let text = match cx.files().read(path).await {
        Ok(content) => String::from_utf8_lossy(&content).into_owned(),
        Err(error) if cx.files().stat(path).await?.is_some() => return Err(error),
        Err(_) => return Err(Error::new(not_running()).hint("start it first, and reload afterwards")),
    };
    let master = text.trim().parse().ok().with_context(not_running)?;
    serving(master, &living(cx, master).await?)
}

/// Those of these workers of a master that take requests.
pub(super) fn serving(master: u32, living: &[Living]) -> Result<Workers> {
    let workers: Vec<u32> = living.iter().filter(|worker| worker.serves).map(|worker| worker.pid).collect();
    if workers.is_empty() {
        return Err(Error::new(format!("nginx is not running: process {master} has no workers"))
            .hint("start it first, and reload afterwards"));
    }
    Ok(Workers { master, workers })
}

/// A worker that lives, and whether it takes requests: one that does not only ends those it has begun.
pub(super) struct Living {
    pub(super) pid: u32,
    serves: bool,
}

/// All workers of a master.
pub(super) async fn living(cx: &Context, master: u32) -> Result<Vec<Living>> {
    let output = cx.run(&commands::workers(master)).await?;
    let lines = output.lossy();
    let workers = lines.lines().filter(|line| line.contains("worker process"));
    Ok(workers
        .filter_map(|line| {
            let pid = line.split_whitespace().next()?.parse().ok()?;
            Some(Living { pid, serves: !line.contains("shutting down") })
        })
        .collect())
}
