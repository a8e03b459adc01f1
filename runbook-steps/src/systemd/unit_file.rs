//! The files of units: installed, changed by drop-ins, edited.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::host::Attributes;
use runbook::{Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{LoadState, Status, Unit, commands, facts, verify};
use crate::command::word;
use crate::file::Before;
use crate::file::before::Present;
use crate::file::content::sha256;
use crate::file::replace::Replace;

/// Where the administrator's units lie.
pub(crate) const UNITS: &str = "/etc/systemd/system";

/// Installs a unit file with this text.
pub fn install(unit: impl Into<Unit>, text: impl Into<String>) -> UnitFile {
    UnitFile::new(unit.into(), Source::Whole(text.into()))
}

/// Changes a unit by a file of its own, `UNIT.d/NAME.conf`, and leaves the unit file as it is. Its settings are given
/// with [`set`](UnitFile::set) and [`exec_start`](UnitFile::exec_start).
///
/// ```
/// # use runbook_steps::systemd;
/// let fewer = systemd::drop_in("marb2.0.service", "memory").set("Service", "MemoryMax", "1G");
/// ```
pub fn drop_in(unit: impl Into<Unit>, name: impl Into<String>) -> UnitFile {
    UnitFile::new(unit.into(), Source::DropIn { name: name.into(), text: String::new() })
}

/// Replaces a text of the unit file by another. It must be there exactly once. A unit of a package is copied to
/// `/etc/systemd/system` first, as `systemctl edit --full` does.
pub fn edit(unit: impl Into<Unit>, from: impl Into<String>, to: impl Into<String>) -> UnitFile {
    UnitFile::new(unit.into(), Source::Edit { from: from.into(), to: to.into() })
}

/// The step of [`install`], [`drop_in`] and [`edit`]: the file is verified, written, and read by systemd. A unit that
/// is up goes on as it was until it is restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct UnitFile {
    unit: Unit,
    source: Source,
    unverified: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Whole(String),
    DropIn { name: String, text: String },
    Edit { from: String, to: String },
}

/// What was there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFileBefore {
    file: Before,
    /// Whether the directory of drop-ins was missing.
    makes_dir: bool,
}

/// A unit file that systemd has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The unit.
    pub unit: Unit,
    /// The file.
    pub path: PathBuf,
    /// The SHA-256 checksum of its content, in hexadecimal digits; `None` in a plan of an edit.
    pub sha256: Option<String>,
}

impl UnitFile {
    fn new(unit: Unit, source: Source) -> Self {
        Self { unit, source, unverified: None }
    }

    /// With this setting in a section of a drop-in. An empty value forgets what lists like `ExecStart` held before.
    pub fn set(mut self, section: &str, name: &str, value: &str) -> Self {
        if let Source::DropIn { text, .. } = &mut self.source {
            let header = format!("[{section}]\n");
            if text.lines().rfind(|line| line.starts_with('[')) != Some(header.trim_end()) {
                text.push_str(&header);
            }
            let _ = writeln!(text, "{name}={value}");
        }
        self
    }

    /// With this command in place of what the service runs.
    pub fn exec_start(self, command: &str) -> Self {
        self.set("Service", "ExecStart", "").set("Service", "ExecStart", command)
    }

    /// Without asking `systemd-analyze verify`, for this reason: a program that is not there yet, for one.
    pub fn without_verify(mut self, why: impl Into<String>) -> Self {
        self.unverified = Some(why.into());
        self
    }

    /// The path below the directory of units.
    fn name(&self) -> PathBuf {
        match &self.source {
            Source::Whole(_) | Source::Edit { .. } => self.unit.as_str().into(),
            Source::DropIn { name, .. } => Path::new(&format!("{}.d", self.unit)).join(format!("{name}.conf")),
        }
    }

    fn path(&self) -> PathBuf {
        Path::new(UNITS).join(self.name())
    }

    fn kind(&self) -> &'static str {
        match self.source {
            Source::Whole(_) => "install",
            Source::DropIn { .. } => "drop_in",
            Source::Edit { .. } => "edit",
        }
    }

    fn require_names(&self) -> Result<()> {
        self.unit.require_name()?;
        match &self.source {
            Source::DropIn { name, .. } if name.is_empty() || name.contains(['/', '\0']) => {
                Err(Error::refused(format!("`{name}` is not the name of a drop-in")))
            }
            Source::DropIn { name, text } if text.is_empty() => {
                Err(Error::refused(format!("the drop-in `{name}` sets nothing")).hint("`.set(section, name, value)`"))
            }
            _ => Ok(()),
        }
    }

    /// What is to be in the file.
    async fn wanted(&self, cx: &Context, now: &Status) -> Result<String> {
        match &self.source {
            Source::Whole(text) | Source::DropIn { text, .. } => Ok(text.clone()),
            Source::Edit { from, to } => {
                now.require_loaded()?;
                edited(&fragment(cx, now).await?, from, to)
                    .with_context(|| format!("cannot edit the file of `{}`", self.unit))
            }
        }
    }

    fn replace<'a>(path: &'a Path, content: &'a str, attributes: &'a Attributes) -> Replace<'a> {
        Replace { path, content: content.as_bytes(), attributes, private: false }
    }

    async fn verify(&self, cx: &Context, now: &Status, content: &str) -> Result<()> {
        if self.unverified.is_some() {
            return Ok(());
        }
        let new = (self.name(), content.as_bytes());
        match self.source {
            Source::Whole(_) | Source::Edit { .. } => verify::verify(cx, &self.unit, &[new]).await,
            Source::DropIn { .. } => {
                let whole = fragment(cx, now).await?;
                verify::verify(cx, &self.unit, &[(self.unit.as_str().into(), whole.as_bytes()), new]).await
            }
        }
    }

    fn installed(&self, content: &str) -> Installed {
        Installed { unit: self.unit.clone(), path: self.path(), sha256: Some(sha256(content.as_bytes())) }
    }

    /// Whether systemd works with this file.
    fn is_read(&self, now: &Status) -> bool {
        let path = self.path();
        let known = match self.source {
            Source::Whole(_) | Source::Edit { .. } => now.fragment.as_ref() == Some(&path),
            Source::DropIn { .. } => now.drop_ins.contains(&path),
        };
        known && !now.needs_reload
    }

    async fn require_read(&self, cx: &Context) -> Result<()> {
        let now = facts::status(cx, &self.unit).await?;
        now.require_loaded()?;
        if self.is_read(&now) {
            return Ok(());
        }
        let path = self.path();
        let error = Error::new(format!("systemd does not work with `{}` for `{}`", path.display(), self.unit));
        Err(error.details([now.line()]).hint(format!("see `systemctl cat {}`", self.unit)))
    }
}

/// The text of a unit file as it is now. A fragment that changed since systemd read it is taken as it is on the disk.
async fn fragment(cx: &Context, now: &Status) -> Result<String> {
    let path = now.fragment.as_ref().with_context(|| format!("the unit `{}` has no file", now.unit))?;
    let bytes = cx.files().read(path).await?;
    String::from_utf8(bytes).map_err(|_| Error::new(format!("`{}` is not UTF-8 text", path.display())))
}

/// The text with `from` replaced; the text itself when that has been done.
fn edited(text: &str, from: &str, to: &str) -> Result<String> {
    let without_new = if to.contains(from) { text.replace(to, "") } else { text.to_owned() };
    match (without_new.matches(from).count(), text.matches(to).count()) {
        (0, 0) => Err(Error::refused(format!("it has no `{from}`"))),
        (0, _) => Ok(text.to_owned()),
        (1, _) => Ok(text.replacen(from, to, 1)),
        (n, _) => Err(Error::refused(format!("it has `{from}` {n} times")).hint("name more of the line")),
    }
}

#[async_trait]
impl Step for UnitFile {
    type Before = UnitFileBefore;
    type Output = Installed;

    fn describe(&self) -> Description {
        let (unit, path) = (&self.unit, self.path());
        let (summary, command) = match &self.source {
            Source::Whole(_) => (format!("install {unit}"), format!("install -m 0644 {unit} {}", word(&path))),
            Source::DropIn { name, .. } => (
                format!("change {unit} by its drop-in {name}"),
                format!("install -D -m 0644 /dev/stdin {}", word(&path)),
            ),
            Source::Edit { from, to } => {
                (format!("in {unit}, turn `{from}` into `{to}`"), format!("systemctl edit --full {unit}"))
            }
        };
        let summary = match &self.unverified {
            Some(why) => format!("{summary}, unverified: {why}"),
            None => summary,
        };
        Description::new(format!("systemd.{}", self.kind()), unit.as_str())
            .summary(summary)
            .command(format!("systemd-analyze verify {unit}"))
            .command(command)
            .command("systemctl daemon-reload")
            .undo_command(crate::file::aside::by_hand(&path))
            .undo_command("systemctl daemon-reload")
            .reads(Resource::path(&path))
            .writes(Resource::path(&path))
            .writes(unit.resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<UnitFileBefore, Installed>> {
        self.require_names()?;
        let now = facts::status(cx, &self.unit).await?;
        match self.source {
            Source::Whole(_) if now.load == LoadState::Masked => now.require_loaded()?,
            Source::Whole(_) => {}
            Source::DropIn { .. } | Source::Edit { .. } => now.require_loaded()?,
        }
        let (path, content) = (self.path(), self.wanted(cx, &now).await?);
        let present = Present::look(cx, &path).await?;
        let same = present.content() == Some(content.as_bytes());
        if same && self.is_read(&now) {
            return Ok(Survey::Already(self.installed(&content)));
        }
        let parent = path.parent().unwrap_or(Path::new(UNITS));
        let makes_dir = matches!(self.source, Source::DropIn { .. }) && cx.files().stat(parent).await?.is_none();
        let before = UnitFileBefore { file: Before::of(cx, &path, &present, false).await?, makes_dir };
        let diff = if makes_dir {
            content.lines().fold(Diff::none(), Diff::and_add)
        } else {
            let changes = Self::replace(&path, &content, &Attributes::default()).survey(cx, &present).await?;
            changes.map_or_else(|| Diff::note("systemd reads the file again"), |(_, diff)| diff)
        };
        Ok(Survey::predict(before, diff, self.installed(&content)))
    }

    async fn apply(&self, cx: &Context, before: &UnitFileBefore) -> Result<Installed> {
        let now = facts::status(cx, &self.unit).await?;
        let (path, content) = (self.path(), self.wanted(cx, &now).await?);
        self.verify(cx, &now, &content).await?;
        if before.makes_dir {
            cx.files().make_dir(path.parent().unwrap_or(Path::new(UNITS))).await?;
        }
        Self::replace(&path, &content, &Attributes::default()).apply(cx, &before.file).await?;
        commands::ask(cx, &commands::daemon_reload()).await?;
        self.require_read(cx).await?;
        Ok(self.installed(&content))
    }

    fn predict(&self) -> Option<Installed> {
        match &self.source {
            Source::Whole(text) | Source::DropIn { text, .. } => Some(self.installed(text)),
            Source::Edit { .. } => Some(Installed { sha256: None, ..self.installed("") }),
        }
    }
}

#[async_trait]
impl Rollback for UnitFile {
    async fn rollback(&self, cx: &Context, before: &UnitFileBefore) -> Result<()> {
        let path = self.path();
        verify::tidy(cx, &self.unit).await?;
        let dir = path.parent().unwrap_or(Path::new(UNITS));
        if !before.makes_dir {
            before.file.restore(cx, &path).await?;
        } else if cx.files().stat(dir).await?.is_some() {
            before.file.restore(cx, &path).await?;
            if cx.files().list(dir).await?.is_empty() {
                cx.files().remove(dir).await?;
            }
        }
        commands::ask(cx, &commands::daemon_reload()).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_done_once_and_never_guesses() {
        let edit = |text: &str| edited(text, "--workers 4", "--workers 2").map_err(|error| error.to_string());
        assert_eq!(edit("run --workers 4\n").as_deref(), Ok("run --workers 2\n"));
        assert_eq!(edit("run --workers 2\n").as_deref(), Ok("run --workers 2\n"));
        assert_eq!(edit("run\n"), Err("it has no `--workers 4`".to_owned()));
        assert_eq!(edit("--workers 4 --workers 4"), Err("it has `--workers 4` 2 times".to_owned()));
        let more = |text: &str| edited(text, "run", "run --fast").map_err(|error| error.to_string());
        assert_eq!(more("run\n").as_deref(), Ok("run --fast\n"));
        assert_eq!(more("run --fast\n").as_deref(), Ok("run --fast\n"), "the new text holds the old");
    }

    #[test]
    fn a_drop_in_has_each_section_once_and_forgets_the_old_command_first() {
        let step =
            drop_in("a", "b").exec_start("/bin/x 1").set("Service", "MemoryMax", "1G").set("Unit", "Description", "d");
        let Source::DropIn { text, .. } = step.source else { panic!("a drop-in") };
        assert_eq!(text, "[Service]\nExecStart=\nExecStart=/bin/x 1\nMemoryMax=1G\n[Unit]\nDescription=d\n");
    }
}
