//! Commands in simulated services: they run on the simulated host itself.

use runbook::Command;
use runbook::command::Output;
use runbook::testing::Call;

use super::compose::containers;
use super::engine::Engine;
use super::project::Project;
use super::unknown;

/// `docker compose exec`, in a service that runs.
pub(super) fn exec(engine: &mut Engine<'_, Call<'_>>, project: &Project, args: &[&str]) -> Result<Output, String> {
    let (service, words) = target(args).ok_or("it wants a service and a command")?;
    if !containers(engine, project, service).iter().any(super::life::Life::is_up) {
        return Err(format!("service \"{service}\" is not running"));
    }
    Ok(inside(engine, words))
}

/// `docker exec`, in a container that runs.
pub(super) fn exec_in(engine: &mut Engine<'_, Call<'_>>, args: &[&str]) -> Output {
    let Some((name, words)) = target(args) else { return unknown("docker exec", args) };
    match engine.container(name) {
        Some(life) if life.is_up() => inside(engine, words),
        Some(life) => Output::failed(1, format!("Error response from daemon: Container {} is not running\n", life.id)),
        None => Output::failed(1, format!("Error response from daemon: No such container: {name}\n")),
    }
}

/// `docker compose run`, for which nothing need run but an image must be there.
pub(super) fn run(engine: &mut Engine<'_, Call<'_>>, project: &Project, args: &[&str]) -> Result<Output, String> {
    let (service, words) = target(args).ok_or("it wants a service and a command")?;
    let reference = project.image(service);
    if engine.find(reference.as_str()).is_none() {
        return Err(format!("No such image: {reference}"));
    }
    // `--entrypoint sh api -c …`: the program is an option, and the words its arguments.
    let program = args.iter().position(|arg| *arg == "--entrypoint").map(|at| args[at + 1]);
    let words: Vec<&str> = program.into_iter().chain(words.iter().copied()).collect();
    Ok(inside(engine, &words))
}

/// The service, and the words after it.
fn target<'a, 'b>(args: &'b [&'a str]) -> Option<(&'a str, &'b [&'a str])> {
    match args {
        ["--user" | "--name" | "--entrypoint", _, more @ ..] => target(more),
        [option, more @ ..] if option.starts_with('-') => target(more),
        [service, words @ ..] => Some((service, words)),
        [] => None,
    }
}

/// Runs what the core has wrapped for a place it reaches through a shell: lines of environment in the input, then the
/// directory and the words.
fn inside(engine: &mut Engine<'_, Call<'_>>, words: &[&str]) -> Output {
    let ["sh", "-c", script, _, count, directory, program, args @ ..] = words else {
        return unknown("docker compose exec", words);
    };
    if !script.starts_with("_rb_lines=") {
        return unknown("docker compose exec", words);
    }
    let input = engine.ground.input();
    let mut rest = input;
    let mut command = Command::new(program).args(args);
    for _ in 0..count.parse().unwrap_or(0) {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = rest.get(end + 1..).unwrap_or_default();
        if let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
            command = command.env(name, unquoted(value));
        }
    }
    if !directory.is_empty() {
        command = command.dir(directory);
    }
    engine.remember();
    match engine.ground.run(&command.input(rest)) {
        Ok(output) => output,
        Err(error) => Output::failed(127, format!("{error:#}\n")),
    }
}

/// What a shell reads from a word in single quotes.
fn unquoted(word: &str) -> String {
    word.trim_start_matches('\'').trim_end_matches('\'').replace(r"'\''", "'").replace(r#"'"$_rb_nl"'"#, "\n")
}
