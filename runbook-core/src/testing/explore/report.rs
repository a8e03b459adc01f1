//! What an exploration found.

use std::collections::BTreeMap;
use std::fmt;

use crate::Key;

use super::judge::Verdict;
use super::scenario::Kind;
use super::{Law, Played};
use crate::testing::world::Difference;

/// What an exploration found: a table of steps and failures, and the laws that were broken.
#[derive(Debug, Clone)]
pub struct Report {
    procedure: String,
    steps: Vec<(Key, String)>,
    cells: BTreeMap<(Key, Kind), Cell>,
    breaches: Vec<Breach>,
    runs: usize,
}

/// How the runs ended in which one step failed in one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    /// With everything new.
    pub new: usize,
    /// With everything as before.
    pub old: usize,
    /// With something left that is named.
    pub named: usize,
    /// Another way that the procedure knows.
    pub other_way: usize,
    /// Neither: something is wrong.
    pub broken: usize,
}

/// A law that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The law.
    pub law: Law,
    /// The title of the step, when it is known.
    pub step: Option<String>,
    /// What happened.
    pub why: String,
    /// What in the world was different from what it should be.
    pub differences: Vec<Difference>,
    /// How often it was seen.
    pub times: usize,
    key: Option<Key>,
}

impl Report {
    pub(super) fn new(procedure: &str) -> Self {
        Self { procedure: procedure.into(), steps: Vec::new(), cells: BTreeMap::new(), breaches: Vec::new(), runs: 0 }
    }

    /// Panics, naming the laws that were broken, unless none was.
    #[track_caller]
    pub fn is_sound(&self) -> &Self {
        assert!(self.breaches.is_empty(), "procedure `{}` is not sound\n\n{self}", self.procedure);
        self
    }

    /// Panics unless this step broke this law. For tests of the kit itself, and of what it should find.
    #[track_caller]
    pub fn breaks(&self, law: Law, step: &str) -> &Self {
        let found = self.breaches.iter().any(|breach| breach.law == law && breach.step.as_deref() == Some(step));
        assert!(found, "step `{step}` was to break the law that {law}\n\n{self}");
        self
    }

    /// The laws that were broken.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// How many times the procedure was run.
    pub fn runs(&self) -> usize {
        self.runs
    }

    pub(super) fn step(&mut self, key: &Key, title: String) {
        if self.steps.iter().any(|(known, _)| known == key) {
            return;
        }
        // The same step for another item.
        let again = self.steps.iter().any(|(_, known)| *known == title);
        self.steps.push((key.clone(), if again { format!("{title} [{key}]") } else { title }));
    }

    pub(super) fn enter(&mut self, key: &Key, kind: Kind, verdict: &Verdict) {
        let is_step = self.steps.iter().any(|(known, _)| known == key);
        let row = if is_step { key.clone() } else { Key::root() };
        let cell = self.cells.entry((row, kind)).or_default();
        match verdict {
            Verdict::New => cell.new += 1,
            Verdict::Old => cell.old += 1,
            Verdict::Named => cell.named += 1,
            Verdict::OtherWay => cell.other_way += 1,
            Verdict::Broken(..) | Verdict::StillLeft(_) => cell.broken += 1,
        }
    }

    /// Adds what an inspector saw.
    pub(super) fn add_findings(&mut self, played: &Played) {
        self.runs += 1;
        for (key, _) in played.steps() {
            self.step(&key, played.title(&key).unwrap_or_default());
        }
        for (law, key, why, differences) in played.found.breaches() {
            self.breach(law, Some(key), why, differences);
        }
    }

    pub(super) fn breach(&mut self, law: Law, key: Option<Key>, why: String, differences: Vec<Difference>) {
        if let Some(known) = self.breaches.iter_mut().find(|known| known.law == law && known.key == key) {
            known.times += 1;
            return;
        }
        let title = |key: &Key| self.steps.iter().find(|(known, _)| known == key).map(|(_, title)| title.clone());
        let step = key.as_ref().and_then(title);
        self.breaches.push(Breach { law, step, why, differences, times: 1, key });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for breach in &self.breaches {
            writeln!(f, "{breach}")?;
        }
        writeln!(f, "{} runs of `{}`: how the world ended", self.runs, self.procedure)?;
        let root = (Key::root(), "(between steps)".to_owned());
        let steps = || self.steps.iter().chain([&root]);
        let width = steps().map(|(_, title)| title.chars().count()).max().unwrap_or(0);
        write!(f, "{:width$}", "")?;
        Kind::ALL.iter().try_for_each(|kind| write!(f, "  {kind:<16}"))?;
        for (key, title) in steps() {
            write!(f, "\n{title:width$}")?;
            for kind in Kind::ALL {
                let cell = self.cells.get(&(key.clone(), kind)).copied().unwrap_or_default();
                write!(f, "  {:<16}", cell.to_string())?;
            }
        }
        writeln!(f)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.broken, "BROKEN"),
            (self.new, "new"),
            (self.old, "old"),
            (self.named, "named"),
            (self.other_way, "other way"),
        ];
        let words: Vec<_> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        f.pad(if words.is_empty() { "-".to_owned() } else { words.join(", ") }.as_str())
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step.as_deref().unwrap_or("the procedure");
        writeln!(f, "`{step}` breaks the law that {}\n  {}", self.law, self.why)?;
        if self.times > 1 {
            writeln!(f, "  and {} more times", self.times - 1)?;
        }
        write!(f, "{}", crate::testing::lines(&self.differences))
    }
}
