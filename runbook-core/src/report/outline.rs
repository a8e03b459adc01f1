//! A static outline as people read it: text, Markdown they could follow by hand, a flowchart, JSON.

use std::fmt::Write as _;

use crate::{Item, ItemKind, Outline};

/// What an item is called before its title.
fn word(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Step => "",
        ItemKind::Irreversible => "cannot be undone",
        ItemKind::PointOfNoReturn => "point of no return",
        ItemKind::Check => "check",
        ItemKind::Require => "only if",
        ItemKind::Observe | ItemKind::Probe => "look at",
        ItemKind::Each => "for each",
        ItemKind::Both => "at once",
        ItemKind::Branch => "branch",
        ItemKind::Scope => "together",
        ItemKind::Hold => "while held",
        ItemKind::Guard => "guarded",
        ItemKind::Confirm => "ask",
        ItemKind::Checklist => "checklist",
        ItemKind::Approve => "approval of",
        ItemKind::Window => "only in window",
        ItemKind::Call => "procedure",
        ItemKind::If => "if",
        ItemKind::Else => "else",
        ItemKind::Match => "depending on",
        ItemKind::Arm => "when",
        ItemKind::Loop => "repeat",
    }
}

/// Whether the title is a piece of source, rather than words for people.
fn is_code(kind: ItemKind) -> bool {
    matches!(kind, ItemKind::If | ItemKind::Match | ItemKind::Arm | ItemKind::Loop)
}

/// An item in one line.
fn line(item: &Item) -> String {
    let title = if item.title.is_empty() { item.code } else { item.title };
    let title = if is_code(item.kind) { format!("`{title}`") } else { title.to_owned() };
    match (item.kind, word(item.kind)) {
        (_, "") => title,
        (ItemKind::Else, word) if item.title.is_empty() => word.to_owned(),
        (ItemKind::Else, word) => format!("{word} if `{}`", item.title),
        (ItemKind::Irreversible, word) => format!("{title} ({word})"),
        (kind, word) if is_code(kind) => format!("{word} {title}"),
        (_, word) if title.is_empty() => word.to_owned(),
        (_, word) => format!("{word}: {title}"),
    }
}

/// The outline as indented lines.
pub fn text(outline: &Outline) -> String {
    let mut out = format!("{}\n", outline.title);
    for line in outline.doc.lines() {
        let _ = writeln!(out, "  {line}");
    }
    out.push('\n');
    text_items(&mut out, outline.items, "");
    out
}

fn text_items(out: &mut String, items: &[Item], number: &str) {
    let depth = number.matches('.').count() + usize::from(!number.is_empty());
    let indent = "  ".repeat(depth);
    for (n, item) in items.iter().enumerate() {
        let number = if number.is_empty() { format!("{}", n + 1) } else { format!("{number}.{}", n + 1) };
        let _ = writeln!(out, "{indent}{number}  {}", line(item));
        for doc in item.doc.lines() {
            let _ = writeln!(out, "{indent}   {:1$}{doc}", "", number.len() - 1);
        }
        text_items(out, item.items, &number);
    }
}

/// The outline as a runbook that a person could follow by hand.
pub fn markdown(outline: &Outline) -> String {
    let mut out = format!("# {}\n\n", outline.title);
    if !outline.doc.trim().is_empty() {
        let _ = writeln!(out, "{}\n", outline.doc.trim());
    }
    markdown_items(&mut out, outline.items, 0);
    out
}

fn markdown_items(out: &mut String, items: &[Item], depth: usize) {
    let indent = "   ".repeat(depth);
    for (n, item) in items.iter().enumerate() {
        let _ = writeln!(out, "{indent}{}. {}", n + 1, markdown_line(item));
        for doc in item.doc.lines().filter(|doc| !doc.trim().is_empty()) {
            let _ = writeln!(out, "{indent}   {doc}  ");
        }
        if !item.code.is_empty() && item.code != item.title {
            let _ = writeln!(out, "{indent}   `{}`", item.code.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        markdown_items(out, item.items, depth + 1);
    }
}

fn markdown_line(item: &Item) -> String {
    match item.kind {
        ItemKind::Step => format!("**{}**", item.title),
        ItemKind::Irreversible => format!("**{}** — cannot be undone", item.title),
        ItemKind::If | ItemKind::Else | ItemKind::Match | ItemKind::Arm | ItemKind::Loop => {
            format!("*{}*:", line(item))
        }
        ItemKind::Confirm | ItemKind::Checklist | ItemKind::Approve => format!("👤 {}", line(item)),
        _ => line(item),
    }
}

/// The outline as a flowchart in the language of Mermaid.
pub fn mermaid(outline: &Outline) -> String {
    let mut chart = Chart { out: "flowchart TD\n".to_owned(), next: 0 };
    let start = chart.node("([", outline.title, "])");
    let ends = chart.items(outline.items, vec![(start, String::new())]);
    let end = chart.node("([", "done", "])");
    chart.join(&ends, end);
    chart.out
}

struct Chart {
    out: String,
    next: usize,
}

/// Where an arrow to the next node starts, and what stands on it.
type End = (usize, String);

impl Chart {
    fn node(&mut self, open: &str, title: &str, close: &str) -> usize {
        let id = self.next;
        self.next += 1;
        let _ = writeln!(self.out, "    n{id}{open}\"{}\"{close}", quoted(title));
        id
    }

    fn join(&mut self, ends: &[End], to: usize) {
        for (from, label) in ends {
            let label = if label.is_empty() { String::new() } else { format!("|\"{}\"|", quoted(label)) };
            let _ = writeln!(self.out, "    n{from} -->{label} n{to}");
        }
    }

    fn items(&mut self, items: &[Item], mut ends: Vec<End>) -> Vec<End> {
        let mut at = 0;
        while let Some(item) = items.get(at) {
            at += 1;
            ends = match item.kind {
                ItemKind::If => {
                    let other = items.get(at).filter(|next| next.kind == ItemKind::Else);
                    at += usize::from(other.is_some());
                    self.choice(item, other, &ends)
                }
                ItemKind::Match => self.arms(item, &ends),
                ItemKind::Each | ItemKind::Loop => self.repeated(item, &ends),
                ItemKind::Both => self.parallel(item, &ends),
                ItemKind::Arm | ItemKind::Else | ItemKind::Branch => self.items(item.items, ends),
                _ => {
                    let (open, close) = shape(item.kind);
                    let id = self.node(open, &line(item), close);
                    self.join(&ends, id);
                    self.items(item.items, vec![(id, String::new())])
                }
            };
        }
        ends
    }

    fn choice(&mut self, item: &Item, other: Option<&Item>, ends: &[End]) -> Vec<End> {
        let id = self.node("{", &format!("{}?", item.title), "}");
        self.join(ends, id);
        let mut out = self.items(item.items, vec![(id, "yes".to_owned())]);
        let no = vec![(id, "no".to_owned())];
        out.extend(match other {
            Some(other) => self.items(other.items, no),
            None => no,
        });
        out
    }

    fn arms(&mut self, item: &Item, ends: &[End]) -> Vec<End> {
        let id = self.node("{", item.title, "}");
        self.join(ends, id);
        item.items.iter().flat_map(|arm| self.items(arm.items, vec![(id, arm.title.to_owned())])).collect()
    }

    fn repeated(&mut self, item: &Item, ends: &[End]) -> Vec<End> {
        let id = self.node("{{", &line(item), "}}");
        self.join(ends, id);
        let back = self.items(item.items, vec![(id, "next".to_owned())]);
        if back.iter().all(|(from, _)| *from != id) {
            self.join(&back, id);
        }
        vec![(id, String::new())]
    }

    fn parallel(&mut self, item: &Item, ends: &[End]) -> Vec<End> {
        let id = self.node("{{", &line(item), "}}");
        self.join(ends, id);
        if item.items.is_empty() {
            return vec![(id, String::new())];
        }
        item.items.iter().flat_map(|side| self.items(std::slice::from_ref(side), vec![(id, String::new())])).collect()
    }
}

fn shape(kind: ItemKind) -> (&'static str, &'static str) {
    match kind {
        ItemKind::Check | ItemKind::Require | ItemKind::Observe | ItemKind::Probe | ItemKind::Window => ("[/", "/]"),
        ItemKind::Confirm | ItemKind::Checklist | ItemKind::Approve => ("[\\", "\\]"),
        ItemKind::Call => ("[[", "]]"),
        ItemKind::PointOfNoReturn => (">", "]"),
        _ => ("[", "]"),
    }
}

/// The text inside the quotes of a Mermaid label.
fn quoted(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn item(kind: ItemKind, title: &'static str, items: &'static [Item]) -> Item {
        Item { kind, title, doc: "", code: "", items }
    }

    const OUTLINE: Outline = Outline {
        name: "update",
        title: "Standard update",
        doc: "Takes 15 minutes.",
        items: &[
            Item {
                kind: ItemKind::Step,
                title: "Pull latest code",
                doc: "Nothing is restarted yet.",
                code: "git::checkout(&marb.root,\n    &marb.revision)",
                items: &[],
            },
            item(
                ItemKind::If,
                "code.changed(\"requirements.txt\")",
                &[item(ItemKind::Step, "Update dependencies", &[])],
            ),
            item(ItemKind::Each, "Restart services", &[item(ItemKind::Step, "Restart", &[])]),
            item(ItemKind::Irreversible, "Tell the team", &[]),
            item(ItemKind::Check, "Health", &[]),
        ],
        fingerprint: 1,
    };

    #[test]
    fn as_text() {
        let expected = "\
Standard update
  Takes 15 minutes.

1  Pull latest code
   Nothing is restarted yet.
2  if `code.changed(\"requirements.txt\")`
  2.1  Update dependencies
3  for each: Restart services
  3.1  Restart
4  Tell the team (cannot be undone)
5  check: Health
";
        assert_eq!(text(&OUTLINE), expected);
    }

    #[test]
    fn as_markdown_that_can_be_followed_by_hand() {
        let expected = "\
# Standard update

Takes 15 minutes.

1. **Pull latest code**
   Nothing is restarted yet.  
   `git::checkout(&marb.root, &marb.revision)`
2. *if `code.changed(\"requirements.txt\")`*:
   1. **Update dependencies**
3. for each: Restart services
   1. **Restart**
4. **Tell the team** — cannot be undone
5. check: Health
";
        assert_eq!(markdown(&OUTLINE), expected);
    }

    #[test]
    fn as_a_flowchart() {
        let expected = "\
flowchart TD
    n0([\"Standard update\"])
    n1[\"Pull latest code\"]
    n0 --> n1
    n2{\"code.changed(&quot;requirements.txt&quot;)?\"}
    n1 --> n2
    n3[\"Update dependencies\"]
    n2 -->|\"yes\"| n3
    n4{{\"for each: Restart services\"}}
    n3 --> n4
    n2 -->|\"no\"| n4
    n5[\"Restart\"]
    n4 -->|\"next\"| n5
    n5 --> n4
    n6[\"Tell the team (cannot be undone)\"]
    n4 --> n6
    n7[/\"check: Health\"/]
    n6 --> n7
    n8([\"done\"])
    n7 --> n8
";
        assert_eq!(mermaid(&OUTLINE), expected);
    }
}
