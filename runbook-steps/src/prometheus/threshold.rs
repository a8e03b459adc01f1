//! A limit, now or all through a window.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Result};

use super::number::Number;
use super::server::Said;
use super::{Point, Query, Series};

/// In how many steps a window is looked at.
const STEPS: u32 = 20;

/// An expression with a limit: the check of [`Query::below`] and its like.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Threshold {
    query: Query,
    side: Side,
    limit: f64,
    window: Option<Duration>,
    every: Option<Duration>,
}

/// On which side of its limit a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Threshold {
    pub(super) fn new(query: Query, side: Side, limit: f64) -> Self {
        Self { query, side, limit, window: None, every: None }
    }

    /// All through the last while, not only now. A gap in it is *unknown*.
    pub fn over(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// Looks at the window this often, instead of in twenty steps.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = Some(every);
        self
    }

    fn holds(&self, value: f64) -> bool {
        match self.side {
            Side::Below => value < self.limit,
            Side::AtMost => value <= self.limit,
            Side::Above => value > self.limit,
            Side::AtLeast => value >= self.limit,
        }
    }

    fn wanted(&self) -> String {
        format!("{} {}", self.side, Number(self.limit))
    }

    /// What is asked of the server: nothing but now, or a window in steps.
    async fn ask(&self, cx: &Context) -> Result<(Said<Vec<Series>>, Option<Grid>)> {
        let Query { prometheus, expression } = &self.query;
        let Some(window) = self.window else { return Ok((prometheus.instant(cx, expression).await?, None)) };
        let grid = Grid::new(prometheus.time(cx).await?, window, self.every);
        Ok((prometheus.range(cx, expression, (grid.from, grid.to, grid.step)).await?, Some(grid)))
    }

    fn judge(&self, series: &[Series], grid: Option<Grid>) -> Finding {
        let verdicts: Vec<Verdict> = series.iter().map(|one| self.judge_one(one, grid)).collect();
        let of = |rank: Rank| verdicts.iter().filter(move |verdict| verdict.rank == rank);
        let bad = [Rank::Beyond, Rank::Unclear].into_iter().find(|rank| of(*rank).next().is_some());
        let rank = bad.unwrap_or(Rank::Fine);
        let mut lines = of(rank).map(|verdict| verdict.words.clone());
        let first = lines.next().unwrap_or_default();
        let more = series.len() - 1;
        let summary = match (rank, more) {
            (Rank::Fine, 1..) => format!("{first}; {more} more series hold too"),
            (Rank::Fine, 0) => first,
            _ => format!("{first}; wanted {}", self.wanted()),
        };
        let evidence = Evidence::new(summary).lines(lines.take(10));
        match rank {
            Rank::Beyond => Finding::Fail(evidence),
            Rank::Unclear => Finding::Unknown(evidence),
            Rank::Fine => Finding::Pass(evidence),
        }
    }

    /// One value beyond the limit is known, whatever is missing beside it.
    fn judge_one(&self, series: &Series, grid: Option<Grid>) -> Verdict {
        let name = if series.labels.0.is_empty() { self.query.expression.clone() } else { series.labels.to_string() };
        let numbers = || series.points.iter().filter(|point| !point.value.is_nan());
        let beyond: Vec<&Point> = numbers().filter(|point| !self.holds(point.value)).collect();
        let all = grid.map_or(1, |grid| grid.points);
        if let Some(worst) = beyond.iter().max_by(|a, b| self.distance(a).total_cmp(&self.distance(b))) {
            let over = grid.map_or_else(String::new, |grid| {
                format!(" {}, and beyond at {} of {all} times", grid.ago(worst), beyond.len())
            });
            return Verdict::new(Rank::Beyond, format!("{name} is {}{over}", Number(worst.value)));
        }
        let odd = series.points.len() - numbers().count();
        if odd > 0 {
            let share = if all == 1 { String::new() } else { format!(" at {odd} of {all} times") };
            return Verdict::new(Rank::Unclear, format!("{name} is not a number{share}"));
        }
        let gap = grid.and_then(|grid| grid.gap(&series.points));
        if let Some(gap) = gap {
            return Verdict::new(Rank::Unclear, format!("{name} {gap}"));
        }
        let least = numbers().map(|point| point.value).fold(f64::INFINITY, f64::min);
        let most = numbers().map(|point| point.value).fold(f64::NEG_INFINITY, f64::max);
        let value = match grid {
            Some(grid) => format!("was {} to {} for {:?}", Number(least), Number(most), grid.window()),
            None => format!("is {}", Number(most)),
        };
        Verdict::new(Rank::Fine, format!("{name} {value}, {}", self.wanted()))
    }

    fn distance(&self, point: &Point) -> f64 {
        (point.value - self.limit).abs()
    }
}

/// How one series stands to the limit.
struct Verdict {
    rank: Rank,
    words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Fine,
    Unclear,
    Beyond,
}

impl Verdict {
    fn new(rank: Rank, words: String) -> Self {
        Self { rank, words }
    }
}

/// The times at which a window is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Grid {
    from: f64,
    to: f64,
    step: f64,
    points: usize,
}

impl Grid {
    fn new(now: f64, window: Duration, every: Option<Duration>) -> Self {
        let step = every.unwrap_or_else(|| window / STEPS).max(Duration::from_millis(100));
        let steps = (window.as_secs_f64() / step.as_secs_f64()).floor().max(1.0);
        let length = steps * step.as_secs_f64();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a small whole number")]
        let points = steps as usize + 1;
        // The server counts in milliseconds.
        let now = (now * 1000.0).floor() / 1000.0;
        Self { from: now - length, to: now, step: step.as_secs_f64(), points }
    }

    fn window(&self) -> Duration {
        Duration::from_secs_f64(((self.to - self.from) * 1000.0).round() / 1000.0)
    }

    fn ago(&self, point: &Point) -> String {
        let seconds = (self.to - point.at).max(0.0);
        if seconds < 1.0 { "now".to_owned() } else { format!("{} s ago", Number(seconds.round())) }
    }

    /// Where values are missing, in words: they stopped coming, or they come with gaps.
    fn gap(&self, points: &[Point]) -> Option<String> {
        let last = points.last()?;
        if last.at < self.to - self.step / 2.0 {
            return Some(format!("is stale: its last value is of {}", self.ago(last)));
        }
        let missing = self.points.saturating_sub(points.len());
        (missing > 0).then(|| format!("has no data at {missing} of {} times within {:?}", self.points, self.window()))
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Below => "below",
            Self::AtMost => "at most",
            Self::Above => "above",
            Self::AtLeast => "at least",
        })
    }
}

#[async_trait]
impl Check for Threshold {
    fn describe(&self) -> Description {
        let over = self.window.map_or_else(String::new, |window| format!(" all through {window:?}"));
        self.query.description("prometheus.threshold", &format!("is {}{over}", self.wanted()))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let (said, grid) = self.ask(cx).await?;
        if said.data.is_empty() {
            return Ok(Finding::Unknown(self.query.why_no_data(cx).await));
        }
        let finding = self.judge(&said.data, grid);
        // What the server calls incomplete may hide the one series that is beyond.
        if finding.passes() && !said.warnings.is_empty() {
            let summary = format!("{}, but the server warns", finding.evidence().summary);
            return Ok(Finding::unknown(Evidence::new(summary).lines(said.warnings)));
        }
        Ok(finding)
    }
}
