//! Mistakes seen in the best engines: one test for each, beside the properties in the engine's own tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use runbook::__private::async_trait;
use runbook::event::{StepEnd, What};
use runbook::journal::{Began, Effect, Entry, FileStore, Journal, Memo, MemoryStore, Slot, Store};
use runbook::prelude::*;
use runbook::{Error, ErrorKind, Finished, LeftBecause, OnFailure, Outcome, Resume, RunId};
use tokio::time::Instant;

use self::scene::{Ends as _, Is, Nested, Restart, Says, Scene, Set, Stage};

mod scene;

/// Three values, one after the other.
#[procedure]
async fn three(run: &Run) -> Result<u32> {
    run.step("A", Set("a", 1)).await?;
    run.step("B", Set("b", 1)).await?;
    run.step("C", Set("c", 1)).await
}

fn failed(text: &str) -> Error {
    Error::new(text)
}

// The step that failed or was cut off is undone like the others.

#[tokio::test(start_paused = true)]
async fn the_step_that_fails_half_way_is_undone_too() {
    let stage = Stage::new(procedures![three]);
    stage.scene.trouble("after b", [failed("half way")]);
    let finished = stage.run().await.ends(Outcome::RolledBack).says("half way");
    assert_eq!(finished.left(), [""; 0]);
    assert_eq!(stage.scene.done(), ["apply a", "apply b", "undo b", "undo a"]);
}

#[tokio::test(start_paused = true)]
async fn the_step_that_was_cut_off_is_undone_too() {
    let stage = Stage::new(procedures![three]);
    stage.scene.stick("apply b");
    stage.kill().await;
    let back = stage.try_resume(Resume::RollBack).await.expect("goes back");
    back.ends(Outcome::RolledBack);
    assert_eq!(stage.scene.done(), ["apply a", "undo b", "undo a"]);
}

// A crash in the middle of a rollback is remembered.

#[tokio::test(start_paused = true)]
async fn a_rollback_that_was_cut_off_goes_on_backwards() {
    let stage = Stage::new(procedures![three]);
    stage.scene.trouble("apply c", [failed("no c today")]);
    stage.scene.stick("undo a");
    stage.kill().await;
    assert_eq!(stage.scene.done(), ["apply a", "apply b", "undo c", "undo b"]);
    stage.scene.mend();
    stage.resume().await.ends(Outcome::RolledBack).says("no c today");
    assert_eq!(stage.scene.done(), ["undo a"], "what was undone is not undone again, and nothing goes forward");
}

// The first undo that fails does not abandon the others.

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_does_not_stop_the_others_and_is_tried_again_alone() {
    let stage = Stage::new(procedures![three]);
    stage.scene.trouble("after c", [failed("no c today")]);
    stage.scene.break_("undo b", failed("b is stuck"));
    let finished = stage.run().await.ends(Outcome::RollbackIncomplete).says("no c today");
    assert_eq!(finished.left(), ["B"]);
    assert_eq!(finished.ended.left[0].commands, ["unset b"], "what a person would type");
    assert!(matches!(&finished.ended.left[0].why, LeftBecause::UndoFailed(error) if error.message() == "b is stuck"));
    assert_eq!(stage.scene.done(), ["apply a", "apply b", "apply c", "undo c", "undo a"]);

    assert_eq!(stage.resume().await.ends(Outcome::RollbackIncomplete).left(), ["B"]);
    assert_eq!(stage.scene.done(), [""; 0]);
    stage.scene.mend();
    assert_eq!(stage.resume().await.ends(Outcome::RolledBack).left(), [""; 0]);
    assert_eq!(stage.scene.done(), ["undo b"], "only what was left");
}

/// One value twice, the second time in a scope, and another between.
#[procedure]
async fn written_twice(run: &Run) -> Result<()> {
    run.step("A", Set("a", 1)).await?;
    run.step("B", Set("b", 1)).await?;
    run.scope("Once more", async |run| {
        run.step("A again", Set("a", 2)).await?;
        bail!("the procedure says no")
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn what_an_undo_that_failed_lies_on_waits_for_it() {
    let stage = Stage::new(procedures![written_twice]);
    stage.scene.trouble("undo a", [failed("a is stuck")]);
    let finished = stage.run().await.ends(Outcome::RollbackIncomplete);
    assert_eq!(finished.left(), ["A again", "A"]);
    let LeftBecause::UndoFailed(error) = &finished.ended.left[1].why else { panic!("{:?}", finished.ended.left) };
    assert_eq!(error.message(), "`A again` changed value a after it, and could not be undone");
    assert_eq!((stage.scene.value("a"), stage.scene.value("b")), (Some(2), None), "nothing is put back under it");

    stage.resume().await.ends(Outcome::RolledBack);
    assert_eq!((stage.scene.value("a"), stage.scene.value("b")), (None, None), "in their order");
}

#[tokio::test(start_paused = true)]
async fn an_undo_has_retries_of_its_own() {
    let stage = Stage::new(procedures![three]);
    stage.scene.trouble("apply c", [failed("no c today")]);
    stage.scene.trouble("undo b", (0..4).map(|n| Error::transient(format!("busy {n}"))));
    stage.run().await.ends(Outcome::RolledBack);
    assert_eq!(stage.scene.value("b"), None);
}

/// A restart reads what the others wrote.
#[procedure]
async fn restarted(run: &Run) -> Result<()> {
    run.step("A", Set("a", 1)).await?;
    run.step("B", Set("b", 1)).await?;
    run.step("Restart", Restart).await?;
    bail!("the procedure says no")
}

#[tokio::test(start_paused = true)]
async fn what_settled_before_a_late_undo_settles_again_after_it() {
    let stage = Stage::new(procedures![restarted]);
    stage.scene.break_("undo a", failed("a is stuck"));
    stage.run().await.ends(Outcome::RollbackIncomplete);
    stage.scene.mend();
    stage.resume().await.ends(Outcome::RolledBack);
    let state = stage.scene.state();
    assert_eq!(state.served, state.values, "the service runs on what was put back: {:?}", state.log);
}

#[procedure]
async fn restarted_inside(run: &Run) -> Result<()> {
    run.step("A", Set("a", 1)).await?;
    run.scope("Inside", async |run| {
        run.step("B", Set("b", 1)).await?;
        run.step("Restart", Restart).await
    })
    .await?;
    run.step("C", Set("c", 1)).await?;
    bail!("the procedure says no")
}

#[tokio::test(start_paused = true)]
async fn a_restart_inside_a_scope_settles_after_the_rollback_outside() {
    let stage = Stage::new(procedures![restarted_inside]);
    stage.run().await.ends(Outcome::RolledBack);
    assert_eq!(stage.scene.done()[4..], ["undo c", "undo service", "undo b", "undo a", "settle service"]);
    // The same when the scope itself fails.
    let stage = Stage::new(procedures![restarted_inside]);
    stage.scene.break_("apply service", failed("does not start"));
    stage.run().await.ends(Outcome::RolledBack);
    assert_eq!(stage.scene.done()[2..], ["undo service", "undo b", "undo a", "settle service"]);
}

// An outcome that is unknown is neither failed nor done.

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_looked_at_again_and_found_done() {
    let stage = Stage::new(procedures![three]);
    stage.scene.trouble("after b", [Error::unknown("the connection was lost")]);
    stage.run().await.ends(Outcome::Done);
    assert_eq!(stage.step_end("B"), Some(StepEnd::FoundDone));
    assert_eq!(stage.scene.done(), ["apply a", "apply b", "apply c"]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_looked_at_again_and_found_not_done() {
    let stage = Stage::new(procedures![three]);
    stage.scene.trouble("apply b", [Error::unknown("the connection was lost")]);
    stage.run().await.ends(Outcome::Done);
    assert_eq!(stage.scene.done(), ["apply a", "apply b", "apply c"]);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_stays_unknown_parks_for_a_person() {
    let stage = Stage::new(procedures![three]);
    stage.scene.trouble("after b", [Error::unknown("the connection was lost")]);
    // The first look is the survey before the change.
    stage.scene.trouble("survey b", []);
    stage.scene.takes("apply b", 1.seconds());
    let finished = {
        let lost = async {
            tokio::time::sleep(500.millis()).await;
            stage.scene.break_("survey b", Error::unknown("no route to the host"));
        };
        tokio::join!(stage.run(), lost).0
    };
    finished
        .ends(Outcome::Paused)
        .says("nobody knows whether step `B` happened")
        .says("the connection was lost")
        .says("look, then resume the run or roll it back");
    assert_eq!(stage.scene.done(), ["apply a", "apply b"], "nothing is undone and nothing goes on");
    stage.scene.mend();
    stage.resume().await.ends(Outcome::Done);
    assert_eq!(stage.scene.done(), ["apply c"], "it was found done");
}

#[procedure]
async fn restart_only(run: &Run) -> Result<()> {
    run.step("Restart", Restart).await
}

#[tokio::test(start_paused = true)]
async fn a_step_that_cannot_be_looked_at_parks_at_once() {
    let stage = Stage::new(procedures![restart_only]);
    stage.scene.trouble("apply service", [Error::unknown("the connection was lost")]);
    stage.run().await.ends(Outcome::Paused).says("nobody knows whether step `Restart` happened");
    stage.resume().await.ends(Outcome::Done);
}

// A renamed, dropped or reordered step stops at once.

mod renamed {
    use super::*;

    #[procedure]
    pub(super) async fn three(run: &Run) -> Result<u32> {
        run.step("A", Set("a", 1)).await?;
        run.step("B", Set("another", 1)).await?;
        run.step("C", Set("c", 1)).await
    }
}

mod other_kind {
    use super::*;

    #[procedure]
    pub(super) async fn three(run: &Run) -> Result<u32> {
        run.step("A", Set("a", 1)).await?;
        run.step("B", Restart).await?;
        run.step("C", Set("c", 1)).await
    }
}

mod dropped {
    use super::*;

    #[procedure]
    pub(super) async fn three(run: &Run) -> Result<u32> {
        run.step("A", Set("a", 1)).await?;
        run.step("C", Set("c", 1)).await
    }
}

mod cut_short {
    use super::*;

    #[procedure]
    pub(super) async fn three(run: &Run) -> Result<u32> {
        run.step("A", Set("a", 1)).await?;
        run.step("B", Set("b", 1)).await
    }
}

mod reordered {
    use super::*;

    #[procedure]
    pub(super) async fn three(run: &Run) -> Result<u32> {
        run.step("B", Set("b", 1)).await?;
        run.step("A", Set("a", 1)).await?;
        run.step("C", Set("c", 1)).await
    }
}

mod a_check_now {
    use super::*;

    #[procedure]
    pub(super) async fn three(run: &Run) -> Result<u32> {
        run.step("A", Set("a", 1)).await?;
        run.check("B", Is("b", 1)).await?;
        run.step("C", Set("c", 1)).await
    }
}

mod other_words {
    use super::*;

    #[procedure]
    pub(super) async fn three(run: &Run) -> Result<u32> {
        run.step("The first", Set("a", 1)).await?;
        run.step("The second", Set("b", 1)).await?;
        run.step("The third", Set("c", 1)).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_not_the_recorded_one_stops_at_once_and_names_both() {
    let cases = [
        ("renamed", procedures![renamed::three], "recorded step set `b` (`B`)", "found step set `another` (`B`)"),
        ("other kind", procedures![other_kind::three], "recorded step set `b`", "found step restart `service`"),
        ("dropped", procedures![dropped::three], "recorded step set `b` (`B`)", "found step set `c` (`C`)"),
        ("cut short", procedures![cut_short::three], "step set (`C`)", "found nothing: the procedure ended"),
        ("reordered", procedures![reordered::three], "recorded step set `a` (`A`)", "found step set `b` (`B`)"),
        ("a check now", procedures![a_check_now::three], "recorded step set (`B`)", "found a check or a value"),
    ];
    for (case, other, recorded, found) in cases {
        let stage = Stage::new(procedures![three]);
        stage.scene.stick("apply c");
        let run = stage.kill().await;
        stage.scene.mend();
        stage.scene.done();

        let began = Instant::now();
        let changed = stage.with(other);
        let resumed = changed.try_resume(Resume::Continue).await.expect_err(case);
        let verified = changed.runner().verify(&run).await.expect_err(case);
        for error in [resumed, verified] {
            let text = format!("{error:?}");
            assert_eq!(error.kind(), ErrorKind::Mismatch, "{case}: {text}");
            assert!(text.contains(recorded) && text.contains(found), "{case}: {text}");
            assert!(text.contains("resume the run with the program that began it"), "{case}: {text}");
        }
        assert_eq!(began.elapsed(), 0.seconds(), "{case}: at once");
        assert_eq!(stage.scene.done(), [""; 0], "{case}: nothing was changed");

        stage.runner().verify(&run).await.expect("the program that began it is the same");
        stage.resume().await.ends(Outcome::Done);
        assert_eq!(stage.scene.done(), ["apply c"], "{case}: it can still be resumed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_title_is_for_people_and_may_change() {
    let stage = Stage::new(procedures![three]);
    stage.scene.stick("apply c");
    let run = stage.kill().await;
    stage.scene.mend();
    let changed = stage.with(procedures![other_words::three]);
    changed.runner().verify(&run).await.expect("no difference");
    changed.resume().await.ends(Outcome::Done);
}

// `join!` keeps results apart.

#[procedure]
async fn joined(run: &Run) -> Result<(u32, u32, u32)> {
    let (a, b, c) = tokio::join!(run.step("A", Set("a", 1)), run.step("B", Set("b", 2)), run.step("C", Set("c", 3)));
    Ok((a?, b?, c?))
}

/// The same, polled the other way round.
async fn polled_late(run: &Run) -> Result<(u32, u32)> {
    let first = run.step("A", Set("a", 1));
    let second = run.step("B", Set("b", 2));
    let second = second.await?;
    Ok((first.await?, second))
}

#[procedure]
async fn awaited_late(run: &Run) -> Result<(u32, u32)> {
    polled_late(run).await
}

#[tokio::test(start_paused = true)]
async fn join_keeps_results_apart_whatever_comes_first_also_after_a_resume() {
    for stuck in ["apply a", "apply b", "apply c"] {
        let stage = Stage::new(procedures![joined]);
        for (n, act) in (1..).zip(["apply a", "apply b", "apply c"]) {
            stage.scene.takes(act, (10 - n).seconds());
        }
        stage.scene.stick(stuck);
        stage.kill().await;
        stage.scene.mend();
        // On resume the other one comes first.
        stage.scene.takes("apply a", 1.seconds());
        stage.scene.takes("apply c", 100.seconds());
        let output = stage.resume().await.ends(Outcome::Done).ended.output.expect("an output");
        assert_eq!(output.load::<(u32, u32, u32)>().expect("three"), (1, 2, 3), "{stuck}");
        assert_eq!(stage.scene.done().len(), 3, "each was applied once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_is_taken_where_the_call_is_written() {
    let stage = Stage::new(procedures![awaited_late]);
    let output = stage.run().await.ends(Outcome::Done).ended.output.expect("an output");
    assert_eq!(output.load::<(u32, u32)>().expect("two"), (1, 2));
    let keys: Vec<_> =
        stage.events().into_iter().filter(|event| matches!(event.what, What::StepBegan { .. })).collect();
    assert!(keys[0].what.key() > keys[1].what.key(), "B ran first, and stands second: {keys:?}");
}

#[procedure]
async fn nested(run: &Run) -> Result<()> {
    run.step("A", Set("a", 1)).await?;
    run.step("Outer", Nested(run.clone())).await
}

#[tokio::test(start_paused = true)]
async fn a_step_inside_a_step_is_refused() {
    let stage = Stage::new(procedures![nested]);
    stage.run().await.ends(Outcome::RolledBack).says("a step cannot take steps of its own");
    assert_eq!((stage.scene.value("a"), stage.scene.value("inner")), (None, None));
}

// A journal that cannot be written.

/// Another store, whose journals cannot be written from the n-th memo on, until it is mended.
#[derive(Clone)]
struct Failing {
    store: MemoryStore,
    left: Arc<AtomicUsize>,
    scene: Scene,
    /// How much had been done to the world when the first memo could not be written.
    done_then: Arc<AtomicUsize>,
    failed: Arc<AtomicBool>,
}

impl Failing {
    fn after(writes: usize, scene: &Scene) -> Self {
        let (store, scene) = (MemoryStore::default(), scene.clone());
        Self { store, left: Arc::new(writes.into()), scene, done_then: Arc::default(), failed: Arc::default() }
    }

    fn mend(&self) {
        self.left.store(usize::MAX, Ordering::SeqCst);
    }

    fn write(&self) -> Result<()> {
        let one_less = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if one_less.is_ok() {
            return Ok(());
        }
        if !self.failed.swap(true, Ordering::SeqCst) {
            self.done_then.store(self.scene.state().log.len(), Ordering::SeqCst);
        }
        Err(Error::of(ErrorKind::Journal, "write journal `/the/journal`").caused_by(Error::new("no space left")))
    }
}

#[async_trait]
impl Store for Failing {
    async fn begin(&self, run: &RunId, began: &Began) -> Result<Box<dyn Journal>> {
        self.write()?;
        Ok(Box::new(FailingJournal(self.store.begin(run, began).await?, self.clone())))
    }

    async fn open(&self, run: &RunId) -> Result<Box<dyn Journal>> {
        Ok(Box::new(FailingJournal(self.store.open(run).await?, self.clone())))
    }

    async fn read(&self, run: &RunId) -> Result<Vec<Entry>> {
        self.store.read(run).await
    }

    async fn runs(&self) -> Result<Vec<RunId>> {
        self.store.runs().await
    }

    fn place(&self) -> String {
        "/the/journal".into()
    }
}

struct FailingJournal(Box<dyn Journal>, Failing);

#[async_trait]
impl Journal for FailingJournal {
    async fn once(&self, slot: Slot, effect: Effect<'_>) -> Result<Memo> {
        let written = async {
            let memo = effect.await?;
            self.1.write()?;
            Ok(memo)
        };
        self.0.once(slot, Box::pin(written)).await
    }

    fn recall(&self, slot: &Slot) -> Option<Memo> {
        self.0.recall(slot)
    }

    fn entries(&self) -> &[Entry] {
        self.0.entries()
    }

    async fn close(&self, over: bool) -> Result<()> {
        self.0.close(over).await
    }
}

/// Runs it once for every write after which the journal cannot be written, and resumes it with a mended one.
async fn with_every_broken_journal(scene: impl Fn() -> Scene, ends: Outcome, values: &[(&str, u32)]) {
    for writes in 0.. {
        let scene = scene();
        let store = Failing::after(writes, &scene);
        let mut stage = Stage::new(procedures![three]).store(store.clone());
        stage.scene = scene.clone();
        let ended = stage.try_run().await;
        if !store.failed.load(Ordering::SeqCst) {
            assert!(writes > 5, "it was broken a few times");
            assert_eq!(ended.expect("nothing was broken").outcome(), ends);
            return;
        }
        assert_eq!(
            scene.state().log.len(),
            store.done_then.load(Ordering::SeqCst),
            "after {writes}: nothing more is changed"
        );
        let Ok(finished) = ended else {
            assert_eq!(writes, 0, "only the first line is needed to begin");
            continue;
        };
        assert_eq!(finished.outcome(), Outcome::Paused, "after {writes}: {:?}", finished.ended);
        if finished.ended.error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Journal) {
            finished.says("write journal `/the/journal`").says("no space left");
        }
        store.mend();
        stage.resume().await.ends(ends);
        let left: Vec<_> = scene.state().values.clone().into_iter().collect();
        let wanted: Vec<_> = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        assert_eq!(left, wanted, "after {writes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_written_stops_the_run_and_keeps_it_resumable() {
    with_every_broken_journal(Scene::default, Outcome::Done, &[("a", 1), ("b", 1), ("c", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_written_during_a_rollback_stops_it_and_keeps_it_resumable() {
    let scene = || {
        let scene = Scene::default();
        scene.break_("apply c", failed("no c today"));
        scene
    };
    with_every_broken_journal(scene, Outcome::RolledBack, &[]).await;
}

// One sync a step, and it counts.

/// A hundred values.
#[procedure]
async fn hundred(run: &Run) -> Result<()> {
    for n in 0..100_usize {
        run.step(format!("Set {n}"), Set(NAMES[n % 2], u32::try_from(n)?)).await?;
    }
    Ok(())
}

const NAMES: [&str; 2] = ["even", "odd"];

#[tokio::test]
async fn a_step_costs_one_sync() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = FileStore::open(dir.path()).expect("opens");
    let stage = Stage::new(procedures![hundred]).store(store.clone());
    stage.run().await.ends(Outcome::Done);
    assert_eq!(stage.scene.done().len(), 100);
    let syncs = store.syncs();
    assert!((100..=103).contains(&syncs), "{syncs} syncs for 100 steps");
}

// What held at the beginning is asked again.

#[procedure]
async fn conditional(run: &Run) -> Result<()> {
    run.require("Nobody else is at work", Is("others", 0)).await?;
    run.require("A is old", Is("a", 0)).await?;
    run.step("A", Set("a", 1)).await?;
    run.step("B", Set("b", 1)).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn preconditions_are_asked_again_before_the_first_new_change() {
    let stage = Stage::new(procedures![conditional]);
    stage.scene.stick("survey b");
    stage.kill().await;
    stage.scene.mend();
    stage.scene.done();
    stage.scene.set("others", 1);
    stage
        .resume()
        .await
        .ends(Outcome::Paused)
        .says("`Nobody else is at work` held when the run began and does not any more");
    assert_eq!(stage.scene.done(), ["ask others"], "it asks, changes nothing, and does not ask what it changed itself");
    stage.scene.set("others", 0);
    stage.resume().await.ends(Outcome::Done);
    assert_eq!(stage.scene.done(), ["ask others", "apply b"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_but_for_its_last_line_asks_nothing_again() {
    let stage = Stage::new(procedures![conditional]);
    stage.scene.stick("apply b");
    stage.kill().await;
    stage.scene.set("others", 1);
    stage.scene.done();
    let back = stage.try_resume(Resume::RollBack).await.expect("goes back");
    back.ends(Outcome::RolledBack);
    assert_eq!(stage.scene.done(), ["undo b", "undo a"], "the way back has no conditions");
}

// Endings told apart.

#[procedure]
async fn observed(run: &Run) -> Result<()> {
    run.require("It may begin", Is("forbidden", 0)).await?;
    run.step("A", Set("a", 1)).await?;
    run.observe("B is fine", Is("b", 0)).await?;
    run.check("C is fine", Is("c", 0)).await
}

#[tokio::test(start_paused = true)]
async fn endings_are_told_apart() {
    let begin = |set: &[(&str, u32)]| {
        let stage = Stage::new(procedures![observed]);
        for (name, value) in set {
            stage.scene.set(name, *value);
        }
        stage
    };
    let stage = begin(&[]);
    assert_eq!(stage.run().await.ends(Outcome::Done).ended.warnings, 0);
    assert_eq!(stage.step_end("A"), Some(StepEnd::Changed));

    let stage = begin(&[("b", 7)]);
    assert_eq!(stage.run().await.ends(Outcome::Done).ended.warnings, 1, "done with a warning");

    let stage = begin(&[("a", 1)]);
    stage.run().await.ends(Outcome::Done);
    assert_eq!(stage.step_end("A"), Some(StepEnd::Already));

    let stage = begin(&[("forbidden", 1)]);
    stage.run().await.ends(Outcome::Refused).says("forbidden is 1");
    assert_eq!(stage.step_end("A"), None);

    let stage = begin(&[("c", 7)]);
    stage.run().await.ends(Outcome::RolledBack).says("c is 7");

    let stage = begin(&[("c", 7)]);
    stage.scene.break_("undo a", failed("stuck"));
    stage.run().await.ends(Outcome::RollbackIncomplete);

    let stage = begin(&[("c", 7)]);
    let inputs = runbook::Stored::of(&runbook::NoInput {}).expect("no inputs");
    let paused = stage.runner().on_failure(OnFailure::Pause).run("observed", inputs).await.expect("begins");
    paused.ends(Outcome::Paused);

    let stage = begin(&[]);
    stage.scene.takes("apply a", 10.seconds());
    let runner = stage.runner();
    let interrupts = runner.interrupts();
    let inputs = runbook::Stored::of(&runbook::NoInput {}).expect("no inputs");
    let ask = async {
        tokio::time::sleep(1.seconds()).await;
        interrupts.interrupt();
    };
    let finished: Finished = tokio::join!(runner.run("observed", inputs), ask).0.expect("begins");
    finished.ends(Outcome::Interrupted);
    assert_eq!(stage.scene.value("a"), None);
}

// Retries and deadlines.

#[procedure]
async fn patient(run: &Run) -> Result<u32> {
    run.step("A", Set("a", 1)).await?;
    run.step("B", Set("b", 1)).retry(Retry::attempts(5).backoff(10.seconds()).up_to(15.seconds())).await?;
    run.step("C", Set("c", 1)).within(1.minutes()).await
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_with_longer_and_longer_waits() {
    let stage = Stage::new(procedures![patient]);
    stage.scene.trouble("apply a", (0..2).map(|_| Error::transient("busy")));
    stage.scene.trouble("apply b", (0..4).map(|_| Error::transient("busy")));
    let began = Instant::now();
    stage.run().await.ends(Outcome::Done);
    assert_eq!(began.elapsed().as_secs(), (1 + 2) + (10 + 15 + 15 + 15));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_fails_after_its_attempts_and_what_cannot_pass_at_once() {
    let stage = Stage::new(procedures![patient]);
    stage.scene.break_("apply a", Error::transient("busy"));
    let began = Instant::now();
    stage.run().await.ends(Outcome::RolledBack).says("busy");
    assert_eq!(began.elapsed().as_secs(), 1 + 2);

    let stage = Stage::new(procedures![patient]);
    stage.scene.trouble("apply a", [failed("no such user")]);
    let began = Instant::now();
    stage.run().await.ends(Outcome::RolledBack).says("no such user");
    assert_eq!(began.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_step_past_its_deadline_is_ended_and_undone() {
    let stage = Stage::new(procedures![patient]);
    stage.scene.takes("apply c", 1.hours());
    let began = Instant::now();
    stage.run().await.ends(Outcome::RolledBack).says("step `C` took longer than 60s");
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!(stage.scene.done(), ["apply a", "apply b", "undo c", "undo b", "undo a"]);
}

// Holds.

#[procedure]
async fn held(run: &Run) -> Result<()> {
    run.hold("Maintenance page", Set("page", 1), async |run| {
        run.step("A", Set("a", 1)).await?;
        run.step("B", Set("b", 1)).await
    })
    .await?;
    run.check("The page is gone", Is("page", 0)).await
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_given_back_after_success_and_after_failure() {
    let stage = Stage::new(procedures![held]);
    stage.run().await.ends(Outcome::Done);
    assert_eq!(stage.scene.done(), ["apply page", "apply a", "apply b", "undo page", "ask page"]);

    let stage = Stage::new(procedures![held]);
    stage.scene.trouble("after b", [failed("no b today")]);
    stage.run().await.ends(Outcome::RolledBack).says("no b today");
    assert_eq!(stage.scene.done(), ["apply page", "apply a", "apply b", "undo b", "undo a", "undo page"]);

    let stage = Stage::new(procedures![held]);
    stage.scene.trouble("after page", [failed("half a page")]);
    stage.run().await.ends(Outcome::RolledBack);
    assert_eq!(stage.scene.done(), ["apply page", "undo page"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_does_not_end_well_while_something_is_still_held() {
    let stage = Stage::new(procedures![held]);
    stage.scene.break_("undo page", failed("the page is stuck"));
    let finished = stage.run().await.ends(Outcome::RollbackIncomplete).says("the page is stuck");
    assert_eq!(finished.left(), ["Maintenance page"]);
    stage.scene.mend();
    stage.resume().await.ends(Outcome::RolledBack);
    assert!(stage.scene.state().values.is_empty(), "{:?}", stage.scene.done());
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_given_back_after_a_crash_and_a_resume() {
    for stuck in ["apply page", "apply a", "apply b", "undo page"] {
        let stage = Stage::new(procedures![held]);
        stage.scene.stick(stuck);
        stage.kill().await;
        stage.scene.mend();
        stage.resume().await.ends(Outcome::Done);
        assert_eq!((stage.scene.value("page"), stage.scene.value("b")), (None, Some(1)), "{stuck}");
        assert_eq!(stage.scene.done(), ["apply page", "apply a", "apply b", "undo page", "ask page"], "{stuck}");
    }
    for stuck in ["apply page", "apply b", "undo page"] {
        let stage = Stage::new(procedures![held]);
        stage.scene.stick(stuck);
        stage.kill().await;
        stage.scene.mend();
        let back = stage.try_resume(Resume::RollBack).await.expect("goes back");
        back.ends(Outcome::RolledBack);
        assert!(stage.scene.state().values.is_empty(), "{stuck}: {:?}", stage.scene.done());
    }
}

// Guards.

const SOAK: &str = "apply soaked";

#[procedure]
async fn soaked(run: &Run) -> Result<()> {
    run.step("Release", Set("release", 2)).await?;
    let health = Trigger::failures("health", Says("health")).in_a_row(3).every(10.seconds());
    run.guard([health], async |run| run.step("Soak", Set("soaked", 1)).await).await?;
    Ok(())
}

#[procedure]
async fn reported(run: &Run) -> Result<()> {
    let health = Trigger::failures("health", Says("health")).every(10.seconds()).then(Reaction::Report);
    run.guard([health], async |run| run.step("Soak", Set("soaked", 1)).await).await?;
    Ok(())
}

#[procedure]
async fn measured(run: &Run) -> Result<()> {
    run.step("Release", Set("release", 2)).await?;
    let errors = Trigger::above("errors", Says("errors"), 0.05).window(2.minutes()).every(1.minutes());
    let errors = errors.no_data(Reaction::Pause);
    run.guard([errors], async |run| run.step("Soak", Set("soaked", 1)).await).await?;
    Ok(())
}

fn soaking(procedures: impl IntoIterator<Item = runbook::Definition>) -> Stage {
    let stage = Stage::new(procedures);
    stage.scene.takes(SOAK, 30.minutes());
    stage
}

fn answers(stage: &Stage, answers: &str) {
    let answer = |letter| match letter {
        '+' => Finding::pass("it answers"),
        '-' => Finding::fail("it does not answer"),
        _ => Finding::unknown("no route"),
    };
    stage.scene.state().answers.insert("health".into(), answers.chars().map(answer).collect());
}

fn levels(stage: &Stage, levels: impl IntoIterator<Item = Option<f64>>) {
    stage.scene.state().levels.insert("errors".into(), levels.into_iter().collect());
}

#[tokio::test(start_paused = true)]
async fn a_guard_fires_after_so_many_failures_in_a_row_and_not_before() {
    let stage = soaking(procedures![soaked]);
    answers(&stage, "+--+-?--+---");
    let began = Instant::now();
    stage.run().await.ends(Outcome::RolledBack).says("trigger `health` fired: it does not answer");
    assert_eq!(began.elapsed().as_secs(), 110, "at the twelfth look, which ends the soak");
    assert_eq!(stage.scene.done(), ["apply release", "undo soaked", "undo release"]);

    let stage = soaking(procedures![soaked]);
    answers(&stage, "+--+-?--+");
    let began = Instant::now();
    stage.run().await.ends(Outcome::Done);
    assert_eq!(began.elapsed(), 30.minutes());
}

#[tokio::test(start_paused = true)]
async fn a_guard_fires_when_a_threshold_is_passed_all_through_its_window() {
    let stage = soaking(procedures![measured]);
    levels(&stage, [0.01, 0.2, 0.2, 0.01, 0.2, 0.2, 0.2].map(Some));
    let began = Instant::now();
    stage.run().await.ends(Outcome::RolledBack).says("trigger `errors` fired: 0.2 is above 0.05");
    assert_eq!(began.elapsed(), 6.minutes());
}

#[tokio::test(start_paused = true)]
async fn missing_data_is_a_case_of_its_own_and_may_pause() {
    let stage = soaking(procedures![measured]);
    levels(&stage, [Some(0.01), None, Some(0.01), None, None, None]);
    let began = Instant::now();
    stage.run().await.ends(Outcome::Paused).says("trigger `errors` fired: no data");
    assert_eq!(began.elapsed(), 5.minutes());
    assert_eq!(stage.scene.done(), ["apply release"], "nothing is undone while someone looks");
    levels(&stage, [Some(0.01)]);
    stage.resume().await.ends(Outcome::Done);
    assert_eq!(stage.scene.done(), [SOAK]);
}

#[tokio::test(start_paused = true)]
async fn a_trigger_may_only_report() {
    for bad in ["+-", "+?"] {
        let stage = soaking(procedures![reported]);
        answers(&stage, bad);
        let finished = stage.run().await.ends(Outcome::Done);
        let warned = stage.events().iter().filter(|event| matches!(event.what, What::Warned { .. })).count();
        assert_eq!((warned, finished.ended.warnings), (1, 1), "{bad}: once, and it counts");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_fired_is_remembered() {
    let stage = soaking(procedures![soaked]);
    answers(&stage, "-");
    stage.scene.stick("undo release");
    stage.kill().await;
    stage.scene.mend();
    answers(&stage, "+");
    stage.resume().await.ends(Outcome::RolledBack).says("trigger `health` fired");
    assert_eq!(stage.scene.value("release"), None);
}

// What cannot be undone.

#[procedure]
async fn committed(run: &Run) -> Result<()> {
    run.step("A", Set("a", 1)).await?;
    run.point_of_no_return("the old data is gone").await?;
    run.step("B", Set("b", 1)).await?;
    run.step("C", Set("c", 1)).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_before_a_point_of_no_return_is_undone_and_it_is_named() {
    let stage = Stage::new(procedures![committed]);
    stage.scene.trouble("apply c", [failed("no c today")]);
    let finished = stage.run().await.ends(Outcome::RolledBack);
    assert_eq!(finished.left(), ["A"]);
    assert_eq!(finished.ended.left[0].why, LeftBecause::PointOfNoReturn("the old data is gone".into()));
    assert_eq!(stage.scene.done(), ["apply a", "apply b", "undo c", "undo b"]);
}

#[procedure]
async fn mailed(run: &Run) -> Result<()> {
    run.step("A", Set("a", 1)).await?;
    run.irreversible("mail cannot be unsent", "Tell everyone", Set("mail", 1)).await?;
    run.step("B", Set("b", 1)).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_irreversible_is_named_as_left_behind() {
    let stage = Stage::new(procedures![mailed]);
    stage.scene.trouble("apply b", [failed("no b today")]);
    let finished = stage.run().await.ends(Outcome::RolledBack);
    assert_eq!(finished.left(), ["Tell everyone"]);
    assert_eq!(finished.ended.left[0].why, LeftBecause::Irreversible("mail cannot be unsent".into()));
    assert_eq!(stage.scene.done(), ["apply a", "apply mail", "undo b", "undo a"]);
    assert_eq!(stage.scene.value("mail"), Some(1));
}

// Siblings.

#[procedure]
async fn beside(run: &Run) -> Result<()> {
    run.both(
        "Both",
        async |run| run.step("Left", Set("left", 1)).await,
        async |run| {
            run.step("Right", Set("right", 1)).await?;
            run.step("More", Set("more", 1)).await
        },
    )
    .await?;
    Ok(())
}

#[procedure]
async fn several(run: &Run) -> Result<()> {
    run.each("Several", ["one", "two", "three"].at_once(2), async |run, name| {
        run.step(format!("Set {name}"), Set(name, 1)).await?;
        run.step(format!("Finish {name}"), Set("finished", 1)).await
    })
    .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn when_one_of_both_fails_the_other_finishes_its_step_and_all_is_undone() {
    let stage = Stage::new(procedures![beside]);
    stage.scene.takes("apply left", 1.seconds());
    stage.scene.takes("apply right", 10.seconds());
    stage.scene.trouble("apply left", [failed("left fails")]);
    stage.run().await.ends(Outcome::RolledBack).says("left fails");
    let done = stage.scene.done();
    assert_eq!(done[0], "apply right", "it was not cut off");
    assert!(!done.contains(&"apply more".to_owned()), "{done:?}");
    assert!(stage.scene.state().values.is_empty());
}

#[tokio::test(start_paused = true)]
async fn when_one_of_several_fails_the_running_finish_their_step_and_the_waiting_do_not_begin() {
    let stage = Stage::new(procedures![several]);
    stage.scene.takes("apply one", 1.seconds());
    stage.scene.takes("apply two", 10.seconds());
    stage.scene.trouble("apply one", [failed("one fails")]);
    stage.run().await.ends(Outcome::RolledBack).says("one fails");
    let done = stage.scene.done();
    assert_eq!(done[0], "apply two", "it was not cut off");
    assert!(!done.iter().any(|act| act == "apply three" || act == "apply finished"), "{done:?}");
    assert!(stage.scene.state().values.is_empty());
}
