//! The commands of Python and pip, as values.
//!
//! Those that only look write no byte code, so that a survey changes nothing. None asks a question on a terminal.

use std::path::Path;

use runbook::Command;

/// What an installation is made from: requirement files and packages, and where they come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// `-r FILE` and packages, as pip takes them.
    pub(super) what: Vec<String>,
    /// `--find-links DIR` and the like.
    pub(super) from: Vec<String>,
    /// Whether newer versions are wanted where older ones would do.
    pub(super) upgrade: bool,
}

/// The interpreter of an environment.
fn python(venv: &Path) -> Command {
    Command::new(venv.join("bin/python")).env("LC_ALL", "C")
}

/// The same, leaving no byte code behind.
fn looking(command: Command) -> Command {
    command.env("PYTHONDONTWRITEBYTECODE", "1")
}

fn pip(venv: &Path) -> Command {
    python(venv).env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_NO_INPUT", "1").args(["-m", "pip"])
}

/// Makes an environment; whatever half of one is there goes away first.
pub(super) fn create(interpreter: &str, venv: &Path, pip: bool) -> Command {
    let command = Command::new(interpreter).env("LC_ALL", "C").args(["-m", "venv", "--clear"]);
    let command = if pip { command } else { command.arg("--without-pip") };
    command.arg(venv)
}

/// The version of an interpreter on the path: `Python 3.11.2`.
pub(super) fn interpreter_version(interpreter: &str) -> Command {
    looking(Command::new(interpreter)).arg("--version")
}

/// Exits with 1 when the interpreter cannot make environments with pip in them.
pub(super) fn can_make(interpreter: &str) -> Command {
    looking(Command::new(interpreter)).args(["-c", "import venv, ensurepip"]).expect([0, 1])
}

/// The version of the environment's interpreter.
pub(super) fn version(venv: &Path) -> Command {
    looking(python(venv)).arg("--version")
}

/// The version of the environment's pip; exits with 1 when it has none.
pub(super) fn pip_version(venv: &Path) -> Command {
    looking(pip(venv)).arg("--version").expect([0, 1])
}

/// Everything that is installed, as requirements.
pub(super) fn freeze(venv: &Path) -> Command {
    looking(pip(venv)).args(["freeze", "--all"])
}

/// What an installation would change; changes nothing.
pub(super) fn dry_run(venv: &Path, wanted: &Wanted) -> Command {
    wanted.end(looking(pip(venv)).args(["install", "--dry-run"]))
}

/// Installs.
pub(super) fn install(venv: &Path, wanted: &Wanted) -> Command {
    wanted.end(pip(venv).arg("install"))
}

/// Installs exactly these, whatever they require; `again` even where they are installed.
pub(super) fn install_exactly(venv: &Path, specs: &[String], from: &[String], again: bool) -> Command {
    let command = pip(venv).args(["install", "--no-deps"]);
    let command = if again { command.arg("--force-reinstall") } else { command };
    command.args(from).args(specs.iter().flat_map(|spec| spec.splitn(if spec.starts_with("-e ") { 2 } else { 1 }, ' ')))
}

/// Removes packages.
pub(super) fn uninstall(venv: &Path, names: &[String]) -> Command {
    pip(venv).args(["uninstall", "--yes"]).args(names)
}

/// Exits with 1 when packages lack what they require.
pub(super) fn check(venv: &Path) -> Command {
    looking(pip(venv)).arg("check").expect([0, 1])
}

/// Runs a script that reads its orders from its input.
pub(super) fn script(venv: &Path, script: &str, orders: Vec<u8>) -> Command {
    looking(python(venv)).args(["-c", script]).input(orders)
}

/// A file as it was at a revision; exits with 128 when it was not there.
pub(super) fn file_at(root: &Path, revision: &str, file: &str) -> Command {
    let git = Command::new("git").arg("-C").arg(root).env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
    git.args(["show", "--end-of-options"]).arg(format!("{revision}:./{file}")).expect([0, 128])
}

impl Wanted {
    fn end(&self, command: Command) -> Command {
        let command = if self.upgrade { command.arg("--upgrade") } else { command };
        command.args(&self.from).args(&self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_a_person_would_type() {
        let venv = Path::new("/srv/venv");
        let wanted = Wanted {
            what: ["-r", "requirements.txt"].map(str::to_owned).into(),
            from: ["--no-index", "--find-links", "/srv/wheels"].map(str::to_owned).into(),
            upgrade: false,
        };
        let specs = ["a==1".to_owned(), "-e /srv/my app".to_owned(), "b @ file:///b.whl".to_owned()];
        for (command, expected) in [
            (
                install(venv, &wanted),
                "/srv/venv/bin/python -m pip install --no-index --find-links /srv/wheels -r requirements.txt",
            ),
            (
                install_exactly(venv, &specs, &[], true),
                "/srv/venv/bin/python -m pip install --no-deps --force-reinstall a==1 -e '/srv/my app' 'b @ file:///b.whl'",
            ),
            (create("python3.11", venv, true), "python3.11 -m venv --clear /srv/venv"),
        ] {
            let text = command.to_string();
            let text =
                text.trim_start_matches("LC_ALL=C ").replace("PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 ", "");
            assert_eq!(text, expected);
        }
    }
}
