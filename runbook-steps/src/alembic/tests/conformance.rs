//! One suite for the real alembic and the simulated one: the same steps, and the same words about them.

use std::sync::Arc;
use std::time::Duration;

use runbook::testing::SimHost;
use runbook::{Check, Diff, Rollback};
use serde::Serialize;

use super::super::fake::Script;
use super::super::{Fake, *};
use super::{ENV, Place};
use crate::backup::NoBackup;
use crate::postgres::Database;
use runbook::{Context, Error, Step, Survey};

/// Puts exactly these migrations in place.
type Release<'a> = Box<dyn Fn(&[Script]) + 'a>;

/// An application, and how its code is changed.
struct World<'a> {
    cx: Context,
    schema: Alembic,
    release: Release<'a>,
    names: Vec<(String, &'static str)>,
}

/// What was said, with places under the same names in both worlds.
struct Transcript<'a> {
    world: World<'a>,
    lines: Vec<String>,
}

impl Transcript<'_> {
    fn say(&mut self, what: &str, words: impl std::fmt::Display) {
        let names = self.world.names.iter();
        let line = names.fold(words.to_string(), |line, (name, short)| line.replace(name, short));
        self.lines.push(format!("{what}: {line}"));
    }

    fn answer<T: Serialize>(&mut self, what: &str, answer: Result<T, Error>) {
        match answer {
            Ok(value) => {
                let mut value = serde_json::to_value(&value).expect("serialises");
                without_times(&mut value);
                self.say(what, value);
            }
            Err(error) => self.say(what, format!("{:?} {error:#}; {:?}", error.kind(), error.advice())),
        }
    }

    async fn facts(&mut self) {
        let World { cx, schema, .. } = &self.world;
        let (cx, schema) = (cx.clone(), schema.clone());
        let found = (current(&cx, &schema).await, heads(&cx, &schema).await, pending(&cx, &schema).await);
        self.answer("current", found.0);
        self.answer("heads", found.1);
        self.answer("pending", found.2);
        let checks: [Box<dyn Check>; 4] = [
            Box::new(current_is_head(&schema)),
            Box::new(current_is_known(&schema)),
            Box::new(one_head(&schema)),
            Box::new(is_reversible(&schema)),
        ];
        for check in checks {
            let found = check.check(&cx).await;
            self.answer("check", found);
        }
    }

    /// Surveys, applies twice, surveys again; tells all.
    async fn take<S: Step>(&mut self, step: &S) -> Option<S::Before> {
        let cx = self.world.cx.clone();
        self.say("step", step.describe().line());
        let (before, diff): (_, Diff) = match step.survey(&cx).await {
            Ok(Survey::Change { before, diff, .. }) => (before, diff),
            Ok(Survey::Already(output)) => {
                self.answer("already", Ok(output));
                return None;
            }
            Err(error) => {
                self.answer::<()>("refused", Err(error));
                return None;
            }
        };
        self.say("diff", diff);
        for what in ["applied", "again"] {
            let output = step.apply(&cx, &before).await;
            self.answer(what, output);
        }
        let after = step.survey(&cx).await.map(|survey| matches!(survey, Survey::Already(_)));
        self.answer("done", after);
        Some(before)
    }

    async fn back<S: Rollback>(&mut self, step: &S, before: Option<S::Before>) {
        let cx = self.world.cx.clone();
        let before = before.expect("it was applied");
        for _ in 0..2 {
            let undone = step.rollback(&cx, &before).await;
            self.answer("undone", undone);
        }
        let now = current(&cx, &self.world.schema).await;
        self.answer("now", now);
    }
}

/// Times and files are not the same twice.
fn without_times(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(all) => {
            all.retain(|key, _| !matches!(key.as_str(), "took" | "seconds"));
            all.values_mut().for_each(without_times);
        }
        serde_json::Value::Array(all) => all.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// The code has one line of migrations.
async fn straight(world: World<'_>) -> Vec<String> {
    let schema = world.schema.clone();
    let mut told = Transcript { world, lines: Vec::new() };
    let up = || upgrade(&schema).guarded_by(NoBackup::because("a test"));
    let down = |to: &str| downgrade(&schema).to(to).guarded_by(NoBackup::because("a test"));
    told.take(&up()).await; // There is no migration yet.

    let claims = Script::new("3f1a9c0d7e21").titled("claims").creates("claims");
    let notes = Script::new("2024_notes").after("3f1a9c0d7e21").titled("notes of a claim").adds("claims.notes");
    let rates = Script::new("rates").after("2024_notes").creates("rates").takes(Duration::from_millis(10));
    (told.world.release)(&[claims.clone(), notes.clone(), rates.clone()]);
    told.facts().await;
    let all = history(&told.world.cx, &schema).await;
    told.answer("history", all);
    let shown = show(&told.world.cx, &schema, "2024_notes").await;
    told.answer("shown", shown);
    let first = upgrade(&schema).to("3f1a").guarded_by(NoBackup::because("a test"));
    let before = told.take(&first).await;
    told.back(&first, before).await;
    told.take(&first).await;
    let before = told.take(&up()).await;
    told.back(&up(), before).await;
    told.take(&up()).await;
    told.take(&first).await; // It is further than that.
    told.take(&upgrade(&schema).to("nope").guarded_by(NoBackup::because("a test"))).await;
    told.take(&upgrade(&schema).to("rates").guarded_by(NoBackup::because("a test")).may_restore()).await;

    for to in ["2024_notes", "rates", "nope", "+1"] {
        let step = down(to);
        if let Some(before) = told.take(&step).await {
            told.back(&step, Some(before)).await;
        }
    }
    let step = stamp(&schema, "2024_notes");
    let before = told.take(&step).await;
    told.back(&step, before).await;
    told.take(&stamp(&schema, "nope")).await;

    // Those that go wrong, each after the last good one.
    let next = Script::new("next").after("rates").titled("the next").adds("claims.more");
    for bad in [
        next.clone().fails(),
        next.clone().fails_half_way(),
        next.clone().irreversible("it is gone"),
        next.clone().without_downgrade(),
    ] {
        (told.world.release)(&[claims.clone(), notes.clone(), rates.clone(), bad.clone()]);
        let before = told.take(&up()).await;
        told.back(&up(), before).await;
        // Whatever is left of it is cleared away, as a person would.
        let mend = Script::new("next").after("rates").titled("the next");
        (told.world.release)(&[claims.clone(), notes.clone(), rates.clone(), mend.clone()]);
        told.take(&down("rates")).await;
        let clear = Script::new("clear").after("rates").adds("claims.more");
        (told.world.release)(&[claims.clone(), notes.clone(), rates.clone(), clear]);
        told.take(&stamp(&schema, "clear")).await;
        told.take(&down("rates")).await;
        told.take(&stamp(&schema, "rates")).await;
    }

    told.lines
}

/// The code has branches, and is older than the database.
async fn branching(world: World<'_>) -> Vec<String> {
    let schema = world.schema.clone();
    let mut told = Transcript { world, lines: Vec::new() };
    let up = || upgrade(&schema).guarded_by(NoBackup::because("a test"));
    let down = |to: &str| downgrade(&schema).to(to).guarded_by(NoBackup::because("a test"));
    let claims = Script::new("3f1a9c0d7e21").titled("claims").creates("claims");
    let rates = Script::new("rates").after("3f1a9c0d7e21").creates("rates");
    (told.world.release)(&[claims.clone(), rates.clone()]);
    told.take(&up()).await;
    let next = Script::new("next").after("rates").titled("the next").adds("claims.more");
    let other = Script::new("other").after("rates").adds("rates.more");
    (told.world.release)(&[claims.clone(), rates.clone(), next.clone(), other.clone()]);
    told.facts().await;
    told.take(&up()).await;
    let merge = Script::new("merge").after("next").after("other").titled("merge");
    (told.world.release)(&[claims.clone(), rates.clone(), next, other, merge]);
    let before = told.take(&up()).await;
    told.back(&up(), before).await;
    (told.world.release)(&[claims]); // Older than the database.
    told.facts().await;
    told.take(&up()).await;
    told.take(&down("3f1a9c0d7e21")).await;
    told.lines
}

fn simulated(host: &SimHost) -> World<'_> {
    let claims = Database::url("postgresql://marb@localhost/claims");
    let release = |scripts: &[Script]| {
        host.edit(|tree| tree.remove("/opt/app/alembic/versions"));
        Fake::code(host.clone(), "/opt/app", scripts);
    };
    let names = vec![("/opt/app".to_owned(), "ROOT"), (claims.to_string(), "DATABASE")];
    let schema = Alembic::in_dir("/opt/app", &claims);
    World { cx: Context::on(Arc::new(host.clone())), schema, release: Box::new(release), names }
}

fn real(place: &Place) -> World<'_> {
    std::fs::write(place.app.join("alembic/env.py"), ENV).expect("written");
    let versions = place.app.join("alembic/versions");
    let clear = move || {
        std::fs::remove_dir_all(&versions).expect("removed");
        std::fs::create_dir(&versions).expect("made");
    };
    clear();
    let release = move |scripts: &[Script]| {
        clear();
        for (path, text) in scripts.iter().map(Script::file) {
            std::fs::write(place.app.join(path), text).expect("written");
        }
    };
    let names = vec![(place.app.display().to_string(), "ROOT"), (place.claims.to_string(), "DATABASE")];
    World { cx: place.cx.clone(), schema: place.schema.clone(), release: Box::new(release), names }
}

fn simulated_host() -> SimHost {
    Fake::new().on(Fake::code(SimHost::new("sim"), "/opt/app", &[]))
}

#[tokio::test(start_paused = true)]
async fn the_simulated_alembic_does_what_the_suite_asks() {
    let (one, other) = (simulated_host(), simulated_host());
    let lines = [straight(simulated(&one)).await, branching(simulated(&other)).await].concat();
    let count = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert!(count("refused") > 5 && count("undone") > 15 && count("check") >= 12, "{lines:#?}");
}

fn agree(simulated: &[String], real: &[String]) {
    for (n, (is, should)) in simulated.iter().zip(real).enumerate() {
        assert_eq!(is, should, "after {:#?}", &real[n.saturating_sub(6)..n]);
    }
    assert_eq!(simulated.len(), real.len());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn the_simulated_alembic_agrees_with_the_real_one() {
    let (host, place) = (simulated_host(), Place::new().await);
    agree(&straight(simulated(&host)).await, &straight(real(&place)).await);
    place.clean().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/all runs it"]
async fn they_agree_about_branches_too() {
    let (host, place) = (simulated_host(), Place::new().await);
    agree(&branching(simulated(&host)).await, &branching(real(&place)).await);
    place.clean().await;
}
