//! What services are to be once everything is put back.
//!
//! Several steps of a run may change the same service, and each knows only what it found itself. What counts in the end is
//! what the first of them found. On the way back the steps are undone last to first, so each writes down what it found over
//! what a later one wrote; then they settle first to last, and the first to come brings the service back and takes the
//! note away. The note lies where the containers are, and outlives the runner: the labels of a volume that holds nothing.

use std::collections::BTreeMap;

use runbook::{Context, Error, Result};

use super::Project;
use super::was::Ran;
use crate::docker::ask::{answer, ask, docker, lines};
use crate::docker::failure;

/// The label with what is to be.
const LABEL: &str = "runbook.before";

fn volume(project: &Project, service: &str) -> String {
    format!("runbook-before-{}-{service}", project.name())
}

/// Writes down what these services are to be, over what was written before.
pub(super) async fn note(cx: &Context, project: &Project, services: &BTreeMap<String, Vec<Ran>>) -> Result<()> {
    forget(cx, project, services.keys()).await?;
    for (service, ran) in services {
        let label = format!("{LABEL}={}", serde_json::to_string(ran)?);
        ask(cx, &docker(["volume", "create", "--label", &label, &volume(project, service)])).await?;
    }
    Ok(())
}

/// What was written down of these services.
pub(super) async fn noted<'a>(
    cx: &Context,
    project: &Project,
    services: impl IntoIterator<Item = &'a String>,
) -> Result<BTreeMap<String, Vec<Ran>>> {
    let names: BTreeMap<String, &String> =
        services.into_iter().map(|service| (volume(project, service), service)).collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let format = r#"{"name":{{json .Name}},"ran":{{json (index .Labels "runbook.before")}}}"#;
    let command = docker(["volume", "inspect", "--format", format]).args(names.keys());
    let output = answer(cx, &command).await?;
    if !output.success() && !failure::is_missing(&output) {
        return Err(failure::of(cx, &command, &output));
    }
    let notes: Vec<Note> = lines(&command, &output)?;
    let known = notes.into_iter().filter_map(|note| Some(((*names.get(&note.name)?).clone(), note.ran)));
    known.map(|(service, ran)| Ok((service, read(&ran)?))).collect()
}

#[derive(serde::Deserialize)]
struct Note {
    name: String,
    ran: String,
}

fn read(text: &str) -> Result<Vec<Ran>> {
    serde_json::from_str(text).map_err(|error| Error::unknown("cannot read what ran before").caused_by(error))
}

/// Takes notes away. There need be none.
pub(super) async fn forget(cx: &Context, project: &Project, services: impl IntoIterator<Item = &String>) -> Result<()> {
    let names: Vec<String> = services.into_iter().map(|service| volume(project, service)).collect();
    if names.is_empty() {
        return Ok(());
    }
    let command = docker(["volume", "rm", "--force"]).args(names);
    let output = answer(cx, &command).await?;
    if output.success() || failure::is_missing(&output) { Ok(()) } else { Err(failure::of(cx, &command, &output)) }
}
