//! Making a virtual environment.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::host::{Attributes, FileKind};
use runbook::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{commands, facts};
use crate::command::word;

/// Makes a virtual environment in `dir`, which must not be there yet or be an empty directory. One that is there and
/// works is left as it is.
pub fn venv(dir: impl AsRef<Path>) -> VenvStep {
    VenvStep { dir: dir.as_ref().to_owned(), interpreter: "python3".to_owned(), pip: true }
}

/// The step of [`venv`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct VenvStep {
    dir: PathBuf,
    interpreter: String,
    pip: bool,
}

impl VenvStep {
    /// Made by this interpreter instead of `python3`: a name on the path, or a path. An environment that is there with
    /// another version (3.10 where this is 3.11) is refused.
    pub fn with(mut self, interpreter: impl Into<String>) -> Self {
        self.interpreter = interpreter.into();
        self
    }

    /// Without pip in it: for packages that come by other ways.
    pub fn without_pip(mut self) -> Self {
        self.pip = false;
        self
    }
}

/// A virtual environment. It is taken wherever the path of one is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Venv {
    /// Where it is.
    pub dir: PathBuf,
    /// The version of its interpreter, as that said itself: `3.11.2`.
    pub python: String,
    /// The version of its pip, if it has one.
    pub pip: Option<String>,
}

impl AsRef<Path> for Venv {
    fn as_ref(&self) -> &Path {
        &self.dir
    }
}

/// What was there before the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenvBefore {
    /// Whether an empty directory was there already.
    empty_directory: bool,
}

/// What is at the place of an environment.
enum Found {
    Nothing,
    EmptyDirectory,
    /// One that a run was cut off while making.
    Half,
    Venv,
    Other,
}

#[async_trait]
impl Step for VenvStep {
    type Before = VenvBefore;
    type Output = Venv;

    fn describe(&self) -> Description {
        let dir = word(&self.dir);
        let pip = if self.pip { "" } else { "--without-pip " };
        Description::new("python.venv", self.dir.to_string_lossy())
            .summary(format!("make the virtual environment {} with {}", self.dir.display(), self.interpreter))
            .command(format!("{} -m venv {pip}{dir}", word(Path::new(&self.interpreter))))
            .undo_command(format!("rm -rf {dir}"))
            .reads(Resource::new("program", &self.interpreter))
            .writes(Resource::path(&self.dir))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<VenvBefore, Venv>> {
        let python = facts::second_word(&facts::ask(cx, &commands::interpreter_version(&self.interpreter)).await?)?;
        let empty_directory = match self.found(cx).await? {
            Found::Venv => return Ok(Survey::Already(self.fitting(cx, &python).await?)),
            Found::Other => return Err(self.taken()),
            Found::EmptyDirectory => true,
            Found::Nothing | Found::Half => false,
        };
        self.ensure_can_make(cx).await?;
        let diff = Diff::none().and_add(format!("{} with Python {python}", self.dir.display()));
        Ok(Survey::change(VenvBefore { empty_directory }, diff))
    }

    async fn apply(&self, cx: &Context, _before: &VenvBefore) -> Result<Venv> {
        if !matches!(self.found(cx).await?, Found::Venv) {
            cx.files().write(&self.note(), b"", &Attributes::mode(0o600)).await?;
            facts::ask(cx, &commands::create(&self.interpreter, &self.dir, self.pip)).await?;
            cx.files().remove(&self.note()).await?;
        }
        self.look(cx).await
    }
}

#[async_trait]
impl Rollback for VenvStep {
    async fn rollback(&self, cx: &Context, before: &VenvBefore) -> Result<()> {
        if !before.empty_directory {
            cx.files().remove(&self.dir).await?;
            return cx.files().remove(&self.note()).await;
        }
        for name in cx.files().list(&self.dir).await? {
            cx.files().remove(&self.dir.join(name)).await?;
        }
        cx.files().remove(&self.note()).await
    }
}

impl VenvStep {
    /// Beside the directory while the environment is being made: it cannot be made elsewhere and moved, because its
    /// scripts name their place.
    fn note(&self) -> PathBuf {
        let name = self.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.dir.with_file_name(format!(".{name}.runbook-venv"))
    }

    async fn found(&self, cx: &Context) -> Result<Found> {
        if cx.files().stat(&self.note()).await?.is_some() {
            return Ok(Found::Half);
        }
        let Some(stat) = cx.files().stat(&self.dir).await? else { return Ok(Found::Nothing) };
        if matches!(stat.kind, FileKind::File | FileKind::Other) {
            return Ok(Found::Other);
        }
        let names = cx.files().list(&self.dir).await?;
        Ok(match () {
            () if names.is_empty() => Found::EmptyDirectory,
            () if names.iter().any(|name| name == "pyvenv.cfg") => Found::Venv,
            () => Found::Other,
        })
    }

    /// The environment, as its own interpreter tells of it.
    async fn look(&self, cx: &Context) -> Result<Venv> {
        let python = facts::second_word(&facts::ask(cx, &commands::version(&self.dir)).await?)?;
        let pip = facts::ask(cx, &commands::pip_version(&self.dir)).await?;
        let pip = if pip.success() { Some(facts::second_word(&pip)?) } else { None };
        if self.pip && pip.is_none() {
            return Err(Error::new(format!("the virtual environment `{}` has no pip", self.dir.display()))
                .hint("remove it in a step before, and it will be made anew"));
        }
        Ok(Venv { dir: self.dir.clone(), python, pip })
    }

    /// The environment that is there, when it is of the wanted version.
    async fn fitting(&self, cx: &Context, wanted: &str) -> Result<Venv> {
        let there = self.look(cx).await?;
        if minor(&there.python) == minor(wanted) {
            return Ok(there);
        }
        let (dir, has) = (self.dir.display(), &there.python);
        Err(Error::refused(format!("the virtual environment `{dir}` has Python {has}, not {wanted}"))
            .hint("remove it in a step before, or make the new one at another place"))
    }

    async fn ensure_can_make(&self, cx: &Context) -> Result<()> {
        let parent = self.dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent
            && cx.files().stat(parent).await?.is_none()
        {
            let parent = parent.display();
            return Err(Error::refused(format!("`{parent}` does not exist, so no environment can be made in it"))
                .hint("make it in a step before, with the owner and mode it should have"));
        }
        if self.pip && !facts::ask(cx, &commands::can_make(&self.interpreter)).await?.success() {
            return Err(Error::refused(format!("`{}` cannot make environments with pip in them", self.interpreter))
                .hint("on Debian: `apt-get install python3-venv`"));
        }
        Ok(())
    }

    fn taken(&self) -> Error {
        Error::refused(format!(
            "cannot make a virtual environment in `{}`: something else is there",
            self.dir.display()
        ))
        .hint("choose another path, or move away what is there")
    }
}

/// `3.11` of `3.11.2`: environments follow the patch releases of their interpreter.
fn minor(version: &str) -> Vec<&str> {
    version.split('.').take(2).collect()
}
