//! The plan of a procedure: what each step would do, without doing it.

use serde::{Deserialize, Serialize};

use crate::{Change, CheckRole, Description, Error, Finding, Item, ItemKind, Key, Outline, Resource, Result, Stored};

/// What a procedure would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The book.
    pub book: String,
    /// The procedure.
    pub procedure: String,
    /// What it would run against.
    pub target: String,
    /// Its inputs.
    pub inputs: Stored,
    /// What it would do, in order.
    pub steps: Vec<PlannedStep>,
    /// What the plan could not reach, from the static outline: titles.
    pub unreached: Vec<String>,
    /// Why it went no further, when it did not.
    pub ends_because: Option<String>,
}

/// One step or check of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Where.
    pub key: Key,
    /// Its title, with those of the scopes around it.
    pub title: Vec<String>,
    /// Its kind.
    pub kind: String,
    /// What it does, in one line.
    pub summary: String,
    /// The commands a person would type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Why it cannot be undone, when it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// What would happen.
    pub what: Planned,
}

/// What would happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Planned {
    /// Nothing: the world is already so.
    Already,
    /// This would change.
    WillChange(Vec<Change>),
    /// It reads what an earlier step writes, and is known once that has happened.
    KnownAfter {
        /// The title of that step.
        step: String,
    },
    /// A check, asked now.
    Asked {
        /// What follows from a bad answer.
        role: CheckRole,
        /// The answer.
        finding: Finding,
    },
    /// A person will be asked.
    Person,
    /// Looking failed.
    Unknown(String),
}

/// A plan being made.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) steps: Vec<PlannedStep>,
    /// What the steps so far would write, and which.
    written: Vec<(String, Resource)>,
}

impl Draft {
    pub(crate) fn step(
        key: &Key,
        mut titles: Vec<String>,
        title: &str,
        what: &Description,
        irreversible: Option<&str>,
        planned: Planned,
    ) -> PlannedStep {
        titles.push(title.to_owned());
        PlannedStep {
            key: key.clone(),
            title: titles,
            kind: what.kind.clone(),
            summary: what.line().into_owned(),
            commands: what.commands.clone(),
            irreversible: irreversible.map(str::to_owned),
            what: planned,
        }
    }

    pub(crate) fn add(&mut self, step: PlannedStep) {
        self.steps.push(step);
    }

    pub(crate) fn add_person(&mut self, key: &Key, titles: Vec<String>, title: &str) {
        let what = Description::new("person", title).summary(title);
        self.add(Self::step(key, titles, title, &what, None, Planned::Person));
    }

    pub(crate) fn add_window(&mut self, key: &Key, titles: Vec<String>, title: &str, inside: Result<String>) {
        let finding = match inside {
            Ok(inside) => Finding::pass(inside),
            Err(missed) => Finding::fail(missed.to_string()),
        };
        let what = Description::new("window", title).summary(title);
        let asked = Planned::Asked { role: CheckRole::Require, finding };
        self.add(Self::step(key, titles, title, &what, None, asked));
    }

    /// A step of this title would write these.
    pub(crate) fn will_write(&mut self, title: &str, resources: &[Resource]) {
        self.written.extend(resources.iter().map(|resource| (title.to_owned(), resource.clone())));
    }

    /// The earlier step after which a step is known: one that writes what it reads or writes.
    pub(crate) fn known_after_step(&self, what: &Description) -> Option<String> {
        self.known_after(what.reads.iter().chain(&what.writes))
    }

    /// The earlier step after which a check is known.
    pub(crate) fn known_after_check(&self, what: &Description) -> Option<String> {
        self.known_after(what.reads.iter())
    }

    /// What does not say what it looks at is known after everything before it.
    fn known_after<'a>(&self, resources: impl Iterator<Item = &'a Resource>) -> Option<String> {
        let mut resources = resources.peekable();
        let mut latest = self.written.iter().rev();
        if resources.peek().is_none() {
            return latest.next().map(|(title, _)| title.clone());
        }
        let resources: Vec<_> = resources.collect();
        let touched = latest.find(|(_, wrote)| resources.iter().any(|resource| wrote.overlaps(resource)));
        touched.map(|(title, _)| title.clone())
    }
}

impl Plan {
    /// Whether another plan says the same; else an error that names the first difference. What a check saw may
    /// differ, its answer may not.
    pub fn same_as(&self, now: &Plan) -> Result<()> {
        if self.procedure != now.procedure
            || self.inputs.to_value() != now.inputs.to_value()
            || self.target != now.target
        {
            return Err(Error::refused("the plan is for another procedure, other inputs or another target"));
        }
        for (planned, found) in self.steps.iter().zip(&now.steps) {
            if !planned.same_as(found) {
                return Err(no_longer(&planned.title.join(" / "), &planned.what.words(), &found.what.words()));
            }
        }
        match self.steps.len().cmp(&now.steps.len()) {
            std::cmp::Ordering::Equal => Ok(()),
            _ => Err(no_longer("the steps", &self.steps.len().to_string(), &now.steps.len().to_string())),
        }
    }
}

fn no_longer(what: &str, planned: &str, found: &str) -> Error {
    Error::refused(format!("the plan is no longer true at `{what}`: planned {planned}, now {found}"))
        .hint("make a new plan, and have it reviewed")
}

impl PlannedStep {
    fn same_as(&self, other: &Self) -> bool {
        let same_what = match (&self.what, &other.what) {
            (Planned::Asked { finding: a, .. }, Planned::Asked { finding: b, .. }) => a.word() == b.word(),
            (a, b) => a == b,
        };
        same_what && self.key == other.key && self.kind == other.kind && self.summary == other.summary
    }
}

impl Planned {
    /// In words: `already so`, `will change (…)`, `known after …`.
    pub fn words(&self) -> String {
        match self {
            Self::Already => "already so".into(),
            Self::WillChange(changes) if changes.is_empty() => "will change".into(),
            Self::WillChange(changes) => {
                let lines: Vec<_> = changes.iter().map(ToString::to_string).collect();
                format!("will change ({})", lines.join("; "))
            }
            Self::KnownAfter { step } => format!("known after `{step}`"),
            Self::Asked { finding, .. } => format!("{}: {}", finding.word(), finding.evidence().summary),
            Self::Person => "asks a person".into(),
            Self::Unknown(why) => format!("unknown: {why}"),
        }
    }
}

/// The titles of an outline that a plan did not come to: those after the last one it did.
pub(crate) fn unreached(outline: &Outline, steps: &[PlannedStep]) -> Vec<String> {
    let mut titles = Vec::new();
    collect(outline.items, &mut titles);
    let reached = |title: &&str| steps.iter().any(|step| step.title.iter().any(|part| part == title));
    let after = titles.iter().rposition(reached).map_or(0, |last| last + 1);
    titles[after..].iter().map(|title| (*title).to_owned()).collect()
}

fn collect(items: &[Item], titles: &mut Vec<&'static str>) {
    use ItemKind::{Arm, Else, If, Look, Loop, Match};
    for item in items {
        if !matches!(item.kind, If | Else | Match | Arm | Loop | Look) {
            titles.push(item.title);
        }
        collect(item.items, titles);
    }
}
