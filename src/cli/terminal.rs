//! What people see while a run goes on: on a terminal, a line for each thing that goes on now, below the lines of what
//! has happened; elsewhere, plain lines.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::tz::TimeZone;
use runbook_core::event::What;
use runbook_core::report::{Lines, Paint, Program, Summary, words};
use runbook_core::{Event, Key, Reader};

/// Where the story of a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    /// The standard output is taken by events.
    Error,
}

impl Stream {
    fn is_terminal(self) -> bool {
        match self {
            Self::Out => std::io::stdout().is_terminal(),
            Self::Error => std::io::stderr().is_terminal(),
        }
    }

    fn write(self, text: &str) {
        // Whoever closed the stream has not stopped the run.
        let _ = match self {
            Self::Out => write_all(&mut std::io::stdout().lock(), text),
            Self::Error => write_all(&mut std::io::stderr().lock(), text),
        };
    }

    fn target(self) -> ProgressDrawTarget {
        match self {
            Self::Out => ProgressDrawTarget::stdout(),
            Self::Error => ProgressDrawTarget::stderr(),
        }
    }
}

fn write_all(out: &mut dyn Write, text: &str) -> std::io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Whether a stream gets colours: on a terminal that knows them, unless someone said no (<https://no-color.org>).
fn colours(is_terminal: bool) -> Paint {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let dumb = set("TERM").is_none_or(|term| term == "dumb");
    Paint { on: is_terminal && !dumb && set("NO_COLOR").is_none() }
}

/// The colours of the standard output.
pub(super) fn paint() -> Paint {
    colours(Stream::Out.is_terminal())
}

/// A screen: tells the story of a run, and keeps its summary. Its clones are the same screen.
#[derive(Clone)]
pub(super) struct Screen(Arc<Mutex<Inner>>);

struct Inner {
    stream: Stream,
    lines: Lines,
    summary: Summary,
    quiet: bool,
    /// The live part, on a terminal.
    live: Option<Live>,
    /// A person is being asked, on the same terminal.
    asking: bool,
    /// When something was last written, and how long silence may last from there.
    spoke: Instant,
    patience: Duration,
}

struct Live {
    all: MultiProgress,
    bars: HashMap<Key, ProgressBar>,
}

/// How long plain lines may be silent while something goes on.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_PATIENCE: Duration = Duration::from_secs(120);

impl Screen {
    /// A screen on this stream. What is known of the run already, from its journal, is in the summary.
    pub(super) fn new(stream: Stream, program: Program, quiet: bool, summary: Summary) -> Self {
        let is_terminal = stream.is_terminal();
        let paint = colours(is_terminal);
        let lines = Lines::new(program).paint(paint).zone(TimeZone::system());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let live = (is_terminal && !dumb && !quiet).then(|| Live::on(stream));
        let plain = live.is_none() && !quiet;
        let (spoke, patience) = (Instant::now(), PATIENCE);
        let inner = Inner { stream, lines, summary, quiet, live, asking: false, spoke, patience };
        let screen = Self(Arc::new(Mutex::new(inner)));
        if plain {
            break_silence(Arc::downgrade(&screen.0));
        }
        screen
    }

    /// What is known of the run.
    pub(super) fn summary(&self) -> Summary {
        self.inner().summary.clone()
    }

    /// Whether the stream is a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        self.inner().stream.is_terminal()
    }

    /// Writes a question, and leaves the terminal to its answer.
    pub(super) fn ask(&self, question: &str) {
        let mut inner = self.inner();
        inner.asking = true;
        if let Some(live) = &inner.live {
            let _ = live.all.clear();
            live.all.set_draw_target(ProgressDrawTarget::hidden());
        }
        inner.stream.write(question);
    }

    /// Takes the terminal back.
    pub(super) fn asked(&self) {
        let mut inner = self.inner();
        inner.asking = false;
        if let Some(live) = &inner.live {
            live.all.set_draw_target(inner.stream.target());
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader for Screen {
    fn read(&mut self, event: &Event) {
        self.inner().read(event);
    }
}

impl Inner {
    fn read(&mut self, event: &Event) {
        self.summary.add(event);
        let over = matches!(event.what, What::RunEnded(_));
        if let Some(live) = &mut self.live {
            live.follow(event, &self.summary);
            if over {
                let _ = live.all.clear();
            }
        }
        if self.quiet && !over {
            return;
        }
        let text = self.lines.of(event, &self.summary);
        if !text.is_empty() {
            self.write(&text);
        }
    }

    fn write(&mut self, text: &str) {
        (self.spoke, self.patience) = (Instant::now(), PATIENCE);
        match &self.live {
            // Written as it is, so that what is copied from the terminal can be pasted.
            Some(live) if !self.asking && !live.bars.is_empty() => live.all.suspend(|| self.stream.write(text)),
            // The question ends without a newline.
            _ if self.asking => self.stream.write(&format!("\n{text}")),
            _ => self.stream.write(text),
        }
    }

    /// Says what goes on, when nothing has been said for a while.
    fn still(&mut self) {
        if self.asking || self.summary.ended.is_some() || self.spoke.elapsed() < self.patience {
            return;
        }
        let now = jiff::Timestamp::now();
        let text: String = self.summary.going().map(|node| self.lines.still(now, node, &self.summary)).collect();
        self.stream.write(&text);
        (self.spoke, self.patience) = (Instant::now(), (self.patience * 2).min(LONGEST_PATIENCE));
    }
}

/// Watches for silence, for as long as there is a screen.
fn break_silence(screen: Weak<Mutex<Inner>>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let Some(screen) = screen.upgrade() else { return };
            screen.lock().unwrap_or_else(PoisonError::into_inner).still();
        }
    });
}

impl Live {
    fn on(stream: Stream) -> Self {
        Self { all: MultiProgress::with_draw_target(stream.target()), bars: HashMap::new() }
    }

    /// Keeps one line for each thing that goes on.
    fn follow(&mut self, event: &Event, summary: &Summary) {
        match &event.what {
            What::StepBegan { key, .. } | What::CheckBegan { key, .. } => self.begin(key, &summary.place(key)),
            What::UndoBegan { key, settling, .. } => {
                let verb = if *settling { "settling" } else { "undoing" };
                self.begin(key, &format!("{verb} {}", summary.place(key)));
            }
            What::CommandBegan { key, command } => self.tell(key, command),
            What::Line { key, line, .. } => self.tell(key, line),
            What::Said { key, text } => self.tell(key, text),
            What::StepEnded { key, .. }
            | What::StepFailed { key, .. }
            | What::CheckEnded { key, .. }
            | What::UndoEnded { key, .. } => self.end(key),
            What::Left(left) => self.end(&left.key),
            What::RunEnded(_) => {
                let keys: Vec<Key> = self.bars.keys().cloned().collect();
                for key in &keys {
                    self.end(key);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, key: &Key, title: &str) {
        self.end(key);
        let bar = self.all.add(ProgressBar::new_spinner().with_style(style()).with_prefix(title.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.bars.insert(key.clone(), bar);
    }

    fn tell(&self, key: &Key, line: &str) {
        if let Some(bar) = self.bars.get(key) {
            bar.set_message(words::printable(&words::one_line(line)).into_owned());
        }
    }

    fn end(&mut self, key: &Key) {
        if let Some(bar) = self.bars.remove(key) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{spinner:.cyan} {prefix} {elapsed:.dim} {wide_msg:.dim}");
    style.unwrap_or_else(|_| ProgressStyle::default_spinner())
}
