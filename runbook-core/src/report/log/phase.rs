//! The phases of the template: when the code was there, the images, the schema, the services.

use jiff::Timestamp;
use serde::Serialize;

use super::super::words::count;
use super::super::{Node, State, Summary};
use super::point::{Answer, verification};
use super::{clock, family};
use crate::Outcome;

/// A phase of a deployment.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// Its name, as the template has it.
    pub name: &'static str,
    /// When it was over.
    pub at: Timestamp,
    /// What else is to be said.
    pub note: String,
}

/// The phases of the template, in its order.
const PHASES: [&str; 4] = ["Code updated", "Images built", "Migrations run", "Services restarted"];

/// The phase that a kind of step belongs to.
fn phase(kind: &str) -> Option<&'static str> {
    match family(kind) {
        ("git", "checkout" | "clone" | "pull") => Some(PHASES[0]),
        ("compose" | "docker", "build" | "pull" | "load") => Some(PHASES[1]),
        ("alembic", "upgrade" | "downgrade") => Some(PHASES[2]),
        ("systemd", "restart" | "start" | "reload") | ("compose" | "docker", "up" | "start" | "restart" | "scale") => {
            Some(PHASES[3])
        }
        ("rollout", _) => Some(PHASES[3]),
        _ => None,
    }
}

pub(super) fn phases(summary: &Summary) -> Vec<Phase> {
    let mut phases: Vec<Phase> = summary
        .beginnings
        .iter()
        .map(|beginning| Phase {
            name: if beginning.resumed { "Resumed" } else { "Start time" },
            at: beginning.at,
            note: format!("by {}", beginning.by),
        })
        .collect();
    phases.extend(PHASES.into_iter().filter_map(|name| passed(summary, name)));
    phases.extend(verified(summary));
    if let (Some(ended), Some(at)) = (&summary.ended, summary.last) {
        let name = if ended.outcome == Outcome::Paused { "Paused" } else { "End time" };
        phases.push(Phase { name, at, note: String::new() });
    }
    phases
}

/// When the steps of a phase were through.
fn passed(summary: &Summary, name: &'static str) -> Option<Phase> {
    let steps: Vec<&Node> = summary.steps().filter(|node| phase(&node.kind) == Some(name)).collect();
    let last = steps.iter().copied().max_by_key(|node| node.end.unwrap_or(node.at))?;
    let note = if let Some(failed) = steps.iter().find(|node| matches!(node.state, State::Failed | State::Unknown)) {
        format!("FAILED at {}", failed.title)
    } else if steps.iter().any(|node| matches!(node.state, State::Going | State::Waiting)) {
        "not finished".to_owned()
    } else if steps.iter().all(|node| node.state == State::Already) {
        "already so".to_owned()
    } else {
        String::new()
    };
    let back = steps.iter().filter(|node| node.is_back()).flat_map(|node| node.acts()).map(|act| act.at).min();
    let back = back.map(|at| format!("put back at {}", clock(at))).unwrap_or_default();
    let note = [note, back].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    Some(Phase { name, at: last.end.unwrap_or(last.at), note })
}

fn verified(summary: &Summary) -> Option<Phase> {
    let points = verification(summary);
    let at = points.iter().filter_map(|point| point.at).max()?;
    let bad = points.iter().filter(|point| point.answer != Answer::Pass && !point.informs).count();
    let note = if bad == 0 { String::new() } else { format!("{} did not pass", count(bad, "check")) };
    Some(Phase { name: "Verification complete", at, note })
}
