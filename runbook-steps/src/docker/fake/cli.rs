//! The simulated `docker`.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use runbook::command::Output;
use runbook::testing::Call;
use serde_json::{Value, json};

use super::engine::Engine;
use super::life::{Health, Life};
use super::{exec, helper, project, unknown};
use crate::docker::Reference;

pub(super) fn docker(engine: &mut Engine<'_, Call<'_>>, args: &[&str]) -> Output {
    match args {
        ["compose", ..] => Output::failed(1, "docker: 'compose' is not a docker command.\nSee 'docker --help'\n"),
        ["container", "ls", "--all", "--quiet", "--no-trunc", filters @ ..] => {
            lines(listed(engine, filters).map(|life| &life.id))
        }
        ["container", "ls", "--no-trunc", "--format", _, filters @ ..] => lines(
            listed(engine, filters).filter(|life| life.is_up()).map(|life| format!("{} {}", life.number, life.id)),
        ),
        ["exec", rest @ ..] => exec::exec_in(engine, rest),
        ["container", "inspect", "--format", _, names @ ..] => inspect(engine, names),
        ["container", verb @ ("stop" | "restart"), ids @ ..] => each(engine, ids, |engine, id| {
            engine.stop(id);
            if *verb == "restart" {
                let at = engine.now;
                engine.change(id, |engine, life| engine.start(life, at));
            }
        }),
        ["container", "rm", "--force", ids @ ..] => each(engine, ids, |engine, id| {
            engine.remove(id);
        }),
        ["container", "logs", rest @ ..] => logs(engine, rest),
        ["events", rest @ ..] => events(engine, rest),
        ["info", "--format", "{{.SystemTime}}"] => Output::ok(format!("{}\n", time(Some(engine.now)))),
        ["network", "ls", "--quiet", "--no-trunc", "--filter", filter] => {
            let name = filter.trim_start_matches("label=com.docker.compose.project=");
            let all = engine.store.networks.iter().filter(|(_, project)| *project == name);
            lines(all.map(|(network, _)| network))
        }
        ["network", "rm", name] => remove_network(engine, name),
        ["volume", rest @ ..] => volume(engine, rest),
        ["image", "inspect", "--format", _, names @ ..] => image_inspect(engine, names),
        ["image", "ls", "--quiet", "--no-trunc"] => {
            let all: Vec<String> = engine.store.images.keys().filter(|id| engine.has(id)).cloned().collect();
            lines(all)
        }
        ["image", "tag", source, target] => match engine.find(source) {
            Some(id) => {
                engine.tag(Reference::named(*target), id);
                Output::ok("")
            }
            None => {
                Output::failed(1, format!("Error response from daemon: No such image: {}\n", Reference::named(*source)))
            }
        },
        ["image", "rm", options @ .., name] => image_remove(engine, options.contains(&"--force"), name),
        ["pull", name] => {
            let reference = Reference::named(*name);
            match project::pull(engine, &reference) {
                Ok(()) => Output::ok(format!("{reference}\n")),
                Err(why) => Output::failed(1, format!("{why}\n")),
            }
        }
        ["run", rest @ ..] => helper::run(engine, rest),
        ["login", "--username", user, "--password-stdin", registry] => login(engine, user, registry),
        ["logout", registry] => logout(engine, registry),
        ["stats", "--no-stream", "--format", "{{json .}}", names @ ..] => stats(engine, names),
        _ => unknown("docker", args),
    }
}

/// Where the settings of the simulated user lie.
pub(super) const SETTINGS: &str = "/root/.docker/config.json";

fn settings(engine: &mut Engine<'_, Call<'_>>) -> Value {
    let text = engine.ground.files().text(SETTINGS).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_else(|_| json!({"auths": {}}))
}

fn write(engine: &mut Engine<'_, Call<'_>>, settings: &Value) -> Output {
    let tree = engine.ground.files();
    let written = tree.make_dir("/root/.docker").and_then(|()| tree.write(SETTINGS, settings.to_string()));
    match written {
        Ok(()) => Output::ok("Login Succeeded\n"),
        Err(error) => Output::failed(1, format!("{error:#}\n")),
    }
}

/// A password that says it is wrong is refused.
fn login(engine: &mut Engine<'_, Call<'_>>, user: &str, registry: &str) -> Output {
    let password = String::from_utf8_lossy(engine.ground.input()).into_owned();
    if password.trim().is_empty() || password.contains("wrong") {
        return Output::failed(
            1,
            "Error response from daemon: Get \"https://registry/v2/\": unauthorized: access denied\n",
        );
    }
    let mut settings = settings(engine);
    settings["auths"][registry] = json!({"auth": format!("{user}:*")});
    write(engine, &settings)
}

fn logout(engine: &mut Engine<'_, Call<'_>>, registry: &str) -> Output {
    let mut settings = settings(engine);
    if let Some(auths) = settings["auths"].as_object_mut() {
        auths.remove(registry);
    }
    if settings["auths"].as_object().is_none_or(serde_json::Map::is_empty) {
        let _ = engine.ground.files().remove("/root/.docker");
        return Output::ok(format!("Removing login credentials for {registry}\n"));
    }
    write(engine, &settings)
}

fn stats(engine: &Engine<'_, Call<'_>>, names: &[&str]) -> Output {
    let is = |life: &&Life| {
        life.is_up() && (names.is_empty() || names.contains(&life.name.as_str()) || names.contains(&life.id.as_str()))
    };
    let line = |life: &Life| {
        let memory = format!("{:.1}MiB / 7.5GiB", life.memory as f64 / f64::from(1 << 20));
        format!("{}\n", json!({"Name": life.name, "CPUPerc": format!("{:.2}%", life.cpu), "MemUsage": memory}))
    };
    if let Some(missing) = names.iter().find(|name| engine.container(name).is_none()) {
        return Output::failed(1, format!("Error response from daemon: No such container: {missing}\n"));
    }
    Output::ok(engine.store.containers.iter().filter(is).map(line).collect::<String>())
}

/// A time as Docker says it.
pub(super) fn time(at: Option<u64>) -> String {
    let at = at.and_then(|at| i64::try_from(at).ok()).and_then(|at| Timestamp::from_millisecond(at).ok());
    at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| at.to_string())
}

/// The containers that have all of these properties.
fn listed<'a>(engine: &'a Engine<'_, Call<'_>>, filters: &'a [&str]) -> impl Iterator<Item = &'a Life> {
    let filters: Vec<&str> = filters.iter().copied().filter(|word| *word != "--filter").collect();
    let is = move |life: &&Life| {
        filters.iter().all(|filter| match filter.split_once('=') {
            Some(("label", label)) => match label.split_once('=') {
                Some(("com.docker.compose.project", project)) => life.project == project,
                Some(("com.docker.compose.service", service)) => life.service == service,
                Some(("com.docker.compose.oneoff", _)) => !life.project.is_empty(),
                _ => false,
            },
            Some(("volume", volume)) => life.volumes.iter().any(|known| known == volume),
            Some(("ancestor", image)) => life.image == image,
            _ => false,
        })
    };
    engine.store.containers.iter().filter(is)
}

fn inspect(engine: &Engine<'_, Call<'_>>, names: &[&str]) -> Output {
    inspected(names, |name| engine.container(name).map(container).ok_or(format!("No such container: {name}")))
}

/// One line for each.
fn lines(ids: impl IntoIterator<Item = impl std::fmt::Display>) -> Output {
    let lines: Vec<String> = ids.into_iter().map(|id| format!("{id}\n")).collect();
    Output::ok(lines.concat())
}

/// What is shown of each; for what is missing, what the engine says of it.
fn inspected(names: &[&str], show: impl Fn(&str) -> Result<Value, String>) -> Output {
    let (shown, missing): (Vec<_>, Vec<_>) = names.iter().map(|name| show(name)).partition(Result::is_ok);
    let shown: Vec<String> = shown.into_iter().flatten().map(|value| format!("{value}\n")).collect();
    let missing = missing.into_iter().filter_map(Result::err);
    let missing: Vec<String> = missing.map(|error| format!("Error response from daemon: {error}\n")).collect();
    let code = i32::from(!missing.is_empty());
    Output { code: Some(code), stdout: shown.concat().into(), stderr: missing.concat().into(), ..Output::default() }
}

/// What the format of `docker::container` asks for.
fn container(life: &Life) -> Value {
    let health = life.health.map(|health| {
        let failures = u32::from(health == Health::Unhealthy);
        json!({"Status": health, "FailingStreak": failures, "Log": []})
    });
    // The engine notes it when the program has said something already.
    let noted = life.started.map(|at| at + 1);
    let mounts: Vec<Value> = life.volumes.iter().map(|name| json!({"Type": "volume", "Name": name})).collect();
    json!({
        "id": life.id, "name": format!("/{}", life.name), "image": life.image, "reference": life.reference,
        "project": life.project, "service": life.service, "number": life.number.to_string(), "config": life.config,
        "created": time(Some(life.created)),
        "state": {
            "Status": life.status, "OOMKilled": life.out_of_memory, "ExitCode": life.exit_code, "Error": "",
            "StartedAt": time(noted), "FinishedAt": time(life.finished), "Health": health,
        },
        "restarts": life.restarts, "policy": life.policy, "terminal": false, "mounts": mounts,
    })
}

fn each(
    engine: &mut Engine<'_, Call<'_>>,
    ids: &[&str],
    mut act: impl FnMut(&mut Engine<'_, Call<'_>>, &str),
) -> Output {
    let mut missing = Vec::new();
    for name in ids {
        match engine.container(name).map(|life| life.id.clone()) {
            Some(id) => act(engine, &id),
            None => missing.push(format!("Error response from daemon: No such container: {name}\n")),
        }
    }
    if missing.is_empty() { Output::ok("") } else { Output::failed(1, missing.concat()) }
}

fn logs(engine: &Engine<'_, Call<'_>>, args: &[&str]) -> Output {
    let (mut tail, mut since, mut stamps, mut rest) = (usize::MAX, None, false, args);
    let name = loop {
        match rest {
            ["--tail", lines, more @ ..] => {
                tail = lines.parse().unwrap_or(usize::MAX);
                rest = more;
            }
            ["--since", at, more @ ..] => {
                let before = at.strip_suffix('s').and_then(|seconds| seconds.parse::<f64>().ok());
                since = match before {
                    Some(seconds) => {
                        let before = u64::try_from(Duration::from_secs_f64(seconds).as_millis()).unwrap_or(u64::MAX);
                        Some(engine.now.saturating_sub(before))
                    }
                    None => at.parse::<Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok()),
                };
                rest = more;
            }
            ["--timestamps", more @ ..] => {
                stamps = true;
                rest = more;
            }
            [name] => break name,
            _ => return unknown("docker container logs", args),
        }
    };
    let Some(life) = engine.container(name) else {
        return Output::failed(1, format!("Error response from daemon: No such container: {name}\n"));
    };
    let after = since.unwrap_or(0);
    let lines: Vec<&(u64, String)> = life.log.iter().filter(|(at, _)| *at >= after).collect();
    let shown = lines[lines.len().saturating_sub(tail)..]
        .iter()
        .map(|(at, line)| if stamps { format!("{} {line}\n", time(Some(*at))) } else { format!("{line}\n") });
    Output::ok(shown.collect::<String>())
}

/// It listens until the next event, and ends then: what a simulated program prints comes at its end.
fn events(engine: &mut Engine<'_, Call<'_>>, args: &[&str]) -> Output {
    let value = |name: &str| args.iter().position(|arg| *arg == name).and_then(|at| args.get(at + 1).copied());
    let label = args.iter().find_map(|arg| arg.strip_prefix("label=com.docker.compose.project="));
    let seconds =
        value("--until").and_then(|until| until.trim_start_matches('-').trim_end_matches('s').parse::<u64>().ok());
    let (Some(project), Some(seconds)) = (label, seconds) else { return unknown("docker events", args) };
    let until = engine.now + 1000 * seconds;
    let (at, said) = match engine.next_event(project).filter(|(at, _)| *at <= until) {
        Some((at, status)) => (at, format!("{status}\n")),
        None => (until, String::new()),
    };
    engine.ground.takes(Duration::from_millis(at.saturating_sub(engine.now)));
    Output::ok(said)
}

fn remove_network(engine: &mut Engine<'_, Call<'_>>, name: &str) -> Output {
    let Some(project) = engine.store.networks.get(name) else {
        return Output::failed(1, format!("Error response from daemon: No such network: {name}\n"));
    };
    if engine.store.containers.iter().any(|life| life.project == *project && life.is_up()) {
        return Output::failed(1, format!("Error response from daemon: network {name} has active endpoints\n"));
    }
    engine.store.networks.remove(name);
    engine.save();
    Output::ok("")
}

fn volume(engine: &mut Engine<'_, Call<'_>>, args: &[&str]) -> Output {
    match args {
        ["create", name] => {
            engine.store.volumes.insert((*name).to_owned());
            engine.save();
            Output::ok(format!("{name}\n"))
        }
        ["inspect", "--format", "{{.Name}}", name] => {
            if engine.store.volumes.contains(*name) || engine.volumes.contains_key(*name) {
                return Output::ok(format!("{name}\n"));
            }
            Output::failed(1, format!("Error response from daemon: get {name}: no such volume\n"))
        }
        ["create", "--label", label, name] => {
            let volume = engine.volumes.entry((*name).to_owned()).or_default();
            volume.labels.extend(label.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())));
            engine.save();
            Output::ok(format!("{name}\n"))
        }
        ["rm", "--force", names @ ..] => {
            for name in names {
                engine.volumes.remove(*name);
                engine.store.volumes.remove(*name);
                engine.save();
            }
            Output::ok("")
        }
        ["inspect", "--format", _, names @ ..] => inspected(names, |name| {
            if !engine.store.volumes.contains(name) && !engine.volumes.contains_key(name) {
                return Err(format!("get {name}: no such volume"));
            }
            let volume = engine.volumes.get(name).cloned().unwrap_or_default();
            let ran = volume.labels.get("runbook.before").cloned().unwrap_or_default();
            Ok(json!({"name": name, "ran": ran}))
        }),
        _ => unknown("docker volume", args),
    }
}

fn image_inspect(engine: &Engine<'_, Call<'_>>, names: &[&str]) -> Output {
    inspected(names, |name| {
        let id = engine.find(name).ok_or_else(|| format!("No such image: {}", Reference::named(name)))?;
        Ok(image(engine, &id))
    })
}

/// What the format of `docker::image` asks for.
fn image(engine: &Engine<'_, Call<'_>>, id: &str) -> Value {
    let tags = engine.tags.iter().filter(|(_, tagged)| *tagged == id);
    let tags: Vec<&str> = tags.map(|(reference, _)| reference.as_str()).collect();
    let size: usize = engine.store.images.get(id).map_or(0, |content| content.files.values().map(String::len).sum());
    json!({"id": id, "tags": tags, "digests": [], "size": size + (10 << 20), "tagged": time(engine.store.tagged.get(id).copied())})
}

fn image_remove(engine: &mut Engine<'_, Call<'_>>, force: bool, name: &str) -> Output {
    let missing =
        || Output::failed(1, format!("Error response from daemon: No such image: {}\n", Reference::named(name)));
    let reference = Reference::named(name);
    if let Some(id) = engine.tags.get(&reference).cloned() {
        let alone = engine.tags.values().filter(|tagged| **tagged == id).count() == 1;
        if alone && engine.is_used(&id) && !force {
            let why = format!("conflict: unable to remove repository reference \"{name}\" (must force)");
            return Output::failed(1, format!("Error response from daemon: {why}\n"));
        }
        engine.tags.remove(&reference);
        if alone && !engine.is_used(&id) {
            engine.store.removed.insert(id);
        }
        engine.save();
        return Output::ok(format!("Untagged: {reference}\n"));
    }
    let Some(id) = engine.find(name) else { return missing() };
    let tags: BTreeSet<&str> =
        engine.tags.iter().filter(|(_, tagged)| **tagged == id).map(|(reference, _)| reference.repository()).collect();
    if engine.is_used(&id) || tags.len() > 1 {
        return Output::failed(1, format!("Error response from daemon: conflict: unable to delete {name}\n"));
    }
    engine.tags.retain(|_, tagged| *tagged != id);
    engine.store.removed.insert(id.clone());
    engine.save();
    Output::ok(format!("Deleted: {id}\n"))
}
