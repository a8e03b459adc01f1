//! A run as lines of text: one line for each event that matters, and at the end what happened, what is left and what
//! to type next.

use std::fmt::Write as _;
use std::io::Write;

use jiff::tz::TimeZone;

use super::words::{self, count, fields_line, one_line, printable, took};
use super::{Node, State, Summary, Undo, Work};
use crate::event::{RunBegan, RunEnded, StepEnd, What};
use crate::{CheckRole, Error, Event, Evidence, Finding, Left, LeftBecause, Outcome, Reader, RunId};

/// How the program is called, for the commands a person should type next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name, as it was typed.
    pub name: String,
    /// Options that have to be typed again, with a space before each.
    pub options: String,
}

impl Program {
    /// A program of this name, without options.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), options: String::new() }
    }

    /// The command line of a subcommand on a run.
    pub fn command(&self, subcommand: &str, run: &RunId, more: &str) -> String {
        let Self { name, options } = self;
        format!("{name} {subcommand} {run}{more}{options}")
    }
}

/// Colours, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paint {
    /// Whether there are colours.
    pub on: bool,
}

/// What a colour says.
#[derive(Debug, Clone, Copy)]
enum Tone {
    Good,
    Bad,
    Careful,
    Quiet,
    Strong,
}

impl Paint {
    fn text(self, tone: Tone, text: &str) -> String {
        if !self.on {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Careful => "33",
            Tone::Quiet => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Turns events into lines of text.
#[derive(Debug, Clone)]
pub struct Lines {
    program: Program,
    paint: Paint,
    zone: TimeZone,
    remembered: usize,
}

/// The margin under the time and the word of a line.
const MARGIN: &str = "                    ";

/// How many lines of a diff, and how many last words of a failure, are shown.
const CHANGES: usize = 6;
const DETAILS: usize = 12;

impl Lines {
    /// For a program called like this, without colours, in UTC.
    pub fn new(program: Program) -> Self {
        Self { program, paint: Paint::default(), zone: TimeZone::UTC, remembered: 0 }
    }

    /// With colours, or without.
    pub fn paint(mut self, paint: Paint) -> Self {
        self.paint = paint;
        self
    }

    /// With times of this zone.
    pub fn zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// The lines that this event adds, each with its end; none for most events. The summary has taken the event in
    /// already.
    pub fn of(&mut self, event: &Event, so_far: &Summary) -> String {
        if let What::StepEnded { how: StepEnd::Remembered, .. } = &event.what {
            self.remembered += 1;
            return String::new();
        }
        let told = self.told(event, so_far);
        let before = if told.is_empty() { String::new() } else { self.flush_remembered(event) };
        before + &told
    }

    /// A line that says what still goes on, for logs that nobody can see move.
    pub fn still(&self, now: jiff::Timestamp, node: &Node, so_far: &Summary) -> String {
        let since = took(super::summary::since(node.at, now));
        // What one program says to another is not for readers.
        let last = node.more().and_then(|more| more.line.as_deref()).filter(|line| !line.starts_with(['{', '[']));
        let last = last.map(|line| format!(": {}", printable(&one_line(line)))).unwrap_or_default();
        self.line(now, Tone::Quiet, "still", &format!("{} ({since}){last}", so_far.path(node).join(" / ")))
    }

    /// A line with the time and a word before it.
    pub fn note(&self, at: jiff::Timestamp, word: &str, text: &str) -> String {
        self.line(at, Tone::Careful, word, text)
    }

    fn told(&self, event: &Event, so_far: &Summary) -> String {
        let at = event.at;
        match &event.what {
            What::RunBegan(began) => self.beginning(event, began),
            What::StepEnded { key, how, took: time, .. } => {
                let Some(node) = so_far.node(key) else { return String::new() };
                self.step_ended(event, node, *how, *time, so_far)
            }
            What::StepRetried { key, attempt, after, error } => {
                let text = format!(
                    "{}: attempt {attempt} failed, trying again in {}: {}",
                    so_far.place(key),
                    took(*after),
                    printable(&one_line(&format!("{error:#}")))
                );
                self.line(at, Tone::Careful, "retry", &text)
            }
            What::StepFailed { key, error } => {
                let time = so_far.node(key).and_then(|node| node.took).map(words::took);
                let place = so_far.node(key).map_or_else(|| key.to_string(), |node| place(so_far, node));
                self.line(at, Tone::Bad, "FAILED", &with_time(&place, time)) + &self.explained(error)
            }
            What::CheckEnded { key, finding, took: time } => {
                let Some(node) = so_far.node(key) else { return String::new() };
                self.check_ended(event, node, finding, *time, so_far)
            }
            What::Asked { key, of, .. } => {
                let place = so_far.place(key);
                let whom = of.as_deref().filter(|of| !place.contains(of));
                let whom = whom.map(|of| format!(" (wants an answer of {of})")).unwrap_or_default();
                self.line(at, Tone::Careful, "asks", &format!("{place}{whom}"))
            }
            What::Answered { key, evidence, .. } => {
                self.line(at, Tone::Good, "answered", &with_evidence(&so_far.place(key), evidence))
            }
            What::Warned { key, text } => self.line(at, Tone::Careful, "warning", &printable(&so_far.said(key, text))),
            What::Said { key, text } => {
                let text = so_far.said(key, text);
                let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
                let rest: String = rest.lines().map(|line| self.detail_line(line)).collect();
                self.line(at, Tone::Quiet, "note", &printable(first)) + &rest
            }
            What::Watched { key, of, outage } => {
                let text = so_far.said(key, &format!("{of}: {outage}"));
                let tone = if outage.failed == 0 { Tone::Quiet } else { Tone::Careful };
                self.line(at, tone, "note", &printable(&text))
            }
            What::Triggered { title, evidence, .. } => {
                self.line(at, Tone::Bad, "TRIGGER", &with_evidence(title, evidence)) + &self.evidence_lines(evidence)
            }
            What::PointOfNoReturn { why, .. } => {
                self.line(at, Tone::Careful, "no return", &format!("nothing before this will be undone: {why}"))
            }
            What::RollbackBegan { key, cause } => {
                let what = if key.is_root() { "everything".to_owned() } else { format!("`{}`", so_far.place(key)) };
                let why = printable(&one_line(cause.message())).into_owned();
                self.line(at, Tone::Careful, "rollback", &format!("putting {what} back, because: {why}"))
            }
            // Every step may settle; for most there is nothing to do.
            What::UndoEnded { settling: true, took, .. } if took.as_millis() == 0 => String::new(),
            What::UndoEnded { key, settling, took: time } => {
                let word = if *settling { "settled" } else { "undone" };
                self.line(at, Tone::Good, word, &with_time(&so_far.place(key), Some(took(*time))))
            }
            What::Left(left) => {
                let (why, detail) = match &left.why {
                    LeftBecause::UndoFailed(error) => ("its undo failed".to_owned(), self.explained(error)),
                    LeftBecause::Irreversible(_) | LeftBecause::PointOfNoReturn(_) => (why_left(left), String::new()),
                };
                self.line(at, Tone::Bad, "LEFT", &so_far.said(&left.key, &why)) + &detail
            }
            What::Interrupted { force: false } => self.line(
                at,
                Tone::Careful,
                "stopping",
                "asked to stop: the current step is finished first; ask again to end its command now",
            ),
            What::Interrupted { force: true } => {
                self.line(at, Tone::Careful, "stopping", "asked again: the current command is ended now")
            }
            What::RunEnded(_) => format!("\n{}", self.ending(so_far)),
            // What begins shows in the live display; what matters of it comes with its end.
            _ => String::new(),
        }
    }

    fn beginning(&self, event: &Event, began: &RunBegan) -> String {
        let RunBegan { run, book, title, target, inputs, by, host, resumed, .. } = began;
        let mut text = String::new();
        let verb = if *resumed { "resumed" } else { "started" };
        let time = event.at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z");
        let _ = writeln!(text, "{}", self.paint.text(Tone::Strong, title));
        let _ = writeln!(text, "  run     {run} of book {book}, {verb} {time}");
        let _ = writeln!(text, "  target  {target}, by {by} on {host}");
        let inputs = fields_line(inputs);
        if !inputs.is_empty() {
            let _ = writeln!(text, "  inputs  {}", printable(&inputs));
        }
        text.push('\n');
        text
    }

    fn step_ended(
        &self,
        event: &Event,
        node: &Node,
        how: StepEnd,
        time: std::time::Duration,
        so_far: &Summary,
    ) -> String {
        let place = place(so_far, node);
        let (word, tone, text) = match how {
            StepEnd::Already => ("already", Tone::Quiet, place),
            StepEnd::Changed => ("done", Tone::Good, with_time(&place, Some(took(time)))),
            StepEnd::FoundDone | StepEnd::Remembered => {
                ("found", Tone::Good, format!("{place}: it was done just before the interruption"))
            }
        };
        let mut text = self.line(event.at, tone, word, &text);
        if how == StepEnd::Changed {
            for change in node.changes().iter().take(CHANGES) {
                self.indented(&mut text, Tone::Quiet, &printable(&change.to_string()));
            }
            if let Some(more) = node.changes().len().checked_sub(CHANGES).filter(|more| *more > 0) {
                self.indented(&mut text, Tone::Quiet, &format!("and {}", count(more, "more change")));
            }
        }
        text
    }

    fn check_ended(
        &self,
        event: &Event,
        node: &Node,
        finding: &Finding,
        time: std::time::Duration,
        so_far: &Summary,
    ) -> String {
        let observed = node.work == Work::Check(CheckRole::Observe);
        let (word, tone) = match finding {
            Finding::Pass(_) => ("pass", Tone::Good),
            Finding::Fail(_) if !node.is_binding() => ("fail", Tone::Careful),
            Finding::Unknown(_) if !node.is_binding() => ("unknown", Tone::Careful),
            Finding::Fail(_) => ("FAIL", Tone::Bad),
            Finding::Unknown(_) => ("UNKNOWN", Tone::Bad),
        };
        let evidence = finding.evidence();
        if observed && !finding.passes() && evidence.lines.is_empty() {
            // The warning that follows says it all.
            return String::new();
        }
        let place = with_evidence(&place(so_far, node), evidence);
        let long = time.as_secs() >= 1;
        let mut text = self.line(event.at, tone, word, &with_time(&place, long.then(|| took(time))));
        if !finding.passes() {
            text.push_str(&self.evidence_lines(evidence));
        }
        text
    }

    /// What happened, what is left, and what to type next.
    pub fn ending(&self, summary: &Summary) -> String {
        let Some(began) = &summary.began else { return String::new() };
        match &summary.ended {
            Some(ended) => self.ended(summary, &began.run, ended),
            None => self.unfinished(summary, &began.run),
        }
    }

    fn ended(&self, summary: &Summary, run: &RunId, ended: &RunEnded) -> String {
        let mut text = String::new();
        let (headline, tone) = headline(ended, summary.waiting().is_some());
        let time = took(ended.took);
        let _ = writeln!(text, "{} after {time}: {}", self.paint.text(tone, &headline), title(summary));
        if ended.outcome != Outcome::Done {
            self.because(&mut text, summary, ended);
        }
        self.row(&mut text, Tone::Quiet, "changes", &changes(summary, ended));
        if !ended.left.is_empty() {
            self.left(&mut text, &ended.left);
        }
        for warning in &summary.warnings {
            self.row(&mut text, Tone::Careful, "warning", &printable(&one_line(&warning.text)));
        }
        if let Some(output) = ended.output.as_ref().map(fields_line).filter(|output| !output.is_empty()) {
            self.row(&mut text, Tone::Quiet, "result", &printable(&output));
        }
        self.row(&mut text, Tone::Quiet, "log", &self.program.command("show", run, ""));
        self.next(&mut text, summary, run, ended);
        text
    }

    fn unfinished(&self, summary: &Summary, run: &RunId) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}: {}", self.paint.text(Tone::Careful, "NOT ENDED"), title(summary));
        self.row(&mut text, Tone::Quiet, "because", "it is running now, or its runner was cut off");
        for node in summary.going() {
            self.row(&mut text, Tone::Quiet, "at", &summary.path(node).join(" / "));
        }
        let changes = match summary.changed() {
            0 => "none so far that the journal knows of".to_owned(),
            number => format!("{} so far", count(number, "change")),
        };
        self.row(&mut text, Tone::Quiet, "changes", &changes);
        self.choices(
            &mut text,
            run,
            &[("resume", "", "to go on"), ("resume", " --roll-back", "to put everything back")],
        );
        text
    }

    fn because(&self, text: &mut String, summary: &Summary, ended: &RunEnded) {
        if let Some(node) =
            summary.failure().filter(|_| ended.outcome != Outcome::Paused || summary.waiting().is_none())
        {
            let why = node.error().map(|error| one_line(error.message()));
            let why = why.or_else(|| Some(one_line(&node.finding()?.evidence().summary))).unwrap_or_default();
            self.row(text, Tone::Quiet, "failed", &format!("{}: {}", summary.path(node).join(" / "), printable(&why)));
        } else if let Some(error) = &ended.error {
            self.row(text, Tone::Quiet, "because", &printable(&one_line(&format!("{error:#}"))));
        }
        // What to type to answer follows anyway.
        let hint = ended.error.as_ref().and_then(Error::advice).filter(|_| summary.waiting().is_none());
        if let Some(hint) = hint {
            self.row(text, Tone::Quiet, "hint", &printable(hint));
        }
    }

    fn left(&self, text: &mut String, left: &[Left]) {
        for item in left {
            let Left { title, commands, .. } = item;
            self.row(text, Tone::Bad, "LEFT", &format!("{title}: {}", why_left(item)));
            if !commands.is_empty() {
                self.row(text, Tone::Quiet, "", "to undo it by hand:");
            }
            for command in commands {
                self.row(text, Tone::Strong, "", &format!("  $ {}", printable(command)));
            }
        }
    }

    fn next(&self, text: &mut String, summary: &Summary, run: &RunId, ended: &RunEnded) {
        let waits = summary.waiting().is_some();
        let choices: &[(&str, &str, &str)] = match ended.outcome {
            Outcome::Done | Outcome::Refused | Outcome::RolledBack | Outcome::Interrupted => &[],
            Outcome::RollbackIncomplete => &[("resume", "", "to try again what is left")],
            Outcome::Paused if waits => {
                &[("approve", "", "to say yes and go on"), ("resume", " --roll-back", "to put everything back")]
            }
            Outcome::Paused => &[
                ("resume", " --retry", "to try again and go on"),
                ("resume", " --roll-back", "to put everything back"),
            ],
        };
        self.choices(text, run, choices);
    }

    /// Commands to type, each with what it does.
    fn choices(&self, text: &mut String, run: &RunId, choices: &[(&str, &str, &str)]) {
        let commands: Vec<_> = choices.iter().map(|(verb, more, _)| self.program.command(verb, run, more)).collect();
        let width = commands.iter().map(String::len).max().unwrap_or_default();
        for (n, (command, (_, _, why))) in commands.iter().zip(choices).enumerate() {
            let label = if n == 0 { "next" } else { "" };
            let command = self.paint.text(Tone::Strong, &format!("{command:width$}"));
            self.row(text, Tone::Strong, label, &format!("{command}    {why}"));
        }
    }

    /// The causes, the last lines and the hint of an error, under the line of what failed.
    fn explained(&self, error: &Error) -> String {
        let mut text = String::new();
        self.indented(&mut text, Tone::Bad, &printable(error.message()));
        for cause in error.causes() {
            self.indented(&mut text, Tone::Quiet, &format!("because: {}", printable(cause)));
        }
        let lines = error.lines();
        for line in &lines[lines.len().saturating_sub(DETAILS)..] {
            self.indented(&mut text, Tone::Quiet, &format!("| {}", printable(line)));
        }
        if let Some(hint) = error.advice() {
            self.indented(&mut text, Tone::Careful, &format!("hint: {}", printable(hint)));
        }
        text
    }

    fn evidence_lines(&self, evidence: &Evidence) -> String {
        let mut text = String::new();
        for line in evidence.lines.iter().take(DETAILS) {
            self.indented(&mut text, Tone::Quiet, &format!("| {}", printable(line)));
        }
        text
    }

    fn detail_line(&self, line: &str) -> String {
        let mut text = String::new();
        self.indented(&mut text, Tone::Quiet, &format!("| {}", printable(line)));
        text
    }

    fn flush_remembered(&mut self, event: &Event) -> String {
        let number = std::mem::take(&mut self.remembered);
        if number == 0 {
            return String::new();
        }
        let text = format!("{} done before the interruption", count(number, "step"));
        self.line(event.at, Tone::Quiet, "before", &text)
    }

    fn line(&self, at: jiff::Timestamp, tone: Tone, word: &str, text: &str) -> String {
        let time = at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string();
        let (time, word) = (self.paint.text(Tone::Quiet, &time), self.paint.text(tone, &format!("{word:<9}")));
        format!("{time}  {word} {text}\n")
    }

    fn row(&self, text: &mut String, tone: Tone, label: &str, value: &str) {
        let label = self.paint.text(tone, &format!("{label:<8}"));
        let _ = writeln!(text, "  {label} {value}");
    }

    fn indented(&self, text: &mut String, tone: Tone, lines: &str) {
        for line in lines.lines() {
            let _ = writeln!(text, "{MARGIN}{}", self.paint.text(tone, line));
        }
    }
}

/// The titles around a node and its own, and its host when that is another machine.
fn place(so_far: &Summary, node: &Node) -> String {
    let place = so_far.path(node).join(" / ");
    if so_far.is_elsewhere(node) { format!("{place} on {}", node.host) } else { place }
}

/// What ran, and against what.
fn title(summary: &Summary) -> String {
    summary.began.as_ref().map(|began| format!("{} ({})", began.title, began.target)).unwrap_or_default()
}

fn headline(ended: &RunEnded, waits: bool) -> (String, Tone) {
    let (words, tone) = match ended.outcome {
        Outcome::Done if ended.warnings > 0 => {
            (format!("DONE WITH {}", count(ended.warnings as usize, "warning").to_uppercase()), Tone::Careful)
        }
        Outcome::Done => ("DONE".to_owned(), Tone::Good),
        Outcome::Paused if waits => ("WAITING".to_owned(), Tone::Careful),
        Outcome::Paused => ("PAUSED".to_owned(), Tone::Careful),
        Outcome::Refused | Outcome::RolledBack | Outcome::RollbackIncomplete | Outcome::Interrupted => {
            (ended.outcome.words().to_uppercase(), Tone::Bad)
        }
    };
    (words, tone)
}

/// What became of the changes, in one sentence.
pub(super) fn changes(summary: &Summary, ended: &RunEnded) -> String {
    let (changed, undone) = (summary.changed(), summary.undone());
    let already = summary.steps().filter(|node| node.state == State::Already).count();
    let already = if already == 0 { String::new() } else { format!(", {} already so", count(already, "step")) };
    match ended.outcome {
        Outcome::Done if changed == 0 => "none: everything was already so".to_owned(),
        Outcome::Done => format!("{} changed something{already}", count(changed, "step")),
        Outcome::Refused => "none".to_owned(),
        Outcome::RolledBack | Outcome::Interrupted | Outcome::RollbackIncomplete if !ended.left.is_empty() => {
            format!("{} put back, {} LEFT", count(undone, "step"), ended.left.len())
        }
        Outcome::RolledBack | Outcome::Interrupted | Outcome::RollbackIncomplete if undone == 0 => "none".to_owned(),
        Outcome::RolledBack | Outcome::Interrupted | Outcome::RollbackIncomplete => {
            format!("{} put back: everything is as it was before the run", count(undone, "step"))
        }
        Outcome::Paused => {
            let there = summary.steps().filter(|node| node.has_changed() && node.undo != Undo::Undone).count();
            if there == 0 {
                "none so far".to_owned()
            } else {
                format!("{} so far, still there", count(there, "change"))
            }
        }
    }
}

/// Why a change is still there, in one sentence.
pub(super) fn why_left(left: &Left) -> String {
    match &left.why {
        LeftBecause::UndoFailed(error) => format!("its undo failed: {}", printable(&one_line(&format!("{error:#}")))),
        LeftBecause::Irreversible(why) => format!("cannot be undone: {why}"),
        LeftBecause::PointOfNoReturn(why) => format!("not undone, after a point of no return: {why}"),
    }
}

fn with_time(text: &str, time: Option<String>) -> String {
    time.map_or_else(|| text.to_owned(), |time| format!("{text} ({time})"))
}

fn with_evidence(text: &str, evidence: &Evidence) -> String {
    let summary = printable(&evidence.summary).into_owned();
    if summary.is_empty() { text.to_owned() } else { format!("{text}: {summary}") }
}

/// A reader that writes the lines of a run as they come.
#[derive(Debug)]
pub struct Text<W> {
    out: W,
    lines: Lines,
    so_far: Summary,
}

impl<W: Write + Send> Text<W> {
    /// Writing these lines here.
    pub fn new(out: W, lines: Lines) -> Self {
        Self { out, lines, so_far: Summary::new() }
    }
}

impl<W: Write + Send> Reader for Text<W> {
    fn read(&mut self, event: &Event) {
        self.so_far.add(event);
        let text = self.lines.of(event, &self.so_far);
        // Whoever stopped reading the log has not stopped the run.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

/// A whole run as text.
pub fn whole<'a>(events: impl IntoIterator<Item = &'a Event>, lines: Lines) -> String {
    let (mut lines, mut so_far, mut text) = (lines, Summary::new(), String::new());
    for event in events {
        so_far.add(event);
        text.push_str(&lines.of(event, &so_far));
    }
    if so_far.ended.is_none() {
        let _ = write!(text, "\n{}", lines.ending(&so_far));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn told(events: &[Event]) -> String {
        whole(events, Lines::new(Program { name: "marb".into(), options: " --journal /j".into() }))
    }

    #[test]
    fn a_run_that_put_itself_back() {
        let expected = "\
Standard update
  run     r1 of book marb, started 2026-01-01 00:00:00 UTC
  target  production, by anna on build-1
  inputs  revision = v2

00:00:01  pass      Disk space: 40 GB free (2.0 s)
00:00:02  done      Pull latest code (412 ms)
                    ~ HEAD: v1 -> v2
00:00:04  already   Restart services / api / Restart
00:00:07  retry     Run migrations: attempt 1 failed, trying again in 1.0 s: connection refused
00:00:07  FAILED    Run migrations (1.5 s)
                    `alembic upgrade head` on db-1 exited with 1
                    because: relation \"entries\" <already> exists
                    | INFO upgrading
                    | FATAL cannot go on
                    hint: look at the table `entries` first
00:00:08  rollback  putting everything back, because: `alembic upgrade head` on db-1 exited with 1
00:00:09  undone    Run migrations (80 ms)
00:00:10  undone    Pull latest code (80 ms)

FAILED AND ROLLED BACK after 8.1 s: Standard update (production)
  failed   Run migrations: `alembic upgrade head` on db-1 exited with 1
  hint     look at the table `entries` first
  changes  2 steps put back: everything is as it was before the run
  log      marb show r1 --journal /j
";
        assert_eq!(told(&sample::put_back()), expected);
    }

    #[test]
    fn a_rollback_that_left_something() {
        let expected = "\
Standard update
  run     r1 of book marb, started 2026-01-01 00:00:00 UTC
  target  production, by anna on build-1
  inputs  revision = v2

00:00:01  done      Pull latest code (412 ms)
                    ~ HEAD: v1 -> v2
00:00:03  done      Tell the team (412 ms)
                    ~ HEAD: v1 -> v2
00:00:04  FAIL      Health: 503 (2.0 s)
                    | upstream <down>
00:00:04  rollback  putting everything back, because: check `Health` failed
00:00:05  LEFT      Tell the team: cannot be undone: a mail cannot be called back
00:00:06  undone    Pull latest code (80 ms)

FAILED, ROLLBACK INCOMPLETE after 8.1 s: Standard update (production)
  failed   Health: 503
  changes  1 step put back, 1 LEFT
  LEFT     Tell the team: cannot be undone: a mail cannot be called back
           to undo it by hand:
             $ mail -s 'never mind' team
  log      marb show r1 --journal /j
  next     marb resume r1 --journal /j    to try again what is left
";
        assert_eq!(told(&sample::incomplete()), expected);
    }

    #[test]
    fn a_run_that_waits_for_a_person() {
        let expected = "\
Standard update
  run     r1 of book marb, started 2026-01-01 00:00:00 UTC
  target  production, by anna on build-1
  inputs  revision = v2

00:00:01  done      Pull latest code (412 ms)
                    ~ HEAD: v1 -> v2
00:00:02  asks      Go on? (wants an answer of lead)

WAITING after 8.1 s: Standard update (production)
  because  `Go on?` waits for an answer
  changes  1 change so far, still there
  log      marb show r1 --journal /j
  next     marb approve r1 --journal /j               to say yes and go on
           marb resume r1 --roll-back --journal /j    to put everything back
";
        assert_eq!(told(&sample::waiting()), expected);
    }

    #[test]
    fn a_run_that_was_cut_off() {
        let expected = "\
Standard update
  run     r1 of book marb, started 2026-01-01 00:00:00 UTC
  target  production, by anna on build-1
  inputs  revision = v2


NOT ENDED: Standard update (production)
  because  it is running now, or its runner was cut off
  at       Pull latest code
  changes  none so far that the journal knows of
  next     marb resume r1 --journal /j                to go on
           marb resume r1 --roll-back --journal /j    to put everything back
";
        let cut = sample::Story::begins().step_begins("0", "Pull latest code").events();
        assert_eq!(told(&cut), expected);
    }
}
