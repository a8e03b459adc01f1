//! A service of a compose project, through `docker exec` or `docker compose run`.

use std::ffi::OsString;
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::container;
use super::elsewhere::{Elsewhere, Way, errand, host_elsewhere};
use super::{Control, Exit, Host, Local, Process};
use crate::{Command, Error, Result};

/// A service of a compose project: its container that runs, or one of its own for every command. Its image must hold
/// `sh` and the usual small tools.
///
/// ```
/// use runbook_core::host::{Host as _, Service};
///
/// let database = Service::of("cleaning", "db").directory("/opt/cleaning").user("postgres").shared();
/// assert_eq!(database.name(), "service db of cleaning");
/// let migration = Service::of("cleaning", "api").directory("/opt/cleaning").one_off().shared();
/// assert_eq!(migration.name(), "service api of cleaning, one-off");
/// ```
#[derive(Debug, Clone)]
pub struct Service {
    way: Compose,
    place: Elsewhere,
}

#[derive(Debug, Clone)]
struct Compose {
    host: Arc<dyn Host>,
    program: Vec<OsString>,
    project: String,
    service: String,
    files: Vec<PathBuf>,
    env_files: Vec<PathBuf>,
    profiles: Vec<String>,
    directory: Option<PathBuf>,
    user: Option<String>,
    index: Option<u32>,
    once: Option<Once>,
    name: String,
}

/// A container for one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Once {
    /// The command in place of the entry point of the image.
    Alone,
    /// The command as what the entry point of the image is given.
    ThroughEntryPoint,
}

impl Service {
    /// This service of this project, on this machine. The name of the project is the one its containers were started under.
    pub fn of(project: impl Into<String>, service: impl Into<String>) -> Self {
        Self::by(Compose {
            host: Arc::new(Local::new()),
            program: ["docker", "compose"].map(OsString::from).into(),
            project: project.into(),
            service: service.into(),
            files: Vec::new(),
            env_files: Vec::new(),
            profiles: Vec::new(),
            directory: None,
            user: None,
            index: None,
            once: None,
            name: String::new(),
        })
    }

    fn by(way: Compose) -> Self {
        let place = if way.host.is_here() { String::new() } else { format!(" on {}", way.host.name()) };
        let number = way.index.map(|index| format!(", container {index}")).unwrap_or_default();
        let once = if way.once.is_some() { ", one-off" } else { "" };
        let name = format!("service {} of {}{number}{once}{place}", way.service, way.project);
        let way = Compose { name, ..way };
        Self { place: Elsewhere::by(way.clone()), way }
    }

    /// Of a project whose containers run on this host.
    pub fn on(self, host: &Arc<dyn Host>) -> Self {
        Self::by(Compose { host: host.clone(), ..self.way })
    }

    /// With the files of the project in this directory, instead of the directory of the runner.
    pub fn directory(self, directory: impl Into<PathBuf>) -> Self {
        Self::by(Compose { directory: Some(directory.into()), ..self.way })
    }

    /// With this compose file, and any given before, instead of the one the directory has.
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.way.files.push(file.into());
        Self::by(self.way)
    }

    /// With this file of variables instead of `.env`.
    pub fn env_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.way.env_files.push(file.into());
        Self::by(self.way)
    }

    /// With this profile.
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.way.profiles.push(profile.into());
        Self::by(self.way)
    }

    /// As this user of the container, by name or number.
    pub fn user(self, user: impl Into<String>) -> Self {
        Self::by(Compose { user: Some(user.into()), ..self.way })
    }

    /// In this one of several containers, counted from 1.
    pub fn index(self, index: u32) -> Self {
        Self::by(Compose { index: Some(index), ..self.way })
    }

    /// In a container of its own for every command, removed when it ends: for what runs before the service does. Other
    /// services are not started for it. The command takes the place of the entry point of the image.
    pub fn one_off(self) -> Self {
        Self::by(Compose { once: Some(Once::Alone), ..self.way })
    }

    /// The same for an image whose entry point prepares the environment of the command it is given, and runs it.
    pub fn one_off_through_entry_point(self) -> Self {
        Self::by(Compose { once: Some(Once::ThroughEntryPoint), ..self.way })
    }

    /// Through this program instead of `docker compose`, like `docker-compose`.
    pub fn program(self, program: impl Into<OsString>) -> Self {
        Self::by(Compose { program: vec![program.into()], ..self.way })
    }
}

impl Compose {
    /// The program, with what names the project.
    fn command(&self) -> Command {
        let command = self.program[1..].iter().fold(Command::new(&self.program[0]), Command::arg);
        let command = command.arg("--project-name").arg(&self.project);
        let command = self.files.iter().fold(command, |command, file| command.arg("--file").arg(file));
        let command = self.env_files.iter().fold(command, |command, file| command.arg("--env-file").arg(file));
        let command = self.profiles.iter().fold(command, |command, profile| command.arg("--profile").arg(profile));
        match &self.directory {
            Some(directory) => command.dir(directory),
            None => command,
        }
    }

    fn exec(&self, words: &[OsString]) -> Command {
        let command = self.command().args(["exec", "-T"]).args(self.user());
        let index = self.index.map(|index| format!("--index={index}"));
        command.args(index).arg(&self.service).args(words)
    }

    /// The same in the container of this id: half the work, as Compose reads the files of the project every time.
    fn exec_in(&self, id: &str, words: &[OsString]) -> Command {
        container::exec("docker", self.user.as_deref(), id, words)
    }

    /// The id of the container that Compose would choose, when Docker says which.
    async fn container_now(&self) -> Option<String> {
        if self.program != ["docker", "compose"] {
            return None;
        }
        let errand = errand::run(self.host.start(&self.running()).await.ok()?, b"").await.ok()?;
        chosen(&String::from_utf8_lossy(&errand.stdout), self.index)
    }

    /// Prints the number and the id of each container of the service that runs.
    fn running(&self) -> Command {
        let labels = [("project", &self.project), ("service", &self.service), ("oneoff", &"False".to_owned())]
            .map(|(name, value)| format!("label=com.docker.compose.{name}={value}"));
        let format = "{{.Label \"com.docker.compose.container-number\"}} {{.ID}}";
        let command = Command::new("docker").args(["container", "ls", "--no-trunc", "--format", format]);
        labels.iter().fold(command, |command, label| command.arg("--filter").arg(label))
    }

    fn run(&self, once: Once, name: &str, words: &[OsString]) -> Command {
        let command = self.command().args(["run", "--rm", "--no-deps", "-T", "--name", name]).args(self.user());
        match (once, words.split_first()) {
            (Once::Alone, Some((program, rest))) => {
                command.arg("--entrypoint").arg(program).arg(&self.service).args(rest)
            }
            _ => command.arg(&self.service).args(words),
        }
    }

    fn user(&self) -> impl Iterator<Item = &str> {
        container::as_user(self.user.as_deref())
    }

    /// A name nobody else gives a container.
    fn container(&self) -> String {
        let chance = RandomState::new().hash_one(std::process::id());
        format!("{}-{}-run-{chance:016x}", self.project, self.service)
    }
}

#[async_trait]
impl Way for Compose {
    fn name(&self) -> &str {
        &self.name
    }

    fn lasts(&self) -> bool {
        self.once.is_none()
    }

    async fn open(&self, words: &[OsString]) -> Result<Process> {
        // Docker itself would change them, and say nothing.
        if let Some(word) = words.iter().find(|word| word.to_str().is_none()) {
            return Err(Error::new(format!("`{}` is not text, and cannot be named in {}", word.display(), self.name)));
        }
        let Some(once) = self.once else {
            // Where there is none, Compose knows best what to say of it.
            let command = match self.container_now().await {
                Some(id) => self.exec_in(&id, words),
                None => self.exec(words),
            };
            return self.host.start(&command).await;
        };
        let container = self.container();
        let process = self.host.start(&self.run(once, &container, words)).await?;
        let control = Container { inner: process.control, host: self.host.clone(), name: container, exit: None };
        Ok(Process { control: Box::new(control), ..process })
    }
}

/// The id of the container of this number, or of the lowest one.
fn chosen(lines: &str, index: Option<u32>) -> Option<String> {
    let numbered =
        |line: &str| line.split_once(' ').and_then(|(number, id)| Some((number.parse().ok()?, id.to_owned())));
    let all = lines.lines().filter_map(numbered).filter(|(number, _)| index.is_none_or(|index| index == *number));
    all.min_by_key(|(number, _): &(u32, String)| *number).map(|(_, id)| id)
}

/// The container of one command. What ends the program that shows it does not end it, so it is ended by its name.
struct Container {
    inner: Box<dyn Control>,
    host: Arc<dyn Host>,
    name: String,
    exit: Option<Exit>,
}

/// How long ending a container may take: an engine that cannot be reached cannot be asked to.
const REACH: Duration = Duration::from_secs(5);

#[async_trait]
impl Control for Container {
    /// Compose ends when the container has ended, and removes it.
    async fn wait(&mut self) -> Result<Exit> {
        let exit = if let Some(exit) = self.exit { exit } else { self.inner.wait().await? };
        self.exit = Some(exit);
        Ok(exit)
    }

    async fn end(&mut self, force: bool) {
        let ended = tokio::time::timeout(REACH, signal(&self.host, &self.name, force)).await;
        if !matches!(ended, Ok(true)) {
            self.inner.end(force).await;
        }
    }
}

/// Signals a container, and says whether there was one.
async fn signal(host: &Arc<dyn Host>, name: &str, force: bool) -> bool {
    let signal = if force { "--signal=KILL" } else { "--signal=TERM" };
    let command = Command::new("docker").args(["kill", signal, name]);
    let Ok(process) = host.start(&command).await else { return false };
    errand::run(process, b"").await.is_ok_and(|errand| errand.is_done())
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.exit.is_none()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (host, name) = (self.host.clone(), std::mem::take(&mut self.name));
            runtime.spawn(async move { signal(&host, &name, true).await });
        }
    }
}

host_elsewhere!(Service);

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_command_goes_to_the_container_that_runs_or_to_one_of_its_own() {
        let api = Service::of("cleaning", "api").directory("/opt/cleaning").file("prod.yml").user("app");
        assert_eq!(
            api.way.exec(&words(&["sh", "-c", "true"])).to_string(),
            "docker compose --project-name cleaning --file prod.yml exec -T --user app api sh -c true"
        );
        let once = api.clone().one_off().program("docker-compose");
        assert_eq!(
            once.way.run(Once::Alone, "name", &words(&["sh", "-c", "true"])).to_string(),
            "docker-compose --project-name cleaning --file prod.yml run --rm --no-deps -T --name name --user app \
             --entrypoint sh api -c true"
        );
        let through = once.one_off_through_entry_point();
        let command = through.way.run(Once::ThroughEntryPoint, "name", &words(&["sh", "-c", "true"])).to_string();
        assert!(command.ends_with("--user app api sh -c true"), "{command}");
        assert_eq!(api.way.command().directory(), Some(std::path::Path::new("/opt/cleaning")));
    }

    #[test]
    fn the_container_is_the_one_that_compose_would_choose() {
        let api = Service::of("sbf", "api");
        assert_eq!(
            api.way.running().to_string(),
            "docker container ls --no-trunc --format '{{.Label \"com.docker.compose.container-number\"}} {{.ID}}' \
             --filter label=com.docker.compose.project=sbf --filter label=com.docker.compose.service=api \
             --filter label=com.docker.compose.oneoff=False"
        );
        assert_eq!(chosen("10 c\n2 b\n3 a\n", None).as_deref(), Some("b"));
        assert_eq!(chosen("10 c\n2 b\n3 a\n", Some(3)).as_deref(), Some("a"));
        assert_eq!(chosen("10 c\n", Some(1)), None);
        assert_eq!(chosen("", None), None);
        let command = api.user("app").way.exec_in("c0ffee", &words(&["true"]));
        assert_eq!(command.to_string(), "docker exec --interactive --user app c0ffee true");
    }

    #[test]
    fn it_is_named_for_people() {
        let second = Service::of("sbf", "api").index(2);
        assert_eq!(second.name(), "service api of sbf, container 2");
        assert_ne!(second.way.container(), second.way.container());
    }
}
