//! The simulated Compose.

use std::collections::BTreeMap;
use std::path::PathBuf;

use runbook::command::Output;
use runbook::testing::Call;
use serde_json::json;

use super::engine::Engine;
use super::exec;
use super::life::{Health, Life, Status};
use super::project::{self, Project, depends_on};
use super::unknown;

/// What a command did, or what was wrong.
type Done = Result<Output, String>;

pub(super) fn compose(engine: &mut Engine<'_, Call<'_>>, args: &[&str]) -> Output {
    if let ["version", "--short"] = args {
        return Output::ok("2.26.1\n");
    }
    let mut project = Project { directory: engine.ground.dir().to_owned(), ..Project::default() };
    let mut rest = args;
    loop {
        match rest {
            ["--project-name", name, more @ ..] => {
                (*name).clone_into(&mut project.name);
                rest = more;
            }
            ["--file", file, more @ ..] => {
                project.files.push(PathBuf::from(file));
                rest = more;
            }
            ["--env-file", file, more @ ..] => {
                project.env_files.push(PathBuf::from(file));
                rest = more;
            }
            ["--profile", profile, more @ ..] => {
                project.profiles.push((*profile).to_owned());
                rest = more;
            }
            _ => break,
        }
    }
    let read = {
        let files = engine.ground.files();
        project.read(files)
    };
    let done = read.and_then(|()| act(engine, &project, rest));
    match done {
        Ok(output) => Output { stderr: [project_warnings(&project), output.stderr].concat(), ..output },
        Err(why) => Output::failed(1, format!("{why}\n")),
    }
}

fn project_warnings(project: &Project) -> Vec<u8> {
    let warn = |name: &String| {
        format!(
            "time=\"2025-07-15T10:00:00Z\" level=warning msg=\"The \\\"{name}\\\" variable is not set. Defaulting to a blank string.\"\n"
        )
    };
    project.unset.iter().map(warn).collect::<String>().into_bytes()
}

fn act(engine: &mut Engine<'_, Call<'_>>, project: &Project, args: &[&str]) -> Done {
    match args {
        ["config", "--quiet"] => Ok(Output::ok("")),
        ["config", "--format", "json"] => Ok(Output::ok(format!("{:#}\n", project.shown()))),
        ["config", "--hash", "*"] => {
            let line = |service: &String| format!("{service} {}\n", project.hash(service));
            Ok(Output::ok(project.services.keys().map(line).collect::<String>()))
        }
        ["ps", "--all", "--format", "json"] => Ok(Output::ok(listed(engine, project))),
        ["build", rest @ ..] => {
            for service in project.in_order(&services(rest), true)? {
                project::build(engine, project, &service)?;
            }
            Ok(Output::ok(""))
        }
        ["pull", rest @ ..] => {
            for service in project.in_order(&services(rest), true)? {
                if project.context(&service).is_none() {
                    project::pull(engine, &project.image(&service))?;
                }
            }
            Ok(Output::ok(""))
        }
        ["up", rest @ ..] => up(engine, project, rest),
        ["stop", rest @ ..] => end(engine, project, &services(rest), false),
        ["rm", "--force", rest @ ..] => {
            for service in project.in_order(&services(rest), true)? {
                for life in containers(engine, project, &service).iter().filter(|life| !life.is_up()) {
                    engine.remove(&life.id);
                }
            }
            Ok(Output::ok(""))
        }
        ["down", "--remove-orphans", ..] => down(engine, project),
        ["restart", rest @ ..] => {
            let at = engine.now;
            for service in project.in_order(&services(rest), true)? {
                for life in containers(engine, project, &service) {
                    engine.stop(&life.id);
                    engine.change(&life.id, |engine, life| engine.start(life, at));
                }
            }
            Ok(Output::ok(""))
        }
        ["exec", rest @ ..] => exec::exec(engine, project, rest),
        ["run", rest @ ..] => exec::run(engine, project, rest),
        _ => Ok(unknown("docker compose", args)),
    }
}

/// The words that are no options.
fn services<'a>(args: &[&'a str]) -> Vec<&'a str> {
    args.iter().copied().filter(|arg| !arg.starts_with("--")).collect()
}

pub(super) fn containers(engine: &Engine<'_, Call<'_>>, project: &Project, service: &str) -> Vec<Life> {
    let all = engine.store.containers.iter();
    let mut mine: Vec<Life> =
        all.filter(|life| life.project == project.name && life.service == service).cloned().collect();
    mine.sort_by_key(|life| life.number);
    mine
}

/// One object on each line.
fn listed(engine: &Engine<'_, Call<'_>>, project: &Project) -> String {
    let mine = engine.store.containers.iter().filter(|life| life.project == project.name);
    let line = |life: &Life| {
        let health = life.health.map_or(json!(""), |health| json!(health));
        let line = json!({"ID": life.id, "Name": life.name, "Service": life.service, "State": life.status,
            "Health": health, "ExitCode": life.exit_code});
        format!("{line}\n")
    };
    mine.map(line).collect()
}

fn end(engine: &mut Engine<'_, Call<'_>>, project: &Project, chosen: &[&str], remove: bool) -> Done {
    for service in project.in_order(chosen, true)?.iter().rev() {
        for life in containers(engine, project, service) {
            engine.stop(&life.id);
            if remove {
                engine.remove(&life.id);
            }
        }
    }
    Ok(Output::ok(""))
}

fn down(engine: &mut Engine<'_, Call<'_>>, project: &Project) -> Done {
    end(engine, project, &[], true)?;
    let orphans: Vec<String> = engine
        .store
        .containers
        .iter()
        .filter(|life| life.project == project.name)
        .map(|life| life.id.clone())
        .collect();
    for id in orphans {
        engine.stop(&id);
        engine.remove(&id);
    }
    engine.store.networks.retain(|_, of| *of != project.name);
    engine.save();
    Ok(Output::ok(""))
}

/// What `up` was told.
struct Orders<'a> {
    alone: bool,
    anew: bool,
    as_they_are: bool,
    scales: BTreeMap<&'a str, u32>,
    chosen: Vec<&'a str>,
}

fn up(engine: &mut Engine<'_, Call<'_>>, project: &Project, args: &[&str]) -> Done {
    let has = |word: &str| args.contains(&word);
    let scale = |arg: &&'_ str| -> Option<(String, u32)> {
        let (service, count) = arg.strip_prefix("--scale=")?.split_once('=')?;
        Some((service.to_owned(), count.parse().ok()?))
    };
    let scales: BTreeMap<String, u32> = args.iter().filter_map(scale).collect();
    let orders = Orders {
        alone: has("--no-deps"),
        anew: has("--force-recreate"),
        as_they_are: has("--no-recreate"),
        scales: scales.iter().map(|(service, count)| (service.as_str(), *count)).collect(),
        chosen: services(args),
    };
    let order = project.in_order(&orders.chosen, orders.alone)?;
    for service in &order {
        let reference = project.image(service);
        if engine.find(reference.as_str()).is_none() {
            project::pull(engine, &reference)?;
        }
    }
    for service in &order {
        converge(engine, project, service, &orders)?;
    }
    for service in &order {
        wait_for_dependencies(engine, project, service, &order)?;
        let at = engine.now;
        for life in containers(engine, project, service).iter().filter(|life| !life.is_up()) {
            engine.change(&life.id, |engine, life| engine.start(life, at));
        }
    }
    Ok(Output::ok(""))
}

/// Has the containers that are wanted: as many, and made of what they are to be made of.
fn converge(
    engine: &mut Engine<'_, Call<'_>>,
    project: &Project,
    service: &str,
    orders: &Orders<'_>,
) -> Result<(), String> {
    let wanted = orders.scales.get(service).copied().unwrap_or_else(|| project.replicas(service));
    let image = engine.find(project.image(service).as_str()).unwrap_or_default();
    let config = project.hash(service);
    let anew = orders.anew && (orders.chosen.is_empty() || orders.chosen.contains(&service));
    let there = containers(engine, project, service);
    let (stay, surplus) = there.split_at(there.len().min(wanted as usize));
    for life in surplus {
        engine.stop(&life.id);
        engine.remove(&life.id);
    }
    for life in stay {
        if anew || !orders.as_they_are && (life.image != image || life.config != config) {
            let made = project::create(engine, project, service, [life.number])?;
            let was_up = life.is_up();
            engine.stop(&life.id);
            engine.remove(&life.id);
            let at = engine.now;
            for id in made.iter().filter(|_| was_up) {
                engine.change(id, |engine, life| engine.start(life, at));
            }
        }
    }
    let missing = wanted.saturating_sub(u32::try_from(there.len()).unwrap_or_default());
    let free = (1..).filter(|number| stay.iter().all(|life| life.number != *number));
    project::create(engine, project, service, free.take(missing as usize).collect::<Vec<_>>())?;
    Ok(())
}

/// What a service waits for before it is started.
fn wait_for_dependencies(
    engine: &mut Engine<'_, Call<'_>>,
    project: &Project,
    service: &str,
    started: &[String],
) -> Result<(), String> {
    for (on, condition) in depends_on(&project.services[service]) {
        if !started.contains(&on) {
            continue;
        }
        for _ in 0..10_000 {
            let there = containers(engine, project, &on);
            let ready = there.iter().all(|life| match condition.as_str() {
                "service_healthy" => life.health == Some(Health::Healthy),
                "service_completed_successfully" => life.status == Status::Exited && life.exit_code == 0,
                _ => true,
            });
            if ready {
                break;
            }
            if let Some(life) = there.iter().find(|life| life.health == Some(Health::Unhealthy)) {
                return Err(format!("dependency failed to start: container {} is unhealthy", life.name));
            }
            if let Some(life) = there.iter().find(|life| life.status == Status::Exited && life.exit_code != 0) {
                return Err(format!("dependency failed to start: container {} exited ({})", life.name, life.exit_code));
            }
            engine.now += 100;
            engine.ground.takes(std::time::Duration::from_millis(100));
            engine.catch_up();
        }
    }
    Ok(())
}
