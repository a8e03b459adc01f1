//! The axis of time: where a moment lies between the left and the right edge of the page.

use std::time::Duration;

use jiff::Timestamp;

use super::super::summary::since;
use super::super::{Node, Summary};

/// The time of a run from left to right, in percent. A long time in which nothing went on is cut short, so that a run that
/// waited over night for an answer can still be read.
#[derive(Debug)]
pub(super) struct Axis {
    pieces: Vec<Piece>,
}

/// A part of the axis, on which time goes evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Where it lies, in percent.
    pub(super) left: f64,
    pub(super) width: f64,
    /// Whether it is cut short: nothing went on.
    pub(super) is_pause: bool,
}

/// A moment with a label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Where it lies, in percent.
    pub(super) left: f64,
    pub(super) label: String,
}

/// How wide a pause is, in percent, and how many of them are cut short.
const PAUSE: f64 = 5.0;
const PAUSES: usize = 8;

/// A pause that is not longer than this is not worth a cut.
const SHORT: Duration = Duration::from_secs(20);

/// How many labels there are at most.
const TICKS: u32 = 7;

/// Steps between labels, in milliseconds.
const STEPS: [u64; 24] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
    1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000,
];

impl Axis {
    /// The axis of a run.
    pub(super) fn of(summary: &Summary) -> Self {
        let first = summary.first().or(summary.last).unwrap_or_default();
        let last = summary.last.unwrap_or(first).max(first);
        let busy = busy(summary, first, last);
        Self { pieces: pieces(first, last, &busy) }
    }

    /// Where a moment lies, in percent.
    pub(super) fn place(&self, at: Timestamp) -> f64 {
        let piece = self.pieces.iter().find(|piece| at <= piece.to).or(self.pieces.last());
        piece.map_or(0.0, |piece| piece.place(at))
    }

    /// Where something that lasts lies: its left edge and its width.
    pub(super) fn span(&self, from: Timestamp, to: Timestamp) -> (f64, f64) {
        let left = self.place(from);
        (left, (self.place(to) - left).max(0.0))
    }

    /// The parts that are cut short.
    pub(super) fn pauses(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().filter(|piece| piece.is_pause)
    }

    /// The labels, at round times of the day.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let busy: Duration = self.pieces.iter().filter(|piece| !piece.is_pause).map(Piece::long).sum();
        let fits = |step: &&u64| busy.as_millis() <= u128::from(**step) * u128::from(TICKS);
        let step =
            STEPS.iter().find(fits).copied().unwrap_or(86_400_000 * (1 + busy.as_secs() / 86_400 / u64::from(TICKS)));
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.pieces.iter().filter(|piece| !piece.is_pause).flat_map(|piece| piece.ticks(step)).collect()
    }
}

impl Piece {
    fn long(&self) -> Duration {
        since(self.from, self.to)
    }

    fn place(&self, at: Timestamp) -> f64 {
        let whole = self.long().as_secs_f64();
        let share = if whole > 0.0 { since(self.from, at).as_secs_f64() / whole } else { 0.0 };
        self.left + self.width * share.clamp(0.0, 1.0)
    }

    fn ticks(&self, step: i64) -> Vec<Tick> {
        let first = (self.from.as_millisecond() + step - 1).div_euclid(step) * step;
        let format = match step {
            ..100 => "%H:%M:%S%.2f",
            100..1_000 => "%H:%M:%S%.1f",
            _ => "%H:%M:%S",
        };
        let moments = (0..).map(|n| first + n * step).take_while(|at| *at <= self.to.as_millisecond());
        let moments = moments.take(2 * TICKS as usize).filter_map(|at| Timestamp::from_millisecond(at).ok());
        moments.map(|at| Tick { left: self.place(at), label: at.strftime(format).to_string() }).collect()
    }
}

/// When anything went on, merged and in order.
fn busy(summary: &Summary, first: Timestamp, last: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let leaves = summary.nodes().iter().filter(|node| !node.is_scope());
    let mut spans: Vec<(Timestamp, Timestamp)> = leaves.flat_map(spans_of).collect();
    spans.extend([(first, first), (last, last)]);
    spans.sort_unstable();
    let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, to) in spans {
        match merged.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => merged.push((from, to)),
        }
    }
    merged
}

fn spans_of(node: &Node) -> Vec<(Timestamp, Timestamp)> {
    let undone = node.acts().iter().map(|act| (act.at, end_of(act.at, act.took)));
    undone.chain([(node.at, node.end.unwrap_or(node.at))]).collect()
}

/// When something that began then and took so long was over.
pub(super) fn end_of(at: Timestamp, took: Option<Duration>) -> Timestamp {
    took.and_then(|took| at.checked_add(took).ok()).unwrap_or(at)
}

/// The axis in pieces: where things went on, and the long pauses between, cut short.
fn pieces(first: Timestamp, last: Timestamp, busy: &[(Timestamp, Timestamp)]) -> Vec<Piece> {
    let active: Duration = busy.iter().map(|(from, to)| since(*from, *to)).sum();
    let long = active.max(SHORT);
    let gaps = busy.windows(2).map(|pair| (pair[0].1, pair[1].0));
    let pauses: Vec<_> = gaps.filter(|(from, to)| since(*from, *to) > long).take(PAUSES).collect();
    let cut: Duration = pauses.iter().map(|(from, to)| since(*from, *to)).sum();
    let shown = since(first, last).saturating_sub(cut).as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "there are a few of them")]
    let room = 100.0 - PAUSE * pauses.len() as f64;
    let (mut pieces, mut at, mut left) = (Vec::new(), first, 0.0);
    let mut add = |from, to, width: f64, is_pause| {
        pieces.push(Piece { from, to, left, width, is_pause });
        left += width;
    };
    let width = |from, to| if shown > 0.0 { since(from, to).as_secs_f64() / shown * room } else { room };
    for (from, to) in pauses {
        add(at, from, width(at, from), false);
        add(from, to, PAUSE, true);
        at = to;
    }
    add(at, last, width(at, last), false);
    pieces
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn time_goes_evenly_from_edge_to_edge() {
        let summary: Summary = sample::put_back().iter().collect();
        let axis = Axis::of(&summary);
        let first = summary.first().expect("it began");
        assert!((axis.place(first)).abs() < 1e-9);
        assert!((axis.place(summary.last.expect("it ended")) - 100.0).abs() < 1e-9);
        let middle = first + summary.span().expect("it lasted") / 2;
        assert!((axis.place(middle) - 50.0).abs() < 1e-9);
        assert_eq!(axis.pauses().count(), 0);
    }

    #[test]
    fn labels_are_at_round_times_and_few() {
        let (from, to) = (at("2026-01-01T10:00:03.2Z"), at("2026-01-01T10:04:12Z"));
        let axis = Axis { pieces: pieces(from, to, &[(from, to)]) };
        let labels: Vec<_> = axis.ticks().into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["10:01:00", "10:02:00", "10:03:00", "10:04:00"]);
        let to = at("2026-01-01T10:00:03.9Z");
        let axis = Axis { pieces: pieces(from, to, &[(from, to)]) };
        assert_eq!(axis.ticks().first().map(|tick| tick.label.clone()), Some("10:00:03.2".to_owned()));
        assert!(axis.ticks().len() <= 8);
    }

    #[test]
    fn a_night_of_waiting_takes_little_room() {
        let (evening, asked) = (at("2026-01-01T18:00:00Z"), at("2026-01-01T18:01:00Z"));
        let (answered, end) = (at("2026-01-02T09:00:00Z"), at("2026-01-02T09:01:00Z"));
        let axis = Axis { pieces: pieces(evening, end, &[(evening, asked), (answered, end)]) };
        let pause = axis.pauses().next().expect("a pause");
        assert_eq!((pause.from, pause.to), (asked, answered));
        assert!((axis.place(asked) - 47.5).abs() < 1e-9, "{axis:?}");
        assert!((axis.place(answered) - 52.5).abs() < 1e-9, "{axis:?}");
        assert!((axis.place(end) - 100.0).abs() < 1e-9, "{axis:?}");
    }
}
