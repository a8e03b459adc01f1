//! Containers, as the engine knows them.

use jiff::{SignedDuration, Timestamp};
use runbook::{Command, Context, Explain as _, Result};
use serde::{Deserialize, Deserializer, Serialize};

use super::ask::{answer, ask, change, docker, lines};
use super::{ImageId, failure};

/// A container, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its id; a container that is made anew has another one.
    pub id: String,
    /// Its name.
    #[serde(deserialize_with = "without_slash")]
    pub name: String,
    /// What it was made of.
    pub image: ImageId,
    /// The name of the image when it was made.
    pub reference: String,
    /// The compose project it belongs to; empty without one.
    #[serde(default, deserialize_with = "or_default")]
    pub project: String,
    /// The service it belongs to; empty without one.
    #[serde(default, deserialize_with = "or_default")]
    pub service: String,
    /// Which of the containers of its service it is, counted from 1.
    #[serde(deserialize_with = "number_in_text")]
    pub number: u32,
    /// A digest of what the compose file said of it when it was made.
    #[serde(default, deserialize_with = "or_default")]
    pub config: String,
    /// When it was made.
    #[serde(default, deserialize_with = "moment")]
    pub created: Option<Timestamp>,
    /// How it is.
    pub state: State,
    /// How often the engine restarted it by itself.
    pub restarts: u32,
    /// When the engine restarts it by itself: `no`, `always`, `on-failure`, `unless-stopped`.
    pub policy: String,
    /// Whether it has a terminal, so that all it says is one stream.
    #[serde(default)]
    pub terminal: bool,
    /// The volumes and directories it sees.
    #[serde(default, deserialize_with = "or_default")]
    pub mounts: Vec<Mount>,
}

/// How a container is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    #[serde(rename = "Status")]
    pub status: String,
    /// Whether the kernel ended it for want of memory.
    #[serde(rename = "OOMKilled", default)]
    pub out_of_memory: bool,
    /// The exit code of its last life.
    #[serde(rename = "ExitCode", default)]
    pub exit_code: i32,
    /// Why it could not be started.
    #[serde(rename = "Error", default)]
    pub error: String,
    /// When its life began; `None` when it never had one.
    #[serde(rename = "StartedAt", default, deserialize_with = "moment")]
    pub started: Option<Timestamp>,
    /// When its last life ended.
    #[serde(rename = "FinishedAt", default, deserialize_with = "moment")]
    pub finished: Option<Timestamp>,
    /// What its health check says; `None` without one.
    #[serde(rename = "Health", default)]
    pub health: Option<Health>,
}

/// What the health check of a container says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `starting`, `healthy` or `unhealthy`; `none` where it is switched off.
    #[serde(rename = "Status")]
    pub status: String,
    /// How often in a row it has failed.
    #[serde(rename = "FailingStreak", default)]
    pub failures: u32,
    /// Its last answers, oldest first.
    #[serde(rename = "Log", default, deserialize_with = "or_default")]
    pub log: Vec<Probe>,
}

/// One answer of a health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// When it was there.
    #[serde(rename = "End", default, deserialize_with = "moment")]
    pub end: Option<Timestamp>,
    /// Its exit code.
    #[serde(rename = "ExitCode", default)]
    pub exit_code: i32,
    /// What it printed.
    #[serde(rename = "Output", default)]
    pub output: String,
}

/// A volume or a directory that a container sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// `volume`, `bind` or `tmpfs`.
    #[serde(rename = "Type", default)]
    pub kind: String,
    /// The name of a volume.
    #[serde(rename = "Name", default)]
    pub name: String,
    /// Where it is in the container.
    #[serde(rename = "Destination", default)]
    pub at: String,
}

impl Container {
    /// Whether it runs, or is about to be started again by itself.
    pub fn is_up(&self) -> bool {
        matches!(self.state.status.as_str(), "running" | "restarting" | "paused")
    }

    /// Whether its process is there now.
    pub fn is_running(&self) -> bool {
        self.state.status == "running"
    }
}

impl State {
    /// A moment before all that it wrote in this life, and after what it wrote in the one before; `None` when all is of this
    /// life. The engine notes the start when the program runs already, so that its first lines can be earlier than that.
    pub(crate) fn before_its_words(&self) -> Option<Timestamp> {
        let (started, finished) = (self.started?, self.finished?);
        let rest = started.duration_since(finished);
        let early = if rest.is_positive() { rest / 2 } else { UNNOTED };
        Some(started.saturating_sub(early).unwrap_or(started))
    }

    /// Since when it has been as it is, by what the engine has noted: since the first of its last probes that all passed, and
    /// without a health check since its life began or ended.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        let began = self.started.max(self.finished)?;
        match &self.health {
            Some(health) if health.status != "none" => {
                let passed = health.log.iter().rev().take_while(|probe| probe.exit_code == 0);
                // The log has those of the life before too.
                passed.filter_map(|probe| probe.end).filter(|end| *end > began).min()
            }
            _ => Some(began),
        }
    }
}

/// How much earlier than its start a life may have begun, when it is over and nobody knows when the one before it ended. An
/// engine waits longer than this before it starts a container again.
const UNNOTED: SignedDuration = SignedDuration::from_millis(50);

fn without_slash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    Ok(name.trim_start_matches('/').to_owned())
}

/// A label is text; in a journal it is a number.
fn number_in_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Text(String),
        Number(u32),
    }
    Ok(match Option::deserialize(deserializer)? {
        Some(Number::Text(text)) => text.parse().unwrap_or_default(),
        Some(Number::Number(number)) => number,
        None => 0,
    })
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A time; that of what never happened is in the year 1.
pub(crate) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()).filter(|at: &Timestamp| at.as_second() > 0))
}

/// A line of JSON for each container. Not its environment: that holds secrets.
const FORMAT: &str = r#"{"id":{{json .Id}},"name":{{json .Name}},"image":{{json .Image}},"reference":{{json .Config.Image}},"project":{{json (index .Config.Labels "com.docker.compose.project")}},"service":{{json (index .Config.Labels "com.docker.compose.service")}},"number":{{json (index .Config.Labels "com.docker.compose.container-number")}},"config":{{json (index .Config.Labels "com.docker.compose.config-hash")}},"created":{{json .Created}},"state":{{json .State}},"restarts":{{json .RestartCount}},"policy":{{json .HostConfig.RestartPolicy.Name}},"terminal":{{json .Config.Tty}},"mounts":{{json .Mounts}}}"#;

/// The containers of these names or ids that there are.
pub async fn containers<T: AsRef<str>>(cx: &Context, names: impl IntoIterator<Item = T>) -> Result<Vec<Container>> {
    let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let command = docker(["container", "inspect", "--format", FORMAT]).args(names);
    let output = answer(cx, &command).await?;
    // One that is gone makes Docker complain, after it has shown the others.
    if output.success() || failure::is_missing(&output) {
        return lines(&command, &output);
    }
    Err(failure::of(cx, &command, &output))
}

/// What time it is by the clock of the engine, which need not be the one of the runner.
pub(crate) async fn clock(cx: &Context) -> Result<Timestamp> {
    let command = docker(["info", "--format", "{{.SystemTime}}"]);
    let said = ask(cx, &command).await?;
    said.text()?.trim().parse().with_context(|| format!("understand what `{command}` says"))
}

/// The containers, running or not, that have all of these properties: `label=…`, `volume=…`, `ancestor=…`.
pub(crate) async fn matching(cx: &Context, filters: &[String]) -> Result<Vec<Container>> {
    containers(cx, ids(cx, filters).await?).await
}

/// The same, sooner where they are those that are known already.
pub(crate) async fn matching_known(cx: &Context, filters: &[String], known: &[String]) -> Result<Vec<Container>> {
    let (ids, seen) = tokio::try_join!(ids(cx, filters), containers(cx, known))?;
    let is_same = ids.len() == seen.len() && seen.iter().all(|container| ids.contains(&container.id));
    if is_same { Ok(seen) } else { containers(cx, ids).await }
}

async fn ids(cx: &Context, filters: &[String]) -> Result<Vec<String>> {
    let command = docker(["container", "ls", "--all", "--quiet", "--no-trunc"]);
    let command = filters.iter().fold(command, |command, filter| command.arg("--filter").arg(filter));
    Ok(ask(cx, &command).await?.text()?.lines().map(str::to_owned).collect())
}

/// Stops containers, and waits until they have ended.
pub(crate) async fn stop(cx: &Context, ids: &[&str]) -> Result<()> {
    each(cx, docker(["container", "stop"]), ids).await
}

/// Restarts containers that there are.
pub(crate) async fn restart(cx: &Context, ids: &[&str]) -> Result<()> {
    each(cx, docker(["container", "restart"]), ids).await
}

/// Removes containers, running or not. Their volumes stay.
pub(crate) async fn remove(cx: &Context, ids: &[&str]) -> Result<()> {
    each(cx, docker(["container", "rm", "--force"]), ids).await
}

/// Removes a network. None there is fine.
pub(crate) async fn remove_network(cx: &Context, id: &str) -> Result<()> {
    each(cx, docker(["network", "rm"]), &[id]).await
}

/// Does this to those that are there.
async fn each(cx: &Context, command: Command, ids: &[&str]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let command = command.args(ids);
    let output = change(cx, &command).await?;
    if output.success() || failure::is_missing(&output) { Ok(()) } else { Err(failure::of(cx, &command, &output)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Docker says `null` or nothing of labels that a container does not have.
    #[test]
    fn a_container_that_is_not_of_compose_is_read() {
        for none in ["null", "\"\""] {
            let line = format!(
                r#"{{"id":"1","name":"/db","image":"sha256:0","reference":"db","project":{none},"service":{none},"number":{none},"config":{none},"created":"2025-07-15T10:00:00Z","state":{{"Status":"running","StartedAt":"0001-01-01T00:00:00Z"}},"restarts":0,"policy":"no","terminal":false,"mounts":null}}"#
            );
            let container: Container = serde_json::from_str(&line).expect("is read");
            assert_eq!((container.name.as_str(), container.service.as_str(), container.number), ("db", "", 0));
            assert_eq!((container.is_up(), container.state.started), (true, None));
        }
    }

    /// Seen on the real one: a first line half a millisecond before the start.
    #[test]
    fn the_first_words_of_a_life_may_be_earlier_than_its_start() {
        let at = |second: &str| Some(format!("2026-11-22T05:43:{second}Z").parse::<Timestamp>().expect("is a time"));
        let before = |started, finished| {
            let (status, error) = ("running".to_owned(), String::new());
            State { status, out_of_memory: false, exit_code: 0, error, started, finished, health: None }
                .before_its_words()
        };
        assert_eq!(before(None, None), None);
        assert_eq!(before(at("26"), None), None, "all is of its first life");
        assert_eq!(before(at("26"), at("24")), at("25"), "between the end of the last and the start of this");
        assert_eq!(before(at("26"), at("30")), at("25.95"), "over, and the one before it ended nobody knows when");
    }
}
