//! One suite for every host: what a command or a file does must not depend on where it is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Attributes, Become, Container, Host, Local, Service};
use crate::command::Pipeline;
use crate::{Command, Context, Secret};

mod commands;
mod files;
mod leftovers;

/// Everything a host promises. `marker` is a number that no other test sleeps for.
async fn keeps_its_promises(host: Arc<dyn Host>, marker: u32) {
    let cx = Context::on(host);
    let made = cx.run(&Command::new("mktemp").args(["-d", "/tmp/runbook-test.XXXXXX"])).await.expect("made");
    let dir = PathBuf::from(made.text().expect("is text"));
    commands::run_as_they_are_given(&cx, &dir).await;
    commands::name_what_is_missing(&cx).await;
    commands::keep_secrets(&cx).await;
    commands::end_as_a_group(&cx, marker).await;
    commands::outlive_the_run(&cx, &dir).await;
    commands::join(&cx, &dir).await;
    files::are_written_whole(&cx, &dir).await;
    files::are_looked_at(&cx, &dir).await;
    files::have_odd_names(&cx, &dir).await;
    files::are_linked_renamed_and_removed(&cx, &dir).await;
    files::come_in_pieces(&cx, &dir).await;
    cx.files().remove(&dir).await.expect("removed");
    assert_eq!(cx.files().stat(&dir).await.expect("looks"), None);
}

#[tokio::test]
async fn this_machine() {
    keeps_its_promises(Local::new().shared(), 5001).await;
}

/// Root can be anyone; others can at least be themselves.
fn another_user() -> String {
    let root = rustix::process::getuid().is_root();
    if root { "nobody".into() } else { rustix::process::getuid().as_raw().to_string() }
}

#[tokio::test]
async fn another_user_of_this_machine() {
    let host = Become::user(another_user()).shared();
    let cx = Context::on(host.clone());
    let id = cx.run(&Command::new("id").args(["-u"])).await.expect("ends well");
    let wanted = Context::local().run(&Command::new("id").args(["-u", &another_user()])).await.expect("ends well");
    assert_eq!(id.stdout, wanted.stdout);
    keeps_its_promises(host, 5002).await;
    let nobody = Context::on(Become::user("no-such-user").shared());
    let error = nobody.run(&Command::new("true")).await.expect_err("is nobody");
    assert_eq!(error.message(), "run `true` on no-such-user@localhost");
    assert!(error.lines()[0].contains("no-such-user"), "{error:?}");
}

/// A program that takes the words of `docker exec` and runs them here, in the order and with the meaning Docker gives
/// them. It stands in for Docker, to see what reaches it; the real one is tested where there is one.
const STAND_IN: &str = r#"#!/bin/sh
[ "$1" = exec ] || { echo "unknown command $1" >&2; exit 125; }
shift
while :; do case $1 in
  --interactive) interactive=1; shift ;;
  --user) user=$2; shift 2 ;;
  -*) echo "unknown option $1" >&2; exit 125 ;;
  *) break ;;
esac; done
[ "$1" = database ] || { echo "Error response from daemon: No such container: $1" >&2; exit 1; }
shift
[ "$interactive" ] || exec </dev/null
# Like the real one, ending this does not end what it started.
exec 3<&0
setsid -w "$@" <&3 3<&- &
exec 3<&- <&-
wait "$!"
"#;

fn stand_in(dir: &Path) -> PathBuf {
    let program = dir.join("docker");
    std::fs::write(&program, STAND_IN).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    program
}

#[tokio::test]
async fn a_container_that_a_stand_in_for_docker_runs() {
    let dir = tempfile::tempdir().expect("made");
    let container = |name| Container::named(name).program(stand_in(dir.path()));
    assert_eq!(container("database").name(), "container database");
    keeps_its_promises(container("database").shared(), 5003).await;
    let gone = Context::on(container("gone").shared());
    let error = gone.run(&Command::new("true")).await.expect_err("is not there");
    assert_eq!(error.message(), "run `true` on container gone");
    assert_eq!(error.lines(), ["Error response from daemon: No such container: gone"]);
    let error = gone.files().stat(Path::new("/etc")).await.expect_err("is not there");
    assert_eq!(
        format!("{error:#}"),
        "look at `/etc` on container gone: Error response from daemon: No such container: gone"
    );
}

/// A program that takes the words of `docker compose exec`, and hands them to the stand-in for Docker.
const COMPOSE_STAND_IN: &str = r#"#!/bin/sh
[ "$1 $2 $3 $4" = "--project-name cleaning exec -T" ] || { echo "unknown words $*" >&2; exit 14; }
shift 4
exec "${0%/*}/docker" exec --interactive "$@"
"#;

#[tokio::test]
async fn a_service_that_a_stand_in_for_compose_runs() {
    let dir = tempfile::tempdir().expect("made");
    stand_in(dir.path());
    let program = dir.path().join("docker-compose");
    std::fs::write(&program, COMPOSE_STAND_IN).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    keeps_its_promises(Service::of("cleaning", "database").program(&program).shared(), 5009).await;
    let gone = Context::on(Service::of("other", "database").program(&program).shared());
    let error = gone.run(&Command::new("true")).await.expect_err("is not there");
    assert_eq!(error.message(), "run `true` on service database of other");
}

#[tokio::test]
#[ignore = "needs docker: tests/all runs it"]
async fn a_real_container_of_a_service() {
    let image = std::env::var("RUNBOOK_TEST_IMAGE").unwrap_or_else(|_| "runbook-lab-base:bookworm".to_owned());
    let dir = tempfile::tempdir().expect("made");
    let file = format!("services: {{db: {{image: '{image}', init: true, command: sleep infinity}}}}");
    std::fs::write(dir.path().join("compose.yaml"), file).expect("written");
    let here = Context::local();
    let compose = || Command::new("docker").args(["compose", "--project-name", "runbook-host-test"]).dir(dir.path());
    here.run(&compose().args(["up", "--detach"])).await.expect("comes up");
    let service = Service::of("runbook-host-test", "db").directory(dir.path()).shared();
    let promises = tokio::spawn(keeps_its_promises(service, 5010)).await;
    here.run(&compose().args(["down", "--timeout", "1"])).await.expect("goes down");
    promises.expect("are kept");
}

#[tokio::test]
async fn another_user_of_a_container() {
    let dir = tempfile::tempdir().expect("made");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("set");
    let container = Container::named("database").program(stand_in(dir.path())).shared();
    keeps_its_promises(Become::user(another_user()).on(&container).shared(), 5004).await;
}

#[tokio::test]
#[ignore = "needs docker: tests/all runs it"]
async fn a_real_container() {
    let name = std::env::var("RUNBOOK_TEST_CONTAINER").expect("RUNBOOK_TEST_CONTAINER names a running container");
    let container = Container::named(name).shared();
    keeps_its_promises(container.clone(), 5005).await;
    keeps_its_promises(Become::user("nobody").on(&container).shared(), 5006).await;
}

#[cfg(feature = "ssh")]
mod ssh {
    use std::time::Duration;

    use super::*;
    use crate::ErrorKind;
    use crate::host::Ssh;

    /// A destination, and the configuration file it is in: what `tests/services/sshd` prints.
    fn server() -> Ssh {
        let variable = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} comes from tests/services/sshd"));
        Ssh::to(variable("RUNBOOK_TEST_SSH")).config(variable("RUNBOOK_TEST_SSH_CONFIG"))
    }

    #[tokio::test]
    #[ignore = "needs sshd: tests/all runs it"]
    async fn another_machine() {
        keeps_its_promises(server().shared(), 5007).await;
    }

    #[tokio::test]
    #[ignore = "needs sshd: tests/all runs it"]
    async fn another_user_of_another_machine() {
        let machine = server().shared();
        keeps_its_promises(Become::user(another_user()).on(&machine).shared(), 5008).await;
    }

    #[tokio::test]
    #[ignore = "needs sshd: tests/all runs it"]
    async fn a_lost_connection_is_made_again_and_a_lost_command_is_unknown() {
        let cx = Context::on(server().shared());
        cx.run(&Command::new("true")).await.expect("connects");
        // The parent of what it runs is the process of the server that serves this connection.
        let cut = Command::new("sh").args(["-c", "kill $PPID; sleep 1"]);
        let error = cx.run(&cut).await.expect_err("is cut off");
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
        cx.run(&Command::new("true")).await.expect("connects again");
    }

    #[tokio::test]
    async fn a_machine_that_does_not_answer_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let silent = listener.local_addr().expect("has one").port();
        let host = Ssh::to(format!("ssh://localhost:{silent}")).connect_within(Duration::from_secs(1)).shared();
        let error = Context::on(host).run(&Command::new("true")).await.expect_err("says nothing");
        assert_eq!(error.message(), format!("connect to `ssh://localhost:{silent}`"));
        drop(listener);
        let host = Ssh::to(format!("ssh://localhost:{silent}")).shared();
        let error = Context::on(host).run(&Command::new("true")).await.expect_err("is closed");
        assert_eq!(error.kind(), ErrorKind::Transient, "{error:?}");
    }
}

/// A secret in a file, as it would be given.
fn secret(value: &str) -> (tempfile::NamedTempFile, Secret) {
    let file = tempfile::NamedTempFile::new().expect("made");
    std::fs::write(file.path(), value).expect("written");
    let secret = Secret::file(file.path());
    (file, secret)
}

/// A file system of this size in kilobytes, for the length of `body`.
async fn on_a_small_disk(size: u32, body: impl AsyncFnOnce(&Context, &Path)) {
    let cx = Context::local();
    let dir = tempfile::tempdir().expect("made");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}k"), "none"]).arg(dir.path());
    cx.run(&mount).await.expect("root may mount");
    body(&cx, dir.path()).await;
    cx.run(&Command::new("umount").arg(dir.path())).await.expect("unmounted");
}

#[tokio::test]
#[ignore = "needs root, who may mount: tests/all runs it"]
async fn a_full_disk_and_one_that_is_read_only_are_named() {
    on_a_small_disk(64, async |cx, dir| {
        let (path, much) = (dir.join("file"), vec![b'x'; 1 << 20]);
        cx.files().write(&path, b"before", &Attributes::default()).await.expect("has room");
        let error = cx.files().write(&path, &much, &Attributes::default()).await.expect_err("is full");
        assert_eq!(format!("{error:#}"), format!("write `{}`: No space left on device (os error 28)", path.display()));
        assert_eq!(error.advice(), Some("free some space on its file system"));
        let pipeline = Pipeline::from_bytes(much).through(Command::new("cat")).into_file(&path, 0o600);
        let error = cx.pipe(&pipeline).await.expect_err("is full");
        assert!(format!("{error:#}").contains("No space left on device"), "{error:?}");
        assert_eq!(cx.files().read(&path).await.expect("is as it was"), b"before");
        assert_eq!(cx.files().list(dir).await.expect("listed"), ["file"], "nothing is left beside it");
        cx.run(&Command::new("mount").args(["-o", "remount,ro"]).arg(dir)).await.expect("remounted");
        let error = cx.files().write(&path, b"x", &Attributes::default()).await.expect_err("is read-only");
        assert_eq!(error.advice(), Some("its file system is mounted read-only"));
        let error = cx.files().remove(&path).await.expect_err("is read-only");
        assert_eq!(error.message(), format!("remove `{}`", path.display()));
    })
    .await;
}
