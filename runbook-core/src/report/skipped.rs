//! What the source of a procedure has and a run of it left out.

use super::{Node, Summary};
use crate::{Item, ItemKind, Outcome};

/// Something that did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    /// Its title.
    pub(super) title: String,
    /// Why.
    pub(super) only: String,
}

/// What was left out of a run that is over, as far as its source tells: what stands in a function that is called, or has
/// a title that is computed, is not known.
pub(super) fn of(summary: &Summary) -> Vec<Skipped> {
    let (Some(outline), Some(ended)) = (summary.outline, &summary.ended) else { return Vec::new() };
    if ended.outcome == Outcome::Paused {
        return Vec::new();
    }
    let mut found = Vec::new();
    let is_done = ended.outcome == Outcome::Done;
    collect(summary, outline.items, None, is_done, &mut found);
    found
}

fn collect(summary: &Summary, items: &[Item], condition: Option<&Item>, is_done: bool, found: &mut Vec<Skipped>) {
    for item in items {
        let is_condition = matches!(item.kind, ItemKind::If | ItemKind::Else | ItemKind::Arm);
        let condition = if is_condition { Some(item) } else { condition };
        if is_work(item.kind) && is_known(item.title) && !summary.nodes().iter().any(|node| is(node, item)) {
            let only = condition.filter(|_| is_done).map_or_else(|| not_reached(is_done), words);
            found.push(Skipped { title: item.title.to_owned(), only });
        }
        collect(summary, item.items, condition, is_done, found);
    }
}

fn is_work(kind: ItemKind) -> bool {
    use ItemKind::{Check, Checklist, Confirm, Hold, Irreversible, Observe, Require, Step};
    matches!(kind, Step | Irreversible | Check | Require | Observe | Confirm | Checklist | Hold)
}

/// Whether the title is one, and not the source of one.
fn is_known(title: &str) -> bool {
    !title.is_empty() && !title.contains(['{', '(', '!', '&'])
}

fn is(node: &Node, item: &Item) -> bool {
    *node.title == *item.title
}

fn not_reached(is_done: bool) -> String {
    if is_done { "not necessary this time".to_owned() } else { "not reached".to_owned() }
}

fn words(condition: &Item) -> String {
    let code = condition.title.replace(".await?", "").replace(".await", "").replace(")?", ")");
    match condition.kind {
        ItemKind::Else if code.is_empty() => "only in the other case".to_owned(),
        ItemKind::Arm => format!("only when `{code}`"),
        _ => format!("only if `{code}`"),
    }
}
