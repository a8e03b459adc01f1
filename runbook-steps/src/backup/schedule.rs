//! Backups that are made every day by themselves.

use async_trait::async_trait;
use jiff::civil::Time;
use runbook_core::{Context, Description, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use self::cron::Cron;
use self::timer::Timer;
pub use self::timer::TimerBefore;
use crate::file::Before;
use crate::systemd::{BOOTED, Unit};

mod cron;
#[cfg(test)]
mod tests;
mod timer;
mod words;

/// What is to be made every day, so far by name.
#[derive(Debug, Clone)]
#[must_use = "say what is to run: `backup::schedule(name).runs([program, …]).daily_at(\"02:00\")`"]
pub struct Scheduling(String);

/// A program that is to run every day.
#[derive(Debug, Clone)]
#[must_use = "say when: `.daily_at(\"02:00\")`"]
pub struct Daily {
    name: String,
    words: Vec<String>,
}

/// Has a program run every day: by a timer of systemd, or by cron on a host that systemd does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Schedule {
    name: String,
    words: Vec<String>,
    at: String,
    user: String,
    by: Option<Scheduler>,
}

/// Who starts the program when it is time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheduler {
    /// A timer of systemd. It makes up for a time at which the host was off.
    Timer,
    /// A file in `/etc/cron.d`. What was to run while the host was off, does not run.
    Cron,
}

/// What a rollback of [`Schedule`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleBefore {
    /// The units as they were.
    Timer(TimerBefore),
    /// The file as it was.
    Cron(Before),
}

/// A program that runs every day, with what shows that it will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheduled {
    /// By a timer.
    Timer {
        /// Its unit.
        timer: Unit,
        /// When it fires next, as systemd says it; `None` in a plan.
        next: Option<String>,
    },
    /// By cron.
    Cron {
        /// The file it reads.
        path: std::path::PathBuf,
        /// The SHA-256 checksum of its content, in hexadecimal digits.
        sha256: String,
        /// The process of the cron that reads it.
        cron: u32,
    },
}

impl Scheduling {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// This program, by its whole path, with these arguments. No shell reads them.
    pub fn runs<W: Into<String>>(self, words: impl IntoIterator<Item = W>) -> Daily {
        Daily { name: self.0, words: words.into_iter().map(Into::into).collect() }
    }
}

impl Daily {
    /// At this time of day, hours and minutes, by the host's clock in its own time zone.
    pub fn daily_at(self, at: impl Into<String>) -> Schedule {
        Schedule { name: self.name, words: self.words, at: at.into(), user: "root".to_owned(), by: None }
    }
}

impl Schedule {
    /// As this user instead of root.
    pub fn as_user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// By a timer, whatever runs the host.
    pub fn with_timer(self) -> Self {
        Self { by: Some(Scheduler::Timer), ..self }
    }

    /// By cron, whatever runs the host.
    pub fn with_cron(self) -> Self {
        Self { by: Some(Scheduler::Cron), ..self }
    }

    fn time(&self) -> Result<Time> {
        Time::strptime("%H:%M", &self.at).map_err(|_| {
            Error::refused(format!("`{}` is not a time of day", self.at)).hint("hours and minutes: `02:30`")
        })
    }

    fn require(&self) -> Result<()> {
        words::require_name(&self.name)?;
        words::require_user(&self.user)?;
        words::require_program(&self.words)?;
        self.time().map(drop)
    }

    fn timer(&self) -> Result<Timer> {
        Ok(Timer::new(&self.name, &words::for_systemd(&self.words), &self.user, self.time()?))
    }

    fn cron(&self) -> Result<Cron> {
        Ok(Cron::new(&self.name, &words::for_cron(&self.words)?, &self.user, self.time()?))
    }

    async fn scheduler(&self, cx: &Context) -> Result<Scheduler> {
        if let Some(by) = self.by {
            return Ok(by);
        }
        let booted = cx.files().stat(BOOTED.as_ref()).await?.is_some();
        Ok(if booted { Scheduler::Timer } else { Scheduler::Cron })
    }

    /// An error when the other scheduler has a job of this name: it would run twice.
    async fn require_once(&self, cx: &Context, by: Scheduler) -> Result<()> {
        let other = match by {
            Scheduler::Timer => cron::path(&self.name),
            Scheduler::Cron => timer::path(&self.name),
        };
        if cx.files().stat(&other).await?.is_none() {
            return Ok(());
        }
        let error = Error::refused(format!("`{}` is there: `{}` would run twice a day", other.display(), self.name));
        Err(error.hint("remove that first, or give this another name"))
    }
}

#[async_trait]
impl Step for Schedule {
    type Before = ScheduleBefore;
    type Output = Scheduled;

    fn describe(&self) -> Description {
        let by = match self.by {
            Some(Scheduler::Timer) => "by a timer of systemd",
            Some(Scheduler::Cron) => "by cron",
            None => "by a timer of systemd, else by cron",
        };
        let (name, line) = (&self.name, words::for_shell(&self.words));
        let about = Description::new("backup.schedule", name.as_str())
            .summary(format!("run `{line}` daily at {} as {}, {by}", self.at, self.user));
        let about = if self.by == Some(Scheduler::Cron) {
            cron::by_hand(about, name)
        } else {
            timer::by_hand(about, name).writes(timer::unit(name).resource())
        };
        let paths = [timer::service_path(name), timer::path(name), cron::path(name)];
        paths.iter().fold(about, |about, path| about.writes(Resource::path(path)))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<ScheduleBefore, Scheduled>> {
        self.require()?;
        let by = self.scheduler(cx).await?;
        self.require_once(cx, by).await?;
        match by {
            Scheduler::Timer => self.timer()?.survey(cx).await,
            Scheduler::Cron => self.cron()?.survey(cx).await,
        }
    }

    async fn apply(&self, cx: &Context, before: &ScheduleBefore) -> Result<Scheduled> {
        match before {
            ScheduleBefore::Timer(before) => self.timer()?.apply(cx, before).await,
            ScheduleBefore::Cron(before) => self.cron()?.apply(cx, before).await,
        }
    }
}

#[async_trait]
impl Rollback for Schedule {
    async fn rollback(&self, cx: &Context, before: &ScheduleBefore) -> Result<()> {
        match before {
            ScheduleBefore::Timer(before) => self.timer()?.rollback(cx, before).await,
            ScheduleBefore::Cron(before) => before.restore(cx, &cron::path(&self.name)).await,
        }
    }
}
