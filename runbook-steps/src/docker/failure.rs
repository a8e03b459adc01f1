//! What Docker says when something went wrong, and what that means.

use runbook::command::Output;
use runbook::{Command, Context, Error, ErrorKind};

/// What is said, what it means for the run, and what to do about it.
const SAYINGS: &[(&str, ErrorKind, &str)] = &[
    (
        "permission denied while trying to connect",
        ErrorKind::Failed,
        "it takes root, or membership of the group `docker`",
    ),
    (
        "Cannot connect to the Docker daemon",
        ErrorKind::Transient,
        "the engine does not run, or DOCKER_HOST names another",
    ),
    ("error during connect", ErrorKind::Transient, "the engine does not run, or DOCKER_HOST names another"),
    ("is not a docker command", ErrorKind::Failed, "install Compose v2: `apt-get install docker-compose-plugin`"),
    ("no space left on device", ErrorKind::Failed, "free some space where Docker keeps its data: `docker system df`"),
    (
        "port is already allocated",
        ErrorKind::Failed,
        "something else has the port: a service with a fixed port cannot run twice",
    ),
    (
        "address already in use",
        ErrorKind::Failed,
        "something else has the port: a service with a fixed port cannot run twice",
    ),
    ("manifest unknown", ErrorKind::Failed, "the registry has no image of this name and tag"),
    ("manifest for", ErrorKind::Failed, "the registry has no image of this name and tag"),
    ("unauthorized", ErrorKind::Failed, "log in to the registry first: `docker::login`"),
    ("no basic auth credentials", ErrorKind::Failed, "log in to the registry first: `docker::login`"),
    ("denied: ", ErrorKind::Failed, "log in to the registry first: `docker::login`"),
    ("TLS handshake timeout", ErrorKind::Transient, "the registry did not answer"),
    ("i/o timeout", ErrorKind::Transient, "the registry did not answer"),
    ("connection refused", ErrorKind::Transient, "the registry does not answer at this address"),
    ("toomanyrequests", ErrorKind::Transient, "the registry limits how often it is asked: log in, or wait"),
];

/// The error of a command that failed. Only what it complained with is shown: what it printed may hold anything.
pub(crate) fn of(cx: &Context, command: &Command, output: &Output) -> Error {
    let error = Error::new(format!("`{command}` on {} {}", cx.host().name(), output.ending()));
    let complaint = Output { stdout: Vec::new(), ..output.clone() };
    let error = error.details(redacted(complaint.tail(10)));
    let said = String::from_utf8_lossy(&output.stderr);
    match SAYINGS.iter().find(|(words, ..)| said.contains(words)) {
        Some((_, kind, hint)) => error.kind_of(*kind).hint(*hint),
        None => error,
    }
}

/// Whether it says that there is no such image, container or volume.
pub(crate) fn is_missing(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
    ["no such image", "no such container", "no such object", "no such volume", "no such network"]
        .iter()
        .any(|words| said.contains(words))
        || said.lines().all(|line| line.contains("network ") && line.contains(" not found")) && !said.is_empty()
}

/// Whether it says that something else is changing the same containers or networks.
pub(crate) fn is_collision(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    COLLISIONS.iter().any(|words| said.contains(words))
}

/// Whether it says that a container has gone that was there when it began.
pub(crate) fn has_lost_a_container(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("No such container: ")
}

const COLLISIONS: &[&str] = &[
    "is already in use by container",
    "is already in progress",
    "is marked for removal and cannot be started",
    "has active endpoints",
];

pub(crate) fn redacted(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| runbook::redact::text(&line).into_owned()).collect()
}
