//! Swap files.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::host::Attributes;
use runbook::{Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::commands;
use crate::disk;
use crate::sizes::Bytes;

/// Adds a swap file of this size, in use now and after every boot. Its size is in whole MiB, rounded up.
pub fn swap(path: impl AsRef<Path>, size: Bytes) -> AddSwap {
    AddSwap { path: path.as_ref().to_owned(), mib: size.0.div_ceil(MIB), until_reboot: false }
}

/// The step of [`swap`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct AddSwap {
    path: PathBuf,
    mib: u64,
    until_reboot: bool,
}

const MIB: u64 = 1 << 20;
const FSTAB: &str = "/etc/fstab";

/// Swap that is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// The file or the device.
    pub path: PathBuf,
    /// What fits in.
    pub size: Bytes,
}

/// The swap that is in use on the host. Source: `swapon --show`.
pub async fn swaps(cx: &Context) -> Result<Vec<Swap>> {
    let command = commands::swaps();
    let output = commands::ask(cx, &command).await?;
    let parse = |line: &str| {
        let (path, size) = line.rsplit_once(' ')?;
        Some(Swap { path: path.into(), size: Bytes(size.trim().parse().ok()?) })
    };
    let read = |line| parse(line).with_context(|| format!("cannot read `{line}` of `{command}`"));
    output.text()?.lines().map(read).collect()
}

/// What a swap file was added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapBefore {
    /// Whether it was in use, and only not for the next boot.
    pub used: bool,
    /// Whether there was a table of file systems.
    pub fstab: bool,
}

impl AddSwap {
    /// In use until the next boot only: `/etc/fstab` stays as it is.
    pub fn until_reboot(mut self) -> Self {
        self.until_reboot = true;
        self
    }

    /// Where it is made, before it has its name.
    fn draft(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".runbook-draft");
        name.into()
    }

    fn line(&self) -> String {
        format!("{} none swap sw 0 0", self.path.display())
    }

    async fn in_use(&self, cx: &Context) -> Result<Option<Swap>> {
        Ok(swaps(cx).await?.into_iter().find(|swap| swap.path == self.path))
    }

    /// Room for it, and a twentieth more.
    async fn ensure_room(&self, cx: &Context) -> Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        let (space, wanted) = (disk::space(cx, dir).await?.available, Bytes(self.mib * MIB / 20 * 21));
        if space < wanted {
            let dir = dir.display();
            return Err(Error::refused(format!("{space} are free at `{dir}`, too little for a swap file of {wanted}")));
        }
        Ok(())
    }

    /// Makes the file, formats it and gives it its name: under that name there is never half of one.
    async fn make(&self, cx: &Context) -> Result<()> {
        let draft = self.draft();
        cx.files().write(&draft, b"", &Attributes::mode(0o600)).await?;
        commands::ask(cx, &commands::zeros(&draft, self.mib)).await?;
        commands::ask(cx, &commands::format_swap(&draft)).await?;
        cx.files().rename(&draft, &self.path).await
    }
}

/// The lines of the table of file systems; `None` when there is none.
async fn fstab(cx: &Context) -> Result<Option<String>> {
    let path = Path::new(FSTAB);
    if cx.files().stat(path).await?.is_none() {
        return Ok(None);
    }
    let text = cx.files().read(path).await?;
    String::from_utf8(text).map(Some).context(format!("`{FSTAB}` is not UTF-8 text"))
}

async fn write_fstab(cx: &Context, text: &str) -> Result<()> {
    cx.files().write(Path::new(FSTAB), text.as_bytes(), &Attributes::default()).await
}

/// Whether a table has a line for this path.
fn names(fstab: &str, path: &Path) -> bool {
    fstab.lines().any(|line| line.split_whitespace().next().is_some_and(|first| Path::new(first) == path))
}

#[async_trait]
impl Step for AddSwap {
    type Before = SwapBefore;
    type Output = Swap;

    fn describe(&self) -> Description {
        let (path, mib) = (self.path.display(), self.mib);
        let description = Description::new("machine.swap", path.to_string())
            .summary(format!("add a swap file of {} at {path}", Bytes(mib * MIB)))
            .command(format!("dd if=/dev/zero of={path} bs=1M count={mib} && chmod 600 {path}"))
            .command(format!("mkswap {path} && swapon {path}"))
            .undo_command(format!("swapoff {path} && rm {path}"))
            .writes(Resource::path(&self.path))
            .writes(Resource::path(self.draft()))
            .writes(Resource::new("swap", "all"));
        if self.until_reboot {
            return description;
        }
        description
            .command(format!("echo '{}' >>{FSTAB}", self.line()))
            .undo_command(format!("sed -i '\\|^{path} |d' {FSTAB}"))
            .reads(Resource::path(FSTAB))
            .writes(Resource::path(FSTAB))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<SwapBefore, Swap>> {
        let path = self.path.display();
        if !self.path.is_absolute() || self.path.to_string_lossy().contains(char::is_whitespace) {
            return Err(Error::refused(format!("`{path}` is no path for a swap file")));
        }
        let fstab = fstab(cx).await?;
        let listed = names(fstab.as_deref().unwrap_or_default(), &self.path);
        let used = self.in_use(cx).await?;
        if let Some(swap) = used.as_ref().filter(|_| listed || self.until_reboot) {
            return Ok(Survey::Already(swap.clone()));
        }
        if used.is_none() {
            if cx.files().stat(&self.path).await?.is_some() {
                let error = Error::refused(format!("`{path}` is there already, and no swap that is in use"));
                return Err(error.hint(format!("`swapon {path}` when it is one; else name another path")));
            }
            if listed {
                return Err(Error::refused(format!("`{FSTAB}` names `{path}`, which is not in use")));
            }
            self.ensure_room(cx).await?;
        }
        let diff = if used.is_some() {
            Diff::none()
        } else {
            Diff::none().and_add(format!("{path}: {} of swap", Bytes(self.mib * MIB)))
        };
        let diff = if self.until_reboot { diff } else { diff.and_add(format!("{FSTAB}: {}", self.line())) };
        Ok(Survey::change(SwapBefore { used: used.is_some(), fstab: fstab.is_some() }, diff))
    }

    async fn apply(&self, cx: &Context, _before: &SwapBefore) -> Result<Swap> {
        if self.in_use(cx).await?.is_none() {
            if cx.files().stat(&self.path).await?.is_none() {
                self.make(cx).await?;
            }
            commands::ask(cx, &commands::swap_on(&self.path)).await?;
        }
        if !self.until_reboot {
            let fstab = fstab(cx).await?.unwrap_or_default();
            if !names(&fstab, &self.path) {
                let end = if fstab.is_empty() || fstab.ends_with('\n') { "" } else { "\n" };
                write_fstab(cx, &format!("{fstab}{end}{}\n", self.line())).await?;
            }
        }
        let used = self.in_use(cx).await?;
        used.with_context(|| format!("`{}` is not in use after `swapon`", self.path.display()))
    }
}

#[async_trait]
impl Rollback for AddSwap {
    async fn rollback(&self, cx: &Context, before: &SwapBefore) -> Result<()> {
        // First the table: a host that is booted now must not look for a file that is gone.
        if let (Some(table), false) = (fstab(cx).await?, self.until_reboot) {
            let ours = format!("{}\n", self.line());
            let rest = table.replace(&ours, "");
            match rest.as_str() {
                "" if !before.fstab => cx.files().remove(Path::new(FSTAB)).await?,
                _ if rest != table => write_fstab(cx, &rest).await?,
                _ => {}
            }
        }
        if before.used {
            return Ok(());
        }
        if self.in_use(cx).await?.is_some() {
            let off = commands::ask(cx, &commands::swap_off(&self.path)).await;
            off.map_err(|error| match error.advice() {
                None => error.hint("swap can only go while what it holds fits into memory"),
                Some(_) => error,
            })?;
        }
        cx.files().remove(&self.path).await?;
        cx.files().remove(&self.draft()).await
    }
}
