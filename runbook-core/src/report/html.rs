//! A run as one HTML page that needs nothing else, and can be read on a phone.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::text::why_left;
use super::words::{fields_line, printable, took};
use super::{Node, State, Summary, Undo, Work};
use crate::{Finding, Outcome};

const STYLE: &str = include_str!("html/style.css");

/// The page.
pub fn page(summary: &Summary) -> String {
    let title = summary.began.as_ref().map_or("no run yet", |began| &began.title);
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
        escaped(title)
    );
    head(&mut out, summary);
    left(&mut out, summary);
    timeline(&mut out, summary);
    remarks(&mut out, summary);
    out.push_str("</body>\n</html>\n");
    out
}

fn head(out: &mut String, summary: &Summary) {
    let Some(began) = &summary.began else { return };
    let (class, words) = match summary.ended.as_ref().map(|ended| ended.outcome) {
        Some(outcome @ Outcome::Done) => ("good", outcome.words()),
        Some(outcome @ Outcome::Paused) => ("careful", outcome.words()),
        Some(outcome) => ("bad", outcome.words()),
        None => ("careful", "not ended: running, or its runner was cut off"),
    };
    let _ = writeln!(out, "<p class=\"outcome {class}\">{words}</p>");
    if let Some(error) = summary.ended.as_ref().and_then(|ended| ended.error.as_ref()) {
        let _ = writeln!(out, "<p class=\"why\">{}</p>", escaped(&format!("{error:#}")));
    }
    out.push_str("<dl>\n");
    let by: Vec<_> = summary.beginnings.iter().map(|beginning| beginning.by.as_str()).collect();
    let rows = [
        ("Run", began.run.to_string()),
        ("Began", summary.first().map(moment).unwrap_or_default()),
        ("Took", summary.span().map(took).unwrap_or_default()),
        ("By", format!("{} on {}", by.join(", then "), began.host)),
        ("Target", began.target.clone()),
        ("Procedure", format!("{} of book {}", began.procedure, began.book)),
        ("Inputs", fields_line(&began.inputs)),
        ("Result", summary.ended.as_ref().and_then(|ended| ended.output.as_ref()).map(fields_line).unwrap_or_default()),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(value));
    }
    out.push_str("</dl>\n");
}

fn left(out: &mut String, summary: &Summary) {
    if summary.left.is_empty() {
        return;
    }
    out.push_str("<h2>Still there</h2>\n<ul class=\"left\">\n");
    for left in &summary.left {
        let _ = write!(out, "<li><b>{}</b>: {}", escaped(&left.title), escaped(&why_left(left)));
        lines(out, left.commands.iter().map(|command| format!("$ {command}")));
        out.push_str("</li>\n");
    }
    out.push_str("</ul>\n");
}

/// Each node is a row with a bar: where it lies between the first and the last event.
fn timeline(out: &mut String, summary: &Summary) {
    out.push_str("<h2>Timeline</h2>\n<ol class=\"timeline\">\n");
    let (first, span) = (summary.first(), summary.span().unwrap_or_default().as_secs_f64());
    for (depth, node) in summary.tree() {
        let share = |seconds: f64| if span > 0.0 { (seconds / span * 100.0).clamp(0.0, 100.0) } else { 0.0 };
        let began = first.map(|first| super::summary::since(first, node.at)).unwrap_or_default();
        let (start, width) = (share(began.as_secs_f64()), share(node.took.unwrap_or_default().as_secs_f64()));
        let (class, word) = state(node);
        let _ = writeln!(
            out,
            "<li class=\"{class}\" style=\"--depth:{}\"><details><summary><span class=\"title\">{}</span>\
             <span class=\"word\">{word}</span><span class=\"took\">{}</span>\
             <span class=\"track\"><span class=\"bar\" style=\"left:{start:.2}%;width:{:.2}%\"></span></span></summary>",
            depth.min(6),
            escaped(&node.title),
            node.took.map(took).unwrap_or_default(),
            width.min(100.0 - start),
        );
        details(out, node);
        out.push_str("</details></li>\n");
    }
    out.push_str("</ol>\n");
}

fn state(node: &Node) -> (&'static str, &'static str) {
    match (node.undo, node.state) {
        (Undo::Left, _) => ("bad", "still there"),
        (Undo::Undone | Undo::Settled, State::Failed) => ("bad", "failed, put back"),
        (Undo::Undone | Undo::Settled, _) => ("careful", "put back"),
        (Undo::Going, _) => ("careful", "undo not finished"),
        (Undo::Not, State::Already) => ("quiet", "already so"),
        (Undo::Not, State::Changed | State::FoundDone | State::Remembered) => ("good", "done"),
        (Undo::Not, State::Good) if node.is_check() => ("good", "pass"),
        (Undo::Not, State::Good) => ("good", ""),
        (Undo::Not, State::Failed) if !node.is_binding() => ("careful", "fail"),
        (Undo::Not, State::Failed) => ("bad", "failed"),
        (Undo::Not, State::Unknown) => (if node.is_binding() { "bad" } else { "careful" }, "unknown"),
        (Undo::Not, State::Going) => ("careful", "not finished"),
        (Undo::Not, State::Waiting) => ("careful", "waits for an answer"),
    }
}

fn details(out: &mut String, node: &Node) {
    let mut line = format!("{} · {}", node.key, moment(node.at));
    for part in [&node.kind, &node.summary, &node.host].into_iter().filter(|part| !part.is_empty()) {
        let _ = write!(line, " · {part}");
    }
    let _ = writeln!(out, "<p class=\"quiet\">{}</p>", escaped(&line));
    if let Work::Step(Some(why)) = &node.work {
        let _ = writeln!(out, "<p>cannot be undone: {}</p>", escaped(why));
    }
    lines(out, node.changes().iter().map(ToString::to_string));
    let Some(more) = node.more() else { return output(out, node) };
    lines(out, more.commands.iter().map(|command| format!("$ {command}")));
    let evidence = more.finding.as_ref().map(Finding::evidence).or(more.answer.as_ref());
    if let Some(evidence) = evidence {
        let _ = writeln!(out, "<p>{}</p>", escaped(&evidence.summary));
        lines(out, &evidence.lines);
    }
    for error in &more.retries {
        let _ = writeln!(out, "<p>tried again after: {}</p>", escaped(&format!("{error:#}")));
    }
    if let Some(error) = &more.error {
        lines(out, format!("{error:?}").lines());
    }
    output(out, node);
}

fn output(out: &mut String, node: &Node) {
    if let Some(line) = node.output.as_ref().map(fields_line).filter(|line| !line.is_empty()) {
        let _ = writeln!(out, "<p>{}</p>", escaped(&line));
    }
}

fn remarks(out: &mut String, summary: &Summary) {
    let lists = [("Warnings", &summary.warnings), ("Triggers", &summary.triggers), ("Notes", &summary.notes)];
    for (title, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let _ = writeln!(out, "<h2>{title}</h2>\n<ul>");
        for noted in list {
            let _ = writeln!(out, "<li>{} {}</li>", moment(noted.at), escaped(&noted.text));
        }
        out.push_str("</ul>\n");
    }
}

/// Preformatted lines, when there are any.
fn lines<T: AsRef<str>>(out: &mut String, lines: impl IntoIterator<Item = T>) {
    let text: Vec<String> = lines.into_iter().map(|line| escaped(line.as_ref()).into_owned()).collect();
    if !text.is_empty() {
        let _ = writeln!(out, "<pre>{}</pre>", text.join("\n"));
    }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The text as HTML shows it unchanged, in content and in quoted attributes.
fn escaped(text: &str) -> Cow<'_, str> {
    let text = printable(text);
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_page_tells_the_story_and_lets_nothing_through() {
        let summary: Summary = sample::put_back().iter().collect();
        let page = page(&summary);
        for expected in [
            "<p class=\"outcome bad\">failed and rolled back</p>",
            "<span class=\"title\">Pull latest code</span><span class=\"word\">put back</span>",
            "<span class=\"title\">Restart</span><span class=\"word\">already so</span>",
            "because: relation &quot;entries&quot; &lt;already&gt; exists",
            "left:13.64%;width:3.75%",
        ] {
            assert!(page.contains(expected), "no {expected} in {page}");
        }
        assert!(!page.contains("<already>"));
        assert!(!page.contains("http://") && !page.contains("https://"), "the page needs nothing else");
    }

    #[test]
    fn what_is_left_comes_first() {
        let summary: Summary = sample::incomplete().iter().collect();
        let page = page(&summary);
        let left = page.find("$ mail -s &#39;never mind&#39; team").expect("the command to type");
        assert!(left < page.find("Timeline").expect("a timeline"));
    }

    #[test]
    fn a_title_cannot_leave_its_place() {
        let events = sample::Story::begins().step_begins("0", "<script>alert('x')</script>\" onload=\"y").events();
        let summary: Summary = events.iter().collect();
        let page = page(&summary);
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;y"));
        assert!(!page.contains("<script"));
    }
}
