//! The deployments of the compose documents, against their commands in a shell.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use runbook::prelude::Units as _;
use runbook::steps::{compose, docker};
use runbook::{Check as _, Context};

use super::client::{self, Seen};
use super::measure::{dir, time};
use super::table::{Count, Row, Time};
use super::{example, runtime, shortest, succeeds};

/// The variable that says where the repositories of the projects are: `tests/lab/stacks up`.
pub(crate) const STACKS: &str = "RUNBOOK_LAB_STACKS";

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set: eval \"$(tests/lab/stacks up)\""))
}

/// A project of its own, in a directory that goes with it.
struct Project {
    dir: tempfile::TempDir,
    name: &'static str,
    port: u16,
    program: PathBuf,
}

impl Project {
    fn new(book: &str, name: &'static str, port: u16) -> Self {
        Self { dir: dir(), name, port, program: example(book) }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    fn run(&self, procedure: &str, more: &[&str]) -> Command {
        let mut run = Command::new(&self.program);
        run.args(["run", procedure, "--yes", "--project", self.name, "--root"]).arg(self.root()).args(more);
        run.arg("--journal").arg(self.dir.path().join("journals")).envs(SECRETS.iter().copied());
        run.env("DATABASE_URL", "postgresql+asyncpg://postgres:of-the-lab@db:5432/cleaning");
        run.stdin(Stdio::null()).stdout(Stdio::null());
        run
    }

    /// The commands of the document, in its directory.
    fn pasted(&self, script: &str) -> Command {
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", script])
            .current_dir(self.root())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        bash.env("COMPOSE_PROJECT_NAME", self.name).env("COMPOSE_PROGRESS", "quiet");
        bash
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let script = "docker ps -aq --filter label=com.docker.compose.project=$0 | xargs -r docker rm -fv >/dev/null
             docker network ls -q --filter label=com.docker.compose.project=$0 | xargs -r docker network rm >/dev/null
             docker volume ls -q --filter label=com.docker.compose.project=$0 | xargs -r docker volume rm >/dev/null";
        let _ = Command::new("bash").args(["-c", script, self.name]).status();
    }
}

const SECRETS: [(&str, &str); 8] = [
    ("POSTGRES_PASSWORD", "of-the-lab"),
    ("STRIPE_SECRET_KEY", "sk_live_of_the_lab"),
    ("ADMIN_PASS", "admin-of-the-lab"),
    ("DB_PASSWORD", "of-the-lab"),
    ("JWT_SECRET", "a-secret-of-the-lab-that-is-long-enough"),
    ("OPENAI_API_KEY", "sk-lab"),
    ("ANTHROPIC_API_KEY", "sk-lab"),
    ("PINECONE_API_KEY", "pc-lab"),
];

/// A token that the application takes (RFC 7519, HS256), made by its own hand: Python.
fn token() -> String {
    let script = "import base64, hashlib, hmac, json, sys, time
part = lambda data: base64.urlsafe_b64encode(data).rstrip(b'=')
claims = {'sub': 'figures', 'exp': int(time.time()) + 86400}
text = part(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode()) + b'.' + part(json.dumps(claims).encode())
print((text + b'.' + part(hmac.new(sys.argv[1].encode(), text, hashlib.sha256).digest())).decode())";
    let secret = SECRETS.iter().find(|(name, _)| *name == "JWT_SECRET").expect("is there").1;
    let output = Command::new("python3").args(["-c", script, secret]).output().expect("python3 runs");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// Step 5 of the document's deployment: its commands, with its wait.
const ROLLING: &str = r#"
export COMPOSE_ENV_FILES=.env.production
dc() { docker compose -f docker-compose.prod.yml "$@"; }
dc up -d --no-deps --scale api=3 api
sleep 15
docker compose ps | grep api >/dev/null || true
dc up -d --no-deps --scale api=2 api
dc up -d --no-deps web
dc up -d --no-deps workers
"#;

/// Steps 5 to 7 of the document's deployment: its commands, with its waits.
const WINDOW: &str = r"
docker compose down
docker compose up -d db
sleep 5
docker compose up -d api
docker compose exec -T api alembic upgrade head
docker compose up -d
sleep 15
docker compose ps >/dev/null
";

/// SBF: from one release to another and back, by each.
fn rolling() {
    let sbf = Project::new("sbf", "figures-sbf", 18470);
    let images = format!("{}/figures", variable("RUNBOOK_LAB_REGISTRY"));
    let url = format!("http://localhost:{}", sbf.port);
    let publish = |release: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab/stacks");
        succeeds(Command::new(script).args(["publish", release, &images, "latest"]).stdout(Stdio::null()));
    };
    let pull =
        || succeeds(&mut sbf.pasted("docker compose --env-file .env.production -f docker-compose.prod.yml pull -q"));
    publish("v1");
    let (repository, port) = (format!("{}/sbf.git", variable(STACKS)), sbf.port.to_string());
    let (registry, user) = (variable("RUNBOOK_LAB_REGISTRY"), variable("RUNBOOK_LAB_REGISTRY_USER"));
    let words = ["--url", &url, "--repository", &repository, "--port", &port, "--images", &images];
    let words = [&words[..], &["--registry", &registry, "--user", &user]].concat();
    let password = variable("RUNBOOK_LAB_REGISTRY_PASSWORD");
    let token = token();
    let with = |command: &mut Command| succeeds(command.env("GITHUB_TOKEN", &password).env("TEST_TOKEN", &token));
    with(&mut sbf.run("set_up", &words));
    let health = format!("{url}/api/v1/health");
    let mut seen = [Seen::default(); 2];
    let mut took = [Duration::ZERO; 2];
    for (n, release) in ["v2", "v1"].into_iter().enumerate() {
        publish(release);
        pull();
        let (time, saw) = client::beside(&health, || match n {
            0 => time(|| with(&mut sbf.run("roll_out", &["--url", &url]))),
            _ => time(|| succeeds(&mut sbf.pasted(ROLLING))),
        });
        (took[n], seen[n]) = (time, saw);
    }
    Row::of("rolling update of two instances", Time(took[0]), "the document's, with `sleep 15`", Time(took[1]))
        .at_most(0.5)
        .print();
    let bad = Row::of("requests that fail meanwhile", Count(seen[0].bad), "the document's", Count(seen[1].bad));
    Row { ratio: if seen[0].bad == 0 { 0.0 } else { f64::INFINITY }, at_most: Some(0.0), ..bad }.print();
}

/// CleanWithSnapshot: how long a client has no answer.
fn window(rounds: usize) {
    let cleaning = Project::new("cleaning", "figures-cleaning", 18471);
    let url = format!("http://127.0.0.1:{}", cleaning.port);
    let ports = [("HTTP_PORT", 0), ("HTTPS_PORT", 1), ("API_PORT", 2), ("WEB_PORT", 3)];
    let ports: Vec<String> = ports.iter().map(|(name, n)| format!("{name}={}", cleaning.port + 10 * n)).collect();
    let repository = format!("{}/cleaning.git", variable(STACKS));
    let deploy = |release: &str| {
        let words = ["--api", &url, "--web", &url, "--repository", &repository, "--revision", release];
        let sets = ports.iter().flat_map(|pair| ["--set", pair]);
        succeeds(&mut cleaning.run("standard_deployment", &words.into_iter().chain(sets).collect::<Vec<_>>()));
    };
    let site = format!("{url}/readyz");
    let gap = |body: &mut dyn FnMut()| client::beside(&site, body).1.gap;
    deploy("v1.0.0");
    let mut releases = ["v1.1.0", "v1.0.0"].into_iter().cycle();
    let mut ours = || {
        let release = releases.next().expect("there is always another");
        gap(&mut || deploy(release))
    };
    let mut theirs = || gap(&mut || succeeds(&mut cleaning.pasted(WINDOW)));
    let [ours, theirs] = shortest(rounds, [&mut ours, &mut theirs]);
    Row::of("downtime of a standard deployment", ours, "the document's steps 5 to 7", theirs).at_most(0.5).print();
    health(&cleaning, rounds);
}

/// How long after its start a container is known to be healthy, against the moment its engine notes it.
fn health(cleaning: &Project, rounds: usize) {
    let project = compose::project(cleaning.name, cleaning.root());
    let name = format!("{}-api-1", cleaning.name);
    let (runtime, cx) = (runtime(), Context::local());
    let healthy = project.healthy().services(["api"]).stable_for(Duration::ZERO).within(30.seconds());
    let once = || {
        succeeds(Command::new("docker").args(["restart", "--time=0", &name]).stdout(Stdio::null()));
        runtime.block_on(async {
            assert!(healthy.check(&cx).await.expect("is asked").passes());
            let known = Timestamp::now();
            let container = docker::containers(&cx, [&name]).await.expect("is read").remove(0);
            let health = container.state.health.expect("has a health check");
            let began = container.state.started.expect("has begun");
            // The log has those of its last life too.
            let passed = health.log.iter().filter(|probe| probe.exit_code == 0).filter_map(|probe| probe.end);
            let noted = passed.filter(|end| *end > began).min();
            [known, noted.expect("was healthy")].map(|at| at.duration_since(began).unsigned_abs())
        })
    };
    let late = |[known, noted]: &[Duration; 2]| known.saturating_sub(*noted);
    let best = (0..rounds.max(1)).map(|_| once()).min_by_key(late).expect("one");
    let most = 1.0 + 0.1 / best[1].as_secs_f64();
    Row::of("a container is known to be healthy", Time(best[0]), "its engine notes it", Time(best[1]))
        .at_most(most)
        .print();
}

pub(crate) fn rows(rounds: usize) {
    rolling();
    window(rounds.min(3));
}
