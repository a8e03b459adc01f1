//! A static outline as people read it: text, Markdown they could follow by hand, a flowchart, JSON.

use std::fmt::Write as _;

use self::told::Node;
pub use self::told::Told;
use crate::{Explained, Item, ItemKind, Outline};

mod told;

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
        ItemKind::Look => "read",
        ItemKind::Call => "procedure",
        ItemKind::Around => "inside",
        ItemKind::If => "if",
        ItemKind::Else => "else",
        ItemKind::Match => "depending on",
        ItemKind::Arm => "when",
        ItemKind::Loop => "repeat",
    }
}

/// Whether the title is a piece of source, rather than words for people.
fn is_code(kind: ItemKind) -> bool {
    matches!(kind, ItemKind::If | ItemKind::Match | ItemKind::Arm | ItemKind::Loop | ItemKind::Look)
}

/// An item in one line.
fn line(item: &Item) -> String {
    line_of(item.kind, item.title, item.code, !item.items.is_empty())
}

fn line_of(kind: ItemKind, title: &str, code: &str, is_full: bool) -> String {
    let title = if title.is_empty() { code } else { title };
    let title = if is_code(kind) { format!("`{}`", plainly(title)) } else { title.to_owned() };
    match (kind, word(kind)) {
        (_, "") => title,
        (ItemKind::Else, word) if title.is_empty() => word.to_owned(),
        (ItemKind::Else, word) => format!("{word} if `{}`", plainly(&title)),
        (ItemKind::Look, word) => format!("{word}: {title}"),
        (ItemKind::Irreversible, word) => format!("{title} ({word})"),
        // A call that was told has something in it: questions.
        (ItemKind::Call, _) if is_full => format!("look at: {title}"),
        (kind, word) if is_code(kind) => format!("{word} {title}"),
        (_, word) if title.is_empty() => word.to_owned(),
        (_, word) => format!("{word}: {title}"),
    }
}

/// Source without what says nothing to a person.
fn plainly(code: &str) -> String {
    code.replace(".await?", "").replace(".await", "").replace(")?", ")")
}

/// The outline as indented lines.
pub fn text(outline: &'static Outline) -> String {
    Told::plain(outline).text()
}

/// The outline as a runbook that a person could follow by hand.
pub fn markdown(outline: &'static Outline) -> String {
    Told::plain(outline).markdown()
}

impl Node {
    fn line(&self) -> String {
        match (self.kind, &self.shown) {
            _ if self.part.is_some() => self.title().to_owned(),
            (ItemKind::Around, Some(shown)) => shown.clone(),
            (ItemKind::Arm | ItemKind::Look | ItemKind::Window, Some(shown)) => format!("{}: {shown}", word(self.kind)),
            _ => line_of(self.kind, self.title(), self.code, !self.items.is_empty()),
        }
    }

    /// What to read below its line: words, and commands to type.
    fn pieces(&self) -> Vec<Piece> {
        if self.kind == ItemKind::Checklist {
            let points = self.explained.iter().flat_map(|asked| asked.what.summary.lines());
            return points.map(|point| Piece::Words(format!("☐ {point}"))).collect();
        }
        if matches!(self.kind, ItemKind::Confirm | ItemKind::Approve | ItemKind::Window) {
            return Vec::new();
        }
        self.explained.iter().flat_map(|step| pieces(self, step)).collect()
    }
}

/// Something below the line of an item.
enum Piece {
    Words(String),
    Commands(Vec<String>),
}

fn pieces(node: &Node, step: &Explained) -> Vec<Piece> {
    let what = &step.what;
    let place = step.host.as_ref().map(|host| format!("on {host}")).unwrap_or_default();
    let said = if what.line() == node.title() { "" } else { &*what.line() };
    let words = match (step.asks, said) {
        (true, said) => format!("expect: {}", if said.is_empty() { node.title() } else { said }),
        (false, said) => said.to_owned(),
    };
    let words = match (words.is_empty(), place.is_empty()) {
        (_, true) => words,
        (true, false) => place,
        (false, false) => format!("{words} ({place})"),
    };
    let mut pieces = vec![Piece::Words(words), Piece::Commands(what.commands.clone())];
    if node.kind == ItemKind::Hold {
        pieces.extend([
            Piece::Words("and at the end, whatever happened:".to_owned()),
            Piece::Commands(what.undo_commands.clone()),
        ]);
    }
    pieces.retain(|piece| match piece {
        Piece::Words(words) => !words.is_empty(),
        Piece::Commands(commands) => !commands.is_empty(),
    });
    // Words that announce commands stand for nothing without them.
    if matches!(pieces.last(), Some(Piece::Words(words)) if words.ends_with(':')) {
        pieces.pop();
    }
    pieces
}

impl Told {
    /// As indented lines.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.title);
        for line in self.doc.lines() {
            let _ = writeln!(out, "  {line}");
        }
        out.push('\n');
        text_items(&mut out, &self.items, "");
        out
    }

    /// As a runbook that a person could follow by hand.
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n\n", self.title);
        if !self.doc.trim().is_empty() {
            let _ = writeln!(out, "{}\n", self.doc.trim());
        }
        markdown_items(&mut out, &self.items, "");
        out
    }
}

fn text_items(out: &mut String, items: &[Node], number: &str) {
    let depth = number.matches('.').count() + usize::from(!number.is_empty());
    let indent = "  ".repeat(depth);
    for (n, item) in items.iter().enumerate() {
        let number = if number.is_empty() { format!("{}", n + 1) } else { format!("{number}.{}", n + 1) };
        let _ = writeln!(out, "{indent}{number}  {}", item.line());
        let below = format!("{indent}   {}", " ".repeat(number.len() - 1));
        item.docs().for_each(|doc| below_line(out, &below, doc));
        for piece in item.pieces() {
            match piece {
                Piece::Words(words) => words.lines().for_each(|line| below_line(out, &below, line)),
                Piece::Commands(commands) => {
                    for command in commands {
                        below_line(out, &below, &format!("$ {}", command.replace('\n', &format!("\n{below}  "))));
                    }
                }
            }
        }
        text_items(out, &item.items, &number);
    }
}

fn below_line(out: &mut String, indent: &str, line: &str) {
    let _ = writeln!(out, "{indent}{line}");
}

fn markdown_items(out: &mut String, items: &[Node], indent: &str) {
    for (n, item) in items.iter().enumerate() {
        let number = format!("{}. ", n + 1);
        let below = format!("{indent}{}", " ".repeat(number.len()));
        let _ = writeln!(out, "{indent}{number}{}", markdown_line(item));
        let docs: Vec<_> = item.docs().filter(|doc| !doc.trim().is_empty()).collect();
        let mut pieces: Vec<_> = if docs.is_empty() { Vec::new() } else { vec![Piece::Words(docs.join("\n"))] };
        let docs = pieces.len();
        pieces.extend(item.pieces());
        if matches!(pieces.first(), Some(Piece::Words(_))) || is_told_by_code(item) {
            // A line break: else these words would go on where the title ends.
            out.truncate(out.len() - 1);
            out.push_str("  \n");
        }
        for (n, piece) in pieces.iter().enumerate() {
            markdown_piece(out, piece, &below, n < docs);
        }
        if is_told_by_code(item) {
            let _ = writeln!(out, "{below}`{}`", item.code.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        markdown_items(out, &item.items, &below);
    }
}

/// Whether nothing is known of an item but its source.
fn is_told_by_code(item: &Node) -> bool {
    let is_known = !item.explained.is_empty() || item.part.is_some();
    let has_told = matches!(item.kind, ItemKind::Call | ItemKind::Around) && !item.items.is_empty();
    !is_known && !has_told && item.kind != ItemKind::Look && !item.code.is_empty() && item.code != item.title
}

/// Docs are Markdown already.
fn markdown_piece(out: &mut String, piece: &Piece, indent: &str, is_doc: bool) {
    match piece {
        Piece::Words(words) => {
            // The lines of docs flow, but for the last one.
            let last = words.lines().count() - 1;
            for (n, line) in words.lines().enumerate() {
                match is_doc && n < last {
                    true => _ = writeln!(out, "{indent}{}", line.trim_end()),
                    false if is_doc => _ = writeln!(out, "{indent}{line}  "),
                    false => _ = writeln!(out, "{indent}{}  ", prose(line)),
                }
            }
        }
        Piece::Commands(commands) => {
            let fence = if commands.iter().any(|command| command.contains("```")) { "~~~" } else { "```" };
            let _ = writeln!(out, "{indent}{fence}sh");
            for line in commands.iter().flat_map(|command| command.lines()) {
                let _ = writeln!(out, "{}", format!("{indent}{line}").trim_end());
            }
            let _ = writeln!(out, "{indent}{fence}");
        }
    }
}

fn markdown_line(item: &Node) -> String {
    let title = prose(item.title());
    match item.kind {
        ItemKind::Step => format!("**{title}**"),
        ItemKind::Irreversible => format!("**{title}** — cannot be undone"),
        ItemKind::Arm if item.shown.is_some() => format!("*when {}*:", prose(item.title())),
        ItemKind::If | ItemKind::Else | ItemKind::Match | ItemKind::Arm | ItemKind::Loop => {
            format!("*{}*:", item.line())
        }
        ItemKind::Confirm | ItemKind::Checklist | ItemKind::Approve => format!("👤 {}", prose(&item.line())),
        _ => prose(&item.line()),
    }
}

/// Words in which `<NAME>` is no tag of HTML. What stands between backticks is left alone.
fn prose(words: &str) -> String {
    let mut code = false;
    words.chars().fold(String::new(), |mut out, char| {
        code ^= char == '`';
        if char == '<' && !code {
            out.push('\\');
        }
        out.push(char);
        out
    })
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
        ItemKind::Call | ItemKind::Around => ("[[", "]]"),
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
            item(ItemKind::Around, "site.watched", &[item(ItemKind::Step, "Reload", &[])]),
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
4  inside: site.watched
  4.1  Reload
5  Tell the team (cannot be undone)
6  check: Health
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
4. inside: site.watched
   1. **Reload**
5. **Tell the team** — cannot be undone
6. check: Health
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
    n6[[\"inside: site.watched\"]]
    n4 --> n6
    n7[\"Reload\"]
    n6 --> n7
    n8[\"Tell the team (cannot be undone)\"]
    n7 --> n8
    n9[/\"check: Health\"/]
    n8 --> n9
    n10([\"done\"])
    n9 --> n10
";
        assert_eq!(mermaid(&OUTLINE), expected);
    }
}
