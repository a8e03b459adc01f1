//! The commands that only look: list, outline, plan, runs, show.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use runbook_core::journal::{Entry, Store};
use runbook_core::report::outline::Told;
use runbook_core::report::{self, Lines, Summary, html, markdown, text, words};
use runbook_core::{Book, Error, ErrorKind, Explanation, Outcome, RunId, Stored};
use serde::Serialize;

use super::arguments::{OutlineFormat, ShowFormat};
use super::stop::Stop;
use super::{Call, DONE, journals, say, say_json, terminal};

/// Not what was hoped for, though nothing was changed.
const DIFFERS: u8 = 3;

/// `list`
pub(super) fn list(book: &Book, json: bool) -> u8 {
    if json {
        return say_json(&Listed::of(book)).map_or_else(Stop::tell, |()| DONE);
    }
    let mut out = String::new();
    let width = book.list().iter().map(|definition| definition.name().len()).max().unwrap_or_default();
    for definition in book.list() {
        let _ = writeln!(out, "{:width$}  {}", definition.name(), definition.outline.title);
    }
    if book.list().is_empty() {
        let _ = writeln!(out, "book `{}` has no procedures", book.name());
    }
    say(&out);
    DONE
}

#[derive(Serialize)]
struct Listed<'a> {
    book: &'a str,
    about: &'a str,
    procedures: Vec<ListedProcedure>,
}

#[derive(Serialize)]
struct ListedProcedure {
    name: &'static str,
    title: &'static str,
    doc: &'static str,
}

impl<'a> Listed<'a> {
    fn of(book: &'a Book) -> Self {
        let procedures = book.list().iter().map(|definition| ListedProcedure {
            name: definition.name(),
            title: definition.outline.title,
            doc: definition.outline.doc,
        });
        Self { book: book.name(), about: book.purpose(), procedures: procedures.collect() }
    }
}

/// `outline`
pub(super) async fn outline(
    call: &Call,
    procedure: &str,
    inputs: Vec<Stored>,
    format: OutlineFormat,
) -> Result<u8, Stop> {
    let book = &call.cli.book;
    let outline = book.find(procedure).map_err(Stop::Usage)?.outline;
    let mut explanation = Explanation::default();
    for inputs in inputs {
        // What cannot be explained is still in the source.
        explanation = explanation.and(call.runner().explain(procedure, inputs).await.unwrap_or_default());
    }
    let told = Told::explained(outline, book, &explanation);
    match format {
        OutlineFormat::Text => say(&told.text()),
        OutlineFormat::Markdown => say(&told.markdown()),
        OutlineFormat::Mermaid => say(&report::outline::mermaid(outline)),
        OutlineFormat::Json => say_json(&told)?,
    }
    Ok(DONE)
}

/// `plan`
pub(super) async fn plan(call: &Call, procedure: &str, inputs: Stored, json: bool) -> Result<u8, Stop> {
    let plan = call.runner().plan(procedure, inputs).await?;
    if json {
        say_json(&plan)?;
    } else {
        say(&report::plan::text(&plan));
    }
    Ok(DONE)
}

/// `show`
pub(super) async fn show(call: &Call, word: &str, format: ShowFormat) -> Result<u8, Stop> {
    let Some(store) = journals::open_existing(call)? else { return Err(journals::none_yet(call, word)) };
    let run = journals::find(&*store, word).await?;
    let events = report::from_journal(&run, &store.read(&run).await?);
    let summary = || call.with_outline(events.iter().collect());
    match format {
        ShowFormat::Text => {
            let lines = Lines::new(call.program.clone()).paint(terminal::paint()).zone(TimeZone::system());
            say(&text::whole(&events, lines));
        }
        ShowFormat::Markdown => say(&markdown::log(&summary())),
        ShowFormat::Html => say(&html::page(&summary())),
        ShowFormat::Json => say_json(&events)?,
    }
    Ok(DONE)
}

/// A run in one row.
#[derive(Serialize)]
struct Row {
    run: RunId,
    procedure: String,
    target: String,
    by: String,
    began: Option<jiff::Timestamp>,
    last: Option<jiff::Timestamp>,
    outcome: Option<Outcome>,
    state: String,
    /// Whether `resume` can take it up.
    open: bool,
}

/// `runs`
pub(super) async fn runs(call: &Call, json: bool) -> Result<u8, Stop> {
    let mut rows = Vec::new();
    if let Some(store) = journals::open_existing(call)? {
        for run in store.runs().await? {
            rows.push(row(&*store, run).await);
        }
    }
    rows.sort_by_key(|row| row.began);
    if json {
        say_json(&rows)?;
    } else if rows.is_empty() {
        say("there are no runs yet\n");
    } else {
        say(&table(&rows));
    }
    Ok(DONE)
}

async fn row(store: &dyn Store, run: RunId) -> Row {
    let (procedure, target, by) = (String::new(), String::new(), String::new());
    let unreadable = |run, error: Error| {
        let state = format!("unreadable: {error:#}");
        Row { run, procedure, target, by, began: None, last: None, outcome: None, state, open: false }
    };
    match store.read(&run).await {
        Ok(entries) => read_row(run, &entries),
        Err(error) => unreadable(run, error),
    }
}

fn read_row(run: RunId, entries: &[Entry]) -> Row {
    let events = report::from_journal(&run, entries);
    let summary: Summary = events.iter().collect();
    let began = summary.began.as_ref();
    let of = |field: fn(&runbook_core::event::RunBegan) -> &String| began.map(field).cloned().unwrap_or_default();
    let ended = summary.ended.as_ref().map(|ended| ended.outcome);
    Row {
        procedure: of(|began| &began.procedure),
        target: of(|began| &began.target),
        by: of(|began| &began.by),
        began: summary.first(),
        last: summary.last,
        outcome: ended,
        state: state(&summary),
        open: ended.is_none_or(|outcome| !outcome.is_final()),
        run,
    }
}

fn state(summary: &Summary) -> String {
    let Some(ended) = &summary.ended else {
        let at = summary.going().next().map(|node| format!(", at `{}`", node.title)).unwrap_or_default();
        return format!("not ended: running, or cut off{at}");
    };
    if let (Outcome::Paused, Some(question)) = (ended.outcome, summary.waiting()) {
        return format!("waiting for `{}`", question.title);
    }
    let span = summary.span().map(words::took).unwrap_or_default();
    format!("{} ({span})", ended.outcome.words())
}

fn table(rows: &[Row]) -> String {
    let zone = TimeZone::system();
    let moment = |row: &Row| {
        let at = row.began.map(|at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string());
        at.unwrap_or_default()
    };
    let head = ["RUN", "PROCEDURE", "TARGET", "BEGAN", "BY"].map(str::to_owned);
    let body = rows
        .iter()
        .map(|row| [row.run.to_string(), row.procedure.clone(), row.target.clone(), moment(row), row.by.clone()]);
    let cells: Vec<[String; 5]> = std::iter::once(head).chain(body).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..5).map(width).collect();
    let states = std::iter::once("STATE").chain(rows.iter().map(|row| row.state.as_str()));
    let mut out = String::new();
    for (row, state) in cells.iter().zip(states) {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(out, "{cell:width$}  ");
        }
        let _ = writeln!(out, "{state}");
    }
    out
}

/// A saved journal against the code of today.
#[derive(Serialize)]
struct Verified {
    run: RunId,
    same: bool,
    why: Option<String>,
}

/// `runs --verify`
pub(super) async fn verify(call: &Call, json: bool) -> Result<u8, Stop> {
    let mut all = Vec::new();
    if let Some(store) = journals::open_existing(call)? {
        for run in store.runs().await? {
            let result = call.runner().store(store.clone()).verify(&run).await;
            let why = result.err().map(|error| match error.kind() {
                ErrorKind::Mismatch => error.message().to_owned(),
                _ => format!("{error:#}"),
            });
            all.push(Verified { run, same: why.is_none(), why });
        }
    }
    if json {
        say_json(&all)?;
    } else {
        say(&verified(&all));
    }
    Ok(if all.iter().all(|run| run.same) { DONE } else { DIFFERS })
}

fn verified(all: &[Verified]) -> String {
    let mut out = String::new();
    for Verified { run, why, .. } in all {
        let _ = match why {
            None => writeln!(out, "ok       {run}"),
            Some(why) => writeln!(out, "DIFFERS  {run}: {why}"),
        };
    }
    let differ = all.iter().filter(|run| !run.same).count();
    let _ = writeln!(out, "{} replayed, {differ} differ. Nothing was changed.", words::count(all.len(), "run"));
    out
}
