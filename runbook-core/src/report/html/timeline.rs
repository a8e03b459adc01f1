//! The timeline: a row for each scope, step, check and question, with a bar where it lies in time.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::log::clock;
use super::super::rows::{Row, rows};
use super::super::summary::since;
use super::super::words::{fields, took};
use super::super::{Act, Node, State, Summary, Undo, Work};
use super::axis::{Axis, end_of};
use super::blocks::{block, changes, failure, labelled};
use super::text::{escaped, lines_of_prose, prose};
use crate::{Finding, Key, ScopeKind};

/// What the rows are drawn from.
struct Drawing<'a> {
    summary: &'a Summary,
    axis: Axis,
    /// The machine the runner was on, which is what `localhost` means.
    here: Arc<str>,
    /// Whether more than one host took part.
    has_hosts: bool,
    /// What was said of each row.
    said: HashMap<&'a Key, Vec<(&'static str, &'a str)>>,
}

/// The whole timeline.
pub(super) fn timeline(out: &mut String, summary: &Summary) {
    let here = summary.began.as_ref().map_or("this machine", |began| &began.host).into();
    let drawing =
        Drawing { axis: Axis::of(summary), here, has_hosts: has_hosts(summary), said: said(summary), summary };
    out.push_str("<section aria-labelledby=\"timeline\">\n<h2 id=\"timeline\">Timeline</h2>\n");
    drawing.legend(out);
    let _ = writeln!(out, "<div class=\"timeline\" style=\"{}\">", drawing.marks());
    drawing.scale(out);
    drawing.lanes(out);
    drawing.rows(out);
    out.push_str("</div>\n</section>\n");
}

/// Whether more than one host took part. What runs nowhere, like a question, counts for none.
fn has_hosts(summary: &Summary) -> bool {
    let mut hosts = summary.nodes().iter().map(|node| &*node.host).filter(|host| !host.is_empty());
    let first = hosts.next();
    hosts.any(|host| Some(host) != first)
}

fn said(summary: &Summary) -> HashMap<&Key, Vec<(&'static str, &str)>> {
    let mut said: HashMap<&Key, Vec<(&'static str, &str)>> = HashMap::new();
    for (label, list) in [("Warning", &summary.warnings), ("Note", &summary.notes)] {
        for noted in list {
            said.entry(&noted.key).or_default().push((label, &noted.text));
        }
    }
    said
}

/// Something that lasts, drawn on a row.
struct Bar<'a> {
    from: Timestamp,
    to: Timestamp,
    class: &'a str,
    says: String,
}

impl Drawing<'_> {
    /// What lies behind every row: lines at the labels, the time of a rollback, the downtime.
    fn marks(&self) -> String {
        let line = |left: f64| {
            format!(
                "linear-gradient(90deg,transparent calc({left:.3}% - .5px),var(--line) 0 calc({left:.3}% + .5px),transparent 0)"
            )
        };
        let band = |left: f64, width: f64, colour: &str| {
            format!("linear-gradient(90deg,transparent {left:.3}%,var({colour}) 0 {:.3}%,transparent 0)", left + width)
        };
        let mut marks: Vec<String> = self.axis.ticks().iter().map(|tick| line(tick.left)).collect();
        marks.extend(self.axis.pauses().map(|pause| band(pause.left, pause.width, "--pause")));
        for (from, to) in self.turns() {
            let (left, width) = self.axis.span(from, to);
            marks.push(band(left, width, "--back-wash"));
        }
        for stretch in self.summary.outages.iter().flat_map(|watched| &watched.outage.down).take(20) {
            let (left, width) = self.axis.span(stretch.from, stretch.to);
            marks.push(band(left, width, "--down-wash"));
        }
        if marks.is_empty() { String::new() } else { format!("--marks:{}", marks.join(",")) }
    }

    /// When something was rolled back: from the decision to the last act that followed it.
    fn turns(&self) -> Vec<(Timestamp, Timestamp)> {
        let acts: Vec<&Act> =
            self.summary.steps().filter(|node| !self.summary.is_held(node)).flat_map(Node::acts).collect();
        let mut turns: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (n, (from, _)) in self.summary.turns.iter().enumerate() {
            let next = self.summary.turns.get(n + 1).map(|(at, _)| *at);
            let mine = acts.iter().filter(|act| act.at >= *from && next.is_none_or(|next| act.at < next));
            let to = mine.map(|act| end_of(act.at, act.took)).max().unwrap_or(*from);
            match turns.last_mut() {
                // The error came through to the scope around, which is put back as well.
                Some((_, end)) if !self.went_on(*end, *from) => *end = to.max(*end),
                _ => turns.push((*from, to)),
            }
        }
        turns
    }

    /// Whether anything new began between.
    fn went_on(&self, from: Timestamp, to: Timestamp) -> bool {
        self.summary.nodes().iter().any(|node| from < node.at && node.at < to)
    }

    /// The labels of the axis.
    fn scale(&self, out: &mut String) {
        out.push_str(
            "<div class=\"line scale\" aria-hidden=\"true\"><span class=\"zone\">UTC</span><span class=\"ticks\">",
        );
        let mut before = f64::NEG_INFINITY;
        for tick in self.axis.ticks() {
            let edge = match tick.left {
                ..72.0 => "",
                // Where there is little room.
                ..92.0 => " late",
                // To the left of its line, where the one before may stand already.
                left if left - before < 25.0 => continue,
                _ => " last",
            };
            before = tick.left;
            let _ = write!(out, "<span class=\"tick{edge}\" style=\"left:{:.3}%\">{}</span>", tick.left, tick.label);
        }
        out.push_str("</span></div>\n");
    }

    /// The rows above all others: the run as a whole, and what users saw.
    fn lanes(&self, out: &mut String) {
        let (Some(first), Some(last)) = (self.summary.first(), self.summary.last) else { return };
        out.push_str("<ul class=\"lanes\">\n");
        self.lane(out, "The run", &took(since(first, last)), self.forward(first, last));
        for pause in self.axis.pauses() {
            let says = format!("from {} to {}", clock(pause.from), clock(pause.to));
            let bar = Bar { from: pause.from, to: pause.to, class: "pause", says };
            self.lane(out, "Nothing went on", &took(since(pause.from, pause.to)), vec![bar]);
        }
        for watched in &self.summary.outages {
            let bars = watched.outage.down.iter().map(|stretch| Bar {
                from: stretch.from,
                to: stretch.to,
                class: "down",
                says: format!("down for {}", took(since(stretch.from, stretch.to))),
            });
            let down = &watched.outage.total;
            let state = if down.is_zero() { "no downtime".to_owned() } else { format!("down {}", took(*down)) };
            self.lane(out, &format!("Seen by users: {}", watched.of), &state, bars.collect());
        }
        out.push_str("</ul>\n");
    }

    /// The run forward, and its rollbacks.
    fn forward(&self, first: Timestamp, last: Timestamp) -> Vec<Bar<'static>> {
        let mut bars = vec![Bar {
            from: first,
            to: last,
            class: "whole",
            says: format!("from {} to {}", clock(first), clock(last)),
        }];
        bars.extend(self.turns().into_iter().map(|(from, to)| Bar {
            from,
            to,
            class: "whole back",
            says: format!("rolled back for {}, from {} to {}", took(since(from, to)), clock(from), clock(to)),
        }));
        bars
    }

    fn lane(&self, out: &mut String, title: &str, state: &str, bars: Vec<Bar<'_>>) {
        let _ = write!(
            out,
            "<li class=\"line lane\"><span class=\"name\">{}</span><span class=\"state\">{}</span>",
            escaped(title),
            escaped(state)
        );
        self.track(out, bars);
        out.push_str("</li>\n");
    }

    fn track(&self, out: &mut String, bars: Vec<Bar<'_>>) {
        out.push_str("<span class=\"track\" aria-hidden=\"true\">");
        for Bar { from, to, class, says } in bars {
            let (left, width) = self.axis.span(from, to);
            let says = escaped(&says);
            let _ = write!(
                out,
                "<i class=\"bar {class}\" style=\"left:{left:.3}%;width:{width:.3}%\" title=\"{says}\"></i>"
            );
        }
        out.push_str("</span>");
    }

    /// Each row, the scopes around their own.
    fn rows(&self, out: &mut String) {
        out.push_str("<ol class=\"rows\">\n");
        let mut open: Vec<usize> = Vec::new();
        for (number, row) in rows(self.summary).iter().enumerate() {
            while open.last().is_some_and(|last| *last >= row.depth) {
                out.push_str("</ol></details></li>\n");
                open.pop();
            }
            self.row(out, number, row);
            if row.node.is_scope() {
                out.push_str("<ol>\n");
                open.push(row.depth);
            } else {
                out.push_str("</details></li>\n");
            }
        }
        for _ in open {
            out.push_str("</ol></details></li>\n");
        }
        out.push_str("</ol>\n");
    }

    fn row(&self, out: &mut String, number: usize, row: &Row<'_>) {
        let Row { depth, title, node, held } = row;
        let (class, word) = state(node, *held);
        let open = if node.is_scope() || class == "bad" { " open" } else { "" };
        let sort = sort(node);
        let _ = write!(
            out,
            "<li class=\"{class} {sort}\" id=\"row-{number}\"><details{open}>\
             <summary class=\"line\"><span class=\"name\" style=\"--d:{}\"><span class=\"title\">{}</span>{}</span>\
             <span class=\"state\"><b>{word}</b> <span class=\"took\">{}</span></span>",
            depth.min(&8),
            prose(title),
            self.host(held.unwrap_or(node)),
            node.took.map(took).unwrap_or_default(),
        );
        self.track(out, self.bars(node, *held));
        out.push_str("</summary>\n");
        if !node.is_scope() {
            let _ = writeln!(out, "<div class=\"more\" style=\"--d:{}\">", depth.min(&8));
            self.more(out, node);
            out.push_str("</div>\n");
        }
    }

    /// Where it ran; nothing for what runs nowhere.
    fn host(&self, node: &Node) -> String {
        match self.host_name(node) {
            "" => String::new(),
            _ if !self.has_hosts => String::new(),
            host => format!(" <span class=\"host\">{}</span>", escaped(host)),
        }
    }

    fn host_name<'a>(&'a self, node: &'a Node) -> &'a str {
        if *node.host == *"localhost" { &self.here } else { &node.host }
    }

    /// The bar of the work, and those of its undo.
    fn bars(&self, node: &Node, held: Option<&Node>) -> Vec<Bar<'_>> {
        let end = node.end.or_else(|| (node.state == State::Going).then_some(self.summary.last?)).unwrap_or(node.at);
        let class = if node.is_scope() { "scope" } else { "work" };
        let says = format!("{} from {} to {}", node.title, clock(node.at), clock(end));
        let mut bars = vec![Bar { from: node.at, to: end, class, says }];
        let (acting, is_held) = (held.unwrap_or(node), held.is_some());
        bars.extend(acting.acts().iter().map(|act| {
            let verb = act_word(act, is_held);
            let end = end_of(act.at, act.took);
            let class = if is_held { "given" } else { "back" };
            Bar { from: act.at, to: end, class, says: format!("{verb} from {} to {}", clock(act.at), clock(end)) }
        }));
        bars
    }

    /// What there is to know about a row.
    fn more(&self, out: &mut String, node: &Node) {
        self.facts(out, node);
        if let Work::Step(Some(why)) = &node.work {
            labelled(out, "Cannot be undone", &prose(why));
        }
        for (label, text) in self.said.get(&node.key).into_iter().flatten() {
            labelled(out, label, &lines_of_prose(text));
        }
        changes(out, node.changes());
        let evidence = node.finding().map(Finding::evidence).or_else(|| node.more()?.answer.as_ref());
        if let Some(evidence) = evidence {
            labelled(out, "Evidence", &prose(&evidence.summary));
            block(out, "lines", &evidence.lines);
        }
        for retried in node.retries() {
            let text = format!("attempt {} failed at {}: {:#}", retried.attempt, clock(retried.at), retried.error);
            labelled(out, "Tried again", &prose(&text));
        }
        if let Some(error) = node.error() {
            failure(out, error);
        }
        output(out, node);
        if let Some(more) = node.more().filter(|more| !more.commands.is_empty()) {
            labelled(out, "Commands", "");
            block(out, "commands", more.commands.iter().map(|command| format!("$ {command}")));
        }
    }

    fn facts(&self, out: &mut String, node: &Node) {
        let mut facts = vec![format!("began {}", clock(node.at))];
        facts.extend(node.end.map(|end| format!("ended {}", clock(end))));
        let host = self.host_name(node);
        facts.extend((!host.is_empty()).then(|| format!("on {}", escaped(host))));
        let acts = node.acts().iter().map(|act| {
            let took = act.took.map(|long| format!(" in {}", took(long))).unwrap_or_default();
            format!(
                "<span class=\"undone\">{} at {}{took}</span>",
                act_word(act, self.summary.is_held(node)),
                clock(act.at)
            )
        });
        facts.extend(acts);
        facts.extend((!node.kind.is_empty()).then(|| format!("<code>{}</code>", escaped(&node.kind))));
        facts.extend((!node.summary.is_empty()).then(|| prose(&node.summary)));
        let _ = writeln!(out, "<p class=\"facts\">{}</p>", facts.join(" · "));
    }

    fn legend(&self, out: &mut String) {
        let has = |test: &dyn Fn(&Node) -> bool| self.summary.nodes().iter().any(test);
        let entries = [
            ("work good", "done", true),
            ("work bad", "failed", has(&|node| node.state == State::Failed)),
            ("work quiet", "already so", has(&|node| node.state == State::Already)),
            ("work undone", "done, and put back later", has(&|node| node.is_back() && !self.summary.is_held(node))),
            ("back", "being put back", has(&|node| !node.acts().is_empty() && !self.summary.is_held(node))),
            ("given", "taken back at the end", has(&|node| !node.acts().is_empty() && self.summary.is_held(node))),
            ("down", "down for users", self.summary.outages.iter().any(|watched| !watched.outage.total.is_zero())),
        ];
        out.push_str("<ul class=\"legend\" aria-label=\"What the bars mean\">\n");
        for (class, words, _) in entries.iter().filter(|(_, _, is_there)| *is_there) {
            let _ = writeln!(out, "<li><i class=\"bar {class}\" aria-hidden=\"true\"></i>{words}</li>");
        }
        out.push_str("</ul>\n");
    }
}

fn act_word(act: &Act, is_held: bool) -> &'static str {
    match (act.settling, is_held) {
        (true, _) => "settled",
        (false, true) => "taken back",
        (false, false) => "put back",
    }
}

/// What sort of row it is.
fn sort(node: &Node) -> &'static str {
    match node.work {
        Work::Scope(ScopeKind::Both | ScopeKind::Each) => "scope parallel",
        Work::Scope(_) => "scope",
        Work::Step(_) => "step",
        Work::Check(_) => "check",
        Work::Question => "question",
    }
}

/// The tone of a row, and its state in a word.
fn state(node: &Node, held: Option<&Node>) -> (&'static str, &'static str) {
    if held.is_some_and(Node::is_back) {
        return (if node.state == State::Failed { "bad" } else { "plain" }, "taken back");
    }
    match (node.undo, node.state) {
        (Undo::Left, _) => ("bad", "still there"),
        (Undo::Undone | Undo::Settled, State::Failed) => ("bad", "failed, put back"),
        (Undo::Undone | Undo::Settled, _) => ("undone", "put back"),
        (Undo::Going, _) => ("careful", "undo not finished"),
        (Undo::Not, State::Already) => ("quiet", "already so"),
        (Undo::Not, State::Changed | State::FoundDone | State::Remembered) => ("good", "done"),
        (Undo::Not, State::Good) if node.is_check() => ("good", "pass"),
        (Undo::Not, State::Good) if node.work == Work::Question => ("good", "answered"),
        (Undo::Not, State::Good) => ("plain", ""),
        (Undo::Not, State::Failed) if !node.is_binding() => ("careful", "fail"),
        (Undo::Not, State::Failed) if node.is_check() => ("bad", "fail"),
        (Undo::Not, State::Failed) => ("bad", "failed"),
        (Undo::Not, State::Unknown) => (if node.is_binding() { "bad" } else { "careful" }, "unknown"),
        (Undo::Not, State::Going) => ("careful", "not finished"),
        (Undo::Not, State::Waiting) => ("careful", "waits for an answer"),
    }
}

fn output(out: &mut String, node: &Node) {
    let fields = node.output.as_ref().map(fields).unwrap_or_default();
    if fields.is_empty() {
        return;
    }
    out.push_str("<dl class=\"output\">\n");
    for (name, value) in fields {
        let name = if name.is_empty() { "result" } else { &name };
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(&value));
    }
    out.push_str("</dl>\n");
}
