//! The deployment log as a value: what people fill in by hand after a deployment, told by the run itself.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::rows::{Row, rows};
use super::skipped::{self, Skipped};
use super::text::why_left;
use super::versions::{self, Version};
use super::words::{count, fields_line, took};
use super::{Node, State, Summary, Undo, Work};
use crate::event::{Outage, RunEnded};
use crate::{CheckRole, Error, Finding, Outcome, ScopeKind};

/// The deployment log of a run.
#[derive(Debug, Clone, Serialize)]
pub struct DeploymentLog {
    /// The title of the procedure.
    pub title: String,
    /// When it began.
    pub date: Option<Timestamp>,
    /// Who started it, and who took it up again.
    pub deployers: Vec<String>,
    /// What it ran against.
    pub environment: String,
    /// The procedure, and the book it is from.
    pub procedure: String,
    /// The name of the run.
    pub run: String,
    /// The machine the runner was on.
    pub host: String,
    /// Its inputs.
    pub inputs: String,
    /// What it returned.
    pub result: String,
    /// The tag or the branch that was asked for.
    pub tag: Option<String>,
    /// What was there before and after: commits, revisions, images.
    pub versions: Vec<Version>,
    /// How it ended, in words.
    pub outcome: String,
    /// How long it took, pauses included.
    #[serde(rename = "seconds", serialize_with = "maybe_seconds")]
    pub took: Option<Duration>,
    /// What users saw.
    pub downtime: Vec<Downtime>,
    /// What was asked and done before the first change.
    pub before: Vec<Point>,
    /// When each phase was over, from the start to the end.
    pub phases: Vec<Phase>,
    /// Every step, scope and question.
    pub steps: Vec<Line>,
    /// What was asked afterwards.
    pub verification: Vec<Point>,
    /// What went wrong or was worth a word.
    pub issues: Vec<Issue>,
    /// Where the run went another way than its source says at first sight, and who decided so.
    pub deviations: Vec<Deviation>,
    /// Whether it was put back.
    pub rollback: Rollback,
}

/// What users saw of one thing.
#[derive(Debug, Clone, Serialize)]
pub struct Downtime {
    /// What was watched, or held.
    pub of: String,
    /// What was seen, when something watched.
    pub seen: Option<Outage>,
    /// In words.
    pub words: String,
}

/// A point of a list: a check, a question, or a step that prepares.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// The point of the template it answers.
    pub point: Option<&'static str>,
    /// What was asked or done, with the scopes around it.
    pub what: String,
    /// The answer.
    pub answer: Answer,
    /// What it rests on.
    pub evidence: String,
    /// More of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// When it was answered; `None` when nothing did.
    pub at: Option<Timestamp>,
    /// Where it looked.
    pub host: Arc<str>,
    /// Whether its answer only warns or informs.
    pub informs: bool,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It is so.
    Pass,
    /// It is not so.
    Fail,
    /// Nobody knows.
    Unknown,
    /// There is none yet.
    Open,
}

impl Answer {
    fn of(state: State) -> Self {
        match state {
            State::Good | State::Already | State::Changed | State::FoundDone | State::Remembered => Self::Pass,
            State::Failed => Self::Fail,
            State::Unknown => Self::Unknown,
            State::Going | State::Waiting => Self::Open,
        }
    }

    /// As a log says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Unknown => "UNKNOWN",
            Self::Open => "not finished",
        }
    }
}

/// A phase of a deployment.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// Its name, as the template has it.
    pub name: &'static str,
    /// When it was over.
    pub at: Timestamp,
    /// What else is to be said.
    pub note: String,
}

/// A step, a scope or a question.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// How many scopes are around it.
    pub depth: usize,
    /// Its title.
    pub title: String,
    /// When it began.
    pub at: Timestamp,
    /// Where it ran.
    pub host: Arc<str>,
    /// Whether that is worth a word.
    #[serde(skip)]
    pub(super) is_elsewhere: bool,
    /// How it went, and how long it took.
    pub how: String,
    /// Its output.
    pub evidence: String,
}

/// Something that went wrong, or was worth a word.
#[derive(Debug, Clone, Serialize)]
pub struct Issue {
    /// When.
    pub at: Timestamp,
    /// What sort of issue: `failed`, `warning`, `trigger`, `point of no return`, `note`.
    pub kind: &'static str,
    /// What.
    pub text: String,
    /// The last words of what failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// Where a run went another way.
#[derive(Debug, Clone, Serialize)]
pub struct Deviation {
    /// When; what never happened has no time.
    pub at: Option<Timestamp>,
    /// What sort of deviation: `tried again`, `confirmed`, `overridden`, `skipped`, `resumed`, `asked to stop`.
    pub kind: &'static str,
    /// What, and who.
    pub text: String,
}

/// Whether and how a run was put back.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Rollback {
    /// Whether that was necessary.
    pub required: bool,
    /// Why.
    pub reason: String,
    /// When it began.
    pub at: Option<Timestamp>,
    /// From its beginning to the last thing that was put back.
    #[serde(rename = "seconds", serialize_with = "maybe_seconds")]
    pub took: Option<Duration>,
    /// What was put back.
    pub put_back: Vec<PutBack>,
    /// What is still there.
    pub left: Vec<Remains>,
}

/// A step that was put back.
#[derive(Debug, Clone, Serialize)]
pub struct PutBack {
    /// The step, with the scopes around it.
    pub what: String,
    /// When that began.
    pub at: Timestamp,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

/// A change that is still there.
#[derive(Debug, Clone, Serialize)]
pub struct Remains {
    /// The step.
    pub what: String,
    /// Why it is still there.
    pub why: String,
    /// What a person would type to undo it.
    pub commands: Vec<String>,
}

impl DeploymentLog {
    /// The log of a run, as far as it is told.
    pub fn of(summary: &Summary) -> Self {
        let began = summary.began.as_ref();
        let text = |field: fn(&crate::event::RunBegan) -> String| began.map(field).unwrap_or_default();
        let result = summary.ended.as_ref().and_then(|ended| ended.output.as_ref());
        Self {
            title: began.map_or_else(|| "no run yet".to_owned(), |began| began.title.clone()),
            date: summary.first(),
            deployers: deployers(summary),
            environment: text(|began| began.target.clone()),
            procedure: text(|began| format!("{} of book {}", began.procedure, began.book)),
            run: text(|began| began.run.to_string()),
            host: text(|began| began.host.clone()),
            inputs: text(|began| fields_line(&began.inputs)),
            result: result.map(fields_line).unwrap_or_default(),
            tag: versions::tag(summary),
            versions: versions::of(summary),
            outcome: outcome(summary),
            took: summary.span(),
            downtime: downtime(summary),
            before: before(summary),
            phases: phases(summary),
            steps: lines(summary),
            verification: verification(summary),
            issues: issues(summary),
            deviations: deviations(summary),
            rollback: Rollback::of(summary),
        }
    }
}

fn deployers(summary: &Summary) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for beginning in &summary.beginnings {
        if !names.contains(&beginning.by) {
            names.push(beginning.by.clone());
        }
    }
    names
}

/// How a run ended, in words.
fn outcome(summary: &Summary) -> String {
    match &summary.ended {
        Some(RunEnded { outcome: Outcome::Done, .. }) if !summary.warnings.is_empty() => {
            format!("done with {}", count(summary.warnings.len(), "warning"))
        }
        Some(ended) => ended.outcome.words().to_owned(),
        None => "not ended: running, or its runner was cut off".to_owned(),
    }
}

/// What was seen by whoever watched; else what was held, and for how long.
fn downtime(summary: &Summary) -> Vec<Downtime> {
    let seen = summary.outages.iter().map(|watched| Downtime {
        of: watched.of.to_string(),
        words: watched.outage.to_string(),
        seen: Some(watched.outage.clone()),
    });
    let seen: Vec<_> = seen.collect();
    if !seen.is_empty() {
        return seen;
    }
    let holds = summary.nodes().iter().filter(|node| node.work == Work::Scope(ScopeKind::Hold));
    let held = holds.filter_map(|node| {
        let words = format!("held for {}", took(node.took?));
        Some(Downtime { of: node.title.to_string(), seen: None, words })
    });
    held.collect()
}

/// The points of the template, what their checks are called, and the families of their steps.
const POINTS: [(&str, &[&str], &[&str]); 3] = [
    ("CI passing", &["ci", "pipeline", "build"], &["ci"]),
    ("Backup taken", &["backup", "backups", "dump"], &["backup"]),
    ("Team notified", &["notified", "notify", "notification", "announced", "team", "users"], &["notify"]),
];

/// The point of the template that something answers.
fn point(node: &Node) -> Option<&'static str> {
    let title = node.title.to_lowercase();
    let words: Vec<&str> = title.split(|c: char| !c.is_alphanumeric()).collect();
    let family = family(&node.kind).0;
    let is_step = node.is_step();
    let fits = |(_, titles, families): &&(&str, &[&str], &[&str])| {
        families.contains(&family) || (!is_step && words.iter().any(|word| titles.contains(word)))
    };
    POINTS.iter().find(fits).map(|(point, _, _)| *point)
}

/// The two parts of the kind of a step: `git`, `checkout`.
pub(super) fn family(kind: &str) -> (&str, &str) {
    kind.split_once('.').unwrap_or((kind, ""))
}

/// Whether a step only prepares: it changes nothing of what runs.
fn prepares(node: &Node) -> bool {
    matches!(family(&node.kind).0, "backup" | "notify" | "ci")
}

/// Where the first change of the deployment stands; what comes before it was asked beforehand.
fn first_change(summary: &Summary) -> Option<usize> {
    let tried = |node: &Node| node.is_step() && node.state != State::Already && !prepares(node);
    summary.nodes().iter().position(tried)
}

fn before(summary: &Summary) -> Vec<Point> {
    let first = first_change(summary);
    let (early, late) = summary.nodes().split_at(first.unwrap_or(summary.nodes().len()));
    // A precondition is one wherever it stands.
    let late = late.iter().filter(|node| node.work == Work::Check(CheckRole::Require));
    let asked = |node: &&Node| node.is_check() || node.work == Work::Question || (node.is_step() && prepares(node));
    let mut points: Vec<Point> = early.iter().filter(asked).chain(late).map(|node| Point::of(summary, node)).collect();
    if first.is_some() {
        let missing = POINTS.iter().filter(|(name, _, _)| !points.iter().any(|point| point.point == Some(*name)));
        let missing: Vec<_> = missing.map(|(name, _, _)| Point::missing(name)).collect();
        points.extend(missing);
    }
    points
}

fn verification(summary: &Summary) -> Vec<Point> {
    let Some(first) = first_change(summary) else { return Vec::new() };
    let after = summary.nodes()[first..].iter();
    let checks = after.filter(|node| matches!(node.work, Work::Check(role) if role != CheckRole::Require));
    checks.map(|node| Point::of(summary, node)).collect()
}

impl Point {
    fn of(summary: &Summary, node: &Node) -> Self {
        let evidence = node.finding().map(Finding::evidence).or_else(|| node.more()?.answer.as_ref());
        let said = match (&evidence, node.error()) {
            (Some(evidence), _) => evidence.summary.clone(),
            (None, Some(error)) => format!("{error:#}"),
            (None, None) => node.output.as_ref().map(fields_line).unwrap_or_default(),
        };
        Self {
            point: point(node),
            what: summary.path(node).join(" / "),
            answer: Answer::of(node.state),
            evidence: said,
            lines: evidence.map(|evidence| evidence.lines.clone()).unwrap_or_default(),
            at: Some(node.end.unwrap_or(node.at)),
            host: node.host.clone(),
            informs: !node.is_binding(),
        }
    }

    /// A point of the template that nothing in the run answers.
    fn missing(point: &'static str) -> Self {
        Self {
            point: Some(point),
            what: point.to_owned(),
            answer: Answer::Open,
            evidence: "nothing in this run says so".to_owned(),
            lines: Vec::new(),
            at: None,
            host: Arc::default(),
            informs: true,
        }
    }
}

/// The phases of the template, in its order.
const PHASES: [&str; 4] = ["Code updated", "Images built", "Migrations run", "Services restarted"];

/// The phase that a kind of step belongs to.
fn phase(kind: &str) -> Option<&'static str> {
    match family(kind) {
        ("git", "checkout" | "clone" | "pull") => Some(PHASES[0]),
        ("compose" | "docker", "build" | "pull" | "load") => Some(PHASES[1]),
        ("alembic", "upgrade" | "downgrade") => Some(PHASES[2]),
        ("systemd", "restart" | "start" | "reload") | ("compose" | "docker", "up" | "start" | "restart" | "scale") => {
            Some(PHASES[3])
        }
        ("rollout", _) => Some(PHASES[3]),
        _ => None,
    }
}

fn phases(summary: &Summary) -> Vec<Phase> {
    let mut phases: Vec<Phase> = summary
        .beginnings
        .iter()
        .map(|beginning| Phase {
            name: if beginning.resumed { "Resumed" } else { "Start time" },
            at: beginning.at,
            note: format!("by {}", beginning.by),
        })
        .collect();
    phases.extend(PHASES.into_iter().filter_map(|name| passed(summary, name)));
    phases.extend(verified(summary));
    if let (Some(ended), Some(at)) = (&summary.ended, summary.last) {
        let name = if ended.outcome == Outcome::Paused { "Paused" } else { "End time" };
        phases.push(Phase { name, at, note: String::new() });
    }
    phases
}

/// When the steps of a phase were through.
fn passed(summary: &Summary, name: &'static str) -> Option<Phase> {
    let steps: Vec<&Node> = summary.steps().filter(|node| phase(&node.kind) == Some(name)).collect();
    let last = steps.iter().copied().max_by_key(|node| node.end.unwrap_or(node.at))?;
    let note = if let Some(failed) = steps.iter().find(|node| matches!(node.state, State::Failed | State::Unknown)) {
        format!("FAILED at {}", failed.title)
    } else if steps.iter().any(|node| matches!(node.state, State::Going | State::Waiting)) {
        "not finished".to_owned()
    } else if steps.iter().all(|node| node.state == State::Already) {
        "already so".to_owned()
    } else {
        String::new()
    };
    let back = steps.iter().filter(|node| node.is_back()).flat_map(|node| node.acts()).map(|act| act.at).min();
    let back = back.map(|at| format!("put back at {}", clock(at))).unwrap_or_default();
    let note = [note, back].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    Some(Phase { name, at: last.end.unwrap_or(last.at), note })
}

fn verified(summary: &Summary) -> Option<Phase> {
    let points = verification(summary);
    let at = points.iter().filter_map(|point| point.at).max()?;
    let bad = points.iter().filter(|point| point.answer != Answer::Pass && !point.informs).count();
    let note = if bad == 0 { String::new() } else { format!("{} did not pass", count(bad, "check")) };
    Some(Phase { name: "Verification complete", at, note })
}

fn lines(summary: &Summary) -> Vec<Line> {
    let told = rows(summary).into_iter().filter(|row| !row.node.is_check());
    told.map(|Row { depth, title, node, held }| Line {
        depth,
        title,
        at: node.at,
        host: held.unwrap_or(node).host.clone(),
        is_elsewhere: summary.is_elsewhere(held.unwrap_or(node)),
        how: how(summary, node) + held.map(|held| undo(summary, held)).unwrap_or_default(),
        evidence: held
            .unwrap_or(node)
            .output
            .as_ref()
            .filter(|_| !node.is_scope() || held.is_some())
            .map(fields_line)
            .unwrap_or_default(),
    })
    .collect()
}

/// How something went, and how long it took.
fn how(summary: &Summary, node: &Node) -> String {
    let long = node.took.map(took).unwrap_or_default();
    match &node.work {
        Work::Question => {
            let answer = node.more().and_then(|more| more.answer.as_ref());
            answer.map_or_else(|| "waits for an answer".to_owned(), |answer| answer.summary.clone())
        }
        Work::Scope(_) | Work::Check(_) => long,
        Work::Step(_) => {
            let how = match node.state {
                State::Already => "already so".to_owned(),
                State::Changed | State::Good => long,
                State::FoundDone | State::Remembered => format!("{long}, done before an interruption"),
                State::Failed | State::Unknown => format!("FAILED after {long}"),
                State::Going | State::Waiting => "not finished".to_owned(),
            };
            how + undo(summary, node)
        }
    }
}

fn undo(summary: &Summary, node: &Node) -> &'static str {
    match node.undo {
        Undo::Not => "",
        Undo::Going => ", undo not finished",
        Undo::Undone | Undo::Settled if summary.is_held(node) => ", taken back at the end",
        Undo::Undone | Undo::Settled => ", put back",
        Undo::Left => ", STILL THERE",
    }
}

fn issues(summary: &Summary) -> Vec<Issue> {
    let mut issues: Vec<Issue> = summary.nodes().iter().filter_map(|node| failure(summary, node)).collect();
    let noted = [
        ("warning", &summary.warnings),
        ("trigger", &summary.triggers),
        ("point of no return", &summary.no_return),
        ("note", &summary.notes),
    ];
    for (kind, list) in noted {
        issues.extend(list.iter().map(|noted| Issue {
            at: noted.at,
            kind,
            text: summary.said(&noted.key, noted.text.lines().next().unwrap_or_default()),
            lines: noted.text.lines().skip(1).map(str::to_owned).collect(),
        }));
    }
    issues.sort_by_key(|issue| issue.at);
    issues
}

fn failure(summary: &Summary, node: &Node) -> Option<Issue> {
    let place = summary.path(node).join(" / ");
    let (text, lines) = match (node.error().filter(|_| !node.is_scope()), node.finding()) {
        (Some(error), _) => (format!("{place}: {error:#}"), error.lines().to_vec()),
        (None, Some(finding)) if !finding.passes() && node.is_binding() => {
            (format!("{place}: {}", finding.evidence().summary), finding.evidence().lines.clone())
        }
        _ => return None,
    };
    Some(Issue { at: node.end.unwrap_or(node.at), kind: "failed", text, lines })
}

fn deviations(summary: &Summary) -> Vec<Deviation> {
    let mut found: Vec<Deviation> = summary
        .beginnings
        .iter()
        .filter(|beginning| beginning.resumed)
        .map(|beginning| Deviation { at: Some(beginning.at), kind: "resumed", text: format!("by {}", beginning.by) })
        .collect();
    found.extend(summary.stops.iter().map(|at| Deviation {
        at: Some(*at),
        kind: "asked to stop",
        text: "the run was asked to stop".to_owned(),
    }));
    for node in summary.nodes() {
        found.extend(node.retries().iter().map(|retried| Deviation {
            at: Some(retried.at),
            kind: "tried again",
            text: format!("{} after attempt {}: {:#}", summary.path(node).join(" / "), retried.attempt, retried.error),
        }));
        found.extend(decision(summary, node));
    }
    found.sort_by_key(|deviation| deviation.at);
    found.extend(skipped::of(summary).into_iter().map(|Skipped { title, only }| Deviation {
        at: None,
        kind: "skipped",
        text: format!("{title}: {only}"),
    }));
    found
}

/// What a person, or the clock, decided.
fn decision(summary: &Summary, node: &Node) -> Option<Deviation> {
    let answer = node.more()?.answer.as_ref().filter(|_| node.work == Work::Question)?;
    let kind = if answer.summary.starts_with("overridden") { "overridden" } else { "confirmed" };
    let who = answer.summary.trim_start_matches("overridden: ");
    let text = format!("{}: {who}", summary.path(node).join(" / "));
    Some(Deviation { at: Some(node.end.unwrap_or(node.at)), kind, text })
}

impl Rollback {
    fn of(summary: &Summary) -> Self {
        let turned: Vec<Timestamp> = summary.turns.iter().map(|(at, _)| *at).collect();
        let left = summary.left.iter().map(|left| Remains {
            what: left.title.to_string(),
            why: why_left(left),
            commands: left.commands.clone(),
        });
        let mut back = Self { left: left.collect(), ..Self::default() };
        if turned.is_empty() {
            return back;
        }
        let scope = || summary.scope_rollbacks.first().map(|(_, error)| error);
        let cause: Option<&Error> = summary.rollback.as_ref().or_else(scope);
        back.required = true;
        back.reason = cause.map(|cause| format!("{cause:#}")).unwrap_or_default();
        back.at = turned.first().copied();
        back.put_back = put_back(summary);
        let end = back.put_back.iter().filter_map(|back| back.at.checked_add(back.took).ok()).max();
        back.took = back.at.zip(end).map(|(from, to)| super::summary::since(from, to));
        back
    }
}

/// What was put back, in the order in which that happened.
fn put_back(summary: &Summary) -> Vec<PutBack> {
    let steps = summary.steps().filter(|node| node.is_back() && !summary.is_held(node));
    let mut all: Vec<PutBack> = steps
        .filter_map(|node| {
            let took = node.acts().iter().filter_map(|act| act.took).sum();
            Some(PutBack { what: summary.path(node).join(" / "), at: node.acts().first()?.at, took })
        })
        .collect();
    all.sort_by_key(|back| back.at);
    all
}

/// The time of day, UTC.
pub(super) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[allow(clippy::ref_option, reason = "serde gives a reference")]
fn maybe_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}
