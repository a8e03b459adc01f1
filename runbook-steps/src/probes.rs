//! Probes: questions that are asked at once, and one typed report of the answers. A health check, for one.
//!
//! ```no_run
//! # use runbook_core as runbook;
//! # use runbook_core::{Result, Run};
//! # use runbook_steps::{disk, memory, port, probes, sizes::Sizes as _};
//! # async fn health(run: &Run) -> Result<probes::Report> {
//! probes::of("Health")
//!     .probe("API", port::open("127.0.0.1", 8000))
//!     .probe("Disk", disk::free("/srv").at_least(5.gib()))
//!     .probe("Memory", memory::available().at_least(512.mib()))
//!     .ask(run)
//!     .await?
//!     .all_pass()
//! # }
//! ```

use std::fmt;
use std::sync::Arc;

use runbook::{Check, Error, Finding, Result, Run};
use serde::{Deserialize, Serialize};

/// Questions about one thing, asked at once.
#[must_use = "probes ask nothing until `.ask(run).await?`"]
pub struct Probes {
    title: Arc<str>,
    probes: Vec<Probe>,
}

/// The probes of something.
pub fn of(title: impl Into<Arc<str>>) -> Probes {
    Probes { title: title.into(), probes: Vec::new() }
}

#[derive(Clone)]
struct Probe {
    name: String,
    check: Arc<dyn Check>,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Probes {
    /// One more question. Its name is different from those of the others.
    pub fn probe(self, name: impl Into<String>, check: impl Check + 'static) -> Self {
        self.shared(name.into(), Arc::new(check))
    }

    pub(crate) fn shared(mut self, name: String, check: Arc<dyn Check>) -> Self {
        self.probes.push(Probe { name, check });
        self
    }

    /// Asks all of them at once. A bad answer fails nothing: it is in the report.
    pub async fn ask(self, run: &Run) -> Result<Report> {
        let asked = run.each(self.title.clone(), self.probes, async |run, probe: Probe| {
            let finding = run.probe(probe.check.describe().line(), probe.check).await?;
            Ok(Answer { name: probe.name, finding })
        });
        Ok(Report { title: self.title.to_string(), answers: asked.await? })
    }
}

/// The answers to all probes, in the order of the probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was probed.
    pub title: String,
    /// The answers.
    pub answers: Vec<Answer>,
}

/// The answer to one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The name of the probe.
    pub name: String,
    /// The answer, with its evidence.
    pub finding: Finding,
}

impl Report {
    /// Whether every answer is *pass*.
    pub fn passes(&self) -> bool {
        self.bad().next().is_none()
    }

    /// The answers that are not *pass*.
    pub fn bad(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(|answer| !answer.finding.passes())
    }

    /// The answer to the probe of this name.
    pub fn of(&self, name: &str) -> Option<&Finding> {
        self.answers.iter().find(|answer| answer.name == name).map(|answer| &answer.finding)
    }

    /// The report, when every answer is *pass*; else an error that names each that is not.
    pub fn all_pass(self) -> Result<Self> {
        let bad: Vec<String> = self.bad().map(ToString::to_string).collect();
        let verb = match bad.len() {
            0 => return Ok(self),
            1 => "does",
            _ => "do",
        };
        let names: Vec<&str> = self.bad().map(|answer| answer.name.as_str()).collect();
        let (title, names) = (&self.title, names.join(", "));
        let summary = format!("{title}: {} of {} {verb} not pass: {names}", bad.len(), self.answers.len());
        Err(Error::new(summary).details(bad))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.answers.iter().try_for_each(|answer| writeln!(f, "{answer}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<8} {}: {}", self.finding.word(), self.name, self.finding.evidence().summary)
    }
}
