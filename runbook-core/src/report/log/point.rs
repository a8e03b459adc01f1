//! The lists of the template: what was asked beforehand, and what afterwards.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::super::words::fields_line;
use super::super::{Node, State, Summary, Work};
use super::family;
use crate::{CheckRole, Finding};

/// A point of a list: a check, a question, or a step that prepares.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// The point of the template it answers.
    pub point: Option<&'static str>,
    /// What was asked or done, with the scopes around it.
    pub what: String,
    /// The answer.
    pub answer: Answer,
    /// What it rests on.
    pub evidence: String,
    /// More of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// When it was answered; `None` when nothing did.
    pub at: Option<Timestamp>,
    /// Where it looked.
    pub host: Arc<str>,
    /// Whether its answer only warns or informs.
    pub informs: bool,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It is so.
    Pass,
    /// It is not so.
    Fail,
    /// Nobody knows.
    Unknown,
    /// There is none yet.
    Open,
}

impl Answer {
    fn of(state: State) -> Self {
        match state {
            State::Good | State::Already | State::Changed | State::FoundDone | State::Remembered => Self::Pass,
            State::Failed => Self::Fail,
            State::Unknown => Self::Unknown,
            State::Going | State::Waiting => Self::Open,
        }
    }

    /// As a log says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Unknown => "UNKNOWN",
            Self::Open => "not finished",
        }
    }
}

/// The points of the template, what their checks are called, and the families of their steps.
const POINTS: [(&str, &[&str], &[&str]); 3] = [
    ("CI passing", &["ci", "pipeline", "build"], &["ci"]),
    ("Backup taken", &["backup", "backups", "dump"], &["backup"]),
    ("Team notified", &["notified", "notify", "notification", "announced", "team", "users"], &["notify"]),
];

/// The point of the template that something answers.
fn point(node: &Node) -> Option<&'static str> {
    let title = node.title.to_lowercase();
    let words: Vec<&str> = title.split(|c: char| !c.is_alphanumeric()).collect();
    let family = family(&node.kind).0;
    let is_step = node.is_step();
    let fits = |(_, titles, families): &&(&str, &[&str], &[&str])| {
        families.contains(&family) || (!is_step && words.iter().any(|word| titles.contains(word)))
    };
    POINTS.iter().find(fits).map(|(point, _, _)| *point)
}

/// Whether a step only prepares: it changes nothing of what runs.
fn prepares(node: &Node) -> bool {
    matches!(family(&node.kind).0, "backup" | "notify" | "ci")
}

/// Where the first change of the deployment stands; what comes before it was asked beforehand.
fn first_change(summary: &Summary) -> Option<usize> {
    let tried = |node: &Node| node.is_step() && node.state != State::Already && !prepares(node);
    summary.nodes().iter().position(tried)
}

pub(super) fn before(summary: &Summary) -> Vec<Point> {
    let first = first_change(summary);
    let (early, late) = summary.nodes().split_at(first.unwrap_or(summary.nodes().len()));
    // A precondition is one wherever it stands.
    let late = late.iter().filter(|node| node.work == Work::Check(CheckRole::Require));
    let asked = |node: &&Node| node.is_check() || node.work == Work::Question || (node.is_step() && prepares(node));
    let mut points: Vec<Point> = early.iter().filter(asked).chain(late).map(|node| Point::of(summary, node)).collect();
    if first.is_some() {
        let missing = POINTS.iter().filter(|(name, _, _)| !points.iter().any(|point| point.point == Some(*name)));
        let missing: Vec<_> = missing.map(|(name, _, _)| Point::missing(name)).collect();
        points.extend(missing);
    }
    points
}

pub(super) fn verification(summary: &Summary) -> Vec<Point> {
    let Some(first) = first_change(summary) else { return Vec::new() };
    let after = summary.nodes()[first..].iter();
    let checks = after.filter(|node| matches!(node.work, Work::Check(role) if role != CheckRole::Require));
    checks.map(|node| Point::of(summary, node)).collect()
}

impl Point {
    fn of(summary: &Summary, node: &Node) -> Self {
        let evidence = node.finding().map(Finding::evidence).or_else(|| node.more()?.answer.as_ref());
        let said = match (&evidence, node.error()) {
            (Some(evidence), _) => evidence.summary.clone(),
            (None, Some(error)) => format!("{error:#}"),
            (None, None) => node.output.as_ref().map(fields_line).unwrap_or_default(),
        };
        Self {
            point: point(node),
            what: summary.path(node).join(" / "),
            answer: Answer::of(node.state),
            evidence: said,
            lines: evidence.map(|evidence| evidence.lines.clone()).unwrap_or_default(),
            at: Some(node.end.unwrap_or(node.at)),
            host: node.host.clone(),
            informs: !node.is_binding(),
        }
    }

    /// A point of the template that nothing in the run answers.
    fn missing(point: &'static str) -> Self {
        Self {
            point: Some(point),
            what: point.to_owned(),
            answer: Answer::Open,
            evidence: "nothing in this run says so".to_owned(),
            lines: Vec::new(),
            at: None,
            host: Arc::default(),
            informs: true,
        }
    }
}
