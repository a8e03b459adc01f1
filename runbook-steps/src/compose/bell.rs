//! Hearing at once that something has happened to the containers of a project.

use std::time::Duration;

use runbook::host::Process;
use runbook::{Context, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::time::Instant;

use super::Project;
use crate::docker::ask::docker;

/// Rings when something happens to a container of a project: `docker events`.
///
/// That it rings says that it is time to look, and nothing more. So nothing is lost when it does not: who waits for it looks
/// every second anyway.
pub(super) struct Bell<'a> {
    cx: &'a Context,
    filter: String,
    line: Option<Line>,
    hung: Option<Instant>,
}

/// The engine's words, and the process that hands them on.
struct Line {
    words: Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>,
    _process: Process,
}

/// How long a process listens before there is a new one: the engine ends it by itself, also after a runner that was killed.
const LISTENS: &str = "-10s";
/// What happened this shortly before is told too: the process takes a moment until it listens.
const BEFORE: &str = "2s";
/// A host that cannot listen is not asked to more often than this.
const AGAIN: Duration = Duration::from_millis(200);
/// What comes together is one thing to look at.
const TOGETHER: Duration = Duration::from_millis(10);

impl<'a> Bell<'a> {
    pub(super) fn of(cx: &'a Context, project: &Project) -> Self {
        let filter = format!("label=com.docker.compose.project={}", project.name);
        Self { cx, filter, line: None, hung: None }
    }

    /// Begins to listen, unless it does. Call it before looking.
    pub(super) async fn listen(&mut self) {
        if self.line.is_none() && self.hung.is_none_or(|hung| hung.elapsed() >= AGAIN) {
            // Who cannot listen can still look.
            self.line = self.hang().await.unwrap_or_default();
        }
    }

    async fn hang(&mut self) -> Result<Option<Line>> {
        self.hung = Some(Instant::now());
        let command = docker(["events", "--since", BEFORE, "--until", LISTENS, "--filter", "type=container"]);
        let command = command.arg("--filter").arg(&self.filter).args(["--format", "{{.Action}}"]);
        let mut process = self.cx.host().start(&command).await?;
        drop(process.stdin.take());
        let stdout = process.stdout.take();
        Ok(stdout.map(|stdout| Line { words: BufReader::new(stdout).lines(), _process: process }))
    }

    /// Waits until it rings, but no longer than this.
    pub(super) async fn ring(&mut self, at_most: Duration) -> Result<()> {
        tokio::select! {
            biased;
            () = self.cx.cancelled() => self.cx.pause(Duration::ZERO).await,
            () = tokio::time::sleep(at_most) => Ok(()),
            () = self.hear() => Ok(()),
        }
    }

    async fn hear(&mut self) {
        let Some(line) = &mut self.line else { return tokio::time::sleep(AGAIN).await };
        loop {
            match line.words.next_line().await {
                Ok(Some(action)) if says_much(&action) => break,
                Ok(Some(_)) => {}
                _ => {
                    self.line = None;
                    return;
                }
            }
        }
        while let Ok(Ok(Some(_))) = tokio::time::timeout(TOGETHER, line.words.next_line()).await {}
    }
}

/// Whether it may have changed how a container is. Every answer of a health check and every command in a container is an
/// event too.
fn says_much(action: &str) -> bool {
    !action.starts_with("exec_")
}
