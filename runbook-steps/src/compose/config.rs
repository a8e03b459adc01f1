//! What the compose files say.

use std::collections::{BTreeMap, BTreeSet};

use runbook::{Context, Error, Result};
use serde::Deserialize;

use super::Project;
use crate::docker::{Reference, ask};

/// What the files say of the services, as Compose has read them. The environment of a service is left out: it holds
/// secrets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    services: BTreeMap<String, Service>,
}

/// What the files say of one service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Service {
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    build: Option<Build>,
    #[serde(default)]
    pull_policy: Option<String>,
    #[serde(default)]
    scale: Option<u32>,
    #[serde(default)]
    deploy: Option<Deploy>,
    #[serde(default)]
    depends_on: BTreeMap<String, Dependency>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Build {
    /// The directory, or where else the files come from.
    #[serde(default)]
    context: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Deploy {
    #[serde(default)]
    replicas: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Dependency {
    #[serde(default)]
    condition: String,
}

impl Service {
    /// How many containers it is to have.
    pub(super) fn replicas(&self) -> u32 {
        let deploy = self.deploy.as_ref().and_then(|deploy| deploy.replicas);
        self.scale.or(deploy).unwrap_or(1)
    }

    /// Whether its image is built here.
    pub(super) fn is_built(&self) -> bool {
        self.build.is_some()
    }

    /// Whether Compose pulls its image when it is asked to: `pull_policy` may say that it never does.
    pub(super) fn is_pulled(&self) -> bool {
        !matches!(self.pull_policy.as_deref(), Some("never" | "build"))
    }
}

impl Config {
    /// As Compose reads the files of a project now.
    pub(super) async fn read(cx: &Context, project: &Project) -> Result<Self> {
        let command = project.command(cx, ["config", "--format", "json"]).await?;
        let output = ask::ask(cx, &command).await?;
        let config = serde_json::from_slice(&output.stdout);
        config.map_err(|error| {
            Error::unknown(format!("cannot read what Compose says of {}", project.people_say(&[]))).caused_by(error)
        })
    }

    /// All services of the profiles that are on.
    pub(super) fn names(&self) -> Vec<String> {
        self.services.keys().cloned().collect()
    }

    pub(super) fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// These services, all when there are none; one that the files do not have is an error.
    pub(super) fn chosen(&self, project: &Project, services: &[String]) -> Result<Vec<String>> {
        if let Some(unknown) = services.iter().find(|name| !self.services.contains_key(*name)) {
            let error = Error::new(format!("no service `{unknown}` in the files of {}", project.people_say(&[])));
            return Err(
                error.hint(format!("it has {}; one of a profile is there with `.profile(…)`", self.names().join(", ")))
            );
        }
        Ok(if services.is_empty() { self.names() } else { services.to_vec() })
    }

    /// These services with all they depend on.
    pub(super) fn with_dependencies(&self, services: &[String]) -> Vec<String> {
        let mut all = BTreeSet::new();
        let mut left = services.to_vec();
        while let Some(name) = left.pop() {
            if let Some(service) = self.services.get(&name)
                && all.insert(name)
            {
                left.extend(service.depends_on.keys().cloned());
            }
        }
        all.into_iter().collect()
    }

    /// These services in the order they are started: every one stands in a later group than what it depends on.
    pub(super) fn in_order(&self, services: &[String]) -> Vec<Vec<String>> {
        let mut left: BTreeSet<&String> = services.iter().collect();
        let mut groups = Vec::new();
        while !left.is_empty() {
            let waits = |name: &str| {
                self.services.get(name).is_some_and(|service| {
                    let known = |on: &String| on.as_str() != name && left.contains(on);
                    service.depends_on.keys().any(known)
                })
            };
            let (now, later): (BTreeSet<_>, BTreeSet<_>) = left.iter().partition(|name| !waits(name));
            // Compose refuses a circle; whoever has one gets all of it at once.
            let (now, later) = if now.is_empty() { (later, BTreeSet::new()) } else { (now, later) };
            groups.push(now.into_iter().cloned().collect());
            left = later;
        }
        groups
    }

    /// These services in turns: those that are built from one directory come after one another.
    pub(super) fn in_turns<'s>(&self, services: impl IntoIterator<Item = &'s String>) -> Vec<Vec<&'s str>> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut turns: Vec<Vec<&str>> = Vec::new();
        for name in services {
            let build = self.services.get(name).and_then(|service| service.build.as_ref());
            let turn = build.map_or(0, |build| {
                let turn = seen.entry(&build.context).or_default();
                std::mem::replace(turn, *turn + 1)
            });
            turns.resize(turns.len().max(turn + 1), Vec::new());
            turns[turn].push(name);
        }
        turns
    }

    /// Whether any of these waits for this one to be healthy.
    pub(super) fn is_awaited(&self, name: &str, by: &[String]) -> bool {
        let waits =
            |service: &Service| service.depends_on.get(name).is_some_and(|on| on.condition == "service_healthy");
        by.iter().filter_map(|name| self.services.get(name)).any(waits)
    }

    /// The services that run once and end.
    pub(super) fn jobs(&self, project: &Project) -> BTreeSet<String> {
        let dependencies = self.services.values().flat_map(|service| &service.depends_on);
        let waited_for = dependencies.filter(|(_, how)| how.condition == "service_completed_successfully");
        waited_for.map(|(name, _)| name.clone()).chain(project.jobs.iter().cloned()).collect()
    }

    /// The images that are built here.
    pub(super) fn built(&self, project: &Project) -> BTreeSet<Reference> {
        let built = self.services.iter().filter(|(_, service)| service.is_built());
        built.filter_map(|(name, _)| self.image(project, name)).collect()
    }

    /// The image of a service.
    pub(super) fn image(&self, project: &Project, name: &str) -> Option<Reference> {
        let service = self.services.get(name)?;
        let made_up = || format!("{}-{name}", project.name);
        Some(Reference::named(service.image.clone().unwrap_or_else(made_up)))
    }
}

/// The digest of what the files say of each service: what a container carries that was made of it.
pub(super) async fn hashes(cx: &Context, project: &Project) -> Result<BTreeMap<String, String>> {
    let command = project.command(cx, ["config", "--hash", "*"]).await?;
    let output = ask::ask(cx, &command).await?;
    let pairs = output.text()?.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(service, hash)| (service.to_owned(), hash.trim().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::project;
    use super::*;

    const SAID: &str = r#"{"name":"cleaning","services":{
        "api":{"build":{"context":"/opt"},"environment":{"KEY":"secret"},
               "depends_on":{"db":{"condition":"service_healthy"},"migrate":{"condition":"service_completed_successfully"}}},
        "db":{"image":"postgres:15","deploy":{"replicas":2}},
        "migrate":{"image":"cleaning-api","depends_on":{"db":{"condition":"service_started"}}},
        "web":{"image":"web","scale":3,"build":null}}}"#;

    fn config() -> Config {
        serde_json::from_str(SAID).expect("is read")
    }

    #[test]
    fn what_compose_says_of_services_is_read() {
        let (config, cleaning) = (config(), project("cleaning", "/opt/cleaning"));
        let image = |name| config.image(&cleaning, name).expect("is there").to_string();
        assert_eq!([image("api"), image("db")], ["cleaning-api:latest", "postgres:15"]);
        assert_eq!(
            config.built(&cleaning).into_iter().map(|image| image.to_string()).collect::<Vec<_>>(),
            ["cleaning-api:latest"]
        );
        let built = |name| config.service(name).expect("is there").is_built();
        assert!(built("api") && !built("db") && !built("web"));
        let replicas = |name| config.service(name).expect("is there").replicas();
        assert_eq!([replicas("api"), replicas("db"), replicas("web")], [1, 2, 3]);
        assert_eq!(config.jobs(&cleaning).into_iter().collect::<Vec<_>>(), ["migrate"]);
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn services_start_after_what_they_depend_on() {
        let config = config();
        assert_eq!(config.with_dependencies(&["api".into()]), ["api", "db", "migrate"]);
        let all = config.names();
        assert_eq!(config.in_order(&all), [vec!["db", "web"], vec!["migrate"], vec!["api"]]);
        assert!(config.is_awaited("db", &all) && !config.is_awaited("migrate", &all));
        let error = config.chosen(&project("cleaning", "/"), &["jobs".into()]).expect_err("is not there");
        assert_eq!(error.message(), "no service `jobs` in the files of `cleaning`");
    }

    #[test]
    fn services_of_one_directory_are_built_after_one_another() {
        let service = |context: &str| serde_json::json!({"build": {"context": context, "dockerfile": "Dockerfile"}});
        let all = ["api-1", "api-2", "api-3", "jobs", "web"].map(|name| {
            let context = if name == "web" { "/opt/web" } else { "/opt/api" };
            (name.to_owned(), service(context))
        });
        let config: Config =
            serde_json::from_value(serde_json::json!({"services": BTreeMap::from(all)})).expect("is read");
        assert_eq!(
            config.in_turns(&config.names()),
            [vec!["api-1", "web"], vec!["api-2"], vec!["api-3"], vec!["jobs"]]
        );
        assert_eq!(config.in_turns(&["jobs".to_owned(), "web".to_owned()]), [["jobs", "web"]]);
    }
}
