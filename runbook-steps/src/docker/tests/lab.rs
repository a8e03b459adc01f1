//! Against the real Docker.

use std::process::Command as Process;

use async_trait::async_trait;
use runbook::host::{Files, Local, Process as Running};
use runbook::{Check as _, Command, ErrorKind, Host, Result, Rollback as _, Secret, Step as _};

use super::*;
use crate::laws::laws_sampled;
use crate::sizes::Sizes as _;
use crate::taking::{change, take};

/// The image that everything is made of: one that is on the host, and has `sh`.
fn base() -> String {
    std::env::var("RUNBOOK_TEST_IMAGE").unwrap_or_else(|_| "runbook-lab-base:bookworm".to_owned())
}

/// What Docker says.
fn docker(words: &[&str]) -> String {
    let output = Process::new("docker").args(words).output().expect("Docker is there");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An image of its own: the base with one more label.
fn make(name: &str, label: &str) {
    let container = docker(&["create", &base(), "true"]);
    docker(&["commit", "--change", &format!("LABEL rb={label}"), container.trim(), name]);
    docker(&["rm", container.trim()]);
}

/// The tags of a repository, and what they point at.
fn seen(repository: &str) -> String {
    let said = docker(&["image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", repository]);
    // Docker sorts by age, and images of one second as it likes.
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Images and volumes whose names begin with this, gone when the test is over.
struct Stand(&'static str);

impl Stand {
    fn of(name: &'static str) -> Self {
        let this = Self(name);
        this.clear();
        this
    }

    fn clear(&self) {
        let all = docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
        for tag in all.lines().filter(|tag| tag.contains(self.0)) {
            docker(&["image", "rm", "--force", tag]);
        }
        for volume in docker(&["volume", "ls", "--quiet"]).lines().filter(|volume| volume.starts_with(self.0)) {
            docker(&["volume", "rm", "--force", volume]);
        }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.clear();
    }
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn a_tag_that_moves_keeps_the_laws() {
    let _stand = Stand::of("rb-tag");
    make("rb-tag/api:v1", "1");
    make("rb-tag/api:v2", "2");
    docker(&["tag", "rb-tag/api:v1", "rb-tag/api:latest"]);
    laws_sampled(&tag("rb-tag/api:v2", "rb-tag/api"), || seen("rb-tag/api"), 1).await;
    laws_sampled(&tag("rb-tag/api:v2", "rb-tag/api:new"), || seen("rb-tag/api"), 1).await;
}

/// D6.7 prunes the image that D10 goes back to.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn pruning_never_removes_what_the_way_back_needs() {
    let _stand = Stand::of("rb-prune");
    let cx = Context::local();
    make("rb-prune/api:latest", "1");
    make("rb-prune/api:new", "2");
    let old = seen("rb-prune/api:latest");
    let step = tag("rb-prune/api:new", "rb-prune/api:latest");
    let (was, moved) = change(&cx, &step).await;
    moved.expect("moves");
    docker(&["image", "prune", "--force"]);
    let pruned = take(&cx, &prune()).await.expect("prunes");
    assert!(pruned.kept.iter().any(|tag| tag.starts_with("rb-prune/api:runbook-before-")), "{pruned:?}");
    step.rollback(&cx, &was).await.expect("goes back");
    assert_eq!(seen("rb-prune/api:latest"), old);

    // What nobody needs goes, and the second time there is nothing to do.
    make("rb-prune/other:latest", "3");
    let id = image(&cx, "rb-prune/other").await.expect("is read").expect("is there").id;
    make("rb-prune/other:latest", "4");
    docker(&["volume", "create", "rb-prune-data"]);
    let pruned = take(&cx, &prune()).await.expect("prunes");
    assert!(pruned.removed.contains(&id), "{pruned:?}");
    assert!(docker(&["volume", "ls", "--quiet"]).lines().any(|volume| volume == "rb-prune-data"), "E27: volumes stay");
    // Other tests leave something to prune meanwhile.
    let again = take(&cx, &prune()).await.expect("prunes");
    assert!(!again.removed.contains(&id), "{again:?}");
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn images_are_there_and_as_large_as_they_are() {
    let cx = Context::local();
    assert!(is_present(base()).check(&cx).await.expect("is asked").passes());
    assert!(!is_present("rb-nothing:v1").check(&cx).await.expect("is asked").passes());
    assert_eq!(size(base()).at_most(1.mib()).check(&cx).await.expect("is asked").word(), "fail");
    assert!(size(base()).at_most(4.gib()).check(&cx).await.expect("is asked").passes());
    let all = images(&cx).await.expect("are read");
    assert!(all.iter().any(|image| image.tags.contains(&base())), "{all:?}");
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn what_a_container_uses_is_measured() {
    let name = "rb-usage";
    docker(&["rm", "--force", name]);
    let busy = "while :; do :; done";
    docker(&[
        "run",
        "--detach",
        "--name",
        name,
        "--init",
        "--memory",
        "64m",
        "--network",
        "none",
        &base(),
        "sh",
        "-c",
        busy,
    ]);
    let cx = Context::local();
    let sampled = sample(&cx, [name]).await;
    let limits = usage([name]).cpu_at_most(1.0).check(&cx).await;
    let memory = usage([name]).memory_at_most(64.mib()).check(&cx).await;
    docker(&["rm", "--force", name]);
    let sampled = sampled.expect("is measured");
    assert_eq!((sampled.len(), sampled[0].name.as_str(), sampled[0].limit), (1, name, 64.mib()));
    assert!(sampled[0].cpu > 1.0, "{sampled:?}");
    assert_eq!(limits.expect("is asked").word(), "fail");
    assert!(memory.expect("is asked").passes());
    usage([name]).check(&cx).await.expect_err("is gone");
}

fn in_volume(volume: &str, script: &str) -> String {
    let place = format!("{volume}:/v");
    docker(&["run", "--rm", "--network", "none", "--volume", &place, "--workdir", "/v", &base(), "sh", "-c", script])
}

const FILL: &str = "mkdir -p a/b && echo 1 >a/b/one && echo 2 >'a/two words' && ln -s b/one a/link && chmod 600 a/b/one && \
    chown -R 999:999 a && chmod 700 . && : >empty";

/// What is in the volumes of a test, and which there are.
fn volumes(names: &[&str]) -> String {
    let there = docker(&["volume", "ls", "--quiet", "--filter", "name=rb-volume"]);
    let mut all: Vec<&str> = there.lines().collect();
    all.sort_unstable();
    let inside = names.iter().map(|name| {
        if all.contains(name) {
            in_volume(name, "find . | sort | xargs -d '\\n' stat -c '%A %u %g %n'; cat a/b/one")
        } else {
            String::new()
        }
    });
    format!("{all:?}\n{}", inside.collect::<String>())
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn keeping_and_putting_back_a_volume_keep_the_laws() {
    let _stand = Stand::of("rb-volume");
    let dir = tempfile::tempdir().expect("is made");
    let cx = Context::local();
    in_volume("rb-volume-data", FILL);
    let path = dir.path().join("data.tar.gz");
    let step = archive("rb-volume-data", &path, base());
    laws_sampled(&step, || (crate::laws::tree(dir.path()).keys().cloned().collect::<Vec<_>>(), volumes(&[])), 5).await;
    let kept = take(&cx, &step).await.expect("is kept");
    assert_eq!(kept.files, 3);

    in_volume("rb-volume-other", "mkdir -p a/b && echo other >a/b/one && echo old >old");
    let step = restore("rb-volume-other", &path, base());
    let see = || {
        volumes(&["rb-volume-other"])
            .replace("\"rb-volume-other-runbook-before\", ", "")
            .replace(", \"rb-volume-other-runbook-before\"", "")
    };
    laws_sampled(&step, see, 5).await;
    take(&cx, &step).await.expect("is put back");
    let same = |script: &str| in_volume("rb-volume-other", script) == in_volume("rb-volume-data", script);
    assert!(same(
        "find . | sort | xargs -d '\\n' stat -c '%A %u %g %s %n'; cat a/b/one 'a/two words'; readlink a/link"
    ));

    docker(&[
        "run",
        "--detach",
        "--rm",
        "--init",
        "--name",
        "rb-volume-user",
        "--volume",
        "rb-volume-data:/v",
        &base(),
        "sleep",
        "60",
    ]);
    in_volume("rb-volume-data", "echo 3 >a/b/one");
    let error = restore("rb-volume-data", &path, base()).survey(&cx).await;
    docker(&["rm", "--force", "rb-volume-user"]);
    let error = error.expect_err("is in use");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.message().contains("rb-volume-user"), "{error:?}");

    let bytes = std::fs::read(&path).expect("is there");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("is cut");
    let error = restore("rb-volume-data", &path, base()).survey(&cx).await.expect_err("is damaged");
    assert!(error.message().contains("is damaged"), "{error:?}");
}

/// An archive of a volume that is written to meanwhile is none.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn an_archive_of_a_volume_that_changes_is_refused() {
    let _stand = Stand::of("rb-busy");
    let dir = tempfile::tempdir().expect("is made");
    let write = "while :; do date +%N >>now; done";
    let place = "rb-busy-data:/v";
    docker(&[
        "run",
        "--detach",
        "--rm",
        "--init",
        "--name",
        "rb-busy-writer",
        "--volume",
        place,
        "--workdir",
        "/v",
        &base(),
        "sh",
        "-c",
        write,
    ]);
    let ((), output) = change(&Context::local(), &archive("rb-busy-data", dir.path().join("data.tar"), base())).await;
    docker(&["rm", "--force", "rb-busy-writer"]);
    let error = output.expect_err("differs");
    assert!(error.advice().is_some_and(|advice| advice.contains("stop what uses it")), "{error:?}");
}

/// This machine, with a directory of settings of its own for Docker.
#[derive(Debug)]
struct Apart(Local, std::path::PathBuf);

#[async_trait]
impl Host for Apart {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn start(&self, command: &Command) -> Result<Running> {
        self.0.start(&command.clone().env("DOCKER_CONFIG", &self.1)).await
    }

    fn files(&self) -> &dyn Files {
        self.0.files()
    }
}

/// A login, a pull, and the way back of both, against a registry that wants a login.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn logging_in_and_pulling_can_be_undone() {
    let wanted = ["RUNBOOK_LAB_REGISTRY", "RUNBOOK_LAB_REGISTRY_USER", "RUNBOOK_LAB_REGISTRY_PASSWORD"];
    let [registry, user, password] = wanted.map(|name| std::env::var(name).expect("the lab's registry"));
    let _stand = Stand::of("rb-pull");
    let settings = tempfile::tempdir().expect("is made");
    let cx = Context::on(Arc::new(Apart(Local::new(), settings.path().to_owned())));
    let api = format!("{registry}/rb-pull/api:latest");
    let refused =
        pull(&*api).apply(&cx, &Tagged::look(&cx, &Reference::named(&*api)).await.expect("is looked at")).await;
    assert!(refused.expect_err("is nobody").advice().is_some_and(|advice| advice.contains("log in")));

    let wrong = login(&*registry, &*user, Secret::found("a test", "not-the-password"));
    let (_, output) = change(&cx, &wrong).await;
    output.expect_err("is refused");
    let step = login(&*registry, &*user, Secret::found("the lab", &*password));
    let (was, output) = change(&cx, &step).await;
    assert!(!output.expect("logs in").before);
    let (second, output) = change(&cx, &step).await;
    assert!(output.expect("logs in again").before);

    for version in ["1", "2"] {
        make(&api, version);
        cx.run(&Command::new("docker").args(["push", &api])).await.expect("is pushed");
        let id = image(&cx, &*api).await.expect("is read").expect("is there").id;
        docker(&["tag", id.as_str(), &format!("{registry}/rb-pull/api:v{version}")]);
    }
    docker(&["tag", &format!("{registry}/rb-pull/api:v1"), &api]);
    let repository = format!("{registry}/rb-pull/api");
    let old = seen(&repository);
    let step_pull = pull(&*api);
    let (before, output) = change(&cx, &step_pull).await;
    let pulled = output.expect("is pulled");
    assert!(pulled.changed());
    let again = step_pull.apply(&cx, &before).await.expect("is pulled again");
    assert_eq!(again.image, pulled.image);
    step_pull.rollback(&cx, &before).await.expect("goes back");
    step_pull.rollback(&cx, &before).await.expect("is back");
    assert_eq!(seen(&repository), old);

    step.rollback(&cx, &second).await.expect("leaves the login from before");
    assert!(std::fs::read_to_string(settings.path().join("config.json")).expect("is there").contains(&registry));
    step.rollback(&cx, &was).await.expect("logs out");
    assert!(!std::fs::read_to_string(settings.path().join("config.json")).expect("is there").contains(&registry));
}

/// B3: the command of the document does not exist.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn docker_scan_is_gone_and_nobody_says_all_is_well() {
    let output = Process::new("docker").arg("scan").output().expect("runs");
    assert!(!output.status.success());
    if Process::new("trivy").arg("--version").output().is_err() {
        let finding = has_no_weaknesses(base()).check(&Context::local()).await.expect("is asked");
        assert_eq!(finding.word(), "unknown");
    }
}
