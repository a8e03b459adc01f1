//! A run as one HTML page that needs nothing else, and can be read on a phone.

use std::fmt::Write as _;

use jiff::Timestamp;

use self::blocks::{block, failure};
use self::text::{escaped, lines_of_prose, prose};
use super::log::{Answer, DeploymentLog, Deviation, Downtime, Issue, Phase, Point, PutBack, Remains, Rollback, clock};
use super::rows::rows;
use super::text::changes;
use super::versions::Version;
use super::words::{count, took};
use super::{Node, State, Summary};
use crate::Outcome;

mod axis;
mod blocks;
mod text;
mod timeline;

const STYLE: &str = include_str!("html/style.css");

/// The page.
pub fn page(summary: &Summary) -> String {
    let log = DeploymentLog::of(summary);
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{0}: {1}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        escaped(&log.title),
        escaped(&log.outcome),
    );
    header(&mut out, summary, &log);
    out.push_str("<main>\n");
    wrong(&mut out, summary);
    left(&mut out, &log.rollback);
    figures(&mut out, summary, &log);
    timeline::timeline(&mut out, summary);
    checks(&mut out, &log);
    facts(&mut out, &log);
    rollback(&mut out, &log.rollback);
    deviations(&mut out, &log.deviations);
    issues(&mut out, &log.issues);
    out.push_str("</main>\n");
    footer(&mut out, &log);
    out.push_str("</body>\n</html>\n");
    out
}

/// The tone of the whole run.
fn tone(summary: &Summary) -> &'static str {
    match summary.ended.as_ref().map(|ended| ended.outcome) {
        Some(Outcome::Done) if summary.warnings.is_empty() => "good",
        Some(Outcome::Done | Outcome::Paused) | None => "careful",
        Some(_) => "bad",
    }
}

fn header(out: &mut String, summary: &Summary, log: &DeploymentLog) {
    let _ = write!(
        out,
        "<header>\n<p class=\"eyebrow\">{}</p>\n<h1>{}</h1>\n<p class=\"outcome {}\">{}</p>\n",
        escaped(&log.environment),
        escaped(&log.title),
        tone(summary),
        escaped(&capital(&log.outcome)),
    );
    if let Some(ended) = &summary.ended {
        let _ = writeln!(out, "<p class=\"lead\">{}.</p>", escaped(&capital(&told(summary, ended))));
    }
    out.push_str("</header>\n");
}

/// What became of the changes, in one sentence.
fn told(summary: &Summary, ended: &crate::event::RunEnded) -> String {
    match changes(summary, ended) {
        none if none == "none" => "nothing was changed".to_owned(),
        none if none.starts_with("none: ") => none["none: ".len()..].to_owned(),
        other => other,
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// What failed first, and why.
fn wrong(out: &mut String, summary: &Summary) {
    let Some(ended) = summary.ended.as_ref().filter(|ended| ended.outcome != Outcome::Done) else { return };
    let failed = summary.failure();
    if failed.is_none() && ended.error.is_none() {
        return;
    }
    section(out, "wrong", if summary.waiting().is_some() { "What it waits for" } else { "What went wrong" });
    if let Some(node) = failed {
        let row = rows(summary).iter().position(|row| row.node.key == node.key);
        let at = node.end.map(|at| format!(" at {}", clock(at))).unwrap_or_default();
        let place = prose(&summary.path(node).join(" / "));
        let place = row.map_or_else(|| place.clone(), |row| format!("<a href=\"#row-{row}\">{place}</a>"));
        let _ = writeln!(out, "<p class=\"where\">{place}{at}</p>");
    }
    match (failed.and_then(Node::error), failed.and_then(Node::finding), &ended.error) {
        (None, Some(finding), _) => {
            let evidence = finding.evidence();
            let _ = writeln!(out, "<div class=\"failure\">\n<p class=\"message\">{}</p>", prose(&evidence.summary));
            block(out, "last", &evidence.lines);
            out.push_str("</div>\n");
        }
        (Some(error), _, _) | (None, None, Some(error)) => failure(out, error),
        (None, None, None) => {}
    }
    out.push_str("</section>\n");
}

/// What could not be put back, and what to type.
fn left(out: &mut String, rollback: &Rollback) {
    if rollback.left.is_empty() {
        return;
    }
    section(out, "left", "Still there");
    out.push_str("<ul>\n");
    for Remains { what, why, commands } in &rollback.left {
        let _ = writeln!(out, "<li><b>{}</b>: {}", prose(what), prose(why));
        if !commands.is_empty() {
            out.push_str("<p>To undo it by hand:</p>\n");
        }
        block(out, "commands", commands.iter().map(|command| format!("$ {command}")));
        out.push_str("</li>\n");
    }
    out.push_str("</ul>\n</section>\n");
}

/// The run in a few numbers.
fn figures(out: &mut String, summary: &Summary, log: &DeploymentLog) {
    out.push_str("<dl class=\"figures\">\n");
    let mut figure = |name: &str, value: String, more: String| {
        let more = if more.is_empty() { String::new() } else { format!("<small>{}</small>", escaped(&more)) };
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{}{more}</dd></div>", escaped(&value));
    };
    if let Some(date) = log.date {
        figure("Began", date.strftime("%H:%M:%S").to_string(), date.strftime("%e %B %Y, UTC").to_string());
    }
    if let Some(span) = log.took {
        let end = summary.last.map(|last| format!("until {}", clock(last))).unwrap_or_default();
        figure("Took", took(span), end);
    }
    if let Some((value, more)) = seen_downtime(summary) {
        figure("Downtime", value, more);
    }
    let undone = log.rollback.put_back.len();
    let back = if undone > 0 { format!("{undone} put back") } else { String::new() };
    figure("Changes", count(summary.changed(), "step"), back);
    let (good, bad) = tally(summary);
    if good + bad > 0 {
        let more = if bad > 0 { format!("{bad} did not pass") } else { "all passed".to_owned() };
        figure("Checks", count(good + bad, "check"), more);
    }
    if let (Some(at), Some(long)) = (log.rollback.at, log.rollback.took) {
        figure("Rolling back", took(long), format!("began {}", clock(at)));
    }
    figure("Deployer", log.deployers.join(", then "), format!("on {}", log.host));
    out.push_str("</dl>\n");
}

/// How long users saw nothing, together, and of how many requests.
fn seen_downtime(summary: &Summary) -> Option<(String, String)> {
    let outages: Vec<_> = summary.outages.iter().map(|watched| &watched.outage).collect();
    let longest = outages.iter().map(|outage| outage.total).max()?;
    let failed: u64 = outages.iter().map(|outage| outage.failed).sum();
    let asked: u64 = outages.iter().map(|outage| outage.asked).sum();
    let value = if longest.is_zero() { "none".to_owned() } else { took(longest) };
    Some((value, format!("{failed} of {asked} requests failed")))
}

/// How many checks passed, and how many did not.
fn tally(summary: &Summary) -> (usize, usize) {
    let checks: Vec<&Node> = summary.nodes().iter().filter(|node| node.is_check()).collect();
    let good = checks.iter().filter(|node| node.state == State::Good).count();
    (good, checks.len() - good)
}

/// The head of a section.
fn section(out: &mut String, id: &str, title: &str) {
    let _ = writeln!(out, "<section class=\"{id}\" aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>");
}

fn checks(out: &mut String, log: &DeploymentLog) {
    if log.before.is_empty() && log.verification.is_empty() {
        return;
    }
    section(out, "checks", "Checks");
    points(out, "Before the first change", &log.before);
    points(out, "Verification", &log.verification);
    out.push_str("</section>\n");
}

fn points(out: &mut String, title: &str, points: &[Point]) {
    if points.is_empty() {
        return;
    }
    let _ = writeln!(out, "<h3>{title}</h3>\n<ul class=\"points\">");
    for point in points {
        self::point(out, point);
    }
    out.push_str("</ul>\n");
}

fn point(out: &mut String, point: &Point) {
    let (class, word) = match (point.answer, point.informs) {
        (Answer::Pass, _) => ("good", "pass"),
        (Answer::Open, _) if point.at.is_none() => ("quiet", "no answer"),
        (Answer::Open, _) => ("careful", "not finished"),
        (Answer::Fail, true) => ("careful", "fail"),
        (Answer::Unknown, true) => ("careful", "unknown"),
        (Answer::Fail, false) => ("bad", "fail"),
        (Answer::Unknown, false) => ("bad", "unknown"),
    };
    let at = point.at.map(|at| format!("<span class=\"at\">{}</span>", clock(at))).unwrap_or_default();
    let label = point.point.filter(|label| !point.what.contains(label)).map(|label| format!("{label}: "));
    let _ = writeln!(
        out,
        "<li class=\"{class}\"><b class=\"answer\">{word}</b><span class=\"what\">{}</span>{at}\
         <span class=\"evidence\">{}</span>",
        label.unwrap_or_default() + &prose(&point.what),
        prose(&point.evidence)
    );
    block(out, "lines", &point.lines);
    out.push_str("</li>\n");
}

/// What the log has at its top, and the times of its phases.
fn facts(out: &mut String, log: &DeploymentLog) {
    section(out, "deployment", "Deployment");
    out.push_str("<div class=\"columns\">\n<dl>\n");
    let rows = [
        ("Environment", log.environment.clone()),
        ("Procedure", log.procedure.clone()),
        ("Run", log.run.clone()),
        ("Inputs", log.inputs.clone()),
        ("Git tag", log.tag.clone().unwrap_or_default()),
        ("Result", log.result.clone()),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(value));
    }
    log.versions.iter().for_each(|version| self::version(out, version));
    log.downtime.iter().for_each(|downtime| self::downtime(out, downtime));
    out.push_str("</dl>\n<ol class=\"phases\" aria-label=\"Phases\">\n");
    for Phase { name, at, note } in &log.phases {
        let note =
            if note.is_empty() { String::new() } else { format!("<span class=\"note\">{}</span>", escaped(note)) };
        let _ =
            writeln!(out, "<li><span class=\"at\">{}</span><span class=\"what\">{name}</span>{note}</li>", clock(*at));
    }
    out.push_str("</ol>\n</div>\n</section>\n");
}

/// What users saw of one thing, and when.
fn downtime(out: &mut String, downtime: &Downtime) {
    let down = downtime.seen.iter().flat_map(|seen| &seen.down).take(8);
    let (of, words) = (capital(&downtime.of), escaped(&downtime.words));
    let _ = write!(out, "<dt>{}</dt><dd>{words}", escaped(&of));
    for down in down {
        let _ = write!(out, " <span class=\"note\">{} to {}</span>", clock(down.from), clock(down.to));
    }
    out.push_str("</dd>\n");
}

fn version(out: &mut String, version: &Version) {
    let Version { name, before, after, step, back } = version;
    let code = |value: &Option<String>| value.as_ref().map(|value| format!("<code>{}</code>", escaped(value)));
    let both: Vec<String> = [code(before), code(after)].into_iter().flatten().collect();
    let back = if *back { ", put back" } else { "" };
    let _ = writeln!(
        out,
        "<dt>{}</dt><dd>{} <span class=\"note\">{}{back}</span></dd>",
        escaped(name),
        both.join(" → "),
        escaped(step)
    );
}

fn rollback(out: &mut String, rollback: &Rollback) {
    let Rollback { required: true, reason, put_back, .. } = rollback else { return };
    section(out, "rollback", "Rollback");
    let _ = writeln!(out, "<p>{}</p>\n<ol class=\"log\">", prose(reason));
    for PutBack { what, at, took: long } in put_back {
        let _ = writeln!(
            out,
            "<li><span class=\"at\">{}</span><span class=\"what\">{}</span><span class=\"kind\">{}</span></li>",
            clock(*at),
            prose(what),
            took(*long)
        );
    }
    out.push_str("</ol>\n</section>\n");
}

fn deviations(out: &mut String, deviations: &[Deviation]) {
    if deviations.is_empty() {
        return;
    }
    section(out, "deviations", "Deviations");
    out.push_str("<ol class=\"log\">\n");
    for Deviation { at, kind, text } in deviations {
        entry(out, *at, "plain", kind, &prose(text));
    }
    out.push_str("</ol>\n</section>\n");
}

fn issues(out: &mut String, issues: &[Issue]) {
    if issues.is_empty() {
        return;
    }
    section(out, "issues", "Issues and notes");
    out.push_str("<ol class=\"log\">\n");
    for Issue { at, kind, text, lines } in issues {
        let class = match *kind {
            "failed" | "trigger" => "bad",
            "note" => "plain",
            _ => "careful",
        };
        let more =
            if lines.is_empty() { String::new() } else { format!("<br>\n{}", lines_of_prose(&lines.join("\n"))) };
        entry(out, Some(*at), class, kind, &(prose(text) + &more));
    }
    out.push_str("</ol>\n</section>\n");
}

fn entry(out: &mut String, at: Option<Timestamp>, class: &str, kind: &str, html: &str) {
    let at = at.map(clock).unwrap_or_default();
    let _ = writeln!(
        out,
        "<li class=\"{class}\"><span class=\"at\">{at}</span><span class=\"kind\">{kind}</span>\
         <span class=\"what\">{html}</span></li>"
    );
}

fn footer(out: &mut String, log: &DeploymentLog) {
    let _ = writeln!(
        out,
        "<footer><p>Run {} of {}, on {}. All times are UTC. Everything here is from the record of the run itself.</p></footer>",
        escaped(&log.run),
        escaped(&log.procedure),
        escaped(&log.host)
    );
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
            "<p class=\"outcome bad\">Failed and rolled back</p>",
            "<span class=\"title\">Pull latest code</span></span><span class=\"state\"><b>put back</b>",
            "<b>already so</b>",
            "relation &quot;entries&quot; &lt;already&gt; exists",
            "INFO upgrading\nFATAL cannot go on",
            "class=\"bar work\" style=\"left:13.636%;width:9.091%\"",
            "class=\"bar back\"",
        ] {
            assert!(page.contains(expected), "no {expected} in {page}");
        }
        assert!(!page.contains("<already>"));
        assert!(!page.contains("http://") && !page.contains("https://"), "the page needs nothing else");
        assert!(!page.contains("<script"), "the page runs nothing");
    }

    #[test]
    fn every_element_is_closed() {
        for events in [sample::put_back(), sample::incomplete(), sample::waiting()] {
            let page = page(&events.iter().collect());
            for element in ["li", "ol", "ul", "details", "section", "span", "dl", "div", "summary", "p"] {
                let opened =
                    page.matches(&format!("<{element} ")).count() + page.matches(&format!("<{element}>")).count();
                assert_eq!(opened, page.matches(&format!("</{element}>")).count(), "<{element}>");
            }
        }
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
