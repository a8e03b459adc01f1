//! The explanation of a procedure: what each step is and which commands do the same by hand, told without looking at
//! anything.
//!
//! The procedure is called, several times, in a mode in which nothing happens: steps are described, and everything that it
//! would learn from the world is made up, now so and now otherwise, so that it comes by as many of its steps as it can.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{MutexGuard, Once};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Mode, Scope, locked};
use crate::imagine::{Mood, imagine};
use crate::{CheckRole, Description, Error, ErrorKind, Finding, Item, ItemKind, Outline, Record, Result};

/// What the steps and checks of a procedure say of themselves, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Those that were come by. What hangs on the state of the world may be missing.
    pub steps: Vec<Explained>,
}

/// What one step, check or question to a person says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Its title, with those of the scopes around it.
    pub title: Vec<String>,
    /// Where it happens, when that is not where the procedure begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether it asks rather than changes.
    pub asks: bool,
    /// What it does.
    #[serde(flatten)]
    pub what: Description,
    /// Which of the calls came by it; the first ones make up less.
    #[serde(skip)]
    pub(crate) call: usize,
}

impl Explanation {
    /// With what another explanation of the procedure has and this one has not.
    pub fn and(mut self, other: Self) -> Self {
        let later = self.steps.iter().map(|step| step.call + 1).max().unwrap_or_default();
        self.add(other.steps.into_iter().map(|step| Explained { call: step.call + later, ..step }).collect());
        self
    }

    /// Adds what has a title that is new, behind what came before it.
    fn add(&mut self, steps: Vec<Explained>) {
        let known = self.steps.clone();
        let mut at = 0;
        for step in steps {
            let same = |old: &Explained| old.title == step.title;
            if known.iter().any(same) {
                let after = self.steps.iter().skip(at).position(same).map(|found| at + found);
                at = after.or_else(|| self.steps.iter().position(same)).map_or(at, |found| found + 1);
            } else if !self.steps.contains(&step) {
                self.steps.insert(at, step);
                at += 1;
            }
        }
    }
}

/// One call of a procedure that is explained.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    pub(crate) steps: Vec<Explained>,
    /// How many answers it decided by.
    pub(crate) asked: usize,
    /// Which of them, counted from 0, are bad.
    bad: Vec<usize>,
    /// How many checks it could have failed at.
    checked: usize,
    /// Which of them, counted from 0, fails: what is done about that is told too.
    fails: Option<usize>,
    mood: Mood,
    call: usize,
    /// The host the procedure begins on.
    pub(crate) base: String,
    effects: usize,
    /// It went on for longer than makes sense.
    pub(crate) left: bool,
    /// It goes round and round, and is dropped.
    pub(crate) enough: CancellationToken,
}

/// How much one call may do.
const MOST_EFFECTS: usize = 1_000;
/// How often a procedure is called.
const MOST_CALLS: usize = 240;
/// How many checks are made to fail.
const MOST_FAILURES: usize = 40;
/// How long one call may take, as it may wait by itself.
const LONGEST: Duration = Duration::from_millis(250);
/// How many calls may go on for longer than makes sense.
const MOST_LEFT: usize = 3;

/// Calls a procedure with one sketch after the other. Which answers are bad follows from what was asked: first none, then
/// each by itself, then those that were asked only because of it.
pub(crate) async fn explore(
    outline: &Outline,
    mut call: impl AsyncFnMut(Sketch) -> Result<Sketch>,
) -> Result<Explanation> {
    quiet();
    let mut explanation = Explanation::default();
    let (mut calls, mut left, mut checks) = (0, 0, 0);
    for mood in moods(outline) {
        let mut waiting = VecDeque::from([(Vec::new(), 0)]);
        while let Some((bad, known)) = waiting.pop_front().filter(|_| calls < MOST_CALLS && left < MOST_LEFT) {
            let sketch = Sketch { mood: mood.clone(), bad: bad.clone(), call: calls, ..Sketch::default() };
            let sketch = EXPLAINING.scope((), call(sketch)).await?;
            waiting.extend((known..sketch.asked).map(|next| ([&bad[..], &[next]].concat(), sketch.asked)));
            explanation.add(sketch.steps);
            calls += 1;
            left += usize::from(sketch.left);
            checks = checks.max(sketch.checked);
        }
    }
    for fails in (0..checks.min(MOST_FAILURES)).map(Some) {
        if left >= MOST_LEFT {
            break;
        }
        let sketch = EXPLAINING.scope((), call(Sketch { fails, call: calls, ..Sketch::default() })).await?;
        explanation.add(sketch.steps);
        calls += 1;
        left += usize::from(sketch.left);
    }
    Ok(explanation)
}

fn moods(outline: &Outline) -> Vec<Mood> {
    let mut words = Vec::new();
    decides_by(outline.items, &mut words);
    vec![
        Mood::default(),
        Mood { words, ..Mood::default() },
        Mood { sparse: true, ..Mood::default() },
        Mood { digits: true, ..Mood::default() },
        Mood { digits: true, sparse: true, ..Mood::default() },
        Mood { shallow: true, ..Mood::default() },
        Mood { variant: 1, ..Mood::default() },
        Mood { variant: 2, digits: true, ..Mood::default() },
        Mood { variant: 3, ..Mood::default() },
    ]
}

/// The texts in conditions: `code.changed("migrations")`.
fn decides_by(items: &[Item], words: &mut Vec<String>) {
    for item in items {
        if matches!(item.kind, ItemKind::If | ItemKind::Else | ItemKind::Match | ItemKind::Arm) {
            let quoted = item.title.split('"').skip(1).step_by(2).map(str::to_owned);
            words.extend(quoted.filter(|word| !word.is_empty()));
        }
        decides_by(item.items, words);
    }
}

/// Calls a procedure, for as long as it makes sense; whether it ended by then.
pub(crate) async fn for_a_while(enough: CancellationToken, call: impl Future) -> bool {
    tokio::select! {
        biased;
        _ = call => true,
        () = enough.cancelled() => false,
        () = tokio::time::sleep(LONGEST) => false,
    }
}

tokio::task_local! {
    /// Set while a procedure works with made up values, which it may well panic about.
    static EXPLAINING: ();
}

/// Panics about made up values are no news.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if EXPLAINING.try_with(|()| ()).is_err() {
                loud(panic);
            }
        }));
    });
}

impl Engine {
    /// Notes what a step, a check or a question says of itself.
    pub(crate) async fn explain(&self, scope: &Scope, host: &str, title: &str, asks: bool, what: Description) {
        self.sketched(|sketch| {
            let mut titles = scope.titles();
            titles.push(title.to_owned());
            let host = (host != sketch.base).then(|| host.to_owned());
            sketch.steps.push(Explained { title: titles, host, asks, what, call: sketch.call });
        })
        .await;
    }

    /// The answer to a check that is explained. Only what the procedure decides by may be bad.
    pub(crate) async fn imagine_answer(&self, role: CheckRole) -> Finding {
        let decides = matches!(role, CheckRole::Probe | CheckRole::Observe);
        let asked = |sketch: &mut Sketch| {
            let bad = decides && sketch.bad.contains(&sketch.asked);
            sketch.asked += usize::from(decides);
            let fails = role == CheckRole::Check && sketch.fails == Some(sketch.checked);
            sketch.checked += usize::from(role == CheckRole::Check);
            bad || fails
        };
        let bad = self.sketched(asked).await.unwrap_or_default();
        Finding::of(!bad, "made up")
    }

    /// A value that the procedure would have looked at.
    pub(crate) async fn imagine_value<T: Record>(&self, name: &str) -> Result<T> {
        let mood = self.sketched(|sketch| sketch.mood.clone()).await.unwrap_or_default();
        imagine(name, &mood)
            .ok_or_else(|| Error::of(ErrorKind::Horizon, "what follows needs a value that cannot be made up"))
    }

    /// Whether nothing is looked at, and everything made up.
    pub(crate) fn is_explaining(&self) -> bool {
        matches!(self.mode, Mode::Explain(_))
    }

    /// The mood of the sketch.
    pub(crate) fn mood(&self) -> Mood {
        self.sketch().map(|sketch| sketch.mood.clone()).unwrap_or_default()
    }

    /// The sketch being made, when this execution explains.
    pub(crate) fn sketch(&self) -> Option<MutexGuard<'_, Sketch>> {
        match &self.mode {
            Mode::Explain(sketch) => Some(locked(sketch)),
            _ => None,
        }
    }

    /// Notes something in the sketch. Whoever does too much waits here until the call is dropped.
    async fn sketched<T>(&self, note: impl FnOnce(&mut Sketch) -> T) -> Option<T> {
        let (noted, enough) = {
            let mut sketch = self.sketch()?;
            sketch.effects += 1;
            let noted = note(&mut sketch);
            (noted, (sketch.effects > MOST_EFFECTS).then(|| sketch.enough.clone()))
        };
        if let Some(enough) = enough {
            enough.cancel();
            std::future::pending::<()>().await;
        }
        Some(noted)
    }
}

#[cfg(test)]
mod tests;
