//! A conversation: turns, and what cleans up after them.

use runbook::{Context, Evidence, Finding};

use super::turn::Turn;
use super::values::Values;
use crate::api::Api;

/// A conversation with a service.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "a talk is held in a pack: `smoke::at(url).talk(\"title\", talk)`"]
pub struct Talk {
    turns: Vec<Turn>,
    cleanup: Vec<Turn>,
}

/// A conversation without turns.
pub fn talk() -> Talk {
    Talk::default()
}

/// What became of cleaning up.
#[derive(Debug, Default)]
pub(super) struct Cleaned {
    /// What was done, line by line.
    pub(super) lines: Vec<String>,
    /// What went wrong.
    pub(super) trouble: Vec<String>,
    /// What nobody could do, because what it needs was never learned.
    pub(super) unsure: Vec<String>,
}

impl Talk {
    /// And then this. The first turn that does not go as wanted is the last.
    pub fn turn(mut self, turn: Turn) -> Self {
        self.turns.push(turn);
        self
    }

    /// At the end this, whatever came of the turns. One that needs what was never kept is left out.
    pub fn cleanup(mut self, turn: Turn) -> Self {
        self.cleanup.push(turn);
        self
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Turn> {
        self.turns.iter().chain(&self.cleanup)
    }

    pub(super) fn cleans(&self) -> bool {
        !self.cleanup.is_empty()
    }

    /// Holds it, and cleans up.
    pub(super) async fn hold(&self, cx: &Context, api: &Api, unique: &str) -> Finding {
        let mut values = Values::unique(unique);
        let mut lines = Vec::new();
        let mut bad = None;
        for turn in &self.turns {
            let finding = turn.take(cx, api, &mut values).await;
            lines.push(format!("{turn}: {}", finding.evidence().summary));
            if !finding.passes() {
                bad = Some((turn, finding));
                break;
            }
        }
        let cleaned = self.clean(cx, api, &mut values).await;
        lines.extend(cleaned.lines.into_iter().map(|line| format!("cleanup: {line}")));
        match (bad, cleaned.trouble.first()) {
            (Some((turn, finding)), _) => told(turn, &finding, lines),
            (None, Some(trouble)) => Finding::fail(Evidence::new(format!("cleanup: {trouble}")).lines(lines)),
            (None, None) => Finding::pass(Evidence::new(format!("{} turns as wanted", self.turns.len())).lines(lines)),
        }
    }

    /// Cleans up after whatever was done under this word.
    pub(super) async fn clean_up(&self, cx: &Context, api: &Api, unique: &str) -> Cleaned {
        self.clean(cx, api, &mut Values::unique(unique)).await
    }

    async fn clean(&self, cx: &Context, api: &Api, values: &mut Values) -> Cleaned {
        let mut cleaned = Cleaned::default();
        for (n, turn) in self.cleanup.iter().enumerate() {
            if let Some(name) = turn.missing(values) {
                // One that was looked for and is not there needs no cleanup.
                let looked_for = self.cleanup[..n].iter().any(|before| before.may_keep(&name));
                if !looked_for {
                    cleaned.unsure.push(format!("{turn}: nothing was kept as `{name}`"));
                }
                continue;
            }
            let finding = turn.take(cx, api, values).await;
            let line = format!("{turn}: {}", finding.evidence().summary);
            if !finding.passes() {
                cleaned.trouble.push(line.clone());
            }
            cleaned.lines.push(line);
        }
        cleaned
    }
}

/// The answer of the turn that did not go as wanted, under its name.
fn told(turn: &Turn, finding: &Finding, lines: Vec<String>) -> Finding {
    let Evidence { summary, lines: excerpt } = finding.evidence();
    let evidence = Evidence::new(format!("{turn}: {summary}")).lines(excerpt.clone()).lines(lines);
    match finding {
        Finding::Unknown(_) => Finding::Unknown(evidence),
        _ => Finding::Fail(evidence),
    }
}
