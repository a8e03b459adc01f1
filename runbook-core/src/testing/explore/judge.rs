//! Judging: whether the world ended all new or all old, or what was left is named, and which law was broken if not.

use crate::event::{LeftBecause, RunEnded, StepEnd, What};
use crate::{Description, Key, Outcome, Resource};

use super::scenario::{Kind, Scenario, Then};
use super::{Explorer, Law, Played, Report};
use crate::testing::drill::{Act, At};
use crate::testing::inspector::{Look, covers};
use crate::testing::world::Difference;

/// How the world ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    Old,
    /// Something is left, and named.
    Named,
    /// The procedure went another way, and that way was whole.
    OtherWay,
    /// Neither.
    Broken(String, Vec<Difference>),
    /// An undo that failed was not made good by a resume.
    StillLeft(Vec<Difference>),
}

/// Knows the world before the run and after one in which nothing went wrong.
pub(super) struct Judge<'a> {
    explorer: &'a Explorer,
    base: &'a Played,
}

impl<'a> Judge<'a> {
    pub(super) fn new(explorer: &'a Explorer, base: &'a Played) -> Self {
        Self { explorer, base }
    }

    /// Judges the run in which nothing went wrong.
    pub(super) fn judge_base(&self, report: &mut Report, base: &Played) {
        for (key, _) in base.steps() {
            report.step(&key, base.title(&key).unwrap_or_default());
        }
        let back = base.ended().is_some_and(|ended| ended.outcome == Outcome::RolledBack);
        let differences = base.differences(&base.old);
        if back && !differences.is_empty() && base.ended().is_some_and(|ended| ended.left.is_empty()) {
            self.diagnose(report, &Scenario::plain(Look::Away), "it was rolled back", differences);
        }
    }

    /// Plays a scenario, and enters its verdict.
    pub(super) fn play(&self, report: &mut Report, scenario: &Scenario) {
        let played = self.explorer.play(scenario);
        // A scenario that never came to its point says nothing, nor does a loss of nothing.
        if !played.struck || (scenario.lossy && !played.lost) {
            return;
        }
        report.add_findings(&played);
        let verdict = self.verdict(scenario, &played);
        if let Some(key) = &scenario.key {
            report.enter(key, scenario.kind, &verdict);
        }
        match verdict {
            Verdict::Broken(why, differences) => {
                self.diagnose(report, scenario, &format!("{}: {why}", scenario.words), differences);
            }
            Verdict::StillLeft(differences) => {
                let why =
                    format!("{}; then the run was resumed, and the rollback still was not complete", scenario.words);
                report.breach(Law::UndoIsMadeGood, self.blame(scenario, &differences), why, differences);
            }
            _ => {}
        }
    }

    fn verdict(&self, scenario: &Scenario, played: &Played) -> Verdict {
        let Some(ended) = played.ended() else { return Verdict::Broken(played.words(), Vec::new()) };
        let old = played.differences(&self.base.old);
        let new = played.differences(&self.base.end);
        let named: Vec<_> = ended.left.iter().map(|left| left.key.clone()).collect();
        if let Some(why) = undo_failed(scenario, ended) {
            return Verdict::Broken(why, old);
        }
        let after = played.second.as_ref().map(|world| self.base.old.diff(world)).unwrap_or_default();
        match ended.outcome {
            Outcome::Done if new.is_empty() => Verdict::New,
            // The end of a hold that failed.
            Outcome::Done if !named.is_empty() && self.is_named(&named, &new) => Verdict::Named,
            Outcome::Done if self.is_other_way(scenario, played) => Verdict::OtherWay,
            Outcome::Done => Verdict::Broken("the run says it is done, but the world is not all new".into(), new),
            _ if old.is_empty() => Verdict::Old,
            // Irreversible steps stay, and a resumed rollback leaves nothing else.
            _ if !named.is_empty() && self.is_named(&named, &old) => {
                if after.is_empty() || self.is_named(&named, &after) && !lost(ended) {
                    Verdict::Named
                } else {
                    Verdict::StillLeft(after)
                }
            }
            Outcome::RollbackIncomplete => Verdict::Broken("what is left is more than what is named".into(), old),
            outcome => Verdict::Broken(
                format!("the run says `{}`, but the world is neither all old nor all new", outcome.words()),
                old,
            ),
        }
    }

    /// Whether the differences are what these steps wrote, or what steps that read it made of it.
    fn is_named(&self, named: &[Key], differences: &[Difference]) -> bool {
        let steps = self.base.steps();
        let of = |key: &&Key| steps.iter().find(|(known, _)| known == *key).map(|(_, what)| what);
        let writes = |what: &Description| what.writes.clone();
        let left: Vec<Resource> = named.iter().filter_map(|key| of(&key)).flat_map(writes).collect();
        let reads_left =
            |what: &&Description| what.reads.iter().any(|read| left.iter().any(|left| left.overlaps(read)));
        let made_of_it = steps.iter().map(|(_, what)| what).filter(reads_left).flat_map(writes);
        let all: Vec<Resource> = left.iter().cloned().chain(made_of_it).collect();
        differences.iter().all(|difference| covers(&all, difference))
    }

    /// Whether the procedure goes the same way when the step cannot even begin.
    fn is_other_way(&self, scenario: &Scenario, played: &Played) -> bool {
        let Some(fault) = scenario.faults.first().filter(|fault| fault.moment.act == Act::Apply) else { return false };
        let mut clean = scenario.clone();
        clean.faults.truncate(1);
        clean.faults[0].moment.at = At::Begin;
        clean.faults[0].after = None;
        let is_clean = fault.moment.at == At::Begin;
        let clean = self.explorer.play(&clean);
        is_clean || clean.ended().is_some_and(|ended| ended.outcome == Outcome::Done) && clean.end == played.end
    }

    /// Names the law that was broken: tries what would have been right, and sees whether that mends it.
    fn diagnose(&self, report: &mut Report, scenario: &Scenario, why: &str, differences: Vec<Difference>) {
        let mends = |look: Look| {
            let played = self.explorer.play(&scenario.looking(look));
            !matches!(self.verdict(scenario, &played), Verdict::Broken(..))
        };
        let key = self.blame(scenario, &differences);
        let forwards = scenario.then == Then::Continue;
        let undo_failed = self.explorer.play(scenario).ended().and_then(|ended| undo_failed(scenario, ended)).is_some();
        let law = if differences.is_empty() && !undo_failed {
            Law::Ends
        } else if mends(Look::FromMemory) {
            Law::BeforeSurvives
        } else if mends(Look::RollbackAsSettle) {
            Law::Settles
        } else if forwards && self.was_found_done(scenario, key.as_ref()) {
            Law::AlreadyIsTrue
        } else if forwards && scenario.kind == Kind::RunnerDies {
            Law::ApplyAgain
        } else {
            Law::RollbackPutsBack
        };
        report.breach(law, key, why.to_owned(), differences);
    }

    /// Whether the step said, when it was surveyed again, that it was done.
    fn was_found_done(&self, scenario: &Scenario, key: Option<&Key>) -> bool {
        let played = self.explorer.play(scenario);
        played.events.iter().any(|event| match &event.what {
            What::StepEnded { key: of, how, .. } => {
                Some(of) == key && matches!(how, StepEnd::FoundDone | StepEnd::Already)
            }
            _ => false,
        })
    }

    /// The step that wrote what is wrong, or else the one that was at work.
    fn blame(&self, scenario: &Scenario, differences: &[Difference]) -> Option<Key> {
        let steps = self.base.steps();
        let wrote = |(_, what): &&(Key, Description)| differences.iter().any(|one| covers(&what.writes, one));
        let writers: Vec<&Key> = steps.iter().filter(wrote).map(|(key, _)| key).collect();
        match &scenario.key {
            Some(key) if writers.contains(&key) || writers.is_empty() => Some(key.clone()),
            _ => writers.first().map(|key| (*key).clone()),
        }
    }
}

/// The undo that failed although nothing was done to it, nor to any other: a directory cannot be removed while what is in
/// it could not be.
fn undo_failed(scenario: &Scenario, ended: &RunEnded) -> Option<String> {
    if scenario.kind == Kind::UndoFails {
        return None;
    }
    ended.left.iter().find_map(|left| match &left.why {
        LeftBecause::UndoFailed(error) => Some(format!("the undo of `{}` failed: {error:#}", left.title)),
        _ => None,
    })
}

/// Whether something is left that could have been undone.
fn lost(ended: &RunEnded) -> bool {
    ended.outcome == Outcome::RollbackIncomplete
}
