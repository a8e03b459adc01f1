//! Whether a run was put back, what was, and what is still there.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::super::Summary;
use super::super::summary::since;
use super::super::text::why_left;
use super::{maybe_seconds, seconds};
use crate::Error;

/// Whether and how a run was put back.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Rollback {
    /// Whether that was necessary.
    pub required: bool,
    /// Why.
    pub reason: String,
    /// When it began.
    pub at: Option<Timestamp>,
    /// From its beginning to the last thing that was put back.
    #[serde(rename = "seconds", serialize_with = "maybe_seconds")]
    pub took: Option<Duration>,
    /// What was put back.
    pub put_back: Vec<PutBack>,
    /// What is still there.
    pub left: Vec<Remains>,
}

/// A step that was put back.
#[derive(Debug, Clone, Serialize)]
pub struct PutBack {
    /// The step, with the scopes around it.
    pub what: String,
    /// When that began.
    pub at: Timestamp,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

/// A change that is still there.
#[derive(Debug, Clone, Serialize)]
pub struct Remains {
    /// The step.
    pub what: String,
    /// Why it is still there.
    pub why: String,
    /// What a person would type to undo it.
    pub commands: Vec<String>,
}

impl Rollback {
    pub(super) fn of(summary: &Summary) -> Self {
        let turned: Vec<Timestamp> = summary.turns.iter().map(|(at, _)| *at).collect();
        let left = summary.left.iter().map(|left| Remains {
            what: left.title.to_string(),
            why: why_left(left),
            commands: left.commands.clone(),
        });
        let mut back = Self { left: left.collect(), ..Self::default() };
        if turned.is_empty() {
            return back;
        }
        let scope = || summary.scope_rollbacks.first().map(|(_, error)| error);
        let cause: Option<&Error> = summary.rollback.as_ref().or_else(scope);
        back.required = true;
        back.reason = cause.map(|cause| format!("{cause:#}")).unwrap_or_default();
        back.at = turned.first().copied();
        back.put_back = put_back(summary);
        let end = back.put_back.iter().filter_map(|back| back.at.checked_add(back.took).ok()).max();
        back.took = back.at.zip(end).map(|(from, to)| since(from, to));
        back
    }
}

/// What was put back, in the order in which that happened.
fn put_back(summary: &Summary) -> Vec<PutBack> {
    let steps = summary.steps().filter(|node| node.is_back() && !summary.is_held(node));
    let mut all: Vec<PutBack> = steps
        .filter_map(|node| {
            let took = node.acts().iter().filter_map(|act| act.took).sum();
            Some(PutBack { what: summary.path(node).join(" / "), at: node.acts().first()?.at, took })
        })
        .collect();
    all.sort_by_key(|back| back.at);
    all
}
