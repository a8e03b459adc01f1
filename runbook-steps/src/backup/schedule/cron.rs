//! The file in `/etc/cron.d` that has cron run a program every day.

use std::path::{Path, PathBuf};

use jiff::civil::Time;
use runbook_core::host::Attributes;
use runbook_core::{Context, Description, Error, Explain as _, Result, Survey};

use super::{ScheduleBefore, Scheduled};
use crate::file::Before;
use crate::file::before::Present;
use crate::file::content::sha256;
use crate::file::replace::Replace;
use crate::machine;

/// A line of cron in a file of its own.
pub(super) struct Cron {
    path: PathBuf,
    text: String,
    attributes: Attributes,
}

/// Debian, Red Hat and their relatives read it. Source: cron(8).
const PLACE: &str = "/etc/cron.d";

pub(super) fn path(name: &str) -> PathBuf {
    Path::new(PLACE).join(name)
}

/// What a person would do.
pub(super) fn by_hand(about: Description, name: &str) -> Description {
    let path = path(name);
    let path = path.display();
    about
        .command("pgrep -x 'crond?'")
        .command(format!("install -o root -m 0644 /dev/stdin {path}"))
        .undo_command(format!("rm {path}"))
}

impl Cron {
    /// cron ignores a file that others may write, and a last line without an end.
    pub(super) fn new(name: &str, command: &str, user: &str, at: Time) -> Self {
        let text = format!("# {name}, daily\n{} {} * * * {user} {command}\n", at.minute(), at.hour());
        let attributes = Attributes { mode: Some(0o644), owner: Some("0".to_owned()) };
        Self { path: path(name), text, attributes }
    }

    fn replace(&self) -> Replace<'_> {
        Replace { path: &self.path, content: self.text.as_bytes(), attributes: &self.attributes, private: false }
    }

    pub(super) async fn survey(&self, cx: &Context) -> Result<Survey<ScheduleBefore, Scheduled>> {
        let cron = running(cx).await?;
        let present = Present::look(cx, &self.path).await?;
        let change = self.replace().survey(cx, &present).await?;
        Ok(match change {
            None => Survey::Already(self.scheduled(cron)),
            Some((before, diff)) => Survey::predict(ScheduleBefore::Cron(before), diff, self.scheduled(cron)),
        })
    }

    pub(super) async fn apply(&self, cx: &Context, before: &Before) -> Result<Scheduled> {
        self.replace().apply(cx, before).await?;
        Ok(self.scheduled(running(cx).await?))
    }

    fn scheduled(&self, cron: u32) -> Scheduled {
        Scheduled::Cron { path: self.path.clone(), sha256: sha256(self.text.as_bytes()), cron }
    }
}

/// The process of cron: without one, a file is all that would be there.
async fn running(cx: &Context) -> Result<u32> {
    let is_cron = |process: &machine::Process| {
        let program = process.command.split_whitespace().next().unwrap_or_default();
        matches!(program.rsplit('/').next(), Some("cron" | "crond"))
    };
    let found = machine::processes(cx).await?.into_iter().find(is_cron).map(|process| process.pid);
    found.context("no cron runs on the host").map_err(|error: Error| error.hint("`apt-get install cron`, and start it"))
}
