//! A static outline, with what the steps say of themselves.

use serde::Serialize;

use crate::{Book, Explained, Explanation, Item, ItemKind, Outline};

/// An outline to be read: that of a procedure, with its parts in their places and its steps explained.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) doc: &'static str,
    pub(super) items: Vec<Node>,
    fingerprint: u64,
}

/// An item, and what is known of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Node {
    pub(super) kind: ItemKind,
    pub(super) title: String,
    pub(super) doc: &'static str,
    pub(super) code: &'static str,
    /// The part or procedure that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<Called>,
    /// A title that says more than the one of the source.
    #[serde(skip)]
    pub(super) shown: Option<String>,
    /// What it says of itself; more than one when it does so for several things.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) explained: Vec<Explained>,
    pub(super) items: Vec<Node>,
    /// Which of the explained steps those are.
    #[serde(skip)]
    claims: Vec<usize>,
    /// Where the source says it; nowhere when only the explanation knows it.
    #[serde(skip)]
    item: Option<&'static Item>,
    /// How many scopes there are around it.
    #[serde(skip)]
    depth: usize,
}

/// A part or procedure.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Called {
    name: &'static str,
    title: &'static str,
    pub(super) doc: &'static str,
}

impl Told {
    /// The outline alone.
    pub fn plain(outline: &'static Outline) -> Self {
        Self::of(outline, None, &Explanation::default())
    }

    /// The outline of a procedure of this book, explained.
    pub fn explained(outline: &'static Outline, book: &Book, explanation: &Explanation) -> Self {
        Self::of(outline, Some(book), explanation)
    }

    fn of(outline: &'static Outline, book: Option<&Book>, explanation: &Explanation) -> Self {
        let steps = &explanation.steps;
        // What has its very title in the source is not for those whose title may be anything.
        let mut exact = Teller::new(outline, book, steps, None);
        exact.nodes(outline.items);
        let mut teller = Teller::new(outline, book, steps, Some(exact.claimed));
        let mut items = teller.nodes(outline.items);
        teller.claimed.sort_unstable();
        fill(&mut items, steps, &teller.claimed);
        let known = known(&items);
        tell_again(&mut items, &known);
        Self { name: outline.name, title: outline.title, doc: outline.doc, items, fingerprint: outline.fingerprint }
    }
}

/// What the title of a scope or a step may be.
#[derive(Debug, Clone)]
enum Title {
    /// As in the source, where `{…}` may be anything.
    Like(String),
    Any,
}

impl Title {
    fn exactly(text: &str) -> Self {
        Self::Like(text.replace('{', "{{").replace('}', "}}"))
    }

    fn fits(&self, title: &str) -> bool {
        match self {
            Self::Like(pattern) => like(pattern, title),
            Self::Any => true,
        }
    }
}

/// Whether this is the text of a literal or a `format!`.
fn like(pattern: &str, text: &str) -> bool {
    let mut pieces = vec![String::new()];
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        let last = pieces.len() - 1;
        match char {
            '{' | '}' if chars.next_if_eq(&char).is_some() => pieces[last].push(char),
            '{' => {
                chars.by_ref().find(|inside| *inside == '}');
                pieces.push(String::new());
            }
            other => pieces[last].push(other),
        }
    }
    let [first, middle @ .., last] = &pieces[..] else { return pieces[0] == text };
    let Some(mut rest) = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str())) else {
        return false;
    };
    for piece in middle {
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

/// Whether the first of these texts are like the titles.
fn fit(titles: &[Title], texts: &[String]) -> bool {
    titles.iter().zip(texts).all(|(title, text)| title.fits(text))
}

/// What the question of an approval begins with.
const APPROVAL: &str = "approval by ";

/// How long a text has to be to name a step.
const SHORTEST_NAME: usize = 5;

/// How many scopes a call with a body may open around it, to be looked through.
const MOST_SCOPES: usize = 2;

struct Teller<'a> {
    book: Option<&'a Book>,
    steps: &'a [Explained],
    /// The titles of the scopes around.
    around: Vec<Title>,
    /// The procedures and parts around, so that none is told inside itself.
    inside: Vec<&'static str>,
    claimed: Vec<usize>,
    /// What is claimed by exact titles; those come first.
    taken: Option<Vec<usize>>,
    /// Causes as the source names them, and in words.
    words: Vec<(&'static str, String)>,
}

impl<'a> Teller<'a> {
    fn new(
        outline: &'static Outline,
        book: Option<&'a Book>,
        steps: &'a [Explained],
        taken: Option<Vec<usize>>,
    ) -> Self {
        let (around, inside) = (Vec::new(), vec![outline.name]);
        Self { book, steps, around, inside, claimed: Vec::new(), taken, words: Vec::new() }
    }

    fn nodes(&mut self, items: &'static [Item]) -> Vec<Node> {
        let nodes = items.iter().map(|item| self.node(item));
        // A call is but its source; what it does says more.
        nodes.flat_map(|node| if node.is_seen_through() { node.items } else { vec![node] }).collect()
    }

    /// An item of which nothing is known yet.
    fn blank(&self, item: &'static Item) -> Node {
        Node {
            kind: item.kind,
            title: item.title.to_owned(),
            doc: item.doc,
            code: item.code,
            part: None,
            shown: None,
            explained: Vec::new(),
            items: Vec::new(),
            claims: Vec::new(),
            item: Some(item),
            depth: self.around.len(),
        }
    }

    fn node(&mut self, item: &'static Item) -> Node {
        let mut node = self.blank(item);
        let like = || Title::Like(item.title.to_owned());
        match item.kind {
            ItemKind::Step | ItemKind::Irreversible => self.claim(&mut node, &[like()], false),
            ItemKind::Check | ItemKind::Require | ItemKind::Observe | ItemKind::Probe => {
                self.claim(&mut node, &[like()], true);
            }
            ItemKind::Hold => self.claim(&mut node, &[like(), like()], false),
            ItemKind::Confirm | ItemKind::Checklist => self.claim(&mut node, &[like()], true),
            ItemKind::Approve => self.claim(&mut node, &[Title::Like(format!("{APPROVAL}{}", item.title))], true),
            ItemKind::Window => {
                self.claim(&mut node, &[Title::Like("window {}".into())], true);
                let window = node.explained.first().and_then(|step| step.title.last());
                node.shown = window.map(|title| title.trim_start_matches("window ").to_owned());
            }
            ItemKind::Arm => node.shown = self.in_words(item.title),
            ItemKind::Look => {
                let (title, rest) = item.doc.split_once('\n').unwrap_or((item.doc, ""));
                node.shown = (!title.is_empty()).then(|| title.to_owned());
                node.doc = rest;
            }
            ItemKind::Call => return self.call(node, item),
            ItemKind::Around => return self.around(node, item),
            _ => {}
        }
        node.items = match item.kind {
            ItemKind::Each | ItemKind::Both => self.body([like(), Title::Any], item.items),
            ItemKind::Scope => self.body([like()], item.items),
            ItemKind::Hold => self.body([like(), like()], item.items),
            ItemKind::Guard => self.body([Title::Like("guarded".into())], item.items),
            _ => self.nodes(item.items),
        };
        node
    }

    /// A body in the scopes of these titles, unless it works with the run of outside.
    fn body<const N: usize>(&mut self, titles: [Title; N], items: &'static [Item]) -> Vec<Node> {
        let is_outside = self.found_within(titles.clone(), items) == 0 && self.found_within([], items) > 0;
        if is_outside { self.nodes(items) } else { self.within(titles, items) }
    }

    fn within(&mut self, titles: impl IntoIterator<Item = Title>, items: &'static [Item]) -> Vec<Node> {
        let outside = self.around.len();
        self.around.extend(titles);
        let nodes = self.nodes(items);
        self.around.truncate(outside);
        nodes
    }

    /// A call: what is called, or the questions that are gathered in it.
    fn call(&mut self, mut node: Node, item: &'static Item) -> Node {
        if !item.items.is_empty() {
            self.ask(&mut node, item.items);
            return node;
        }
        match self.known(item.title) {
            Some(part) => self.part(&mut node, part),
            None => node.items = self.named_in(item.code),
        }
        node
    }

    /// The questions that have a text of this source in their titles, and that nobody else has claimed.
    fn named_in(&mut self, code: &str) -> Vec<Node> {
        let Some(taken) = self.taken.clone() else { return Vec::new() };
        let texts = code.split('"').skip(1).step_by(2).filter(|text| text.len() >= SHORTEST_NAME);
        let patterns: Vec<String> = texts.map(|text| format!("{{}}{text}{{}}")).collect();
        let depth = self.around.len();
        let named = |at: &usize| {
            let step = &self.steps[*at];
            let name = step.title.last().filter(|_| step.asks && step.title.len() == depth + 1);
            let is_free = !taken.contains(at) && !self.claimed.contains(at) && fit(&self.around, &step.title);
            is_free && name.is_some_and(|name| patterns.iter().any(|pattern| like(pattern, name)))
        };
        let found: Vec<usize> = (0..self.steps.len()).filter(named).collect();
        let first = found.iter().map(|at| self.steps[*at].call).min();
        let told = found.iter().filter(|at| Some(self.steps[**at].call) == first);
        let nodes = told.map(|at| Node { claims: vec![*at], depth, ..Node::found(&self.steps[*at]) }).collect();
        self.claimed.extend(&found);
        nodes
    }

    fn part(&mut self, node: &mut Node, part: &'static Outline) {
        node.part = Some(Called { name: part.name, title: part.title, doc: part.doc });
        node.shown = Some(part.title.to_owned());
        if !self.inside.contains(&part.name) {
            self.inside.push(part.name);
            node.items = if self.is_procedure(part) {
                self.within([Title::exactly(part.title)], part.items)
            } else {
                self.nodes(part.items)
            };
            self.inside.pop();
        }
    }

    /// A call with a body, which it runs in scopes that only it knows.
    fn around(&mut self, mut node: Node, item: &'static Item) -> Node {
        if let Some(part) = self.known(item.title) {
            self.part(&mut node, part);
        }
        let scopes = self.scopes_of(item.items);
        if node.shown.is_none() && !scopes.is_empty() {
            node.shown = Some(scopes.join(": "));
        }
        let body = self.within(scopes.iter().map(|scope| Title::exactly(scope)), item.items);
        node.items.extend(body);
        node
    }

    /// The scopes in which most of these items are found.
    fn scopes_of(&mut self, items: &'static [Item]) -> Vec<String> {
        let mut candidates = vec![Vec::new()];
        for step in self.steps {
            for more in 1..=MOST_SCOPES {
                let scopes = step.title.get(self.around.len()..self.around.len() + more);
                let is_here = step.title.len() > self.around.len() + more && fit(&self.around, &step.title);
                candidates.extend(scopes.filter(|_| is_here).map(<[String]>::to_vec));
            }
        }
        candidates.dedup();
        let mut most = (0, Vec::new());
        for scopes in candidates {
            let found = self.found_within(scopes.iter().map(|scope| Title::exactly(scope)), items);
            if found > most.0 {
                most = (found, scopes);
            }
        }
        most.1
    }

    /// How many steps these items would be, in these scopes.
    fn found_within(&mut self, scopes: impl IntoIterator<Item = Title>, items: &'static [Item]) -> usize {
        let before = self.claimed.clone();
        self.within(scopes, items);
        let found = self.claimed.len() - before.len();
        self.claimed = before;
        found
    }

    /// The part or procedure that this path leads to.
    fn known(&self, path: &str) -> Option<&'static Outline> {
        let name = path.rsplit("::").find(|segment| !segment.contains(['<', '>']))?.trim();
        self.book?.part(name)
    }

    fn is_procedure(&self, part: &'static Outline) -> bool {
        self.book.is_some_and(|book| book.list().iter().any(|known| std::ptr::eq(known.outline, part)))
    }

    /// Takes the explained steps of these titles, in the scopes around.
    fn claim(&mut self, node: &mut Node, titles: &[Title], asks: bool) {
        let is_open = titles.iter().any(|title| matches!(title, Title::Like(pattern) if pattern.contains('{')));
        let path: Vec<Title> = self.around.iter().chain(titles).cloned().collect();
        let here = |step: &Explained| step.title.len() == path.len() && fit(&path, &step.title);
        let free = |at: &usize| !(is_open && self.taken.as_ref().is_none_or(|taken| taken.contains(at)));
        let mut found: Vec<usize> = (0..self.steps.len())
            .filter(|at| self.steps[*at].asks == asks && here(&self.steps[*at]) && free(at))
            .collect();
        // What the title of one may be, that of another kind may be too.
        let kind = found.first().map(|at| self.steps[*at].what.kind.clone());
        found.retain(|at| !is_open || Some(&self.steps[*at].what.kind) == kind.as_ref());
        self.give(node, found);
    }

    fn give(&mut self, node: &mut Node, found: Vec<usize>) {
        let first = found.iter().map(|at| self.steps[*at].call).min();
        for at in &found {
            let step = &self.steps[*at];
            // What was come by later was come by with stranger values.
            let same = |known: &Explained| known.what == step.what && known.host == step.host;
            if Some(step.call) == first && !node.explained.iter().any(same) {
                node.explained.push(step.clone());
            }
        }
        self.claimed.extend(&found);
        node.claims = found;
    }

    /// The questions of a builder: by order when the source shows them all, else by title. It asks them in a scope of its
    /// own, and may have got some from elsewhere.
    fn ask(&mut self, node: &mut Node, items: &'static [Item]) {
        let mut questions: Vec<Node> = items.iter().map(|item| self.blank(item)).collect();
        let (scope, found) = self.asked(&node.title, &questions);
        let in_order = found.len() == questions.len();
        let mut asked = Vec::new();
        for at in found {
            let title = &self.steps[at].title;
            let names = || title.iter().rev().take(2);
            let is_mine = |question: &Node| names().any(|text| like(&question.title, text));
            let mine = if in_order { Some(0) } else { questions.iter().position(is_mine) };
            let elsewhere = || Node { kind: ItemKind::Probe, ..Node::found(&self.steps[at]) };
            let mut question = mine.map_or_else(elsewhere, |mine| questions.remove(mine));
            // A cause has a better name than the source gives it.
            if let (Some(item), [.., name, _]) = (question.item, &title[..])
                && item.title.contains("::")
            {
                self.words.push((item.title, name.clone()));
                question.shown = Some(name.clone());
            }
            question.explained.clear();
            self.give(&mut question, vec![at]);
            asked.push(question);
        }
        asked.append(&mut questions);
        node.items = asked;
        // Unless the title stands in the source, it is but a piece of that.
        if !node.code.is_empty() && !node.code.contains(&format!("\"{}\"", node.title)) {
            node.shown = scope;
        }
    }

    /// The scope in which these questions are asked, and what is asked in it.
    fn asked(&self, title: &str, questions: &[Node]) -> (Option<String>, Vec<usize>) {
        let depth = self.around.len();
        let asks = |at: &usize| {
            let step = &self.steps[*at];
            step.asks && step.title.len() > depth + 1 && fit(&self.around, &step.title)
        };
        let scope = |at: &usize| self.steps[*at].title[depth].clone();
        let here: Vec<usize> = (0..self.steps.len()).filter(asks).collect();
        let named = |at: &&usize| {
            let names = self.steps[**at].title.iter().rev().take(2);
            names.clone().any(|name| questions.iter().any(|question| like(&question.title, name)))
        };
        let about = here.iter().map(scope).find(|scope| scope.contains(title));
        let about = about.or_else(|| here.iter().find(named).map(scope));
        let mut found: Vec<usize> = here.into_iter().filter(|at| Some(scope(at)) == about).collect();
        let mut seen = Vec::new();
        found.retain(|at| {
            let title = &self.steps[*at].title;
            let is_new = !seen.contains(&title);
            seen.push(title);
            is_new
        });
        (about, found)
    }

    /// What the pattern of an arm says, when it names causes that have words.
    fn in_words(&self, pattern: &str) -> Option<String> {
        let names: Vec<&str> = pattern.split(['(', ')', '|', ' ']).filter(|name| name.contains("::")).collect();
        let words = names.iter().map(|name| self.words.iter().find(|(cause, _)| cause == name));
        let words: Option<Vec<&str>> = words.map(|known| known.map(|(_, words)| words.as_str())).collect();
        words.filter(|words| !words.is_empty()).map(|words| words.join(", or "))
    }
}

/// What is known of the items of the source.
fn known(items: &[Node]) -> Vec<(&'static Item, Vec<Explained>)> {
    let mine =
        |node: &Node| node.item.filter(|_| !node.explained.is_empty()).map(|item| (item, node.explained.clone()));
    items.iter().flat_map(|node| mine(node).into_iter().chain(known(&node.items))).collect()
}

/// A part is called in more than one place; where its steps were not come by, they do what they do elsewhere.
fn tell_again(items: &mut [Node], known: &[(&'static Item, Vec<Explained>)]) {
    for node in items {
        let same = |item: &'static Item| known.iter().find(|(other, _)| std::ptr::eq(*other, item));
        if let Some((_, explained)) = node.item.and_then(same).filter(|_| node.explained.is_empty()) {
            node.explained.clone_from(explained);
        }
        tell_again(&mut node.items, known);
    }
}

/// Gives what nobody claimed to the one node between its neighbours that does not know what it does.
fn fill(items: &mut Vec<Node>, steps: &[Explained], claimed: &[usize]) {
    let (mut all, mut claims) = (Vec::new(), Vec::new());
    open(items, &mut claims, &mut all);
    let gaps: Vec<_> = all.iter().map(|before| gap(&claims, *before, steps.len())).collect();
    let free = |n: usize| {
        let (from, to) = gaps[n];
        let alone = !gaps.iter().enumerate().any(|(m, other)| m != n && other.0 < to && from < other.1);
        let free = (from..to).filter(|at| alone && claimed.binary_search(at).is_err());
        free.map(|at| Node::found(&steps[at])).collect::<Vec<_>>()
    };
    let mut found = (0..gaps.len()).map(free);
    give(items, &mut found);
}

/// What is claimed, in order, and how much of it before each node that does not know what it does.
fn open(items: &[Node], claims: &mut Vec<usize>, all: &mut Vec<usize>) {
    for node in items {
        if node.is_open() {
            all.push(claims.len());
        }
        claims.extend(&node.claims);
        open(&node.items, claims, all);
    }
}

/// The steps between the neighbours of a node.
fn gap(claims: &[usize], before: usize, end: usize) -> (usize, usize) {
    let from = claims[..before].iter().max().map_or(0, |at| at + 1);
    let to = claims[before..].iter().copied().filter(|at| *at >= from).min();
    (from, to.unwrap_or(end))
}

fn give(items: &mut Vec<Node>, found: &mut impl Iterator<Item = Vec<Node>>) {
    for mut node in std::mem::take(items) {
        if node.is_open() {
            let mine = found.next().unwrap_or_default();
            match (scope_of(&mine, node.depth), mine.is_empty() || !node.doc.is_empty()) {
                // The call is but its source, and what it does says more.
                (None, false) => items.extend(mine),
                (scope, _) => {
                    node.shown = scope;
                    node.items = mine;
                    items.push(node);
                }
            }
        } else {
            give(&mut node.items, found);
            items.push(node);
        }
    }
}

/// The scope that all of these are in, which their call opens.
fn scope_of(nodes: &[Node], depth: usize) -> Option<String> {
    let scopes = nodes.iter().flat_map(|node| &node.explained).map(|step| step.title.get(depth..step.title.len() - 1));
    let mut scopes = scopes.map(|scopes| scopes.and_then(<[String]>::first));
    let first = scopes.next()??;
    scopes.all(|scope| scope == Some(first)).then(|| first.clone())
}

impl Node {
    /// Its title, for people.
    pub(super) fn title(&self) -> &str {
        self.shown.as_deref().unwrap_or(&self.title)
    }

    /// What is said about it: where it is defined, and where it is called.
    pub(super) fn docs(&self) -> impl Iterator<Item = &'static str> + use<> {
        [self.part.map_or("", |part| part.doc), self.doc].into_iter().flat_map(str::lines)
    }

    /// Whether it is a call that nobody knows, of which it is known what it does.
    fn is_seen_through(&self) -> bool {
        let is_bare = self.kind == ItemKind::Call && self.part.is_none() && self.doc.is_empty();
        is_bare
            && !self.items.is_empty()
            && self.items.iter().all(|inner| inner.item.is_none())
            && self.item.is_some_and(|item| item.items.is_empty())
    }

    /// Whether it calls something that nobody knows.
    fn is_open(&self) -> bool {
        self.kind == ItemKind::Call && self.part.is_none() && self.items.is_empty()
    }

    /// A node for a step that only the explanation knows.
    fn found(step: &Explained) -> Self {
        let kind = match step.what.kind.as_str() {
            "person" if step.title.last().is_some_and(|title| title.starts_with(APPROVAL)) => ItemKind::Approve,
            "person" => ItemKind::Confirm,
            "window" => ItemKind::Window,
            _ if step.asks => ItemKind::Check,
            _ => ItemKind::Step,
        };
        let title = match &step.title[..] {
            // A probe is called by its name, not by what it asks.
            [.., name, last] if step.asks && *last == step.what.line() => name,
            [.., last] => last.strip_prefix(APPROVAL).unwrap_or(last),
            [] => "",
        };
        Self {
            kind,
            title: title.to_owned(),
            doc: "",
            code: "",
            part: None,
            shown: None,
            explained: vec![step.clone()],
            items: Vec::new(),
            claims: Vec::new(),
            item: None,
            depth: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Description;

    #[test]
    fn a_title_of_the_source_is_like_the_title_of_the_step() {
        for (pattern, text, fits) in [
            ("Install {unit}", "Install web.service", true),
            ("Install {unit} on {host:?}", "Install web.service on \"a\"", true),
            ("Install {unit}", "Remove web.service", false),
            ("{}: {}", "one: two", true),
            ("{}{}!", "one", false),
            ("Braces {{x}}", "Braces {x}", true),
            ("ab{}ba", "aba", false),
            ("Plain", "Plain", true),
            ("Plain", "Plainer", false),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} and {text}");
        }
    }

    fn step(title: &[&str], asks: bool, call: usize) -> Explained {
        let what = Description::new("kind", title.join("/")).command(format!("do {}", title.join(" ")));
        Explained { title: title.iter().map(ToString::to_string).collect(), host: None, asks, what, call }
    }

    const fn item(kind: ItemKind, title: &'static str, items: &'static [Item]) -> Item {
        Item { kind, title, doc: "", code: "", items }
    }

    const fn outline(name: &'static str, title: &'static str, items: &'static [Item]) -> Outline {
        Outline { name, title, doc: "", items, fingerprint: 0 }
    }

    fn lines(nodes: &[Node], depth: usize) -> Vec<String> {
        let line = |node: &Node| {
            let commands: Vec<_> = node.explained.iter().flat_map(|step| &step.what.commands).cloned().collect();
            format!("{:indent$}{}: {}", "", node.title(), commands.join(", "), indent = 2 * depth)
        };
        nodes.iter().flat_map(|node| [vec![line(node)], lines(&node.items, depth + 1)].concat()).collect()
    }

    #[test]
    fn steps_are_found_by_their_titles_and_parts_by_their_names() {
        const RESTART: Outline = outline(
            "restart",
            "Restart it",
            &[item(ItemKind::Step, "Restart {unit}", &[]), item(ItemKind::Call, "marb::restart", &[])],
        );
        const UPDATE: Outline = outline(
            "update",
            "Update",
            &[
                item(ItemKind::Call, "strange", &[]),
                item(ItemKind::Each, "Hosts", &[item(ItemKind::Step, "Copy", &[])]),
                item(ItemKind::Hold, "Page", &[item(ItemKind::Call, "marb::restart", &[])]),
                item(
                    ItemKind::Call,
                    "it is down",
                    &[item(ItemKind::Probe, "it is down", &[]), item(ItemKind::Probe, "Cause::Disk", &[])],
                ),
                item(ItemKind::Check, "Copy", &[]),
                item(ItemKind::Step, "Never", &[]),
            ],
        );
        let book = Book::new("book").parts([&RESTART]);
        let steps = vec![
            step(&["Unheard of"], false, 0),
            step(&["Hosts", "a", "Copy"], false, 0),
            step(&["Hosts", "b", "Copy"], false, 0),
            step(&["Hosts", "<strange>", "Copy"], false, 1),
            step(&["Page", "Page"], false, 0),
            step(&["Page", "Page", "Restart api"], false, 0),
            step(&["Diagnose: it is down", "it is down"], true, 0),
            step(&["Diagnose: it is down", "Suspects", "the disk", "there is room"], true, 2),
            step(&["Copy"], true, 0),
        ];
        let told = Told::explained(&UPDATE, &book, &Explanation { steps });
        assert_eq!(
            lines(&told.items, 0),
            [
                "Unheard of: do Unheard of",
                "Hosts: ",
                "  Copy: do Hosts a Copy, do Hosts b Copy",
                "Page: do Page Page",
                "  Restart it: ",
                "    Restart {unit}: do Page Page Restart api",
                "    Restart it: ",
                "it is down: ",
                "  it is down: do Diagnose: it is down it is down",
                "  the disk: do Diagnose: it is down Suspects the disk there is room",
                "Copy: do Copy",
                "Never: ",
            ]
        );
    }

    #[test]
    fn the_body_of_a_call_is_found_in_the_scope_that_the_call_opens() {
        const FETCH: Outline = outline("fetch", "Fetch it", &[item(ItemKind::Step, "Fetch", &[])]);
        const WATCHED: Outline = outline("watched", "Watch it", &[item(ItemKind::Check, "Watching", &[])]);
        const BODY: &[Item] = &[
            item(ItemKind::Call, "fetch", &[]),
            item(ItemKind::Each, "Hosts", &[item(ItemKind::Step, "Copy", &[])]),
            item(ItemKind::Check, "Well", &[]),
        ];
        const AROUND: Outline = outline(
            "update",
            "Update",
            &[item(ItemKind::Check, "Well", &[]), item(ItemKind::Around, "site.watched", BODY)],
        );
        const OF_A_PART: Outline = outline("update", "Update", &[item(ItemKind::Around, "site::watched", BODY)]);
        let book = Book::new("book").parts([&FETCH, &WATCHED]);
        let body = |scopes: &[&str]| {
            let inside = |titles: &[&str], asks| step(&[scopes, titles].concat(), asks, 0);
            vec![inside(&["Fetch"], false), inside(&["Hosts", "a", "Copy"], false), inside(&["Well"], true)]
        };
        let told = |outline, before: &[Explained], scopes: &[&str]| {
            let steps = [before.to_vec(), body(scopes)].concat();
            lines(&Told::explained(outline, &book, &Explanation { steps }).items, 0).join("\n")
        };
        assert_eq!(
            told(&AROUND, &[step(&["Well"], true, 0)], &["while {it} is watched"]),
            "Well: do Well\n\
             while {it} is watched: \n  \
             Fetch it: \n    \
             Fetch: do while {it} is watched Fetch\n  \
             Hosts: \n    \
             Copy: do while {it} is watched Hosts a Copy\n  \
             Well: do while {it} is watched Well"
        );
        let deeper = told(&AROUND, &[], &["Sites", "b"]);
        assert!(deeper.contains("\nSites: b: \n  Fetch it: \n    Fetch: do Sites b Fetch\n"), "{deeper}");
        let without = told(&AROUND, &[], &[]);
        assert!(without.contains("\nsite.watched: \n  Fetch it: \n    Fetch: do Fetch\n"), "{without}");
        let part = told(&OF_A_PART, &[step(&["Watching"], true, 0)], &["watching"]);
        assert!(
            part.starts_with("Watch it: \n  Watching: do Watching\n  Fetch it: \n    Fetch: do watching Fetch"),
            "{part}"
        );
    }

    #[test]
    fn a_call_that_nobody_knows_is_told_by_the_texts_in_its_source() {
        const GATE: Item = Item { code: "risk.gate(run, \"Halve it\")", ..item(ItemKind::Call, "risk.gate", &[]) };
        const FIX: Outline = outline(
            "fix",
            "Fix",
            &[
                item(
                    ItemKind::Hold,
                    "Page",
                    &[item(ItemKind::Step, "Copy", &[]), item(ItemKind::Step, "Install {unit}", &[])],
                ),
                item(ItemKind::Match, "cause", &[item(ItemKind::Arm, "Cause::A", &[GATE])]),
                item(ItemKind::Call, "found.cured", &[]),
                item(ItemKind::Step, "Install the rest", &[]),
            ],
        );
        let steps = vec![
            step(&["Page", "Page"], false, 0),
            step(&["Copy"], false, 0),
            step(&["Install web"], false, 0),
            step(&["Halve it?"], true, 0),
            step(&["Halve it, made up"], true, 1),
            step(&["Cured"], true, 0),
            step(&["Install the rest"], false, 0),
        ];
        let told = Told::explained(&FIX, &Book::new("book"), &Explanation { steps });
        assert_eq!(
            lines(&told.items, 0),
            [
                "Page: do Page Page",
                "  Copy: do Copy",
                "  Install {unit}: do Install web",
                "cause: ",
                "  Cause::A: ",
                "    Halve it?: do Halve it?",
                "Cured: do Cured",
                "Install the rest: do Install the rest",
            ]
        );
    }
}
