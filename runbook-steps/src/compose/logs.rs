//! What the containers of services wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use regex_lite::Regex;
use runbook::{Context, Error, Result};
use serde::{Deserialize, Serialize};

use super::patience::for_services;
use super::{Project, facts};
use crate::docker::ask::{answer, docker};
use crate::docker::{Container, failure};

mod errors;
mod export;
mod rate;

pub use self::errors::{ERROR_WORDS, Errors, ErrorsAtMost};
pub use self::export::{Export, Exported};
pub use self::rate::{Rate, RateAtMost};

impl Project {
    /// What the containers of a service wrote since they were started; say what is wanted of it.
    pub fn logs(&self, service: impl Into<String>) -> Logs {
        Logs { project: self.clone(), services: vec![service.into()], since: None, tail: None }
    }

    /// What all containers of the project wrote since they were started.
    pub fn all_logs(&self) -> Logs {
        Logs { project: self.clone(), services: Vec::new(), since: None, tail: None }
    }
}

/// Lines that containers wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say what is wanted of them: `.errors().max(0)`, `.rate()`, `.export(path)`, or `.lines(cx).await?`"]
pub struct Logs {
    project: Project,
    services: Vec<String>,
    since: Option<Duration>,
    tail: Option<u32>,
}

for_services!(Logs);

/// A line that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The container.
    pub container: String,
    /// When it was written; `None` when the engine does not say.
    pub at: Option<Timestamp>,
    /// The line, without secrets.
    pub text: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} | {}", self.container, self.text)
    }
}

/// More lines of one container than this are not read.
const MOST: u32 = 50_000;

impl Logs {
    /// The lines of this time, instead of those since the containers were started.
    pub fn since(mut self, time: Duration) -> Self {
        self.since = Some(time);
        self
    }

    /// The last lines of each container alone.
    pub fn tail(mut self, lines: u32) -> Self {
        self.tail = Some(lines);
        self
    }

    /// The lines that are errors; say how many there [may be](Errors::max).
    pub fn errors(self) -> Errors {
        Errors { logs: self, pattern: ERROR_WORDS.to_owned() }
    }

    /// The lines that match this regular expression; say how many there [may be](Errors::max). Case counts, unless it begins
    /// with `(?i)`.
    pub fn matching(self, pattern: impl Into<String>) -> Errors {
        Errors { logs: self, pattern: pattern.into() }
    }

    /// How many lines a minute.
    pub fn rate(self) -> Rate {
        Rate { logs: self, pattern: None }
    }

    /// Keeps the lines in a file that its owner alone may read, without the secrets this program knows. Its rollback removes
    /// the file.
    pub fn export(self, path: impl Into<std::path::PathBuf>) -> Export {
        Export { logs: self, path: path.into() }
    }

    /// The lines themselves, in the order they were written. A service without a container is no service without lines.
    pub async fn lines(&self, cx: &Context) -> Result<Vec<Line>> {
        let mut all = Vec::new();
        for container in self.containers(cx).await? {
            all.extend(self.of(cx, &container).await?);
        }
        all.sort_by_key(|line| line.at);
        Ok(all)
    }

    pub(super) async fn containers(&self, cx: &Context) -> Result<Vec<Container>> {
        let now: BTreeMap<_, _> = facts::containers(cx, &self.project).await?;
        let missing = self.services.iter().find(|service| !now.contains_key(*service));
        if missing.is_some() || now.is_empty() {
            let what = missing.map_or_else(|| "nothing".to_owned(), |service| format!("`{service}`"));
            return Err(Error::unknown(format!("{what} of `{}` has no container, and so no log", self.project.name())));
        }
        let mine = now.into_iter().filter(|(service, _)| self.services.is_empty() || self.services.contains(service));
        Ok(mine.flat_map(|(_, containers)| containers).collect())
    }

    async fn of(&self, cx: &Context, container: &Container) -> Result<Vec<Line>> {
        let tail = self.tail.unwrap_or(MOST).to_string();
        let command = docker(["container", "logs", "--timestamps", "--tail", &tail]);
        let since = match self.since {
            // By the clock of the host, which need not be the one of the runner.
            Some(time) => Some(format!("{}s", time.as_secs_f64())),
            None => container.state.before_its_words().map(|at| at.to_string()),
        };
        let command = since.into_iter().fold(command, |command, since| command.arg("--since").arg(since));
        let command = command.arg(&container.id);
        let output = answer(cx, &command).await?;
        if !output.success() {
            return Err(failure::of(cx, &command, &output).kind_of(runbook::ErrorKind::Unknown));
        }
        let text = [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned());
        let lines = text.iter().flat_map(|text| text.lines());
        Ok(lines.map(|line| read(&container.name, line)).collect())
    }

    /// The services, for people.
    fn people_say(&self) -> String {
        let services = self.project.people_say(&self.services);
        match (self.since, self.tail) {
            (Some(time), _) => format!("{services} within {time:?}"),
            (None, Some(lines)) => format!("the last {lines} lines of {services}"),
            (None, None) => format!("{services} since its start"),
        }
    }

    /// What a person would type.
    fn typed(&self) -> String {
        let since = self.since.map(|time| format!("--since={}s", time.as_secs()));
        let tail = self.tail.map(|lines| format!("--tail={lines}"));
        let options: Vec<String> = since.into_iter().chain(tail).collect();
        let words = std::iter::once("logs").chain(options.iter().map(String::as_str));
        self.project.typed(&words.chain(self.services.iter().map(String::as_str)).collect::<Vec<_>>())
    }
}

fn read(container: &str, line: &str) -> Line {
    let (at, text) = match line.split_once(' ') {
        Some((at, text)) if at.parse::<Timestamp>().is_ok() => (at.parse().ok(), text),
        _ => (line.parse().ok(), if line.parse::<Timestamp>().is_ok() { "" } else { line }),
    };
    Line { container: container.to_owned(), at, text: runbook::redact::text(text).into_owned() }
}

/// A regular expression, or an error that names it.
fn compiled(pattern: &str) -> Result<Regex> {
    Regex::new(pattern).map_err(|error| Error::new(format!("`{pattern}` is no regular expression")).caused_by(error))
}
