//! What is promised of a rollout, on a simulated fleet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use runbook::testing::Rig;
use runbook::{Check, Context, Description, Diff, Error, Finding, Result, Rollback, Run, Step, Survey, Units as _};
use runbook_macros::procedure;

use super::*;

/// Instances with their versions, and which of them get no requests.
#[derive(Clone, Default)]
struct Site(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    versions: BTreeMap<String, u32>,
    drained: Vec<String>,
    /// What happened, in order.
    told: Vec<String>,
    /// The least number of instances that served at any moment.
    least: usize,
}

impl Site {
    fn of(names: &[&str]) -> Self {
        let versions = names.iter().map(|&name| (name.to_owned(), 1)).collect();
        Self(Arc::new(Mutex::new(State { versions, least: names.len(), ..State::default() })))
    }

    fn change(&self, told: String, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().expect("alone");
        change(&mut state);
        state.told.push(told);
        let serving = state.versions.iter().filter(|(name, version)| **version != 13 && !state.drained.contains(name));
        state.least = serving.count().min(state.least);
    }
}

struct Drain(Site, String);

#[async_trait]
impl Step for Drain {
    type Before = ();
    type Output = ();

    fn describe(&self) -> Description {
        Description::new("test.drain", &self.1)
    }

    async fn survey(&self, _: &Context) -> Result<Survey<(), ()>> {
        Ok(Survey::change((), Diff::none()))
    }

    async fn apply(&self, _: &Context, (): &()) -> Result<()> {
        let name = self.1.clone();
        self.0.change(format!("drain {name}"), |state| state.drained.push(name));
        Ok(())
    }
}

#[async_trait]
impl Rollback for Drain {
    async fn rollback(&self, _: &Context, (): &()) -> Result<()> {
        self.0.change(format!("undrain {}", self.1), |state| state.drained.retain(|name| *name != self.1));
        Ok(())
    }
}

struct Version(Site, String, u32);

#[async_trait]
impl Step for Version {
    type Before = u32;
    type Output = u32;

    fn describe(&self) -> Description {
        Description::new("test.version", &self.1)
    }

    async fn survey(&self, _: &Context) -> Result<Survey<u32, u32>> {
        let now = self.0.0.lock().expect("alone").versions[&self.1];
        Ok(if now == self.2 { Survey::Already(now) } else { Survey::change(now, Diff::none()) })
    }

    async fn apply(&self, _: &Context, _: &u32) -> Result<u32> {
        let drained = self.0.0.lock().expect("alone").drained.contains(&self.1);
        assert!(drained, "{} is replaced while it gets requests", self.1);
        self.0.change(format!("{} is {}", self.1, self.2), |state| _ = state.versions.insert(self.1.clone(), self.2));
        // It takes its time, in which others can be replaced as well.
        tokio::time::sleep(1.seconds()).await;
        Ok(self.2)
    }
}

#[async_trait]
impl Rollback for Version {
    async fn rollback(&self, cx: &Context, before: &u32) -> Result<()> {
        Version(self.0.clone(), self.1.clone(), *before).apply(cx, before).await.map(drop)
    }
}

/// Version 13 is never well.
struct Well(Site, String);

#[async_trait]
impl Check for Well {
    fn describe(&self) -> Description {
        Description::new("test.well", &self.1)
    }

    async fn check(&self, _: &Context) -> Result<Finding> {
        let version = self.0.0.lock().expect("alone").versions[&self.1];
        Ok(Finding::of(version != 13, format!("version {version}")))
    }
}

thread_local! {
    static SITE: Site = Site::of(&["api-1", "api-2", "api-3"]);
}

fn to(version: impl Fn(&str) -> u32 + Send + Sync + 'static) -> Rolling<Drain, Version> {
    let site = SITE.with(Clone::clone);
    rolling(["api-3", "api-2", "api-1"], move |name| {
        let (site, name) = (site.clone(), name.to_owned());
        let balancer: Arc<dyn runbook::Host> = Arc::new(runbook::host::Local::new());
        replace(&name, Version(site.clone(), name.clone(), version(&name)))
            .drained_by(Drain(site.clone(), name.clone()), &balancer)
            .until(Well(site, name), 5.seconds())
    })
}

fn told() -> Vec<String> {
    SITE.with(|site| std::mem::take(&mut site.0.lock().expect("alone").told))
}

fn versions() -> Vec<u32> {
    SITE.with(|site| site.0.lock().expect("alone").versions.values().copied().collect())
}

fn least() -> usize {
    SITE.with(|site| site.0.lock().expect("alone").least)
}

#[procedure]
async fn good(run: &Run) -> Result<()> {
    to(|_| 2).go(run).await.map(drop)
}

#[procedure]
async fn bad(run: &Run) -> Result<()> {
    to(|_| 13).go(run).await.map(drop)
}

#[procedure]
async fn bad_at_last(run: &Run) -> Result<()> {
    to(|name| if name == "api-1" { 13 } else { 2 }).go(run).await.map(drop)
}

#[procedure]
async fn fails_later(run: &Run) -> Result<()> {
    to(|_| 2).by(2).go(run).await?;
    Err(Error::new("the smoke test fails"))
}

#[tokio::test(start_paused = true)]
async fn one_after_the_other_is_replaced_while_the_others_serve() {
    Rig::new().run::<good>(runbook::NoInput {}).await.succeeds();
    let one = |name: &str| [format!("drain {name}"), format!("{name} is 2"), format!("undrain {name}")];
    assert_eq!(told(), [one("api-3"), one("api-2"), one("api-1")].concat());
    assert_eq!((versions(), least()), (vec![2, 2, 2], 2));
    Rig::new().run::<good>(runbook::NoInput {}).await.succeeds();
    assert!(told().is_empty(), "a second rollout changes nothing");
}

#[tokio::test(start_paused = true)]
async fn the_first_that_is_not_well_is_put_back_and_no_other_is_touched() {
    Rig::new().run::<bad>(runbook::NoInput {}).await.rolls_back();
    let told = told();
    assert!(told.iter().all(|line| line.contains("api-3")), "{told:?}");
    let undrained = told.iter().filter(|line| *line == "undrain api-3").count();
    assert_eq!(
        (undrained, told.last().map(String::as_str)),
        (1, Some("undrain api-3")),
        "not before it is well: {told:?}"
    );
    assert_eq!((versions(), least()), (vec![1, 1, 1], 2));
}

#[tokio::test(start_paused = true)]
async fn those_before_it_are_put_back_in_their_turn() {
    Rig::new().run::<bad_at_last>(runbook::NoInput {}).await.rolls_back();
    // Things settle in the order in which they were done, so the bad one comes back last: one serves at every moment.
    assert_eq!((versions(), least()), (vec![1, 1, 1], 1));
}

#[tokio::test(start_paused = true)]
async fn batches_are_put_back_when_something_later_fails() {
    Rig::new().run::<fails_later>(runbook::NoInput {}).await.rolls_back();
    assert_eq!((versions(), least()), (vec![1, 1, 1], 1));
}
