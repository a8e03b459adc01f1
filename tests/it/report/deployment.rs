//! A deployment as the fourth document has it, of a site that is only made up, but really down for a while. Every step
//! notes when it was at work, so that a report can be compared with what happened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use runbook::journal::{MemoryStore, Store};
use runbook::prelude::*;
use runbook::report::{Summary, from_journal};
use runbook::steps::downtime;
use runbook::testing::SimHost;
use runbook::{Clock, Event, Finished, People, Question, Reply, Runner, Stored, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The site, and what goes wrong with it.
#[derive(Clone)]
pub(super) struct Site(Arc<Mutex<State>>);

struct State {
    up: bool,
    clock: Arc<dyn Clock>,
    happened: Vec<Happened>,
    trouble: BTreeMap<String, Vec<Error>>,
}

/// Something a step did.
#[derive(Debug, Clone)]
pub(super) struct Happened {
    /// What it acted on.
    pub(super) subject: String,
    /// `apply`, `undo` or `settle`.
    pub(super) act: &'static str,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Site {
    pub(super) fn new(clock: impl Clock + 'static) -> Self {
        let (happened, trouble) = (Vec::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(State { up: true, clock: Arc::new(clock), happened, trouble })))
    }

    /// With this going wrong, one after the other.
    pub(super) fn trouble(self, subject: &str, errors: impl IntoIterator<Item = Error>) -> Self {
        self.state().trouble.insert(subject.to_owned(), errors.into_iter().collect());
        self
    }

    pub(super) fn happened(&self) -> Vec<Happened> {
        self.state().happened.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(cx: &Context) -> Result<Arc<Self>> {
        cx.port::<Self>().context("the test gives a site")
    }

    fn fails(&self, subject: &str) -> Result<()> {
        let mut state = self.state();
        let errors = state.trouble.get_mut(subject).filter(|errors| !errors.is_empty());
        errors.map_or(Ok(()), |errors| Err(errors.remove(0)))
    }

    async fn at_work(&self, deed: &Deed, act: &'static str, takes: Duration) {
        let from = self.state().clock.now();
        tokio::time::sleep(takes).await;
        let mut state = self.state();
        let to = state.clock.now();
        state.happened.push(Happened { subject: deed.subject.clone(), act, from, to });
    }
}

/// A step of a kind, that takes a while.
#[derive(Clone)]
struct Deed {
    kind: &'static str,
    subject: String,
    takes: Duration,
    diff: Diff,
    output: Value,
    /// Whether the site is up afterwards, when it changes that.
    up: Option<bool>,
}

fn deed(kind: &'static str, subject: impl Into<String>, takes: u64) -> Deed {
    let (diff, output) = (Diff::note("it is done every time"), Value::Null);
    Deed { kind, subject: subject.into(), takes: takes.millis(), diff, output, up: None }
}

impl Deed {
    fn changes(mut self, diff: Diff) -> Self {
        self.diff = diff;
        self
    }

    fn gives(mut self, output: Value) -> Self {
        self.output = output;
        self
    }

    fn leaves_it(mut self, up: bool) -> Self {
        self.up = Some(up);
        self
    }
}

#[async_trait]
impl Step for Deed {
    type Before = bool;
    type Output = Value;

    fn describe(&self) -> Description {
        Description::new(self.kind, &self.subject).repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<bool, Value>> {
        Ok(Survey::change(Site::of(cx)?.state().up, self.diff.clone()))
    }

    async fn apply(&self, cx: &Context, _: &bool) -> Result<Value> {
        let site = Site::of(cx)?;
        if self.kind == "alembic.upgrade" {
            cx.warn("table `bookings` is locked while this runs");
        }
        site.at_work(self, "apply", self.takes).await;
        site.fails(&self.subject)?;
        if let Some(up) = self.up {
            site.state().up = up;
        }
        Ok(self.output.clone())
    }
}

#[async_trait]
impl Rollback for Deed {
    async fn rollback(&self, cx: &Context, _: &bool) -> Result<()> {
        let site = Site::of(cx)?;
        site.at_work(self, "undo", self.takes / 2).await;
        Ok(())
    }

    async fn settle(&self, cx: &Context, before: &bool) -> Result<()> {
        let site = Site::of(cx)?;
        if self.up == Some(false) {
            site.at_work(self, "settle", self.takes / 2).await;
            site.state().up = *before;
        }
        Ok(())
    }
}

/// A question with a ready answer.
struct Ask {
    kind: &'static str,
    answer: Finding,
}

fn ask(kind: &'static str, answer: Finding) -> Ask {
    Ask { kind, answer }
}

#[async_trait]
impl Check for Ask {
    fn describe(&self) -> Description {
        Description::new(self.kind, self.kind)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let site = Site::of(cx)?;
        tokio::time::sleep(30.millis()).await;
        match site.fails(self.kind) {
            Ok(()) => Ok(self.answer.clone()),
            Err(error) => Ok(Finding::fail(Evidence::new(error.message()).lines(error.lines().to_vec()))),
        }
    }
}

/// Whether the site answers.
struct Answers;

#[async_trait]
impl Check for Answers {
    fn describe(&self) -> Description {
        Description::new("http.get", "https://cleaning.example")
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        Ok(Finding::of(Site::of(cx)?.state().up, "as it is"))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
pub(super) struct To {
    environment: String,
    revision: String,
    prune: bool,
}

const OLD: &str = "9b0a8b3f1c5e4d2a7788990011223344556677aa";
const NEW: &str = "07282d8c4be1f0a9d8e7c6b5a493827160594837";
const OLD_IMAGE: &str = "sha256:1f0a6b21c8d94e35b7a2f96d03c8e4417a5b9d20c6e8f3a1d4b7095e2c6f8a31";
const NEW_IMAGE: &str = "sha256:c84d5e6f70a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b";

/// Standard deployment.
///
/// Backup, code, images, migrations and restart, behind a maintenance page.
#[procedure(target = to.environment)]
pub(super) async fn standard_deployment(run: &Run, to: &To) -> Result<Value> {
    run.require("CI passing", ask("ci.pipeline", Finding::pass("pipeline 4711 is green, 412 tests"))).await?;
    run.confirm("Does support know that the site goes down for a minute?").await?;
    let dump = json!({"path": "/var/backups/cleaning-20260106-100000.dump", "rows": 48_211});
    run.step("Create a backup", deed("backup.postgres", "database", 180).gives(dump)).await?;
    run.step("Tell the team", deed("notify.slack", "#deployments", 60)).await?;
    if to.prune {
        run.step("Remove old images", deed("docker.prune", "images", 80)).await?;
    }
    let watch = downtime::of("the site", Answers).every(5.millis());
    let code = json!({"root": "/opt/cleaning", "from": OLD, "to": NEW, "changed": ["api/main.py"], "tag": to.revision});
    watch
        .during(run, async |run| {
            let checkout = deed("git.checkout", "/opt/cleaning", 120).gives(code);
            run.step("Update the code", checkout.changes(Diff::turn("HEAD", &OLD[..12], &NEW[..12]))).await?;
            images(run).await?;
            run.hold("Maintenance page", deed("nginx.maintenance", "cleaning.example", 60), async |run| {
                replace(run).await
            })
            .await?;
            verify(run).await
        })
        .await?;
    Ok(json!({"revision": NEW, "previous": OLD}))
}

async fn images(run: &Run) -> Result<()> {
    let build = |service: &str, takes| {
        let images = json!({"images": [{"service": service, "before": OLD_IMAGE, "after": NEW_IMAGE}]});
        deed("compose.build", format!("image of {service}"), takes).gives(images)
    };
    run.both(
        "Build the images",
        async |run| run.step("Build api", build("api", 420)).await,
        async |run| run.step("Build web", build("web", 300)).await,
    )
    .await
    .map(drop)
}

/// The part for which the site is down.
async fn replace(run: &Run) -> Result<()> {
    let stop = Diff::none().and_remove("container cleaning-api-1").and_remove("container cleaning-web-1");
    run.step("Stop the services", deed("compose.stop", "services", 150).changes(stop).leaves_it(false)).await?;
    let upgrade = deed("alembic.upgrade", "schema", 260)
        .changes(Diff::turn("schema of cleaning", "a1c3", "b2d4").and_add("migration b2d4 (adds `bookings.note`)"))
        .gives(json!({"before": ["a1c3"], "after": ["b2d4"]}));
    run.on(&host("db-1")).step("Run the migrations", upgrade).retry(Retry::attempts(3).backoff(200.millis())).await?;
    run.each("Start the services", ["api", "web", "jobs"], async |run, service| {
        let takes = 120 + 60 * service.len() as u64;
        let up = deed("compose.up", service, takes);
        run.on(&host("app-1")).step("Start", if service == "jobs" { up.leaves_it(true) } else { up }).await
    })
    .await
    .map(drop)
}

async fn verify(run: &Run) -> Result<()> {
    run.check("Health check", ask("http.health", Finding::pass("200 OK in 12 ms, status = ok"))).await?;
    run.check("Readiness check", ask("http.ready", Finding::pass("200 OK, database, redis and queue are ready")))
        .await?;
    run.observe("Memory", ask("memory.available", Finding::fail("12 % left, wanted 15 %"))).await?;
    run.check("Smoke tests", ask("smoke", Finding::pass("3 of 3 conversations"))).await?;
    run.check("Service status", ask("compose.ps", Finding::pass("All running: api, web, jobs, db, caddy"))).await
}

/// Everything is longer than there is room for.
#[procedure]
async fn unwieldy(run: &Run) -> Result<()> {
    let long = |what: &str| format!("{what} {}", "ohne-jede-Lücke".repeat(20));
    let output = json!({"path": long("/srv"), "checksum": "0".repeat(128)});
    let mail = deed("notify.mail", long("everyone"), 20).gives(output);
    run.irreversible(long("a mail cannot be called back, and"), long("Tell everyone"), mail).await?;
    let names: Vec<String> = (0..12).map(|n| format!("instance-{n}-of-a-service-with-a-name-without-end")).collect();
    run.each(long("Every instance"), names, async |run, name| {
        run.scope(long("One"), async |run| {
            run.scope("Two", async |run| {
                run.scope("Three", async |run| {
                    let change = Diff::turn(long("image"), OLD_IMAGE, NEW_IMAGE).and_add(long("line"));
                    run.on(&host("a.host.with.a.long.name.in.a.region.example.org"))
                        .step("Four", deed("compose.up", name, 20).changes(change))
                        .await
                })
                .await
            })
            .await
        })
        .await
    })
    .await?;
    let lines = Evidence::new(long("nothing")).lines([long("a line"), "x".repeat(500)]);
    run.check(long("Whether all is well"), ask("http.get", Finding::Fail(lines))).await
}

fn host(name: &str) -> Arc<dyn Host> {
    Arc::new(SimHost::new(name))
}

/// The clock of the site.
#[derive(Debug)]
struct Shared(Arc<dyn Clock>);

impl Clock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// Someone who says yes.
struct Anna;

#[async_trait]
impl People for Anna {
    async fn ask(&self, _: &Question) -> Option<Reply> {
        Some(Reply { verdict: Verdict::Yes, evidence: Evidence::new("anna said yes") })
    }

    fn me(&self) -> String {
        "anna".to_owned()
    }
}

/// A run: what it told while it went on, and what its journal tells afterwards.
pub(super) struct Told {
    pub(super) finished: Finished,
    pub(super) live: Vec<Event>,
    pub(super) remembered: Vec<Event>,
}

impl Told {
    pub(super) fn live(&self) -> Summary {
        outlined(&self.live)
    }

    pub(super) fn remembered(&self) -> Summary {
        outlined(&self.remembered)
    }
}

fn outlined(events: &[Event]) -> Summary {
    let mut summary: Summary = events.iter().collect();
    summary.outline = book().find("standard_deployment").ok().map(|definition| definition.outline);
    summary
}

fn book() -> Book {
    Book::new("cleaning").procedures(procedures![standard_deployment, unwieldy])
}

/// Runs the deployment of this site, with a journal in memory.
pub(super) async fn deploy(site: &Site) -> Told {
    deploy_in(site, Arc::new(MemoryStore::default())).await
}

/// Runs the deployment of this site, with its journal there.
pub(super) async fn deploy_in(site: &Site, store: Arc<dyn Store>) -> Told {
    let to = To { environment: "production".into(), revision: "v2.4.0".into(), prune: false };
    run_in(site, store, "standard_deployment", Stored::of(&to).expect("inputs")).await
}

/// Runs what is longer than there is room for.
pub(super) async fn overflow(site: &Site) -> Told {
    run_in(site, Arc::new(MemoryStore::default()), "unwieldy", Stored::of(&NoInput {}).expect("inputs")).await
}

async fn run_in(site: &Site, store: Arc<dyn Store>, procedure: &str, inputs: Stored) -> Told {
    let live = Arc::new(Mutex::new(Vec::new()));
    let keep = live.clone();
    let reader = move |event: &Event| keep.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
    let runner = Runner::new(book()).store(store.clone()).people(Anna).reader(reader);
    let runner = runner.clock(Shared(site.state().clock.clone())).port(site.clone());
    let finished = runner.run(procedure, inputs).await.expect("it begins");
    let entries = store.read(&finished.run).await.expect("a journal");
    let live = live.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Told { remembered: from_journal(&finished.run, &entries), finished, live }
}

/// What a migration says that cannot be run.
pub(super) fn exists_already() -> Error {
    Error::new("`alembic upgrade head` on db-1 exited with 1")
        .caused_by(Error::new("relation \"bookings_note\" already exists").caused_by(Error::new("SQLSTATE 42P07")))
        .details([
            "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.",
            "INFO  [alembic.runtime.migration] Running upgrade a1c3 -> b2d4, adds bookings.note",
            "sqlalchemy.exc.ProgrammingError: (psycopg2.errors.DuplicateTable) relation \"bookings_note\" already exists",
        ])
        .hint("look what is in the table `bookings_note`, which a migration by hand may have left")
}
