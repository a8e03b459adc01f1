//! What runs of a project.

use std::collections::BTreeMap;

use runbook::{Context, Error, Result};
use serde::{Deserialize, Serialize};

use super::Project;
use crate::docker::{Container, ask, container};

/// The containers of a project by service, running or not; those of one-off commands are left out.
pub(super) async fn containers(cx: &Context, project: &Project) -> Result<BTreeMap<String, Vec<Container>>> {
    Ok(by_service(container::matching(cx, &filters(project)).await?))
}

/// The same again, sooner where there are no others.
pub(super) async fn again(
    cx: &Context,
    project: &Project,
    known: &BTreeMap<String, Vec<Container>>,
) -> Result<BTreeMap<String, Vec<Container>>> {
    let known: Vec<String> = known.values().flatten().map(|container| container.id.clone()).collect();
    Ok(by_service(container::matching_known(cx, &filters(project), &known).await?))
}

fn filters(project: &Project) -> [String; 2] {
    let project = format!("label=com.docker.compose.project={}", project.name);
    [project, "label=com.docker.compose.oneoff=False".to_owned()]
}

fn by_service(containers: Vec<Container>) -> BTreeMap<String, Vec<Container>> {
    let mut services: BTreeMap<String, Vec<Container>> = BTreeMap::new();
    for container in containers {
        services.entry(container.service.clone()).or_default().push(container);
    }
    for containers in services.values_mut() {
        containers.sort_by_key(|container| container.number);
    }
    services
}

/// The networks of a project, by id.
pub(super) async fn networks(cx: &Context, project: &Project) -> Result<Vec<String>> {
    let filter = format!("label=com.docker.compose.project={}", project.name);
    let list = ask::ask(cx, &ask::docker(["network", "ls", "--quiet", "--no-trunc", "--filter", &filter])).await?;
    Ok(list.text()?.lines().map(str::to_owned).collect())
}

/// A line of `docker compose ps`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct Listed {
    /// The name of the container.
    pub name: String,
    /// Its service.
    pub service: String,
    /// `running`, `restarting`, `exited`, … Running is not healthy.
    pub state: String,
    /// What its health check says; empty without one.
    #[serde(default)]
    pub health: String,
    /// How its last life ended.
    #[serde(default)]
    pub exit_code: i32,
}

impl Listed {
    /// Whether its process is there, or is about to be again. Up is not healthy.
    pub fn is_up(&self) -> bool {
        matches!(self.state.as_str(), "running" | "restarting" | "paused")
    }
}

impl Project {
    /// The containers of each service, running or not, as the engine has them. Nothing of the project has to be there.
    pub async fn containers(&self, cx: &Context) -> Result<BTreeMap<String, Vec<Container>>> {
        containers(cx, self).await
    }

    /// What `docker compose ps --all` lists. Compose prints an object on each line since 2.21, and one list before; both
    /// are understood.
    pub async fn ps(&self, cx: &Context) -> Result<Vec<Listed>> {
        let command = self.command(cx, ["ps", "--all", "--format", "json"]).await?;
        let output = ask::ask(cx, &command).await?;
        listed(output.text()?)
            .map_err(|error| Error::unknown("cannot read what `docker compose ps` says").caused_by(error))
    }
}

fn listed(text: &str) -> serde_json::Result<Vec<Listed>> {
    let text = text.trim_start();
    if text.starts_with('[') || text == "null" {
        return serde_json::from_str(text).map(Option::unwrap_or_default);
    }
    serde_json::Deserializer::from_str(text).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E5.7: `jq '.[]'` cannot read the newer form.
    #[test]
    fn both_forms_of_the_list_are_understood() {
        let api =
            r#"{"Name":"cleaning-api-1","Service":"api","State":"running","Health":"healthy","ExitCode":0,"ID":"1"}"#;
        let db = r#"{"Name":"cleaning-db-1","Service":"db","State":"exited","Health":"","ExitCode":137}"#;
        let newer = listed(&format!("{api}\n{db}\n")).expect("is read");
        assert_eq!(newer, listed(&format!("[{api},{db}]")).expect("is read"));
        assert_eq!((newer[0].service.as_str(), newer[1].exit_code), ("api", 137));
        for nothing in ["", "[]", "null"] {
            assert_eq!(listed(nothing).expect("is read"), []);
        }
        assert!(listed("no JSON").is_err());
    }
}
