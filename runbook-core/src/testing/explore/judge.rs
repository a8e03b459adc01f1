//! Judging: whether the world ended all new or all old, or what was left is named, and which law was broken if not.

use crate::event::{LeftBecause, RunEnded, StepEnd, What};
use crate::{Description, Key, Outcome, Resource};

use super::scenario::{Kind, Scenario, Then};
use super::{Explorer, Law, Played, Report};
use crate::testing::drill::{Act, At};
use crate::testing::inspector::{Look, covers};
use crate::testing::ran::Ending;
use crate::testing::world::{Difference, Place};

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
                report.breach(Law::UndoIsMadeGood, self.blame(scenario, &[], &differences), why, differences);
            }
            _ => {}
        }
    }

    fn verdict(&self, scenario: &Scenario, played: &Played) -> Verdict {
        let Some(ended) = played.ended() else { return Verdict::Broken(played.words(), Vec::new()) };
        let old = played.differences(&self.base.old);
        let new = played.differences(&self.base.end);
        let named = names(ended);
        if let Some(why) = undo_failed(scenario, ended) {
            return Verdict::Broken(why, old);
        }
        match ended.outcome {
            Outcome::Done if new.is_empty() => Verdict::New,
            // The end of a hold that failed.
            Outcome::Done if !named.is_empty() && self.is_named(&named, &new) => Verdict::Named,
            Outcome::Done if self.is_other_way(scenario, played) => Verdict::OtherWay,
            Outcome::Done => Verdict::Broken("the run says it is done, but the world is not all new".into(), new),
            _ if old.is_empty() => Verdict::Old,
            _ if !named.is_empty() && self.is_named(&named, &old) => self.second_verdict(played),
            Outcome::RollbackIncomplete => Verdict::Broken("what is left is more than what is named".into(), old),
            outcome => Verdict::Broken(
                format!("the run says `{}`, but the world is neither all old nor all new", outcome.words()),
                old,
            ),
        }
    }

    /// Whether a rollback that was not complete came to its end when the run was resumed. Irreversible steps stay.
    fn second_verdict(&self, played: &Played) -> Verdict {
        let Some((world, ending)) = &played.second else { return Verdict::Named };
        let after = self.base.old.diff(world);
        let complete = match ending {
            Ending::Finished(end) => {
                end.outcome() != Outcome::RollbackIncomplete && self.is_named(&names(&end.ended), &after)
            }
            _ => false,
        };
        if complete || after.is_empty() { Verdict::Named } else { Verdict::StillLeft(after) }
    }

    /// Whether the differences are what these steps wrote, or what steps that read it made of it.
    fn is_named(&self, named: &[Key], differences: &[Difference]) -> bool {
        let excused = self.excused(named);
        differences.iter().all(|difference| covers(&excused, difference))
    }

    /// What may be different when these steps are left.
    fn excused(&self, named: &[Key]) -> Vec<Resource> {
        let steps = self.base.steps();
        let writes = |(_, what): &(Key, Description)| what.writes.clone();
        let left: Vec<_> = steps.iter().filter(|(key, _)| named.contains(key)).flat_map(writes).collect();
        let reads_left = |(_, what): &&(Key, Description)| {
            what.reads.iter().any(|read| left.iter().any(|left: &Resource| left.overlaps(read)))
        };
        let made_of_it: Vec<_> = steps.iter().filter(reads_left).flat_map(writes).collect();
        left.into_iter().chain(made_of_it).collect()
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
        let key = self.blame(scenario, &hurt(scenario), &differences);
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

    /// The step that changed what is wrong, or else the one that was at work. What these steps are excused for is not wrong.
    fn blame(&self, scenario: &Scenario, excused: &[Key], differences: &[Difference]) -> Option<Key> {
        let excused = self.excused(excused);
        let wrong: Vec<_> = differences.iter().filter(|difference| !covers(&excused, difference)).collect();
        let touched = self.base.found.touched();
        let wrote = |(_, place): &&(Key, Place)| wrong.iter().any(|difference| difference.place == *place);
        let mut culprits = touched.iter().filter(wrote).map(|(key, _)| key);
        let own = scenario.key.as_ref().filter(|key| culprits.clone().any(|culprit| culprit == *key));
        own.or_else(|| culprits.next()).or(scenario.key.as_ref()).cloned()
    }
}

/// The steps whose undo was made to fail.
fn hurt(scenario: &Scenario) -> Vec<Key> {
    let undo = scenario.faults.iter().filter(|fault| matches!(fault.moment.act, Act::Rollback | Act::Settle));
    undo.map(|fault| fault.moment.key.clone()).collect()
}

/// The steps that are left behind.
fn names(ended: &RunEnded) -> Vec<Key> {
    ended.left.iter().map(|left| left.key.clone()).collect()
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
