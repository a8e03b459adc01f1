//! The units of systemd that run a program every day.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Time;
use runbook_core::{Context, Description, Diff, Error, Result, Rollback as _, Step as _, Survey};
use serde::{Deserialize, Serialize};

use super::{ScheduleBefore, Scheduled};
use crate::file::replace::and_change;
use crate::systemd::timer::elapses;
use crate::systemd::{self, Enable, FileState, Start, Unit, UnitFile, UnitFileBefore, Was};

/// A service and its timer.
pub(super) struct Timer {
    timer: Unit,
    /// In the order in which they are installed: a timer wants its service.
    files: [UnitFile; 2],
    start: Start,
    enable: Enable,
}

/// How the service and its timer were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerBefore {
    /// The files; `None` where they are as they should be.
    files: [Option<UnitFileBefore>; 2],
    was: Was,
    boot: FileState,
}

pub(super) fn unit(name: &str) -> Unit {
    Unit::named(format!("{name}.timer"))
}

fn service(name: &str) -> Unit {
    Unit::named(format!("{name}.service"))
}

pub(super) fn path(name: &str) -> PathBuf {
    Path::new(systemd::UNITS).join(unit(name).as_str())
}

pub(super) fn service_path(name: &str) -> PathBuf {
    Path::new(systemd::UNITS).join(service(name).as_str())
}

/// What a person would do.
pub(super) fn by_hand(about: Description, name: &str) -> Description {
    let (service, timer) = (service_path(name), path(name));
    let (service, timer) = (service.display(), timer.display());
    about
        .command(format!("install -m 0644 {name}.service {service}"))
        .command(format!("install -m 0644 {name}.timer {timer}"))
        .command("systemctl daemon-reload")
        .command(format!("systemctl enable --now {name}.timer"))
        .command(format!("systemctl list-timers {name}.timer"))
        .undo_command(format!("systemctl disable --now {name}.timer"))
        .undo_command(format!("rm {service} {timer}"))
        .undo_command("systemctl daemon-reload")
}

impl Timer {
    pub(super) fn new(name: &str, command: &str, user: &str, at: Time) -> Self {
        let user = if user == "root" { String::new() } else { format!("User={user}\n") };
        let run = format!("[Unit]\nDescription={name}\n\n[Service]\nType=oneshot\n{user}ExecStart={command}\n");
        let when = format!(
            "[Unit]\nDescription={name}, daily\n\n[Timer]\nOnCalendar=*-*-* {}\nPersistent=true\n\n\
             [Install]\nWantedBy=timers.target\n",
            at.strftime("%H:%M:%S")
        );
        let timer = unit(name);
        Self {
            files: [systemd::install(service(name), run), systemd::install(&timer, when)],
            start: systemd::start(&timer).stable_for(Duration::ZERO),
            enable: systemd::enable(&timer),
            timer,
        }
    }

    pub(super) async fn survey(&self, cx: &Context) -> Result<Survey<ScheduleBefore, Scheduled>> {
        let (mut files, mut diff) = ([None, None], Diff::none());
        for (file, before) in self.files.iter().zip(&mut files) {
            if let Survey::Change { before: found, diff: changes, .. } = file.survey(cx).await? {
                *before = Some(found);
                diff = changes.changes().iter().fold(diff, and_change);
            }
        }
        let now = systemd::status(cx, &self.timer).await?;
        let is_set = files.iter().all(Option::is_none) && now.active.is_up() && now.file == Some(FileState::Enabled);
        if is_set && let Some(next) = elapses(cx, &self.timer).await?.next {
            return Ok(Survey::Already(self.scheduled(Some(next))));
        }
        let boot = match now.file {
            Some(state @ (FileState::Enabled | FileState::EnabledRuntime)) => state,
            _ => FileState::Disabled,
        };
        let diff = diff.and_turn(self.timer.as_str(), format!("{}, {boot}", now.line()), "active, enabled");
        let before = TimerBefore { files, was: Was::of(&now), boot };
        Ok(Survey::predict(ScheduleBefore::Timer(before), diff, self.scheduled(None)))
    }

    pub(super) async fn apply(&self, cx: &Context, before: &TimerBefore) -> Result<Scheduled> {
        for (file, before) in self.files.iter().zip(&before.files) {
            if let Some(before) = before {
                file.apply(cx, before).await?;
            }
        }
        self.start.apply(cx, &before.was).await?;
        self.enable.apply(cx, &before.boot).await?;
        match elapses(cx, &self.timer).await?.next {
            Some(next) => Ok(self.scheduled(Some(next))),
            None => Err(Error::new(format!("`{}` is active, and will never fire", self.timer))
                .hint(format!("see `systemctl list-timers {}`", self.timer))),
        }
    }

    pub(super) async fn rollback(&self, cx: &Context, before: &TimerBefore) -> Result<()> {
        self.enable.rollback(cx, &before.boot).await?;
        self.start.rollback(cx, &before.was).await?;
        for (file, before) in self.files.iter().zip(&before.files).rev() {
            if let Some(before) = before {
                file.rollback(cx, before).await?;
            }
        }
        Ok(())
    }

    fn scheduled(&self, next: Option<String>) -> Scheduled {
        Scheduled::Timer { timer: self.timer.clone(), next }
    }
}
