//! Keeping a log in a file.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::host::Attributes;
use runbook::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::Logs;
use crate::file::content::sha256;

/// The step of [`Logs::export`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Export {
    pub(super) logs: Logs,
    pub(super) path: PathBuf,
}

/// A log that was kept in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// The file.
    pub path: PathBuf,
    /// How many lines are in it; none in a plan.
    pub lines: u64,
    /// The SHA-256 checksum of the file, in hexadecimal digits; empty in a plan.
    pub checksum: String,
}

/// The file is for evidence: one that is there already is never replaced.
#[async_trait]
impl Step for Export {
    type Before = ();
    type Output = Exported;

    fn describe(&self) -> Description {
        let Self { logs, path } = self;
        let shown = path.display();
        Description::new("compose.logs_export", shown.to_string())
            .summary(format!("keep the log of {} in `{shown}`", logs.people_say()))
            .command(format!("(umask 077; {} > {shown})", logs.typed()))
            .undo_command(format!("rm {shown}"))
            .reads(Resource::new("service-log", logs.project.name()))
            .writes(Resource::path(path))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), Exported>> {
        if let Some(stat) = cx.files().stat(&self.path).await? {
            if stat.mode & 0o077 != 0 {
                let path = self.path.display();
                return Err(Error::new(format!("`{path}` is there already, and is no log that was kept before")));
            }
            return Ok(Survey::Already(exported(&self.path, &cx.files().read(&self.path).await?)));
        }
        self.logs.containers(cx).await?;
        let output = Exported { path: self.path.clone(), lines: 0, checksum: String::new() };
        Ok(Survey::predict((), Diff::none().and_add(self.path.display().to_string()), output))
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Exported> {
        if cx.files().stat(&self.path).await?.is_none() {
            let lines = self.logs.lines(cx).await?;
            let text = lines.iter().map(|line| {
                let at = line.at.map(|at| at.to_string()).unwrap_or_default();
                format!("{at} {line}\n")
            });
            let text: String = text.collect();
            cx.files().write(&self.path, text.as_bytes(), &Attributes::mode(0o600)).await?;
        }
        Ok(exported(&self.path, &cx.files().read(&self.path).await?))
    }
}

fn exported(path: &Path, text: &[u8]) -> Exported {
    let lines = text.split(|byte| *byte == b'\n').count().saturating_sub(1) as u64;
    Exported { path: path.to_owned(), lines, checksum: sha256(text) }
}

#[async_trait]
impl Rollback for Export {
    async fn rollback(&self, cx: &Context, (): &()) -> Result<()> {
        cx.files().remove(&self.path).await
    }
}
