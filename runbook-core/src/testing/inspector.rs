//! The inspector: stands between the engine and the steps of a run under test.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::{Context, Description, Error, Key, Record, Resource, Result, Rollback, Step, Stored, Survey};

use super::alarm::Alarm;
use super::drill::{Act, Drill};
use super::explore::Law;
use super::world::{Difference, Place, World};

/// Stands between the engine and the steps. The engine finds it as a port.
pub(crate) struct Inspector {
    drill: Arc<Drill>,
    look: Look,
    worlds: Arc<dyn Fn() -> World + Send + Sync>,
    found: Arc<Found>,
    alarm: Arc<Alarm>,
    /// Steps that run side by side are inspected one after the other.
    turn: tokio::sync::Mutex<()>,
}

/// What an inspector looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing: it only counts.
    #[default]
    Away,
    /// Everything that can be seen without changing what happens.
    On,
    /// Applies this step twice.
    ApplyTwice(Key),
    /// Rolls this step back twice.
    RollbackTwice(Key),
    /// Gives steps the before-state as it was in memory, instead of what the journal kept of it.
    FromMemory,
    /// Rolls steps back once more where they would settle.
    RollbackAsSettle,
}

/// What inspectors found. It outlives the death of a runner.
#[derive(Default)]
pub(crate) struct Found(Mutex<Findings>);

#[derive(Default)]
struct Findings {
    steps: Vec<(Key, Description)>,
    breaches: Vec<(Law, Key, String, Vec<Difference>)>,
    touched: Vec<(Key, Place)>,
    memory: HashMap<Key, Box<dyn Any + Send + Sync>>,
}

impl Found {
    /// The steps that surveyed, in order, with their first description.
    pub(crate) fn steps(&self) -> Vec<(Key, Description)> {
        self.lock().steps.clone()
    }

    /// Which step changed what, in its survey or its apply.
    pub(crate) fn touched(&self) -> Vec<(Key, Place)> {
        self.lock().touched.clone()
    }

    fn touch(&self, key: &Key, differences: &[Difference]) {
        self.lock().touched.extend(differences.iter().map(|difference| (key.clone(), difference.place.clone())));
    }

    /// The laws that were seen broken.
    pub(crate) fn breaches(&self) -> Vec<(Law, Key, String, Vec<Difference>)> {
        self.lock().breaches.clone()
    }

    fn breach(&self, law: Law, key: &Key, why: impl Into<String>, differences: Vec<Difference>) {
        self.lock().breaches.push((law, key.clone(), why.into(), differences));
    }

    fn lock(&self) -> MutexGuard<'_, Findings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inspector {
    pub(crate) fn new(
        drill: Arc<Drill>,
        look: Look,
        worlds: Arc<dyn Fn() -> World + Send + Sync>,
        found: Arc<Found>,
        alarm: Arc<Alarm>,
    ) -> Self {
        Self { drill, look, worlds, found, alarm, turn: tokio::sync::Mutex::default() }
    }

    pub(crate) async fn survey<S: Step>(&self, step: &S, cx: &Context) -> Result<Survey<S::Before, S::Output>> {
        self.alarm.ring();
        let _turn = self.turn().await;
        self.meet(step, cx.key());
        if self.look == Look::FromMemory {
            self.keep(step, cx).await;
        }
        let before = self.world();
        let seen = self.drill.act(cx.key(), Act::Survey, step.survey(cx)).await;
        if self.look == Look::On {
            self.nothing_changed(cx.key(), &before);
            if let Ok(Survey::Change { before, .. }) = &seen {
                self.survives(cx.key(), before);
            }
        }
        seen
    }

    pub(crate) async fn apply<S: Step>(&self, step: &S, cx: &Context, before: &S::Before) -> Result<S::Output> {
        self.alarm.ring();
        let _turn = self.turn().await;
        let world = self.world();
        let applied = match self.remembered(cx.key()) {
            Some(memory) => {
                let before = memory.downcast_ref::<S::Before>().unwrap_or(before);
                let applied = self.drill.act(cx.key(), Act::Apply, step.apply(cx, before)).await;
                self.found.lock().memory.insert(cx.key().clone(), memory);
                applied
            }
            None => self.drill.act(cx.key(), Act::Apply, step.apply(cx, before)).await,
        };
        match (&applied, &self.look) {
            (Ok(output), Look::On) => self.inspect_applied(step, cx, &world, output).await,
            (Ok(_), Look::ApplyTwice(key)) if key == cx.key() => {
                let once = self.world();
                let again = Drill::aside(step.apply(cx, before)).await.map(drop);
                self.is_once(Law::ApplyTwice, step, cx.key(), &once, again);
            }
            _ => {}
        }
        applied
    }

    pub(crate) async fn rollback<S: Rollback>(&self, step: &S, cx: &Context, before: &S::Before) -> Result<()> {
        let _turn = self.turn().await;
        let done = match self.remembered(cx.key()) {
            Some(memory) => {
                let before = memory.downcast_ref::<S::Before>().unwrap_or(before);
                let done = self.drill.act(cx.key(), Act::Rollback, step.rollback(cx, before)).await;
                self.found.lock().memory.insert(cx.key().clone(), memory);
                done
            }
            None => self.drill.act(cx.key(), Act::Rollback, step.rollback(cx, before)).await,
        };
        if done.is_ok() && self.look == Look::RollbackTwice(cx.key().clone()) {
            let once = self.world();
            let again = Drill::aside(step.rollback(cx, before)).await;
            self.is_once(Law::RollbackTwice, step, cx.key(), &once, again);
        }
        done
    }

    pub(crate) async fn settle<S: Rollback>(&self, step: &S, cx: &Context, before: &S::Before) -> Result<()> {
        let _turn = self.turn().await;
        if self.look == Look::RollbackAsSettle {
            Drill::aside(step.rollback(cx, before)).await?;
        }
        self.drill.act(cx.key(), Act::Settle, step.settle(cx, before)).await
    }

    /// Looks at a step that was just applied.
    async fn inspect_applied<S: Step>(&self, step: &S, cx: &Context, before: &World, output: &S::Output) {
        let (key, what) = (cx.key(), step.describe());
        if let Some((_, first)) = self.found.steps().into_iter().find(|(known, first)| known == key && *first != what) {
            let why = format!("it said `{}` before `apply` and `{}` after", whole(&first), whole(&what));
            self.found.breach(Law::DescribesItself, key, why, Vec::new());
        }
        let mut undeclared = before.diff(&self.world());
        self.found.touch(key, &undeclared);
        undeclared.retain(|difference| !covers(&what.writes, difference));
        if !undeclared.is_empty() {
            self.found.breach(Law::DeclaresWrites, key, "`apply` changed what `writes` does not name", undeclared);
        }
        let output = Stored::of(output).map_or(Value::Null, |output| output.to_value());
        if !is_evidence(&output) {
            let why = format!("the output is {output}: nobody can tell from it that anything happened");
            self.found.breach(Law::Evidence, key, why, Vec::new());
        }
        let before = self.world();
        match Drill::aside(step.survey(cx)).await {
            Ok(Survey::Change { diff, .. }) if !what.repeats => {
                let why = format!("it wants to change this again: {}", diff.to_string().replace('\n', "; "));
                self.found.breach(Law::Converges, key, why, Vec::new());
            }
            Err(error) => self.found.breach(Law::Converges, key, format!("it fails: {error:#}"), Vec::new()),
            Ok(_) => self.nothing_changed(key, &before),
        }
    }

    /// A second time must find all as the first has left it.
    fn is_once<S: Step>(&self, law: Law, step: &S, key: &Key, once: &World, again: Result<()>) {
        let mut differences = once.diff(&self.world());
        if step.describe().repeats {
            differences.clear();
        }
        match again {
            Err(error) => self.found.breach(law, key, format!("the second time failed: {error:#}"), differences),
            Ok(()) if differences.is_empty() => {}
            Ok(()) => self.found.breach(law, key, "the second time changed more", differences),
        }
    }

    fn nothing_changed(&self, key: &Key, before: &World) {
        let differences = before.diff(&self.world());
        if !differences.is_empty() {
            self.found.touch(key, &differences);
            self.found.breach(Law::SurveyChangesNothing, key, "it changed the world", differences);
        }
    }

    fn survives<B: Record>(&self, key: &Key, before: &B) {
        let there = Stored::of(before);
        let back = there.clone().and_then(|there| Stored::of(&there.load::<B>()?));
        let why = match (there, back) {
            (Ok(there), Ok(back)) if there == back => return,
            (Ok(there), Ok(back)) => format!("{} comes back as {}", there.json(), back.json()),
            (_, Err(error)) | (Err(error), _) => format!("{error:#}"),
        };
        self.found.breach(Law::BeforeSurvives, key, why, Vec::new());
    }

    /// Notes a step that is met for the first time.
    fn meet<S: Step>(&self, step: &S, key: &Key) {
        let mut found = self.found.lock();
        if !found.steps.iter().any(|(known, _)| known == key) {
            found.steps.push((key.clone(), step.describe()));
        }
    }

    /// Keeps the before-state in memory; an erased step has no other than that of another survey.
    async fn keep<S: Step>(&self, step: &S, cx: &Context) {
        let known = self.found.lock().memory.contains_key(cx.key());
        if let (false, Ok(Survey::Change { before, .. })) = (known, Drill::aside(step.survey(cx)).await) {
            self.found.lock().memory.insert(cx.key().clone(), Box::new(before));
        }
    }

    fn remembered(&self, key: &Key) -> Option<Box<dyn Any + Send + Sync>> {
        (self.look == Look::FromMemory).then(|| self.found.lock().memory.remove(key)).flatten()
    }

    fn world(&self) -> World {
        if self.look == Look::Away { World::empty() } else { (self.worlds)() }
    }

    async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.look == Look::Away { None } else { Some(self.turn.lock().await) }
    }
}

/// Whether a resource named in a description is, or holds, or is held in, what is different.
pub(crate) fn covers(writes: &[Resource], difference: &Difference) -> bool {
    let resource = &difference.place.resource;
    let is_directory = [&difference.from, &difference.to]
        .into_iter()
        .flatten()
        .all(|thing| matches!(thing, super::world::Thing::Directory { .. }));
    writes.iter().any(|wrote| {
        // Making what is named may make the directories above it.
        let inside = std::path::Path::new(&resource.name).starts_with(&wrote.name) && wrote.kind == resource.kind;
        inside || (is_directory && wrote.overlaps(resource))
    })
}

/// Whether somebody can tell from this that something happened: it holds a text or a number.
fn is_evidence(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(all) => all.iter().any(is_evidence),
        Value::Object(all) => all.values().any(is_evidence),
    }
}

fn whole(what: &Description) -> String {
    let names = |all: &[Resource]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("{} {}: {} (writes {})", what.kind, what.subject, what.line(), names(&what.writes))
}

/// The error of a run that never ends.
pub(crate) fn hangs() -> Error {
    Error::new("the run waits for something that never comes")
}
