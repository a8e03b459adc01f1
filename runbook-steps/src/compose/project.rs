//! A compose project: its name, its files, and the program that reads them.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use runbook::{Command, Context, Description, Error, Resource, Result, host};

use crate::docker::ask;

/// The project of this name, whose files lie in this directory. The name is what its containers are known by, so it is
/// never guessed from the directory.
pub fn project(name: impl Into<String>, directory: impl Into<PathBuf>) -> Project {
    Project {
        name: name.into(),
        directory: directory.into(),
        files: Vec::new(),
        env_files: Vec::new(),
        profiles: Vec::new(),
        jobs: Vec::new(),
        found: Found::default(),
    }
}

/// A compose project.
#[derive(Debug, Clone)]
pub struct Project {
    pub(super) name: String,
    pub(super) directory: PathBuf,
    files: Vec<PathBuf>,
    env_files: Vec<PathBuf>,
    profiles: Vec<String>,
    pub(super) jobs: Vec<String>,
    found: Found,
}

impl Project {
    /// With this file, and any given before, instead of the one Compose finds in the directory.
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.files.push(file.into());
        self
    }

    /// With the variables in this file instead of those in `.env`.
    pub fn env_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.env_files.push(file.into());
        self
    }

    /// With the services of this profile too.
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.profiles.push(profile.into());
        self
    }

    /// These services run once and end: they are well when they have ended with 0. A service that others wait for with
    /// `service_completed_successfully` is known to be such.
    pub fn jobs(mut self, services: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.jobs.extend(services.into_iter().map(Into::into));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory its files lie in.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A service of it as a host: where commands run, and files lie.
    pub fn service(&self, service: impl Into<String>) -> host::Service {
        let service = host::Service::of(&self.name, service).directory(&self.directory);
        let service = self.files.iter().fold(service, host::Service::file);
        let service = self.env_files.iter().fold(service, host::Service::env_file);
        self.profiles.iter().fold(service, host::Service::profile)
    }

    /// The program and what names the project, then these words; as it is found on the host.
    pub(super) async fn command<const N: usize>(&self, cx: &Context, words: [&str; N]) -> Result<Command> {
        let program = self.found.on(cx).await?;
        Ok(self.words(program.command(), &words))
    }

    /// The same as a person would type it in the directory of the project.
    pub(super) fn typed(&self, words: &[&str]) -> String {
        self.words(Program::Plugin.command(), words).to_string()
    }

    fn words(&self, command: Command, words: &[&str]) -> Command {
        let command = command.arg("--project-name").arg(&self.name);
        let command = self.files.iter().fold(command, |command, file| command.arg("--file").arg(file));
        let command = self.env_files.iter().fold(command, |command, file| command.arg("--env-file").arg(file));
        let command = self.profiles.iter().fold(command, |command, profile| command.arg("--profile").arg(profile));
        command.args(words).dir(&self.directory)
    }

    /// One of its services, as what a check depends on: a plan does not ask a site before its containers are made anew.
    pub fn resource(&self, service: &str) -> Resource {
        Resource::new(CONTAINERS, format!("{}/{service}", self.name))
    }

    /// What is said of a step or check of these services, all of them when there are none.
    pub(super) fn describe(&self, kind: &str, services: &[String]) -> Description {
        let subject =
            if services.is_empty() { self.name.clone() } else { format!("{} {}", self.name, services.join(" ")) };
        Description::new(format!("compose.{kind}"), subject).reads(Resource::path(&self.directory))
    }

    /// Some of its services, for people.
    pub(super) fn people_say(&self, services: &[String]) -> String {
        match services {
            [] => format!("`{}`", self.name),
            some => format!(
                "{} of `{}`",
                some.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
                self.name
            ),
        }
    }

    /// What is changed of these services: containers, or images.
    pub(super) fn resources(&self, kind: &str, services: &[String]) -> Vec<Resource> {
        match services {
            [] => vec![Resource::new(kind, &self.name)],
            some => some.iter().map(|service| Resource::new(kind, format!("{}/{service}", self.name))).collect(),
        }
    }
}

/// The kinds of resources: containers of services, and the images they are made of.
pub(super) const CONTAINERS: &str = "service";
pub(super) const IMAGES: &str = "service-image";

/// Two of one name and the same files are the same, whichever program was found for them.
impl PartialEq for Project {
    fn eq(&self, other: &Self) -> bool {
        let parts = |this: &Self| {
            let lists = (this.files.clone(), this.env_files.clone(), this.profiles.clone(), this.jobs.clone());
            (this.name.clone(), this.directory.clone(), lists)
        };
        parts(self) == parts(other)
    }
}

impl Eq for Project {}

/// The program that a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    /// `docker compose`.
    Plugin,
    /// `docker-compose`.
    Alone,
}

impl Program {
    fn command(self) -> Command {
        match self {
            Self::Plugin => Command::new("docker").arg("compose"),
            Self::Alone => Command::new("docker-compose"),
        }
    }
}

/// What was found on each host: it is looked for once.
#[derive(Clone, Default)]
struct Found(Arc<Mutex<HashMap<String, Program>>>);

impl Found {
    async fn on(&self, cx: &Context) -> Result<Program> {
        let host = cx.host().name();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied();
        if let Some(program) = known {
            return Ok(program);
        }
        let program = find(cx).await?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), program);
        Ok(program)
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Found")
    }
}

async fn find(cx: &Context) -> Result<Program> {
    let mut why = Vec::new();
    for program in [Program::Plugin, Program::Alone] {
        match ask::answer(cx, &program.command().args(["version", "--short"])).await {
            Ok(output) if output.success() => return Ok(program),
            Ok(output) => why.extend(output.tail(1)),
            Err(error) if error.kind() == runbook::ErrorKind::Failed => why.push(format!("{error:#}")),
            Err(error) => return Err(error),
        }
    }
    let error = Error::new(format!("neither `docker compose` nor `docker-compose` runs on {}", cx.host().name()));
    Err(error
        .details(why)
        .hint("install Compose v2: `apt-get install docker-compose-plugin`, or Debian's `docker-compose`"))
}
