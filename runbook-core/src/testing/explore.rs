//! Exploring: a procedure is run once for every way in which it can go wrong.

use std::sync::Arc;

use crate::event::{RunEnded, What};
use crate::{Description, Finished, Key, Outcome, Procedure, Resume, Stored};

use super::drill::{Act, Counted, Drill, Tick};
use super::inspector::{Found, Look};
use super::ran::Ending;
use super::rig::{Orders, Rig, Start};
use super::store::lose_tail;
use super::world::{Difference, World};

pub use self::law::Law;
pub use self::report::{Breach, Cell, Report};

mod judge;
mod law;
mod report;
mod scenario;

use self::scenario::{Scenario, Then};

/// Runs a procedure once for every step and every way in which it can go wrong: its survey fails; its change fails before
/// anything, at every operation, after every single change, at the very end; the runner dies at each of these, and the
/// run is resumed forwards and backwards; its undo fails, or dies half way and is resumed. Each time the world
/// must end all new or all old, or what is left must be named.
///
/// `rig` makes the same surroundings anew for each run. Every run has a clock of its own that is paused, so waiting costs
/// nothing. The procedure may end in a rollback by itself; then that is the end all runs must come to.
///
/// ```ignore
/// explore::<deploy>(|| Rig::new().host(&web()), Site { version: 2 }).await.is_sound();
/// ```
pub async fn explore<P: Procedure>(rig: impl Fn() -> Rig + Send + 'static, input: P::Input) -> Report {
    let exploring = tokio::task::spawn_blocking(move || match Stored::of(&input) {
        Ok(input) => Explorer { rig: Box::new(move || knowing::<P>(rig())), name: P::OUTLINE.name, input }.explore(),
        Err(error) => panic!("{error:#}"),
    });
    match exploring.await {
        Ok(report) => report,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => panic!("{error}"),
    }
}

/// The rig with this procedure in its book.
pub(super) fn knowing<P: Procedure>(mut rig: Rig) -> Rig {
    rig.knows::<P>();
    rig
}

/// Runs one procedure in many ways.
struct Explorer {
    rig: Box<dyn Fn() -> Rig + Send>,
    name: &'static str,
    input: Stored,
}

/// What came of one scenario.
struct Played {
    old: World,
    end: World,
    ending: Ending,
    /// What was come by, and what was done, in the first execution.
    ticks: Vec<Tick>,
    counted: Vec<Counted>,
    /// Whether something the journal remembered was lost with it.
    lost: bool,
    /// Whether everything that was to go wrong did.
    struck: bool,
    found: Arc<Found>,
    events: Vec<crate::Event>,
    /// What came of it once it was resumed after a rollback that was not complete.
    second: Option<(World, Ending)>,
}

impl Explorer {
    fn explore(&self) -> Report {
        let mut report = Report::new(self.name);
        let base = self.play(&Scenario::plain(Look::On));
        report.add_findings(&base);
        if !base.has_ended() {
            report.breach(Law::Ends, None, format!("undisturbed, {}", base.words()), Vec::new());
            return report;
        }
        let judge = judge::Judge::new(self, &base);
        judge.judge_base(&mut report, &base);
        for scenario in scenario::of_base(&base) {
            judge.play(&mut report, &scenario);
        }
        let applied = base.applied();
        for key in &applied {
            let last = applied.last() == Some(key);
            let broken = Scenario::failing_at_end_of(key);
            let failed = self.play(&broken);
            for scenario in scenario::of_undo(key, last, &broken, &failed) {
                judge.play(&mut report, &scenario);
            }
        }
        report
    }

    /// Plays a scenario in a world, on a clock and in a runtime of its own.
    fn play(&self, scenario: &Scenario) -> Played {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for an exploration: {error}"));
        runtime.block_on(self.play_here(scenario))
    }

    async fn play_here(&self, scenario: &Scenario) -> Played {
        let mut rig = (self.rig)();
        let old = rig.world();
        let found = Arc::new(Found::default());
        let drill = Arc::new(scenario.drill());
        let orders =
            |drill: &Arc<Drill>| Orders { drill: drill.clone(), look: scenario.look.clone(), found: found.clone() };
        let mut ending = rig.execute(Start::Run(self.name, self.input.clone()), orders(&drill)).await;
        let died = matches!(ending, Ending::Crashed);
        let lost = died && scenario.lossy && Self::lose(&rig).await;
        if died {
            ending = match scenario.then {
                Then::Nothing => ending,
                Then::Continue => resume(&mut rig, Resume::Continue, orders(&Arc::default())).await,
                Then::Back => resume(&mut rig, Resume::RollBack, orders(&Arc::default())).await,
            };
        }
        if matches!(&ending, Ending::Finished(finished) if finished.outcome() == Outcome::Paused) {
            ending = resume(&mut rig, Resume::RollBack, orders(&Arc::default())).await;
        }
        let end = rig.world();
        let incomplete = matches!(&ending, Ending::Finished(end) if end.outcome() == Outcome::RollbackIncomplete);
        let second = if incomplete {
            let ending = resume(&mut rig, Resume::Continue, orders(&Arc::default())).await;
            Some((rig.world(), ending))
        } else {
            None
        };
        Played {
            old,
            end,
            ending,
            ticks: drill.ticks(),
            counted: drill.counted(),
            lost,
            struck: drill.has_struck(),
            found,
            events: rig.events(),
            second,
        }
    }

    /// Loses what need not have been on the disk when the runner died.
    async fn lose(rig: &Rig) -> bool {
        match (rig.memory(), rig.last_run().await) {
            (Some(store), Ok(run)) => lose_tail(store, &run).await.unwrap_or_default(),
            _ => false,
        }
    }
}

/// Takes the run up again. A run that was over when its runner died ended as it said.
async fn resume(rig: &mut Rig, how: Resume, orders: Orders) -> Ending {
    let run = match rig.last_run().await {
        Ok(run) => run,
        Err(error) => return Ending::Error(error),
    };
    match rig.recorded_end(&run).await {
        Some(ended) => Ending::Finished(Finished { run, ended }),
        None => rig.execute(Start::Resume(&run, how), orders).await,
    }
}

impl Played {
    /// Whether the run came to an end of its own.
    fn has_ended(&self) -> bool {
        self.ended().is_some_and(|ended| matches!(ended.outcome, Outcome::Done | Outcome::RolledBack))
    }

    fn ended(&self) -> Option<&RunEnded> {
        match &self.ending {
            Ending::Finished(finished) => Some(&finished.ended),
            _ => None,
        }
    }

    fn words(&self) -> String {
        match &self.ending {
            Ending::Finished(finished) => match &finished.ended.error {
                Some(error) => format!("it ended `{}`: {error:#}", finished.outcome().words()),
                None => format!("it ended `{}`", finished.outcome().words()),
            },
            Ending::Error(error) => format!("it ended in an error: {error:#}"),
            Ending::Crashed => "its runner died".to_owned(),
        }
    }

    /// The steps that were applied, in order.
    fn applied(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        for Tick { moment, .. } in &self.ticks {
            if moment.act == Act::Apply && !keys.contains(&moment.key) {
                keys.push(moment.key.clone());
            }
        }
        keys
    }

    /// The descriptions of the steps, in order.
    fn steps(&self) -> Vec<(Key, Description)> {
        self.found.steps()
    }

    /// The title of a step.
    fn title(&self, key: &Key) -> Option<String> {
        self.events.iter().find_map(|event| match &event.what {
            What::StepBegan { key: of, title, .. } if of == key => Some(title.to_string()),
            _ => None,
        })
    }

    fn differences(&self, from: &World) -> Vec<Difference> {
        from.diff(&self.end)
    }
}
