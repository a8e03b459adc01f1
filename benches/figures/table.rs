//! The table.

use std::fmt;
use std::time::Duration;

/// One line: a figure and what it stands against.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) figure: String,
    pub(crate) against: String,
    pub(crate) ratio: f64,
    /// The ratio to reach; `None` where the figure just stands beside another.
    pub(crate) at_most: Option<f64>,
}

impl Row {
    /// A row of two figures of one kind.
    pub(crate) fn of<F: Figure>(name: impl Into<String>, ours: F, peer: &str, theirs: F) -> Self {
        let (figure, against) = (ours.to_string(), format!("{peer}: {theirs}"));
        Self { name: name.into(), figure, against, ratio: ours.amount() / theirs.amount(), at_most: None }
    }

    /// With the ratio to reach.
    pub(crate) fn at_most(self, ratio: f64) -> Self {
        Self { at_most: Some(ratio), ..self }
    }

    pub(crate) fn print(&self) {
        let target = self.at_most.map_or_else(|| "-".to_owned(), |ratio| format!("<= {ratio:.2}"));
        let verdict = match self.at_most {
            None => "-",
            Some(most) if self.ratio <= most => "ok",
            Some(_) => "falls short",
        };
        line(&self.name, &self.figure, &self.against, &format!("{:.2}", self.ratio), &target, verdict);
    }
}

pub(crate) fn head() {
    line("what", "figure", "against", "ratio", "target", "");
}

fn line(name: &str, figure: &str, against: &str, ratio: &str, target: &str, verdict: &str) {
    println!("{name:<46} {figure:>10}  {against:<44} {ratio:>6}  {target:<7} {verdict}");
}

/// Something measured.
pub(crate) trait Figure: fmt::Display + Copy {
    fn amount(self) -> f64;
}

/// A time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) Duration);

/// Memory, in KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory(pub(crate) u64);

/// A number of things.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count(pub(crate) u64);

impl Figure for Time {
    fn amount(self) -> f64 {
        self.0.as_secs_f64()
    }
}

impl Figure for Memory {
    fn amount(self) -> f64 {
        self.0 as f64
    }
}

impl Figure for Count {
    fn amount(self) -> f64 {
        self.0 as f64
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        match seconds {
            1.0.. => write!(f, "{seconds:.1} s"),
            0.001.. => write!(f, "{:.2} ms", seconds * 1e3),
            _ => write!(f, "{:.2} µs", seconds * 1e6),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB", self.0 as f64 * 1024.0 / 1e6)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
