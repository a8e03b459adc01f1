//! The rows of a run, as logs and pages show them: the tree, without what says nothing to a reader.

use super::{Node, Summary, Work};
use crate::ScopeKind;

/// A row.
#[derive(Debug, Clone)]
pub(super) struct Row<'a> {
    /// How many rows are around it.
    pub(super) depth: usize,
    /// What it is called: its title, after the name of the item it stands for.
    pub(super) title: String,
    /// What it shows.
    pub(super) node: &'a Node,
    /// Of a hold: the step that is held.
    pub(super) held: Option<&'a Node>,
}

/// The rows of a run. The only thing in an item or in a side of a `both` stands for it; the step of a hold stands with it.
pub(super) fn rows(summary: &Summary) -> Vec<Row<'_>> {
    let tree = summary.tree();
    let mut rows: Vec<Row<'_>> = Vec::with_capacity(tree.len());
    // How deep the scopes are that have no row of their own.
    let mut folded: Vec<usize> = Vec::new();
    let mut item: Option<&Node> = None;
    for (n, &(depth, node)) in tree.iter().enumerate() {
        folded.retain(|scope| *scope < depth);
        if summary.is_held(node) {
            continue;
        }
        if is_part(summary, node) && has_one(&tree[n..]) {
            folded.push(depth);
            item = Some(node);
            continue;
        }
        let held = node.is_hold().then(|| held_by(summary, &tree[n + 1..], node)).flatten();
        rows.push(Row { depth: depth - folded.len(), title: title(summary, item.take(), node), node, held });
    }
    rows
}

/// Whether it is an item, or one side of a `both`.
fn is_part(summary: &Summary, node: &Node) -> bool {
    node.work == Work::Scope(ScopeKind::Item) || is_side(summary, node)
}

/// A side of a `both` has a letter for a name.
fn is_side(summary: &Summary, node: &Node) -> bool {
    let both = Work::Scope(ScopeKind::Both);
    node.work == both && summary.parent(node).is_some_and(|parent| parent.work == both)
}

/// Whether the first of these has one thing in it, which is no scope.
fn has_one(tree: &[(usize, &Node)]) -> bool {
    let depth = tree[0].0;
    let mut inside = tree[1..].iter().take_while(|(below, _)| *below > depth);
    inside.next().is_some_and(|(_, only)| !only.is_scope()) && inside.next().is_none()
}

fn held_by<'a>(summary: &Summary, below: &[(usize, &'a Node)], hold: &Node) -> Option<&'a Node> {
    let first = below.iter().map(|(_, node)| *node).find(|node| summary.is_held(node));
    first.filter(|first| summary.parent(first).is_some_and(|parent| parent.key == hold.key))
}

fn title(summary: &Summary, item: Option<&Node>, node: &Node) -> String {
    match item.filter(|item| !is_side(summary, item)) {
        Some(item) => format!("{} / {}", item.title, node.title),
        None => node.title.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Story;
    use super::*;
    use crate::event::StepEnd;

    #[test]
    fn what_has_one_thing_in_it_has_no_row_of_its_own() {
        let events = Story::begins()
            .scope("0", "Page", ScopeKind::Hold)
            .step("0.0", "Page", StepEnd::Changed)
            .scope("0.1", "Page", ScopeKind::Scope)
            .scope("0.1.0", "Build", ScopeKind::Both)
            .scope("0.1.0[a]", "a", ScopeKind::Both)
            .step("0.1.0[a].0", "Build api", StepEnd::Changed)
            .scope("0.1.0[b]", "b", ScopeKind::Both)
            .step("0.1.0[b].0", "Build web", StepEnd::Changed)
            .step("0.1.0[b].1", "Tag web", StepEnd::Changed)
            .scope("1", "Restart", ScopeKind::Each)
            .scope("1[api]", "api", ScopeKind::Item)
            .step("1[api].0", "Restart", StepEnd::Changed)
            .events();
        let summary: Summary = events.iter().collect();
        let rows: Vec<_> =
            rows(&summary).iter().map(|row| format!("{}{}", "  ".repeat(row.depth), row.title)).collect();
        let expected = [
            "Page",
            "  Build",
            "    Build api",
            "    b",
            "      Build web",
            "      Tag web",
            "Restart",
            "  api / Restart",
        ];
        assert_eq!(rows, expected);
    }
}
