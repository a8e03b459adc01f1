//! Scenarios: one way in which a run goes wrong.

use std::fmt;

use crate::Key;

use super::Played;
use crate::testing::drill::{Act, At, Counted, Drill, Fault, How, Moment, Tick};
use crate::testing::inspector::Look;

/// One way in which a run goes wrong, and what is done then.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    /// The step it is about.
    pub(super) key: Option<Key>,
    pub(super) kind: Kind,
    pub(super) faults: Vec<Fault>,
    pub(super) die_after: Option<usize>,
    pub(super) then: Then,
    /// Whether a death loses what the journal need not have on the disk.
    pub(super) lossy: bool,
    pub(super) look: Look,
    /// For people: "apply failed at operation 2".
    pub(super) words: String,
}

/// The columns of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    SurveyFails,
    FailsBefore,
    FailsHalfWay,
    FailsAfter,
    RunnerDies,
    UndoFails,
    DiesInUndo,
    Twice,
}

/// What follows when the runner has died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    Continue,
    Back,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::SurveyFails,
        Self::FailsBefore,
        Self::FailsHalfWay,
        Self::FailsAfter,
        Self::RunnerDies,
        Self::UndoFails,
        Self::DiesInUndo,
        Self::Twice,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SurveyFails => "survey fails",
            Self::FailsBefore => "fails before",
            Self::FailsHalfWay => "fails half way",
            Self::FailsAfter => "fails after",
            Self::RunnerDies => "runner dies",
            Self::UndoFails => "undo fails",
            Self::DiesInUndo => "dies in undo",
            Self::Twice => "done twice",
        })
    }
}

impl Scenario {
    /// Nothing goes wrong.
    pub(super) fn plain(look: Look) -> Self {
        Self {
            key: None,
            kind: Kind::Twice,
            faults: Vec::new(),
            die_after: None,
            then: Then::Nothing,
            lossy: false,
            look,
            words: "nothing went wrong".to_owned(),
        }
    }

    /// The change of this step happens, and then the step fails.
    pub(super) fn failing_at_end_of(key: &Key) -> Self {
        let moment = Moment { key: key.clone(), act: Act::Apply, nth: 0, at: At::End };
        Self {
            key: Some(key.clone()),
            kind: Kind::FailsAfter,
            faults: vec![Fault { moment, how: How::Fail, after: None }],
            words: "`apply` failed at its very end".to_owned(),
            ..Self::plain(Look::Away)
        }
    }

    pub(super) fn drill(&self) -> Drill {
        let drill = Drill::new(self.faults.clone());
        match self.die_after {
            Some(count) => drill.dying_after(count),
            None => drill,
        }
    }

    /// The same, looked at in another way.
    pub(super) fn looking(&self, look: Look) -> Self {
        Self { look, ..self.clone() }
    }

    fn failing(tick: &Tick, after: Option<u64>) -> Self {
        let moment = tick.moment.clone();
        Self {
            key: Some(moment.key.clone()),
            kind: kind_of(&moment, after),
            words: format!("`{}` failed {}", moment.act, Place { at: moment.at, after }),
            faults: vec![Fault { moment, how: How::Fail, after }],
            ..Self::plain(Look::Away)
        }
    }

    fn with(mut self, earlier: &Scenario) -> Self {
        self.words = format!("after {}, {}", earlier.words, self.words);
        self.faults.extend(earlier.faults.clone());
        self
    }

    /// The runner dies, and the run is resumed: forwards and backwards, with and without what it had not made sure of.
    fn then_resumed(self) -> impl Iterator<Item = Self> {
        let ways = [(Then::Continue, false), (Then::Continue, true), (Then::Back, false), (Then::Back, true)];
        ways.into_iter().map(move |(then, lossy)| {
            let way = if then == Then::Back { "backwards" } else { "forwards" };
            let tail = if lossy { ", the journal lost what was not synced" } else { "" };
            let words = format!("{}; resumed {way}{tail}", self.words);
            Self { then, lossy, words, ..self.clone() }
        })
    }
}

/// What can go wrong in a run that went well.
pub(super) fn of_base(base: &Played) -> Vec<Scenario> {
    let mut all: Vec<_> = base.ticks.iter().flat_map(failures).collect();
    all.extend(deaths(base, |_| true, Kind::RunnerDies));
    for key in base.applied() {
        let words = "`apply` was done twice".to_owned();
        let twice = Scenario { key: Some(key.clone()), words, ..Scenario::plain(Look::ApplyTwice(key)) };
        all.push(twice);
    }
    all
}

/// What can go wrong in the undo of one step. When the last step fails, that of each other one can fail before anything,
/// and the runner can die in it.
pub(super) fn of_undo(key: &Key, last: bool, broken: &Scenario, failed: &Played) -> Vec<Scenario> {
    let undoing = |tick: &&Tick| matches!(tick.moment.act, Act::Rollback | Act::Settle);
    let own = |tick: &&Tick| tick.moment.key == *key;
    let before = |tick: &&Tick| last && !own(tick) && tick.moment.at == At::Begin;
    let ticks = failed.ticks.iter().filter(undoing).filter(|tick| own(tick) || before(tick));
    let mut all: Vec<_> = ticks.flat_map(failures).map(|scenario| scenario.with(broken)).collect();
    let undoes = |counted: &Counted| {
        matches!(counted.act, Some(Act::Rollback | Act::Settle)) || counted.what.ends_with("rolling back")
    };
    let from = failed.counted.iter().position(undoes).unwrap_or(usize::MAX);
    let deaths = deaths(failed, |n| n >= from, Kind::DiesInUndo).into_iter();
    let ours = deaths.filter(|death| last || death.key.as_ref().is_none_or(|of| of == key || of.is_root()));
    all.extend(ours.map(|death| Scenario { key: Some(key.clone()), ..death.with(broken) }));
    if failed.ticks.iter().any(|tick| tick.moment.act == Act::Rollback && own(&tick)) {
        let words = "`rollback` was done twice".to_owned();
        let twice = Scenario { kind: Kind::Twice, look: Look::RollbackTwice(key.clone()), words, ..broken.clone() };
        all.push(twice);
    }
    all
}

/// A failure at this moment, and after each change that is made there.
fn failures(tick: &Tick) -> Vec<Scenario> {
    match tick.moment.at {
        At::Operation(_) => {
            let after = (1..=tick.changes).map(Some);
            std::iter::once(None).chain(after).map(|after| Scenario::failing(tick, after)).collect()
        }
        At::End if tick.moment.act == Act::Survey => Vec::new(),
        _ => vec![Scenario::failing(tick, None)],
    }
}

/// A death after everything that was done and left something different, and between the changes of one operation.
fn deaths(played: &Played, such: impl Fn(usize) -> bool, kind: Kind) -> Vec<Scenario> {
    let counted = played.counted.iter().enumerate().filter(|(n, counted)| counted.changed && such(*n));
    let whole = counted.map(|(n, counted)| Scenario {
        key: counted.key.clone(),
        kind,
        die_after: Some(n + 1),
        words: format!("the runner died after `{}`", counted.what),
        ..Scenario::plain(Look::Away)
    });
    let undo = kind == Kind::DiesInUndo;
    let torn =
        played.ticks.iter().filter(|tick| matches!(tick.moment.act, Act::Rollback | Act::Settle) == undo || !undo);
    let torn = torn.flat_map(|tick| (1..tick.changes).map(move |after| (tick, after))).map(|(tick, after)| Scenario {
        key: Some(tick.moment.key.clone()),
        kind,
        faults: vec![Fault { moment: tick.moment.clone(), how: How::Die, after: Some(after) }],
        words: format!("the runner died in `{}` {}", tick.moment.act, Place { at: tick.moment.at, after: Some(after) }),
        ..Scenario::plain(Look::Away)
    });
    whole.chain(torn).flat_map(Scenario::then_resumed).collect()
}

fn kind_of(moment: &Moment, after: Option<u64>) -> Kind {
    match (moment.act, moment.at) {
        (Act::Survey, _) => Kind::SurveyFails,
        (Act::Rollback | Act::Settle, _) => Kind::UndoFails,
        (Act::Apply, At::Begin) => Kind::FailsBefore,
        (Act::Apply, At::Operation(0)) if after.is_none() => Kind::FailsBefore,
        (Act::Apply, At::Operation(_)) => Kind::FailsHalfWay,
        (Act::Apply, At::End) => Kind::FailsAfter,
    }
}

/// Where in an act something goes wrong, for people.
struct Place {
    at: At,
    after: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.at, self.after) {
            (At::Begin, _) => f.write_str("before anything"),
            (At::End, _) => f.write_str("at its very end"),
            (At::Operation(n), None) => write!(f, "before operation {}", n + 1),
            (At::Operation(n), Some(after)) => write!(f, "in operation {}, after change {after}", n + 1),
        }
    }
}
