//! The programs every simulated host has, as far as the step library and common runbooks call them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command::Output;
use crate::host::{Attributes, FileKind};
use crate::{Command, Error, Result};

use super::machine::Programs;
use super::program::{Call, Program, complaint};

/// A program that says what it printed, or what was wrong.
struct Tool(&'static str, fn(&mut Call<'_>) -> Result<Output>);

impl Program for Tool {
    fn run(&self, call: &mut Call<'_>) -> Output {
        let Self(name, act) = self;
        act(call).unwrap_or_else(|error| complaint(name, &error))
    }
}

/// All of them.
pub(crate) fn programs() -> Programs {
    let tools = [
        Tool("true", |_| Ok(Output::ok(""))),
        Tool("false", |_| Ok(Output::failed(1, ""))),
        Tool("echo", |call| Ok(Output::ok(call.args().join(" ") + "\n"))),
        Tool("printf", |call| Ok(Output::ok(call.args().concat().replace("\\n", "\n")))),
        Tool("sleep", sleep),
        Tool("env", env),
        Tool("sudo", sudo),
        Tool("cat", cat),
        Tool("mkdir", mkdir),
        Tool("rm", remove),
        Tool("mv", |call| transfer(call, |call, from, to| call.files().rename(from, to))),
        Tool("cp", |call| transfer(call, copy)),
        Tool("ln", link),
        Tool("ls", list),
        Tool("touch", touch),
        Tool("chmod", chmod),
        Tool("chown", chown),
        Tool("readlink", |call| Ok(readlink(call))),
        Tool("test", |call| Ok(test(call))),
        Tool("sha256sum", sha256sum),
    ];
    let mut programs = Programs::default();
    for tool in tools {
        programs.add(tool.0, std::sync::Arc::new(tool));
    }
    programs
}

fn sleep(call: &mut Call<'_>) -> Result<Output> {
    for arg in call.args() {
        let seconds: f64 = arg.trim_end_matches('s').parse()?;
        call.takes(Duration::try_from_secs_f64(seconds)?);
    }
    Ok(Output::ok(""))
}

/// `env A=1 -u B program …`
fn env(call: &mut Call<'_>) -> Result<Output> {
    let args = call.args();
    let mut rest = &args[..];
    let mut variables = Vec::new();
    loop {
        match rest {
            ["-u" | "-C", _, more @ ..] | ["-i" | "--", more @ ..] => rest = more,
            [word, more @ ..] if word.contains('=') => {
                variables.extend(word.split_once('='));
                rest = more;
            }
            _ => break,
        }
    }
    let Some(mut command) = inner(call, rest) else { return Ok(Output::ok("")) };
    for (name, value) in variables {
        command = command.env(name, value);
    }
    call.run(&command)
}

/// `sudo -n -u user -- program …`; everyone may do everything.
fn sudo(call: &mut Call<'_>) -> Result<Output> {
    let args = call.args();
    let mut rest = &args[..];
    loop {
        match rest {
            ["-u" | "-g" | "--user" | "--group", _, more @ ..] => rest = more,
            ["--", more @ ..] => {
                rest = more;
                break;
            }
            [option, more @ ..] if option.starts_with('-') => rest = more,
            _ => break,
        }
    }
    let command = inner(call, rest).ok_or_else(|| Error::new("no command is given"))?;
    call.run(&command)
}

/// The command that these words make, with all else as it was given.
fn inner(call: &Call<'_>, words: &[&str]) -> Option<Command> {
    let (program, args) = words.split_first()?;
    let mut command = Command::new(program).args(args).dir(call.dir()).input(call.input());
    for (name, _) in call.command().environment() {
        command = command.env(name, call.env(name).unwrap_or_default());
    }
    Some(command)
}

fn cat(call: &mut Call<'_>) -> Result<Output> {
    let mut all = Vec::new();
    if call.args().is_empty() {
        all.extend(call.input());
    }
    for arg in call.args() {
        let path = call.path(arg);
        all.extend(if arg == "-" { call.input().to_vec() } else { call.files().read(path)? });
    }
    Ok(Output::ok(all))
}

fn mkdir(call: &mut Call<'_>) -> Result<Output> {
    let parents = has(call, "p", "--parents");
    each_path(call, |call, path| {
        let above = path.parent().is_some_and(|above| call.files().is_dir(above));
        match parents || (above && !call.files().exists(&path)) {
            true => call.files().make_dir(path),
            false if above => Err(Error::new(format!("`{}` exists", path.display()))),
            false => Err(Error::new(format!("the directory above `{}` does not exist", path.display()))),
        }
    })
}

fn remove(call: &mut Call<'_>) -> Result<Output> {
    let (recursive, force) = (has(call, "rR", "--recursive"), has(call, "f", "--force"));
    each_path(call, |call, path| match call.files().stat(&path) {
        None if force => Ok(()),
        None => Err(Error::new(format!("`{}` does not exist", path.display()))),
        Some(stat) if stat.kind == FileKind::Directory && !recursive => {
            Err(Error::new(format!("`{}` is a directory", path.display())))
        }
        Some(_) => call.files().remove(path),
    })
}

fn copy(call: &mut Call<'_>, from: &Path, to: &Path) -> Result<()> {
    let recursive = has(call, "rRa", "--recursive");
    let keep = has(call, "pa", "--preserve");
    let files = call.files();
    let inside = files.walk(from);
    if files.is_dir(from) && !recursive {
        return Err(Error::new(format!("`{}` is a directory", from.display())));
    }
    for path in std::iter::once(from.to_owned()).chain(inside) {
        let target = match path.strip_prefix(from) {
            Ok(rest) if !rest.as_os_str().is_empty() => to.join(rest),
            _ => to.to_owned(),
        };
        let stat = files.stat(&path).ok_or_else(|| Error::new(format!("`{}` does not exist", path.display())))?;
        let owner = keep.then(|| format!("{}:{}", stat.uid, stat.gid));
        let attributes = Attributes { mode: Some(stat.mode), owner };
        match stat.kind {
            FileKind::Directory => {
                files.make_dir(&target)?;
                files.set(&target, &attributes)?;
            }
            FileKind::Symlink(link) if recursive => files.symlink(link, &target)?,
            _ => {
                let content = files.read(&path)?;
                files.write_as(&target, &content, &attributes)?;
            }
        }
    }
    Ok(())
}

/// From one or more paths to the last: into it when it is a directory.
fn transfer(call: &mut Call<'_>, act: fn(&mut Call<'_>, &Path, &Path) -> Result<()>) -> Result<Output> {
    let as_file = has(call, "T", "--no-target-directory");
    let words = operands(call);
    let Some((to, from)) = words.split_last().filter(|(_, from)| !from.is_empty()) else {
        return Err(Error::new("source and target are missing"));
    };
    let to = call.path(to);
    for from in from {
        let from = call.path(from);
        let into = call.files().is_dir(&to) && !as_file;
        let target = if into { to.join(from.file_name().unwrap_or_default()) } else { to.clone() };
        act(call, &from, &target)?;
    }
    Ok(Output::ok(""))
}

fn link(call: &mut Call<'_>) -> Result<Output> {
    let (soft, force, as_file) =
        (has(call, "s", "--symbolic"), has(call, "f", "--force"), has(call, "nT", "--no-target-directory"));
    let words = operands(call);
    let [target, link] = words[..] else { return Err(Error::new("target and link are missing")) };
    let mut place = call.path(link);
    if !as_file && call.files().is_dir(&place) {
        place = place.join(Path::new(target).file_name().unwrap_or_default());
    }
    if !force && call.files().stat(&place).is_some() {
        return Err(Error::new(format!("`{}` exists", place.display())));
    }
    if soft {
        call.files().symlink(target, place)?;
    } else {
        let from = call.path(target);
        let content = call.files().read(from)?;
        call.files().write(place, content)?;
    }
    Ok(Output::ok(""))
}

fn list(call: &mut Call<'_>) -> Result<Output> {
    let words = operands(call);
    let path = call.path(words.first().unwrap_or(&"."));
    let names = if call.files().is_dir(&path) {
        call.files().list(path)?
    } else {
        call.files().read(&path)?;
        vec![path.display().to_string()]
    };
    let hidden = has(call, "aA", "--all");
    let shown = names.into_iter().filter(|name| hidden || !name.starts_with('.'));
    Ok(Output::ok(shown.map(|name| name + "\n").collect::<String>()))
}

fn touch(call: &mut Call<'_>) -> Result<Output> {
    each_path(call, |call, path| if call.files().exists(&path) { Ok(()) } else { call.files().write(path, "") })
}

fn chmod(call: &mut Call<'_>) -> Result<Output> {
    let words = operands(call);
    let [mode, paths @ ..] = &words[..] else { return Err(Error::new("mode and path are missing")) };
    let mode = u32::from_str_radix(mode, 8)?;
    set(call, paths, &Attributes::mode(mode))
}

fn chown(call: &mut Call<'_>) -> Result<Output> {
    let words = operands(call);
    let [owner, paths @ ..] = &words[..] else { return Err(Error::new("owner and path are missing")) };
    set(call, paths, &Attributes { mode: None, owner: Some((*owner).to_owned()) })
}

fn set(call: &mut Call<'_>, paths: &[&str], attributes: &Attributes) -> Result<Output> {
    let recursive = has(call, "R", "--recursive");
    for path in paths {
        let path = call.path(path);
        let inside = if recursive { call.files().walk(&path) } else { Vec::new() };
        for path in std::iter::once(path).chain(inside) {
            call.files().set(path, attributes)?;
        }
    }
    Ok(Output::ok(""))
}

fn readlink(call: &mut Call<'_>) -> Output {
    let words = operands(call);
    let path = call.path(words.first().unwrap_or(&"."));
    match call.files().stat(path).map(|stat| stat.kind) {
        Some(FileKind::Symlink(target)) => Output::ok(format!("{}\n", target.display())),
        _ => Output::failed(1, ""),
    }
}

fn test(call: &mut Call<'_>) -> Output {
    let args = call.args();
    let (negated, args) = match &args[..] {
        ["!", rest @ ..] => (true, rest),
        all => (false, all),
    };
    let holds = match args {
        ["-e", path] => {
            let path = call.path(path);
            call.files().exists(path)
        }
        ["-f", path] => {
            let path = call.path(path);
            call.files().is_file(path)
        }
        ["-d", path] => {
            let path = call.path(path);
            call.files().is_dir(path)
        }
        ["-L" | "-h", path] => {
            let path = call.path(path);
            matches!(call.files().stat(path).map(|stat| stat.kind), Some(FileKind::Symlink(_)))
        }
        ["-s", path] => {
            let path = call.path(path);
            call.files().read(path).is_ok_and(|content| !content.is_empty())
        }
        ["-n", text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        [a, "=", b] => a == b,
        [a, "!=", b] => a != b,
        _ => return Output::failed(2, format!("test: `{}` is not simulated\n", args.join(" "))),
    };
    if holds == negated { Output::failed(1, "") } else { Output::ok("") }
}

fn sha256sum(call: &mut Call<'_>) -> Result<Output> {
    let words = operands(call);
    if words.is_empty() {
        return Ok(Output::ok(format!("{}  -\n", super::sha256::hex(call.input()))));
    }
    let mut lines = Vec::new();
    for word in words {
        let path = call.path(word);
        lines.push(format!("{}  {word}\n", super::sha256::hex(&call.files().read(path)?)));
    }
    Ok(Output::ok(lines.concat()))
}

/// The arguments that are no options.
fn operands<'a>(call: &Call<'a>) -> Vec<&'a str> {
    call.args().into_iter().filter(|arg| !arg.starts_with('-') || *arg == "-").collect()
}

/// Whether an option is given: in full, or by one of these letters.
fn has(call: &Call<'_>, letters: &str, long: &str) -> bool {
    let short = |arg: &str| arg.starts_with('-') && !arg.starts_with("--") && arg.contains(|c| letters.contains(c));
    call.args().into_iter().any(|arg| arg == long || short(arg))
}

fn each_path(call: &mut Call<'_>, act: impl Fn(&mut Call<'_>, PathBuf) -> Result<()>) -> Result<Output> {
    for arg in operands(call) {
        let path = call.path(arg);
        act(call, path)?;
    }
    Ok(Output::ok(""))
}
