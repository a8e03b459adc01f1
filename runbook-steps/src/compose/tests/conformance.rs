//! One suite for the real Docker and Compose and the simulated ones. What the real ones say is kept in `conformance.txt`;
//! both are held to it.

use std::path::Path;
use std::time::Duration;

use regex_lite::Regex;
use runbook::host::Attributes;
use runbook::{Check, Error, Result, Rollback, Step, Survey};
use serde::Serialize;

use super::*;
use crate::conformance::{agree, is_same};
use crate::docker;

/// The files of the project in this directory, made of an image that has `sh`.
pub(super) fn files(image: &str) -> Vec<(&'static str, String)> {
    let compose = format!(
        "services:
  db:
    image: {image}
    command: sleep infinity
    init: true
    restart: unless-stopped
    stop_grace_period: 5s
    volumes: ['data:/data']
  api:
    build: ./api
    init: true
    restart: always
    depends_on: [db]
    healthcheck: {{test: [CMD, sh, /health.sh], interval: 300ms, timeout: 5s, retries: 3}}
  slow:
    build: ./api
    init: true
    command: sh /run.sh slow
    profiles: [slow]
    healthcheck: {{test: [CMD, sh, /health.sh], interval: 300ms, timeout: 5s, start_period: 300s}}
  web:
    image: {image}
    command: sleep infinity
    init: true
    deploy: {{replicas: 2}}
  job:
    image: {image}
    command: sh -c 'echo done'
    profiles: [jobs]
volumes: {{data: }}
"
    );
    let run = "v=${1:-$(cat /VERSION)}; echo \"version $v\"
case $v in
  crash) echo 'ERROR no database'; sleep 0.3; exit 3 ;;
  unhealthy) touch /tmp/ill ;;
  slow) ;;
  late) rm -f /tmp/well; (sleep 3; touch /tmp/well) & ;;
  *) touch /tmp/well ;;
esac
exec sleep infinity
";
    vec![
        ("docker-compose.yml", compose),
        ("api/VERSION", "1".to_owned()),
        ("api/run.sh", run.to_owned()),
        ("api/health.sh", "test -e /tmp/well || { echo 'connection refused'; exit 1; }\n".to_owned()),
        ("api/Dockerfile", format!("FROM {image}\nCOPY VERSION run.sh health.sh /\nCMD [\"sh\", \"/run.sh\"]\n")),
    ]
}

/// What the containers do, as the files say.
fn simulated() -> Context {
    simulated_with(|version| match version {
        "crash" => {
            Behaviour::never_healthy().and_dies_after(300.millis(), 3).says("version crash").says("ERROR no database")
        }
        "unhealthy" => Behaviour::unhealthy_after(900.millis()).says("version unhealthy"),
        other => Behaviour::healthy_after(300.millis()).says(format!("version {other}")),
    })
}

fn simulated_with(api: impl Fn(&str) -> Behaviour + Send + Sync + 'static) -> Context {
    let engine = Fake::new()
        .image("base:1")
        .decides("api", move |image| api(image.text("VERSION")))
        .behaves("slow", Behaviour::never_healthy().says("version slow"))
        .behaves("job", Behaviour::dies_after(50.millis(), 0).says("done"));
    let host = SimHost::new("sim").dir("/tmp/suite");
    let host = files("base:1")
        .into_iter()
        .fold(host, |host, (path, text)| host.file(Path::new("/tmp/suite").join(path), text));
    Context::on(Arc::new(engine.on(host)))
}

/// What was said, with ids, times and counts of restarts under the same names in both worlds.
struct Transcript {
    cx: Context,
    directory: PathBuf,
    masks: Vec<(Regex, &'static str)>,
    lines: Vec<String>,
}

impl Transcript {
    fn new(cx: Context, directory: &Path) -> Self {
        let masks = [
            (r"\b[0-9a-f]{64}\b", "ID"),
            (r"sha256:ID", "ID"),
            (r"\b[0-9a-f]{12}\b", "ID"),
            (r"restarted \d+ times", "restarted N times"),
            (r"failed \d+ times", "failed N times"),
            (r"has not answered yet|has failed N times so far", "has not passed"),
            (r"on (sim|localhost)", "on HOST"),
            (r"\d+\.\d [KMG]iB", "SIZE"),
        ];
        let mut masks: Vec<_> = masks.map(|(pattern, to)| (Regex::new(pattern).expect("a pattern"), to)).into();
        masks.push((Regex::new(&directory.display().to_string()).expect("a pattern"), "DIRECTORY"));
        masks.push((Regex::new(r"base:1|runbook-lab-base:bookworm").expect("a pattern"), "IMAGE"));
        Self { cx, directory: directory.to_owned(), masks, lines: Vec::new() }
    }

    fn say(&mut self, what: &str, words: impl std::fmt::Display) {
        let line = format!("{what}: {}", words.to_string().replace('\n', " / "));
        let line = self.masks.iter().fold(line, |line, (from, to)| from.replace_all(&line, *to).into_owned());
        self.lines.push(line);
    }

    fn answer<T: Serialize>(&mut self, what: &str, answer: Result<T, Error>) {
        match answer {
            Ok(value) => self.say(what, serde_json::to_string(&value).expect("serialises")),
            Err(error) => {
                self.say(what, format!("{:?} {} ({})", error.kind(), error.message(), error.advice().unwrap_or("-")));
            }
        }
    }

    async fn check(&mut self, check: impl Check) {
        let what = check.describe().line().into_owned();
        let answer = check.check(&self.cx).await;
        let answer = answer.map(|finding| {
            let mut lines = finding.evidence().lines.clone();
            lines.retain(|line| line.contains("ERROR"));
            lines.dedup();
            format!("{} {} {lines:?}", finding.word(), finding.evidence().summary)
        });
        self.answer(&what, answer);
    }

    /// Surveys, applies twice, surveys again; tells all.
    async fn take<S: Step>(&mut self, step: &S) -> Option<S::Before> {
        let described = step.describe();
        self.say("step", described.line());
        let before = match step.survey(&self.cx).await {
            Ok(Survey::Change { before, diff, .. }) => {
                self.say("diff", diff);
                before
            }
            Ok(Survey::Already(_)) => {
                self.say("already", "so");
                return None;
            }
            Err(error) => {
                self.answer::<()>("refused", Err(error));
                return None;
            }
        };
        for _ in 0..2 {
            match step.apply(&self.cx, &before).await {
                Ok(output) => self.answer("output", Ok(output)),
                Err(error) => {
                    let mut words: Vec<&str> =
                        error.lines().iter().filter(|line| line.contains(" | ")).map(String::as_str).collect();
                    words.sort_unstable();
                    words.dedup();
                    self.say("its words", words.join(" / "));
                    self.answer::<()>("failed", Err(error));
                    return Some(before);
                }
            }
        }
        if !described.repeats {
            let again = step.survey(&self.cx).await.map(|survey| matches!(survey, Survey::Already(_)));
            self.answer("and then it is already so", again);
        }
        self.running().await;
        Some(before)
    }

    /// Takes it back, twice.
    async fn back<S: Rollback>(&mut self, step: &S, before: Option<S::Before>) {
        let Some(before) = before else { return };
        for _ in 0..2 {
            let back = step.rollback(&self.cx, &before).await;
            self.answer("back", back);
        }
        self.running().await;
        let settled = step.settle(&self.cx, &before).await;
        self.answer("settled", settled);
        self.running().await;
    }

    async fn running(&mut self) {
        let mut listed = self.app().profile("slow").profile("jobs").ps(&self.cx).await.expect("is listed");
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        // One that is restarted again and again is either at any moment.
        let state = |state: &str| state.replace("restarting", "running");
        let lines: Vec<String> = listed.iter().map(|line| format!("{} {}", line.name, state(&line.state))).collect();
        self.say("runs", lines.join(", "));
    }

    async fn image(&mut self, name: &str) -> Option<docker::ImageId> {
        docker::image(&self.cx, name).await.expect("is read").map(|image| image.id)
    }

    async fn release(&mut self, version: &str) {
        let path = self.directory.join("api/VERSION");
        self.cx.files().write(&path, version.as_bytes(), &Attributes::default()).await.expect("is written");
        self.say("release", version);
    }

    fn app(&self) -> Project {
        project("rb-suite", &self.directory)
    }
}

/// As little patience as the suite can have.
fn quick(step: Up) -> Up {
    step.stable_for(200.millis()).within(20.seconds())
}

async fn conformance(cx: Context, directory: &Path) -> Vec<String> {
    let mut told = Transcript::new(cx, directory);
    let app = told.app();
    told.check(app.is_valid()).await;
    told.check(app.healthy()).await;
    begin(&mut told).await;
    change(&mut told).await;
    ends(&mut told).await;
    troubles(&mut told).await;
    told.take(&told.app().down()).await;
    told.lines
}

/// From nothing.
async fn begin(told: &mut Transcript) {
    let app = told.app();
    let build = app.build();
    let before = told.take(&build).await;
    told.back(&build, before).await;
    let gone = told.image("rb-suite-api").await.is_none();
    told.say("the image is gone", gone);
    told.take(&build).await;
    let database = quick(app.up().services(["db"]));
    let before = told.take(&database).await;
    told.back(&database, before).await;
    told.take(&database).await;
    told.take(&quick(app.up())).await;
    told.take(&quick(app.up())).await;
    told.check(app.healthy().stable_for(200.millis()).within(10.seconds())).await;
    told.check(app.logs("api").errors().max(0)).await;
    told.check(app.logs("api").matching("^version 1$").max(0)).await;
    told.take(&quick(app.up().services(["nobody"]))).await;
    told.check(docker::is_present("rb-suite-api")).await;
    told.check(docker::is_present("rb-suite-nobody")).await;
}

/// A new version, there and back.
async fn change(told: &mut Transcript) {
    let app = told.app();
    let first = told.image("rb-suite-api").await;
    told.release("2").await;
    let build = app.build();
    let made = told.take(&build).await;
    let second = told.image("rb-suite-api").await;
    told.say("another image", first != second);
    let up = quick(app.up().services(["api"]).no_deps());
    let before = told.take(&up).await;
    told.back(&build, made).await;
    let now = told.image("rb-suite-api").await;
    told.say("the first image", now == first);
    told.release("1").await;
    told.back(&up, before).await;
    let anew = quick(app.up().services(["web"]).force_recreate());
    let before = told.take(&anew).await;
    told.back(&anew, before).await;
    let more = app.scale("web", 3).stable_for(200.millis());
    let before = told.take(&more).await;
    told.back(&more, before).await;
    let fewer = app.scale("web", 1).stable_for(200.millis());
    let before = told.take(&fewer).await;
    told.back(&fewer, before).await;
}

/// What ends, and comes back.
async fn ends(told: &mut Transcript) {
    let app = told.app();
    let stop = app.stop(["web"]).stable_for(200.millis());
    let before = told.take(&stop).await;
    told.take(&stop).await;
    told.back(&stop, before).await;
    let remove = app.remove(["web"]).stable_for(200.millis());
    let before = told.take(&remove).await;
    told.back(&remove, before).await;
    let restart = app.restart(["api"]).stable_for(200.millis());
    let before = told.take(&restart).await;
    told.back(&restart, before).await;
    let down = app.down().stable_for(200.millis());
    let before = told.take(&down).await;
    told.take(&down).await;
    told.back(&down, before).await;
    told.check(app.healthy().stable_for(200.millis()).within(10.seconds())).await;
}

/// What does not come up.
async fn troubles(told: &mut Transcript) {
    for version in ["crash", "unhealthy"] {
        let app = told.app();
        told.release(version).await;
        let build = app.build();
        let made = told.take(&build).await;
        let up = quick(app.up().services(["api"]).no_deps());
        let before = told.take(&up).await;
        told.back(&build, made).await;
        told.release("1").await;
        told.back(&up, before).await;
        told.check(app.healthy().services(["api"]).stable_for(200.millis()).within(10.seconds())).await;
    }
    let slow = told.app().profile("slow");
    told.take(&slow.build().services(["slow"])).await;
    let up = slow.up().services(["slow"]).within(2.seconds());
    let before = told.take(&up).await;
    told.back(&up, before).await;
    let jobs = told.app().profile("jobs").jobs(["job"]);
    let up = quick(jobs.up().services(["job"]));
    told.take(&up).await;
    let without = told.app().profile("jobs");
    told.check(without.healthy().services(["job"])).await;
}

/// What the real ones said.
const SAID: &str = include_str!("conformance.txt");

#[tokio::test(start_paused = true)]
async fn the_simulated_docker_says_what_the_real_one_said() {
    agree(&conformance(simulated(), Path::new("/tmp/suite")).await, SAID);
}

#[tokio::test(start_paused = true)]
async fn a_simulated_docker_that_is_wrong_is_noticed() {
    for broken in ["1", "2", "crash", "unhealthy"] {
        let cx = simulated_with(move |version| match version {
            broken_one if broken_one == broken && broken.len() == 1 => Behaviour::dies_after(100.millis(), 1),
            other if other == broken => Behaviour::healthy_after(Duration::ZERO),
            "crash" => Behaviour::never_healthy()
                .and_dies_after(300.millis(), 3)
                .says("version crash")
                .says("ERROR no database"),
            "unhealthy" => Behaviour::unhealthy_after(900.millis()).says("version unhealthy"),
            other => Behaviour::healthy_after(300.millis()).says(format!("version {other}")),
        });
        let said = tokio::spawn(async move { conformance(cx, Path::new("/tmp/suite")).await }).await;
        let same = said.is_ok_and(|said| is_same(&said, SAID));
        assert!(!same, "version {broken} does something else, and nobody noticed");
    }
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn the_real_docker_says_what_it_said() {
    let stand = lab::Stand::of("rb-suite");
    let said = conformance(Context::local(), stand.directory()).await;
    agree(&said, SAID);
}
