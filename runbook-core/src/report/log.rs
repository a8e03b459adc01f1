//! The deployment log as a value: what people fill in by hand after a deployment, told by the run itself.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

pub use self::phase::Phase;
pub use self::point::{Answer, Point};
pub use self::rollback::{PutBack, Remains, Rollback};
use super::rows::{Row, rows};
use super::skipped::{self, Skipped};
use super::versions::{self, Version};
use super::words::{count, fields_line, took};
use super::{Node, State, Summary, Undo, Work};
use crate::event::{Outage, RunEnded};
use crate::{Outcome, ScopeKind};

mod phase;
mod point;
mod rollback;

/// The deployment log of a run.
#[derive(Debug, Clone, Serialize)]
pub struct DeploymentLog {
    /// The title of the procedure.
    pub title: String,
    /// When it began.
    pub date: Option<Timestamp>,
    /// Who started it, and who took it up again.
    pub deployers: Vec<String>,
    /// What it ran against.
    pub environment: String,
    /// The procedure, and the book it is from.
    pub procedure: String,
    /// The name of the run.
    pub run: String,
    /// The machine the runner was on.
    pub host: String,
    /// Its inputs.
    pub inputs: String,
    /// What it returned.
    pub result: String,
    /// The tag or the branch that was asked for.
    pub tag: Option<String>,
    /// What was there before and after: commits, revisions, images.
    pub versions: Vec<Version>,
    /// How it ended, in words.
    pub outcome: String,
    /// How long it took, pauses included.
    #[serde(rename = "seconds", serialize_with = "maybe_seconds")]
    pub took: Option<Duration>,
    /// What users saw.
    pub downtime: Vec<Downtime>,
    /// What was asked and done before the first change.
    pub before: Vec<Point>,
    /// When each phase was over, from the start to the end.
    pub phases: Vec<Phase>,
    /// Every step, scope and question.
    pub steps: Vec<Line>,
    /// What was asked afterwards.
    pub verification: Vec<Point>,
    /// What went wrong or was worth a word.
    pub issues: Vec<Issue>,
    /// Where the run went another way than its source says at first sight, and who decided so.
    pub deviations: Vec<Deviation>,
    /// Whether it was put back.
    pub rollback: Rollback,
}

/// What users saw of one thing.
#[derive(Debug, Clone, Serialize)]
pub struct Downtime {
    /// What was watched, or held.
    pub of: String,
    /// What was seen, when something watched.
    pub seen: Option<Outage>,
    /// In words.
    pub words: String,
}

/// A step, a scope or a question.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// How many scopes are around it.
    pub depth: usize,
    /// Its title.
    pub title: String,
    /// When it began.
    pub at: Timestamp,
    /// Where it ran.
    pub host: Arc<str>,
    /// Whether that is worth a word.
    #[serde(skip)]
    pub(super) is_elsewhere: bool,
    /// How it went, and how long it took.
    pub how: String,
    /// Its output.
    pub evidence: String,
}

/// Something that went wrong, or was worth a word.
#[derive(Debug, Clone, Serialize)]
pub struct Issue {
    /// When.
    pub at: Timestamp,
    /// What sort of issue: `failed`, `warning`, `trigger`, `point of no return`, `note`.
    pub kind: &'static str,
    /// What.
    pub text: String,
    /// The last words of what failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// Where a run went another way.
#[derive(Debug, Clone, Serialize)]
pub struct Deviation {
    /// When; what never happened has no time.
    pub at: Option<Timestamp>,
    /// What sort of deviation: `tried again`, `confirmed`, `overridden`, `skipped`, `resumed`, `asked to stop`.
    pub kind: &'static str,
    /// What, and who.
    pub text: String,
}

impl DeploymentLog {
    /// The log of a run, as far as it is told.
    pub fn of(summary: &Summary) -> Self {
        let began = summary.began.as_ref();
        let text = |field: fn(&crate::event::RunBegan) -> String| began.map(field).unwrap_or_default();
        let result = summary.ended.as_ref().and_then(|ended| ended.output.as_ref());
        Self {
            title: began.map_or_else(|| "no run yet".to_owned(), |began| began.title.clone()),
            date: summary.first(),
            deployers: deployers(summary),
            environment: text(|began| began.target.clone()),
            procedure: text(|began| format!("{} of book {}", began.procedure, began.book)),
            run: text(|began| began.run.to_string()),
            host: text(|began| began.host.clone()),
            inputs: text(|began| fields_line(&began.inputs)),
            result: result.map(fields_line).unwrap_or_default(),
            tag: versions::tag(summary),
            versions: versions::of(summary),
            outcome: outcome(summary),
            took: summary.span(),
            downtime: downtime(summary),
            before: point::before(summary),
            phases: phase::phases(summary),
            steps: lines(summary),
            verification: point::verification(summary),
            issues: issues(summary),
            deviations: deviations(summary),
            rollback: Rollback::of(summary),
        }
    }
}

fn deployers(summary: &Summary) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for beginning in &summary.beginnings {
        if !names.contains(&beginning.by) {
            names.push(beginning.by.clone());
        }
    }
    names
}

/// How a run ended, in words.
fn outcome(summary: &Summary) -> String {
    match &summary.ended {
        Some(RunEnded { outcome: Outcome::Done, .. }) if !summary.warnings.is_empty() => {
            format!("done with {}", count(summary.warnings.len(), "warning"))
        }
        Some(ended) => ended.outcome.words().to_owned(),
        None => "not ended: running, or its runner was cut off".to_owned(),
    }
}

/// What was seen by whoever watched; else what was held, and for how long.
fn downtime(summary: &Summary) -> Vec<Downtime> {
    let seen = summary.outages.iter().map(|watched| Downtime {
        of: watched.of.to_string(),
        words: watched.outage.to_string(),
        seen: Some(watched.outage.clone()),
    });
    let seen: Vec<_> = seen.collect();
    if !seen.is_empty() {
        return seen;
    }
    let holds = summary.nodes().iter().filter(|node| node.work == Work::Scope(ScopeKind::Hold));
    let held = holds.filter_map(|node| {
        let words = format!("held for {}", took(node.took?));
        Some(Downtime { of: node.title.to_string(), seen: None, words })
    });
    held.collect()
}

/// The two parts of the kind of a step: `git`, `checkout`.
pub(super) fn family(kind: &str) -> (&str, &str) {
    kind.split_once('.').unwrap_or((kind, ""))
}

fn lines(summary: &Summary) -> Vec<Line> {
    let told = rows(summary).into_iter().filter(|row| !row.node.is_check());
    told.map(|Row { depth, title, node, held }| Line {
        depth,
        title,
        at: node.at,
        host: held.unwrap_or(node).host.clone(),
        is_elsewhere: summary.is_elsewhere(held.unwrap_or(node)),
        how: how(summary, node) + held.map(|held| undo(summary, held)).unwrap_or_default(),
        evidence: held
            .unwrap_or(node)
            .output
            .as_ref()
            .filter(|_| !node.is_scope() || held.is_some())
            .map(fields_line)
            .unwrap_or_default(),
    })
    .collect()
}

/// How something went, and how long it took.
fn how(summary: &Summary, node: &Node) -> String {
    let long = node.took.map(took).unwrap_or_default();
    match &node.work {
        Work::Question => {
            let answer = node.more().and_then(|more| more.answer.as_ref());
            answer.map_or_else(|| "waits for an answer".to_owned(), |answer| answer.summary.clone())
        }
        Work::Scope(_) | Work::Check(_) => long,
        Work::Step(_) => {
            let how = match node.state {
                State::Already => "already so".to_owned(),
                State::Changed | State::Good => long,
                State::FoundDone | State::Remembered => format!("{long}, done before an interruption"),
                State::Failed | State::Unknown => format!("FAILED after {long}"),
                State::Going | State::Waiting => "not finished".to_owned(),
            };
            how + undo(summary, node)
        }
    }
}

fn undo(summary: &Summary, node: &Node) -> &'static str {
    match node.undo {
        Undo::Not => "",
        Undo::Going => ", undo not finished",
        Undo::Undone | Undo::Settled if summary.is_held(node) => ", taken back at the end",
        Undo::Undone | Undo::Settled => ", put back",
        Undo::Left => ", STILL THERE",
    }
}

fn issues(summary: &Summary) -> Vec<Issue> {
    let mut issues: Vec<Issue> = summary.nodes().iter().filter_map(|node| failure(summary, node)).collect();
    let noted = [
        ("warning", &summary.warnings),
        ("trigger", &summary.triggers),
        ("point of no return", &summary.no_return),
        ("note", &summary.notes),
    ];
    for (kind, list) in noted {
        issues.extend(list.iter().map(|noted| Issue {
            at: noted.at,
            kind,
            text: summary.said(&noted.key, noted.text.lines().next().unwrap_or_default()),
            lines: noted.text.lines().skip(1).map(str::to_owned).collect(),
        }));
    }
    issues.sort_by_key(|issue| issue.at);
    issues
}

fn failure(summary: &Summary, node: &Node) -> Option<Issue> {
    let place = summary.path(node).join(" / ");
    let (text, lines) = match (node.error().filter(|_| !node.is_scope()), node.finding()) {
        (Some(error), _) => (format!("{place}: {error:#}"), error.lines().to_vec()),
        (None, Some(finding)) if !finding.passes() && node.is_binding() => {
            (format!("{place}: {}", finding.evidence().summary), finding.evidence().lines.clone())
        }
        _ => return None,
    };
    Some(Issue { at: node.end.unwrap_or(node.at), kind: "failed", text, lines })
}

fn deviations(summary: &Summary) -> Vec<Deviation> {
    let mut found: Vec<Deviation> = summary
        .beginnings
        .iter()
        .filter(|beginning| beginning.resumed)
        .map(|beginning| Deviation { at: Some(beginning.at), kind: "resumed", text: format!("by {}", beginning.by) })
        .collect();
    found.extend(summary.stops.iter().map(|at| Deviation {
        at: Some(*at),
        kind: "asked to stop",
        text: "the run was asked to stop".to_owned(),
    }));
    for node in summary.nodes() {
        found.extend(node.retries().iter().map(|retried| Deviation {
            at: Some(retried.at),
            kind: "tried again",
            text: format!("{} after attempt {}: {:#}", summary.path(node).join(" / "), retried.attempt, retried.error),
        }));
        found.extend(decision(summary, node));
    }
    found.sort_by_key(|deviation| deviation.at);
    found.extend(skipped::of(summary).into_iter().map(|Skipped { title, only }| Deviation {
        at: None,
        kind: "skipped",
        text: format!("{title}: {only}"),
    }));
    found
}

/// What a person, or the clock, decided.
fn decision(summary: &Summary, node: &Node) -> Option<Deviation> {
    let answer = node.more()?.answer.as_ref().filter(|_| node.work == Work::Question)?;
    let kind = if answer.summary.starts_with("overridden") { "overridden" } else { "confirmed" };
    let who = answer.summary.trim_start_matches("overridden: ");
    let text = format!("{}: {who}", summary.path(node).join(" / "));
    Some(Deviation { at: Some(node.end.unwrap_or(node.at)), kind, text })
}

/// The time of day, UTC.
pub(super) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[allow(clippy::ref_option, reason = "serde gives a reference")]
fn maybe_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}
