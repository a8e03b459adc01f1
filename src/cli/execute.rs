//! The commands that act: run, resume, approve.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook_core::journal::Store;
use runbook_core::report::{self, JsonLines, Summary, Trouble, html, json, markdown};
use runbook_core::{Error, Explain as _, Finished, Outcome, Plan, Result, Resume, RunId, Runner, Stored, whoami};

use super::arguments::How;
use super::desk::Desk;
use super::stop::Stop;
use super::terminal::{Screen, Stream};
use super::{Call, journals, signals};

/// `run`
pub(super) async fn run(
    call: &Call,
    procedure: &str,
    inputs: Option<Stored>,
    plan: Option<PathBuf>,
    how: How,
) -> Result<u8, Stop> {
    let plan = plan.as_deref().map(saved_plan).transpose()?;
    let inputs = inputs.or_else(|| Some(plan.as_ref()?.inputs.clone()));
    let Some(inputs) = inputs else { return Err(Stop::Usage(Error::new("there are no inputs"))) };
    let store = journals::open(call)?;
    let stage = Stage::set(call, store, &how, Summary::new())?;
    let runner = stage.runner(call, &how)?;
    let finished = match &plan {
        Some(plan) => runner.run_plan(procedure, inputs, plan).await,
        None => runner.run(procedure, inputs).await,
    };
    stage.end(call, finished)
}

/// `resume`
pub(super) async fn resume(call: &Call, word: &str, back: bool, how: How) -> Result<u8, Stop> {
    let (store, run) = existing(call, word).await?;
    let stage = Stage::set(call, store.clone(), &how, remembered(&*store, &run).await?)?;
    let runner = stage.runner(call, &how)?;
    let direction = if back { Resume::RollBack } else { Resume::Continue };
    stage.end(call, runner.resume(&run, direction).await)
}

/// `approve`
pub(super) async fn approve(call: &Call, word: &str, by: Option<String>, note: &str, how: How) -> Result<u8, Stop> {
    let (store, run) = existing(call, word).await?;
    let known = remembered(&*store, &run).await?;
    if let Some(outcome) = known.ended.as_ref().map(|ended| ended.outcome).filter(|outcome| outcome.is_final()) {
        return Err(Error::refused(format!("run `{run}` is over: {}", outcome.words())).into());
    }
    let stage = Stage::set(call, store.clone(), &how, known)?;
    let runner = stage.runner(call, &how)?;
    let by = by.unwrap_or_else(whoami);
    stage.end(call, runner.approve(&run, &by, note).await)
}

async fn existing(call: &Call, word: &str) -> Result<(Arc<dyn Store>, RunId), Stop> {
    let Some(store) = journals::open_existing(call)? else { return Err(journals::none_yet(call, word)) };
    let run = journals::find(&*store, word).await?;
    Ok((store, run))
}

/// What the journal knows of a run before it is taken up again.
async fn remembered(store: &dyn Store, run: &RunId) -> Result<Summary> {
    Ok(report::from_journal(run, &store.read(run).await?).iter().collect())
}

fn saved_plan(path: &Path) -> Result<Plan> {
    let name = || format!("read the plan in `{}`", path.display());
    let text = std::fs::read_to_string(path).map_err(Error::from).with_context(name)?;
    let plan = serde_json::from_str(&text).map_err(Error::from).with_context(name);
    plan.map_err(|error| error.hint("`plan PROC --json` writes one"))
}

/// What stands around a run: the screen, the other readers of its events, what is written at its end.
struct Stage {
    store: Arc<dyn Store>,
    screen: Screen,
    events: Option<(String, Trouble)>,
    report: Option<Paper>,
    readers: std::sync::Mutex<Vec<JsonLines<Box<dyn Write + Send>>>>,
}

impl Stage {
    /// Opens everything that is written to, so that what cannot be written is known before anything is changed.
    fn set(call: &Call, store: Arc<dyn Store>, how: &How, known: Summary) -> Result<Self, Stop> {
        let to_stdout = how.events.as_deref().is_some_and(|path| path == "-");
        let stream = if to_stdout { Stream::Error } else { Stream::Out };
        let report = how.report.as_deref().map(Paper::open).transpose()?;
        let readers: Vec<_> = how.events.as_deref().map(event_lines).transpose()?.into_iter().collect();
        let name = how.events.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let events = readers.first().map(|lines| (name, lines.trouble()));
        let screen = Screen::new(stream, call.program.clone(), how.quiet, known);
        Ok(Self { store, screen, events, report, readers: std::sync::Mutex::new(readers) })
    }

    fn runner(&self, call: &Call, how: &How) -> Result<Runner> {
        let mut runner = call.runner().store(self.store.clone()).reader(self.screen.clone());
        runner = runner.people(Desk::new(how, &self.screen));
        for lines in self.readers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).drain(..) {
            runner = runner.reader(lines);
        }
        if let Some(on_failure) = how.on_failure {
            runner = runner.on_failure(on_failure);
        }
        signals::listen(&runner.interrupts()).map_err(Error::from).context("listen for signals")?;
        Ok(runner)
    }

    /// Writes the report, says what could not be written, gives the exit code.
    fn end(self, call: &Call, finished: Result<Finished>) -> Result<u8, Stop> {
        let outcome: Outcome = finished?.outcome();
        if let Some((name, trouble)) = &self.events
            && let Some(trouble) = trouble.first()
        {
            complain(&format!("the events in `{name}` are not complete: {trouble}"));
        }
        if let Some(paper) = self.report {
            match paper.write(&call.with_outline(self.screen.summary())) {
                Ok(path) => complain(&format!("report: {}", path.display())),
                Err(error) => complain(&format!("the report was not written: {error:#}")),
            }
        }
        Ok(outcome.exit_code())
    }
}

/// Says something beside the story of the run.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn event_lines(path: &Path) -> Result<JsonLines<Box<dyn Write + Send>>> {
    if path == Path::new("-") {
        return Ok(JsonLines::new(Box::new(std::io::stdout())));
    }
    let file = OpenOptions::new().append(true).create(true).open(path).map_err(Error::from);
    Ok(JsonLines::new(Box::new(file.with_context(|| format!("write events to `{}`", path.display()))?)))
}

/// A report to be written when the run has ended.
struct Paper {
    path: PathBuf,
    file: File,
    render: fn(&Summary) -> String,
}

impl Paper {
    /// Opens the file. What it says of an earlier run stays until there is something new to say.
    fn open(path: &Path) -> Result<Self, Stop> {
        let render = match path.extension().and_then(|extension| extension.to_str()) {
            Some("md" | "markdown") => markdown::log,
            Some("html" | "htm") => html::page,
            Some("json") => json::log,
            _ => {
                let error = Error::new(format!("`{}` is neither a .md, a .html nor a .json file", path.display()));
                return Err(Stop::Usage(error.hint("--report writes a deployment log (.md, .json) or a page (.html)")));
            }
        };
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(Error::from);
        let file = file.with_context(|| format!("write the report to `{}`", path.display()))?;
        Ok(Self { path: path.to_owned(), file, render })
    }

    fn write(mut self, summary: &Summary) -> Result<PathBuf> {
        self.file.set_len(0)?;
        self.file.write_all((self.render)(summary).as_bytes())?;
        Ok(self.path)
    }
}
