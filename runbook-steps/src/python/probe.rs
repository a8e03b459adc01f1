//! Questions to the application itself, in its own environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use runbook::command::Output;
use runbook::{Check, Command, Context, Description, Error, Evidence, Finding, Resource, Result};
use serde::{Deserialize, Serialize};

use super::{commands, facts};
use crate::command::{by_hand, word};
use crate::env;

/// Asks whether these lines of Python run to their end in the environment `venv`. They must change nothing.
///
/// With [`dir`](Probe::dir) and [`env_file`](Probe::env_file) they run as the application does: with its modules and
/// its settings. What they print is masked where it repeats a value of the env file.
pub fn probe(venv: impl AsRef<Path>, code: impl Into<String>) -> Probe {
    Probe::new(venv.as_ref(), Vec::new(), code.into())
}

/// Asks whether this module can be imported in the environment `venv`: `fastapi`, `app.main`.
pub fn imports(venv: impl AsRef<Path>, module: impl Into<String>) -> Probe {
    Probe::new(venv.as_ref(), vec![module.into()], String::new())
}

/// The check of [`probe`] and [`imports`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Probe {
    venv: PathBuf,
    modules: Vec<String>,
    code: String,
    dir: Option<PathBuf>,
    env_file: Option<PathBuf>,
    deadline: Duration,
    prints: Option<String>,
}

/// What the script is told. It goes through its input, so that no process list shows a value.
#[derive(Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) env: BTreeMap<String, String>,
    pub(super) modules: Vec<String>,
    pub(super) code: String,
}

/// What the script tells.
#[derive(Serialize, Deserialize)]
pub(super) struct Told {
    /// Whether the end was reached.
    pub(super) whole: bool,
    /// What was printed, tracebacks included.
    pub(super) text: String,
}

/// Runs the orders. An exit code proves nothing: libraries call `sys.exit` and `os._exit`, so the last thing it does is
/// to tell that the end was reached.
pub(super) const SCRIPT: &str = r#"
import contextlib, importlib, io, json, os, sys, traceback, urllib.parse
orders = json.load(sys.stdin)
sys.stdin = open(os.devnull)
os.environ.update(orders["env"])
out, whole = io.StringIO(), False
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
    try:
        for name in orders["modules"]:
            module = importlib.import_module(name)
            print(name, getattr(module, "__version__", ""), getattr(module, "__file__", None) or "")
        exec(compile(orders["code"], "<probe>", "exec"), {"__name__": "__main__"})
        whole = True
    except BaseException:
        traceback.print_exc()
text = out.getvalue()
secrets = {value: name for name, value in orders["env"].items() if len(value) >= 8}
for name, value in orders["env"].items():
    try:
        password = urllib.parse.urlsplit(value).password
    except ValueError:
        password = None
    if password:
        secrets.update({password: name, urllib.parse.unquote(password): name})
for value in sorted(secrets, key=len, reverse=True):
    text = text.replace(value, "[" + secrets[value] + "]")
sys.__stdout__.write("\n" + json.dumps({"whole": whole, "text": text[-20000:]}) + "\n")
sys.__stdout__.flush()
os._exit(0)
"#;

impl Probe {
    fn new(venv: &Path, modules: Vec<String>, code: String) -> Self {
        let deadline = Duration::from_secs(30);
        Self { venv: venv.to_owned(), modules, code, dir: None, env_file: None, deadline, prints: None }
    }

    /// And this module.
    pub fn and(mut self, module: impl Into<String>) -> Self {
        self.modules.push(module.into());
        self
    }

    /// In this directory, whose modules can be imported.
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// With the variables of this env file.
    pub fn env_file(mut self, path: impl AsRef<Path>) -> Self {
        self.env_file = Some(path.as_ref().to_owned());
        self
    }

    /// Ended, as unknown, when it runs longer than this; 30 seconds unless told otherwise.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// And prints this text.
    pub fn prints(mut self, text: impl Into<String>) -> Self {
        self.prints = Some(text.into());
        self
    }

    /// What it asks, for people.
    fn question(&self) -> String {
        match (&*self.code, self.modules.join(", ")) {
            ("", modules) => format!("{modules} can be imported"),
            (code, modules) if modules.is_empty() => format!("`{}` runs", first_line(code)),
            (code, modules) => format!("{modules} can be imported and `{}` runs", first_line(code)),
        }
    }

    fn by_hand(&self) -> String {
        let imports = self.modules.iter().map(|module| format!("import {module}"));
        let code: Vec<String> = imports.chain((!self.code.is_empty()).then(|| self.code.trim().to_owned())).collect();
        let python = Command::new(self.venv.join("bin/python")).arg("-c").arg(code.join("\n"));
        let env = self.env_file.as_ref().map(|file| format!("set -a && . {} && ", word(file))).unwrap_or_default();
        let python = by_hand(&match &self.dir {
            Some(dir) => python.dir(dir),
            None => python,
        });
        if env.is_empty() { python } else { format!("({env}{python})") }
    }

    async fn orders(&self, cx: &Context) -> Result<Orders> {
        let legal = |c: char| c.is_alphanumeric() || "._".contains(c);
        if let Some(bad) = self.modules.iter().find(|name| name.is_empty() || !name.chars().all(legal)) {
            return Err(Error::new(format!("`{bad}` is no name of a Python module")));
        }
        let mut vars = BTreeMap::new();
        if let Some(path) = &self.env_file {
            let file = env::read(cx, path).await?;
            for key in file.keys() {
                vars.insert(key.to_owned(), file.get(key).unwrap_or_default().to_owned());
            }
        }
        Ok(Orders { env: vars, modules: self.modules.clone(), code: self.code.clone() })
    }

    fn judge(&self, output: &Output) -> Finding {
        let said = output.lossy();
        let told = said.lines().rev().find_map(|line| serde_json::from_str::<Told>(line).ok());
        let Some(told) = told else {
            let evidence = Evidence::new(format!("Python ended before the end was reached ({})", output.ending()));
            return Finding::fail(evidence.lines(output.tail(10)));
        };
        let lines: Vec<&str> = told.text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.last().copied().unwrap_or_default().trim();
        let tail = &lines[lines.len().saturating_sub(10)..];
        if !told.whole {
            return Finding::fail(Evidence::new(last).lines(tail.iter().copied()));
        }
        match &self.prints {
            Some(wanted) if !told.text.contains(wanted.as_str()) => {
                Finding::fail(Evidence::new(format!("did not print `{wanted}`")).lines(tail.iter().copied()))
            }
            _ if last.is_empty() => Finding::pass(self.question()),
            _ => Finding::pass(format!("{}: {last}", self.question())),
        }
    }
}

#[async_trait]
impl Check for Probe {
    fn describe(&self) -> Description {
        let venv = self.venv.display();
        let kind = if self.code.is_empty() { "python.imports" } else { "python.probe" };
        let description = Description::new(kind, format!("{venv} {}", self.question()))
            .summary(format!("in {venv}, {}", self.question()))
            .command(self.by_hand())
            .reads(Resource::path(&self.venv));
        let paths = [&self.dir, &self.env_file].into_iter().flatten();
        paths.fold(description, |description, path| description.reads(Resource::path(path)))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        facts::ensure_venv(cx, &self.venv).await?;
        let orders = serde_json::to_vec(&self.orders(cx).await?)?;
        let command = commands::script(&self.venv, SCRIPT, orders).deadline(self.deadline);
        let command = match &self.dir {
            Some(dir) => command.dir(dir),
            None => command,
        };
        match cx.output(&command).await {
            Err(error) if error.message().contains("it ran longer than") => {
                Ok(Finding::unknown(format!("{}: no answer within {:?}", self.question(), self.deadline)))
            }
            output => Ok(self.judge(&output?)),
        }
    }
}

fn first_line(code: &str) -> &str {
    code.trim().lines().next().unwrap_or_default()
}
