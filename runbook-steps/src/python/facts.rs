//! How an environment is read.

use std::collections::BTreeMap;
use std::path::Path;

use runbook::command::Output;
use runbook::{Command, Context, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::commands::{self, Wanted};

/// Everything that is installed in an environment, pip itself included: names in their normal form (`typing-extensions`)
/// with the line that `pip freeze` has for each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Frozen(BTreeMap<String, String>);

impl Frozen {
    /// The version of a package; `None` when it is not installed. A package that was installed from elsewhere than an
    /// index has the place it came from instead.
    pub fn version(&self, name: &str) -> Option<&str> {
        self.0.get(&normal(name)).map(|line| version(line))
    }

    /// The names of all packages.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How many packages there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is installed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line of a package by its normal name.
    pub(super) fn line(&self, name: &str) -> Option<&String> {
        self.0.get(name)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    pub(super) fn insert(&mut self, name: &str, version: &str) {
        self.0.insert(normal(name), format!("{name}=={version}"));
    }

    /// Reads what `pip freeze` prints.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (mut all, mut above) = (BTreeMap::new(), None);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(comment) = line.strip_prefix('#') {
                above = between(comment, "(", "==");
                continue;
            }
            let name = name_of(line).or_else(|| above.take().map(normal));
            let name = name.ok_or_else(|| Error::new(format!("cannot read the line `{line}` of `pip freeze`")))?;
            all.insert(name, line.to_owned());
            above = None;
        }
        Ok(Self(all))
    }
}

/// What is installed in the environment in this directory. Source: `pip freeze --all`.
pub async fn frozen(cx: &Context, venv: impl AsRef<Path>) -> Result<Frozen> {
    let output = ask(cx, &commands::freeze(venv.as_ref())).await?;
    Frozen::parse(output.text()?)
}

/// What pip would install, by normal name. Source: `pip install --dry-run`.
pub(super) async fn would_install(cx: &Context, venv: &Path, wanted: &Wanted) -> Result<BTreeMap<String, String>> {
    let command = commands::dry_run(venv, wanted);
    let output = ask(cx, &command).await?;
    let text = output.text()?;
    let Some(items) = text.lines().find_map(|line| line.strip_prefix("Would install ")) else {
        return Ok(BTreeMap::new());
    };
    let split = |item: &str| item.rsplit_once('-').map(|(name, version)| (normal(name), version.to_owned()));
    let all: Option<_> = items.split_whitespace().map(split).collect();
    all.ok_or_else(|| Error::new(format!("cannot read what `{command}` says")).details(output.tail(5)))
}

/// Makes sure that there is an environment, and says what to do when there is none.
pub(super) async fn ensure_venv(cx: &Context, venv: &Path) -> Result<()> {
    match cx.files().stat(&venv.join("pyvenv.cfg")).await? {
        Some(_) => Ok(()),
        None => Err(Error::new(format!("`{}` is no virtual environment", venv.display()))
            .hint("make it first, with a `python::venv` step")),
    }
}

/// What pip and Python say when something went wrong, what that means, and what to do about it. The connection comes
/// first: without one, pip also says that no version can be found.
const SAYINGS: &[(&str, ErrorKind, &str)] = &[
    ("NewConnectionError", ErrorKind::Transient, "is the package index reachable from this host?"),
    ("Temporary failure in name resolution", ErrorKind::Transient, "does DNS answer on this host?"),
    ("Read timed out", ErrorKind::Transient, "the package index is slow or down"),
    ("ResolutionImpossible", ErrorKind::Failed, "the requirements contradict each other"),
    ("No matching distribution found", ErrorKind::Failed, "the index or directory of wheels does not have it"),
    ("Could not open requirements file", ErrorKind::Failed, "is the code checked out?"),
    ("HASHES", ErrorKind::Failed, "a package is not the one whose hash the requirements name"),
    ("no such option: --dry-run", ErrorKind::Failed, "pip is too old: `pip install --upgrade pip` (22.2 or newer)"),
    ("No module named pip", ErrorKind::Failed, "the environment was made without pip"),
    ("ensurepip is not", ErrorKind::Failed, "on Debian: `apt-get install python3-venv`"),
    ("No space left on device", ErrorKind::Failed, "free some space"),
    ("Permission denied", ErrorKind::Failed, "run as the owner of the environment (`become`)"),
];

/// Runs a command; an exit code it does not expect is an error that says what pip says, and what to do.
pub(super) async fn ask(cx: &Context, command: &Command) -> Result<Output> {
    let output = cx.output(command).await?;
    if output.code.is_some_and(|code| command.accepts(code)) {
        return Ok(output);
    }
    let error = Error::new(format!("`{command}` on {} {}", cx.host().name(), output.ending())).details(output.tail(10));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stderr), output.lossy());
    Err(match SAYINGS.iter().find(|(words, ..)| said.contains(words)) {
        Some((_, kind, hint)) => error.kind_of(*kind).hint(*hint),
        None => error,
    })
}

/// The version that `Python 3.11.2` or `pip 23.0.1 from …` tells.
pub(super) fn second_word(output: &Output) -> Result<String> {
    let said = output.text()?;
    let word = said.split_whitespace().nth(1).map(str::to_owned);
    word.ok_or_else(|| Error::new(format!("`{said}` tells no version")))
}

/// The name of a package in its normal form, as PyPI has it: lower case, one dash where there are others.
pub(super) fn normal(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_lowercase()
}

/// The normal name in a line of requirements.
pub(super) fn name_of(line: &str) -> Option<String> {
    if line.starts_with('-') {
        return line.split_once("#egg=").map(|(_, name)| normal(name.split('&').next().unwrap_or(name)));
    }
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)).unwrap_or(line.len());
    (end > 0).then(|| normal(&line[..end]))
}

fn version(line: &str) -> &str {
    line.split_once("==").or_else(|| line.split_once(" @ ")).map_or(line, |(_, version)| version)
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    text.split_once(from)?.1.split_once(to).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pip_freeze_prints_is_read_whole() {
        let text = "Fast_API==0.1.0\npip==23.0.1\nown @ file:///srv/own.whl#sha256=00\n\
            # Editable install with no version control (my.app==2)\n-e /srv/app\n-e git+https://h/x@abc#egg=Side\n";
        let frozen = Frozen::parse(text).expect("reads");
        assert_eq!(frozen.names().collect::<Vec<_>>(), ["fast-api", "my-app", "own", "pip", "side"]);
        assert_eq!(frozen.version("FAST.api"), Some("0.1.0"));
        assert_eq!(frozen.version("own"), Some("file:///srv/own.whl#sha256=00"));
        assert_eq!(frozen.line("my-app").map(String::as_str), Some("-e /srv/app"));
        let error = Frozen::parse("-e /srv/nameless\n").expect_err("has no name");
        assert!(error.to_string().contains("`-e /srv/nameless`"), "{error:?}");
    }
}
