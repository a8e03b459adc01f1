//! Against the real Docker and Compose: laws, claims about the documents, and how soon health is heard of.

use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;

use async_trait::async_trait;
use runbook::host::Attributes;
use runbook::{Check as _, Command, Description, Result, Rollback, Step, Survey};

use super::conformance::files;
use super::*;
use crate::laws::laws_sampled;
use crate::taking::{change, take};

/// The image that everything is made of: one that is on the host, and has `sh`.
pub(crate) fn image() -> String {
    std::env::var("RUNBOOK_TEST_IMAGE").unwrap_or_else(|_| "runbook-lab-base:bookworm".to_owned())
}

/// A project of its own on the real engine, gone when the test is over.
pub(crate) struct Stand {
    name: String,
    directory: tempfile::TempDir,
}

impl Stand {
    pub(crate) fn of(name: &str) -> Self {
        let this = Self { name: name.to_owned(), directory: tempfile::tempdir().expect("is made") };
        this.clear();
        for (path, text) in files(&image()) {
            this.write(path, &text);
        }
        this
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.directory().join(path);
        std::fs::create_dir_all(path.parent().expect("lies in a directory")).expect("is made");
        std::fs::write(path, text).expect("is written");
    }

    fn project(&self) -> Project {
        project(&self.name, self.directory())
    }

    /// Each service with the images and the number of its containers that run, and what its tag points at.
    fn seen(&self) -> String {
        let label = format!("label=com.docker.compose.project={}", self.name);
        let format = "{{.Label \"com.docker.compose.service\"}} {{.Image}} {{.State}}";
        let mut lines: Vec<String> =
            docker(&["ps", "--filter", &label, "--format", format]).lines().map(str::to_owned).collect();
        lines.sort();
        let tags = docker(&[
            "image",
            "ls",
            "--no-trunc",
            "--format",
            "{{.Repository}}:{{.Tag}} {{.ID}}",
            &format!("{}-api", self.name),
        ]);
        let networks = docker(&["network", "ls", "--filter", &label, "--format", "{{.Name}}"]);
        format!("{}\n{tags}\n{networks}", lines.join("\n"))
    }

    fn clear(&self) {
        let label = format!("label=com.docker.compose.project={}", self.name);
        for (kind, list, remove) in [
            ("container", ["ls", "--all", "--quiet"].as_slice(), ["rm", "--force", "--volumes"].as_slice()),
            ("network", &["ls", "--quiet"], &["rm"]),
            ("volume", &["ls", "--quiet"], &["rm"]),
        ] {
            let found = docker(&[&[kind], list, &["--filter", &label]].concat());
            let found: Vec<&str> = found.split_whitespace().collect();
            if !found.is_empty() {
                docker(&[&[kind], remove, &found].concat());
            }
        }
        for name in ["api", "slow"] {
            let found =
                docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", &format!("{}-{name}", self.name)]);
            for tag in found.lines() {
                docker(&["image", "rm", "--force", tag]);
            }
        }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What Docker says.
fn docker(words: &[&str]) -> String {
    let output = Process::new("docker").args(words).output().expect("Docker is there");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A step whose way back is whole: what the engine does in two turns.
struct Settled<S>(S);

#[async_trait]
impl<S: Rollback> Step for Settled<S> {
    type Before = S::Before;
    type Output = S::Output;

    fn describe(&self) -> Description {
        self.0.describe()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<S::Before, S::Output>> {
        self.0.survey(cx).await
    }

    async fn apply(&self, cx: &Context, before: &S::Before) -> Result<S::Output> {
        self.0.apply(cx, before).await
    }
}

#[async_trait]
impl<S: Rollback> Rollback for Settled<S> {
    async fn rollback(&self, cx: &Context, before: &S::Before) -> Result<()> {
        self.0.rollback(cx, before).await?;
        self.0.settle(cx, before).await
    }
}

/// Cut off at every seventh of its dealings with Docker: each takes seconds.
async fn lawful<S: Rollback>(stand: &Stand, step: S) {
    laws_sampled(&Settled(step), || stand.seen(), 7).await;
}

/// As little patience as there can be.
fn quick(step: Up) -> Up {
    step.stable_for(Duration::ZERO).within(20.seconds())
}

async fn built_and_up(stand: &Stand) -> Context {
    let cx = Context::local();
    take(&cx, &stand.project().build()).await.expect("is built");
    take(&cx, &quick(stand.project().up())).await.expect("comes up");
    cx
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn building_keeps_the_laws() {
    let stand = Stand::of("rb-laws-build");
    take(&Context::local(), &stand.project().build()).await.expect("is built");
    stand.write("api/VERSION", "2");
    lawful(&stand, stand.project().build()).await;
}

/// Of the two that are built from one directory too, at whichever moment BuildKit came to the second.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn what_is_built_twice_is_the_same_image() {
    let stand = Stand::of("rb-built-twice");
    let cx = Context::local();
    for version in 0..8 {
        stand.write("api/VERSION", &format!("twice-{version}"));
        let made = take(&cx, &stand.project().build()).await.expect("is built");
        assert!(made.changed(), "{version}: {made:?}");
        let made = take(&cx, &stand.project().build()).await.expect("is built");
        assert!(!made.changed(), "{version}: {made:?}");
    }
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn coming_up_keeps_the_laws() {
    let stand = Stand::of("rb-laws-up");
    take(&Context::local(), &stand.project().build()).await.expect("is built");
    lawful(&stand, quick(stand.project().up().services(["api"]))).await;
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn going_down_keeps_the_laws() {
    let stand = Stand::of("rb-laws-down");
    built_and_up(&stand).await;
    lawful(&stand, stand.project().down().stable_for(Duration::ZERO)).await;
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn stopping_keeps_the_laws() {
    let stand = Stand::of("rb-laws-stop");
    built_and_up(&stand).await;
    lawful(&stand, stand.project().stop(["web"]).stable_for(Duration::ZERO)).await;
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn removing_keeps_the_laws() {
    let stand = Stand::of("rb-laws-remove");
    built_and_up(&stand).await;
    lawful(&stand, stand.project().remove(["web"]).stable_for(Duration::ZERO)).await;
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn restarting_keeps_the_laws() {
    let stand = Stand::of("rb-laws-restart");
    built_and_up(&stand).await;
    lawful(&stand, stand.project().restart(["web"]).stable_for(Duration::ZERO)).await;
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn scaling_keeps_the_laws() {
    let stand = Stand::of("rb-laws-scale");
    built_and_up(&stand).await;
    lawful(&stand, stand.project().scale("web", 3).stable_for(Duration::ZERO)).await;
    lawful(&stand, stand.project().scale("web", 1).stable_for(Duration::ZERO)).await;
}

/// A new image of one service, with the tag put back in the middle as a run does.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn the_old_image_runs_again_when_its_tag_is_back() {
    let stand = Stand::of("rb-old-image");
    let cx = built_and_up(&stand).await;
    let old = stand.seen();
    stand.write("api/VERSION", "2");
    let (build, up) = (stand.project().build(), quick(stand.project().up()));
    let (tags, made) = change(&cx, &build).await;
    assert!(made.expect("is built").changed());
    let (was, output) = change(&cx, &up).await;
    assert!(output.expect("comes up").of_service("api")[0].new);
    assert_ne!(stand.seen(), old);
    up.rollback(&cx, &was).await.expect("waits");
    build.rollback(&cx, &tags).await.expect("puts the tag back");
    up.settle(&cx, &was).await.expect("comes back");
    assert_eq!(stand.seen(), old);
}

/// An image whose tag somebody has moved runs again all the same.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn what_ran_runs_again_also_where_its_tag_had_moved_before() {
    let stand = Stand::of("rb-moved-tag");
    let cx = built_and_up(&stand).await;
    let ran = |service: &str| docker(&["inspect", "--format", "{{.Image}}", &format!("rb-moved-tag-{service}-1")]);
    let old = ran("api");
    stand.write("api/VERSION", "2");
    docker(&["build", "--tag", "rb-moved-tag-api", &stand.directory().join("api").display().to_string()]);
    let moved = docker(&["image", "inspect", "--format", "{{.Id}}", "rb-moved-tag-api"]);
    assert_ne!(moved, old);
    let down = stand.project().down().stable_for(Duration::ZERO);
    let (was, output) = change(&cx, &down).await;
    output.expect("goes down");
    docker(&["image", "prune", "--force"]);
    down.rollback(&cx, &was).await.expect("waits");
    down.settle(&cx, &was).await.expect("comes back");
    assert_eq!(ran("api"), old);
    assert_eq!(docker(&["image", "inspect", "--format", "{{.Id}}", "rb-moved-tag-api"]), moved);
}

/// D6.5: `up --scale api=3` after the tag moved makes all containers anew at once; ours leaves those that run alone, and
/// those of the older image are the ones that go.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn more_containers_of_a_new_image_leave_the_old_ones_alone() {
    let stand = Stand::of("rb-rolling");
    let cx = built_and_up(&stand).await;
    let api = stand.project();
    let first = docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "rb-rolling-api-1"]);
    stand.write("api/VERSION", "2");
    let made = take(&cx, &api.build()).await.expect("is built");
    let up = take(&cx, &api.scale("api", 3).stable_for(Duration::ZERO)).await.expect("comes up");
    let new: Vec<bool> = up.of_service("api").iter().map(|instance| instance.new).collect();
    assert_eq!(new, [false, true, true]);
    assert_eq!(docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "rb-rolling-api-1"]), first);
    let down = take(&cx, &api.scale("api", 2).stable_for(Duration::ZERO)).await.expect("scales");
    let images: Vec<_> = down.of_service("api").iter().map(|instance| Some(&instance.image)).collect();
    assert_eq!(images, [made.image("api"), made.image("api")], "the old one went");

    // The claim: Compose itself makes them anew.
    stand.write("api/VERSION", "3");
    take(&cx, &api.build()).await.expect("is built");
    let before = docker(&["ps", "--quiet", "--filter", "name=rb-rolling-api"]);
    let compose = ["compose", "--project-name", "rb-rolling", "up", "--detach", "--no-deps", "--scale", "api=3", "api"];
    Process::new("docker").args(compose).current_dir(stand.directory()).output().expect("runs");
    let after = docker(&["ps", "--quiet", "--filter", "name=rb-rolling-api"]);
    assert!(before.lines().all(|id| !after.contains(id)), "{before} {after}");
}

/// D6.5: a fixed host port fails for the second container.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn a_fixed_port_is_named_when_there_are_to_be_two() {
    let stand = Stand::of("rb-port");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let compose = format!(
        "services: {{web: {{image: '{}', init: true, command: sleep infinity, ports: ['127.0.0.1:{port}:80']}}}}",
        image()
    );
    stand.write("docker-compose.yml", &compose);
    let cx = Context::local();
    take(&cx, &quick(stand.project().up())).await.expect("comes up");
    let old = stand.seen();
    let step = stand.project().scale("web", 2).stable_for(Duration::ZERO);
    let (was, error) = change(&cx, &step).await;
    let error = error.expect_err("has its port already");
    assert!(error.advice().is_some_and(|advice| advice.contains("fixed port")), "{error:?}");
    step.rollback(&cx, &was).await.expect("goes back");
    step.settle(&cx, &was).await.expect("comes back");
    assert_eq!(stand.seen(), old);
}

/// `docker compose up --wait` ends with 0 on a crash loop; D7's loop of curls ends with 0 when all of them fail.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn a_crash_loop_is_told_and_is_put_back() {
    let stand = Stand::of("rb-crash");
    let cx = built_and_up(&stand).await;
    let old = stand.seen();
    for (version, says) in
        [("crash", "is in a crash loop: restarted"), ("unhealthy", "is unhealthy: its health check failed")]
    {
        stand.write("api/VERSION", version);
        let (build, up) = (stand.project().build(), quick(stand.project().up().services(["api"]).no_deps()));
        let (tags, made) = change(&cx, &build).await;
        made.expect("is built");
        let (was, error) = change(&cx, &up).await;
        let error = error.expect_err("is not healthy");
        assert!(error.message().contains(says), "{error:?}");
        let words = if version == "crash" { "| ERROR no database" } else { "connection refused" };
        assert!(error.lines().iter().any(|line| line.contains(words)), "{error:?}");
        up.rollback(&cx, &was).await.expect("waits");
        build.rollback(&cx, &tags).await.expect("puts the tag back");
        stand.write("api/VERSION", "1");
        up.settle(&cx, &was).await.expect("comes back");
        assert_eq!(stand.seen(), old);
    }
}

/// Compose itself waits for a moment of running, and ends with 0.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn the_wait_of_compose_is_content_with_a_crash_loop_and_this_is_not() {
    let stand = Stand::of("rb-wait");
    let compose = format!(
        "services: {{web: {{image: '{}', init: true, restart: always, command: sh -c 'sleep 2; exit 3'}}}}",
        image()
    );
    stand.write("docker-compose.yml", &compose);
    let words = ["compose", "--project-name", "rb-wait", "up", "--detach", "--wait"];
    let waited = Process::new("docker").args(words).current_dir(stand.directory()).output().expect("runs");
    assert!(waited.status.success(), "{}", String::from_utf8_lossy(&waited.stderr));
    let check = stand.project().healthy().stable_for(5.seconds()).within(20.seconds());
    let finding = check.check(&Context::local()).await.expect("is asked");
    assert_eq!(finding.word(), "fail");
    assert!(finding.evidence().summary.contains("is in a crash loop"), "{finding:?}");
}

/// A service that does not wait comes back after what it depends on: it would end at once without.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn services_come_back_in_the_order_they_wait_for_each_other() {
    let stand = Stand::of("rb-order");
    let image = image();
    let compose = format!(
        "services:
  db:
    image: {image}
    init: true
    command: sh -c 'rm -f /shared/up; sleep 1; touch /shared/up; exec sleep infinity'
    volumes: ['shared:/shared']
    healthcheck: {{test: [CMD, test, -e, /shared/up], interval: 300ms, retries: 20}}
  api:
    image: {image}
    init: true
    command: sh -c 'test -e /shared/up || exit 1; exec sleep infinity'
    volumes: ['shared:/shared']
    depends_on: {{db: {{condition: service_healthy}}}}
volumes: {{shared: }}
"
    );
    stand.write("docker-compose.yml", &compose);
    let cx = Context::local();
    take(&cx, &quick(stand.project().up())).await.expect("comes up");
    let old = stand.seen();
    let down = stand.project().down().stable_for(Duration::ZERO).within(20.seconds());
    let (was, output) = change(&cx, &down).await;
    output.expect("goes down");
    down.rollback(&cx, &was).await.expect("waits");
    down.settle(&cx, &was).await.expect("comes back");
    assert_eq!(stand.seen(), old);
}

/// E18 looks at the state and the log alone: that the kernel ended it for want of memory is in neither.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn want_of_memory_is_told() {
    let stand = Stand::of("rb-memory");
    let compose = format!(
        "services: {{web: {{image: '{}', init: true, restart: always, mem_limit: 16m, memswap_limit: 16m, \
         command: 'tail /dev/zero'}}}}",
        image()
    );
    stand.write("docker-compose.yml", &compose);
    let (_, error) =
        change(&Context::local(), &stand.project().up().stable_for(5.seconds()).within(20.seconds())).await;
    let error = error.expect_err("has no memory");
    assert!(error.message().contains("is in a crash loop"), "{error:?}");
    assert!(error.message().contains("exit code 137, out of memory"), "{error:?}");
}

/// E5.7: `jq '.[]'` cannot read what this Compose prints; this can.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn the_list_is_read_that_the_document_cannot_read() {
    let stand = Stand::of("rb-list");
    let cx = built_and_up(&stand).await;
    let compose = "docker compose --project-name rb-list ps --format json | jq '.[] | {name: .Name, state: .State}'";
    let jq = Process::new("sh").args(["-c", compose]).current_dir(stand.directory()).output().expect("runs");
    assert_eq!(jq.status.code(), Some(5), "{}", String::from_utf8_lossy(&jq.stderr));
    let listed = stand.project().ps(&cx).await.expect("is listed");
    let api = listed.iter().find(|line| line.service == "api").expect("is there");
    assert!(api.is_up());
    assert_eq!((listed.len(), api.name.as_str()), (4, "rb-list-api-1"));
}

/// The digest that Compose shows leaves out what is in an `env_file`.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn other_variables_make_a_container_anew_and_the_same_do_not() {
    let stand = Stand::of("rb-variables");
    let compose =
        format!("services: {{web: {{image: '{}', init: true, command: sleep infinity, env_file: app.env}}}}", image());
    stand.write("docker-compose.yml", &compose);
    stand.write("app.env", "KEY=1\n");
    let cx = Context::local();
    take(&cx, &quick(stand.project().up())).await.expect("comes up");
    let again = quick(stand.project().up()).survey(&cx).await.expect("is looked at");
    assert!(matches!(again, Survey::Already(_)), "nothing has changed");
    stand.write("app.env", "KEY=2\n");
    let (_, up) = change(&cx, &quick(stand.project().up())).await;
    assert!(up.expect("comes up").changed());
}

/// A service as a host: commands, streams, files, and the end of what runs too long.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn commands_run_in_a_service_and_in_a_container_of_their_own() {
    let stand = Stand::of("rb-host");
    let cx = built_and_up(&stand).await;
    let project = stand.project();
    let inside = [project.service("api"), project.service("api").one_off()];
    for (n, service) in inside.into_iter().enumerate() {
        let api = Context::on(runbook::Host::shared(service));
        let words = ["-c", "read line; echo \"$A $line $(cat /VERSION)\"; echo careful >&2; exit 3"];
        let command = Command::new("sh").args(words).env("A", "it's").input("in\n").dir("/tmp").expect([3]);
        let output = api.run(&command).await.expect("runs");
        assert_eq!((output.text().expect("is text"), output.code), ("it's in 1", Some(3)));
        let path = Path::new("/tmp/note");
        api.files().write(path, b"text", &Attributes::mode(0o600)).await.expect("is written");
        let read = api.files().read(path).await;
        assert_eq!(read.ok().as_deref(), (n == 0).then_some(b"text".as_slice()), "a container of its own is gone");
        let missing = api.run(&Command::new("no-such-program")).await.expect_err("is not there");
        assert!(missing.message().contains("no program `no-such-program` on service api of rb-host"), "{missing:?}");
        let slow = Command::new("sleep").arg(format!("987{n}")).deadline(1.seconds());
        assert!(api.run(&slow).await.expect_err("takes too long").message().contains("ran longer"));
    }
    let left = docker(&["ps", "--all", "--format", "{{.Names}}", "--filter", "name=rb-host-api-run"]);
    assert_eq!(left, "", "no container is left behind");
    let processes = docker(&["top", "rb-host-api-1"]);
    assert!(!processes.contains("sleep 987"), "{processes}");
    let listed = project.ps(&cx).await.expect("is listed");
    assert_eq!(listed.len(), 4);
}
