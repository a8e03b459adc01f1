//! What an explanation comes by.

use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::*;

/// Whether anything looked at the world, or changed it.
static TOUCHED: AtomicBool = AtomicBool::new(false);

fn touched<T>() -> Result<T> {
    TOUCHED.store(true, Ordering::Relaxed);
    bail!("this is not to be called")
}

struct Act(&'static str);

#[derive(Serialize, Deserialize)]
struct Acted {
    id: String,
    changed: Vec<String>,
    at: jiff::Timestamp,
}

#[async_trait]
impl Step for Act {
    type Before = ();
    type Output = Acted;

    fn describe(&self) -> Description {
        Description::new("act", self.0).summary(format!("do {}", self.0)).command(format!("act {}", self.0))
    }

    async fn survey(&self, _: &Context) -> Result<Survey<(), Acted>> {
        touched()
    }

    async fn apply(&self, _: &Context, (): &()) -> Result<Acted> {
        touched()
    }
}

#[async_trait]
impl Rollback for Act {
    async fn rollback(&self, _: &Context, (): &()) -> Result<()> {
        touched()
    }
}

struct Good(&'static str);

#[async_trait]
impl Check for Good {
    fn describe(&self) -> Description {
        Description::new("good", self.0).summary(format!("{} is good", self.0))
    }

    async fn check(&self, _: &Context) -> Result<Finding> {
        touched()
    }
}

type Future<'a> = Pin<Box<dyn std::future::Future<Output = Result<()>> + Send + 'a>>;

/// A procedure with this outline and this body.
macro_rules! procedure {
    ($name:ident, $items:expr, $body:expr) => {
        struct $name;

        impl Procedure for $name {
            type Input = NoInput;
            type Output = ();
            const OUTLINE: &'static Outline =
                &Outline { name: stringify!($name), title: "", doc: "", items: $items, fingerprint: 0 };

            fn call<'a>(run: &'a Run, _: &'a NoInput) -> Future<'a> {
                let body: fn(&'a Run) -> Future<'a> = $body;
                body(run)
            }
        }
    };
}

const CONDITION: Item =
    Item { kind: ItemKind::If, title: "code.changed.contains(\"schema\")", doc: "", code: "", items: &[] };

procedure!(All, &[CONDITION], |run| Box::pin(async move {
    run.confirm("Ready?").await?;
    run.check("Before", Good("before")).await?;
    let code = run.step("Fetch", Act("fetch")).await?;
    if code.changed.iter().any(|changed| changed == "schema") {
        run.step("Migrate", Act("migrate")).await?;
    }
    let units: Vec<String> = run.look(async |_| touched()).await?;
    run.each("Units", units, async |run, _| run.step("Restart", Act("restart")).await.map(drop)).await?;
    run.point_of_no_return("it is late").await?;
    run.hold("Page", Act("page"), async |run| run.observe("Quiet", Good("quiet")).await.map(drop)).await?;
    // A person would have a longer name than this; made up, it is too short.
    let short = code.id[..20].to_owned();
    run.irreversible("mail", format!("Tell {}", short.len()), Act("tell")).await?;
    Ok(())
}));

procedure!(Diagnosis, &[], |run| Box::pin(async move {
    if run.probe("Symptom", Good("all")).await?.passes() {
        return Ok(());
    }
    let (disk, database) = (run.probe("Disk", Good("disk")).await?, run.probe("Database", Good("database")).await?);
    match (disk.passes(), database.passes()) {
        (false, _) => run.step("Make room", Act("make room")).await.map(drop),
        (_, false) => run.step("Start", Act("start")).await.map(drop),
        _ => bail!("nobody knows"),
    }
}));

procedure!(Remedied, &[], |run| Box::pin(async move {
    let tried = run.scope("Try", async |run| {
        run.step("Restart", Act("restart")).await?;
        run.check("Answers", Good("site")).await
    });
    if tried.await.is_err() {
        run.step("Go back", Act("back")).await?;
    }
    run.check("In the end", Good("site")).await
}));

procedure!(Endless, &[], |run| Box::pin(async move {
    loop {
        run.step("Again", Act("again")).await?;
        let _: Result<bool> = run.remember(async || touched()).await;
    }
}));

procedure!(Sleepy, &[], |run| Box::pin(async move {
    run.step("First", Act("first")).await?;
    tokio::time::sleep(std::time::Duration::from_secs(86_400)).await;
    run.step("Never", Act("never")).await.map(drop)
}));

static EVENTS: Mutex<Vec<Event>> = Mutex::new(Vec::new());

async fn explain<P: Procedure>() -> Vec<Explained> {
    let runner = Runner::new(Book::new("made up").procedures([Definition::of::<P>()]));
    let runner = runner.reader(|event: &Event| EVENTS.lock().expect("unharmed").push(event.clone()));
    let explanation =
        runner.explain(P::OUTLINE.name, Stored::of(&NoInput {}).expect("inputs")).await.expect("explains");
    assert!(!TOUCHED.load(Ordering::Relaxed), "nothing is looked at, and nothing changed");
    assert!(EVENTS.lock().expect("unharmed").is_empty(), "nobody hears of it");
    explanation.steps
}

fn titles(steps: &[Explained]) -> Vec<String> {
    steps.iter().map(|step| step.title.join(" / ")).collect()
}

#[tokio::test]
async fn every_step_is_come_by_in_order() {
    let steps = explain::<All>().await;
    assert_eq!(
        titles(&steps),
        [
            "Ready?",
            "Before",
            "Fetch",
            "Units / 0000000000000000000000000000000000000000 / Restart",
            "Migrate",
            "Units / <value> / Restart",
            "Units / schema / Restart",
            "Page / Page",
            "Page / Page / Quiet",
            "Tell 20",
        ]
    );
    assert_eq!((steps[2].what.commands.as_slice(), steps[2].asks), (&["act fetch".to_owned()][..], false));
    assert_eq!((steps[1].what.summary.as_str(), steps[1].asks), ("before is good", true));
}

#[tokio::test]
async fn a_diagnosis_is_followed_to_each_of_its_causes() {
    assert_eq!(titles(&explain::<Diagnosis>().await), ["Symptom", "Disk", "Database", "Start", "Make room"]);
}

#[tokio::test]
async fn what_is_done_about_a_check_that_fails_is_come_by() {
    let titles = titles(&explain::<Remedied>().await);
    assert_eq!(titles, ["Try / Restart", "Try / Answers", "Go back", "In the end"]);
}

#[tokio::test(start_paused = true)]
async fn what_never_ends_is_left() {
    assert_eq!(titles(&explain::<Endless>().await), ["Again"]);
    assert_eq!(titles(&explain::<Sleepy>().await), ["First"]);
}
