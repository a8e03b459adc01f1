//! Keeping evidence.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use runbook::host::{Attributes, FileKind, Files};
use runbook::{
    Command, Context, Description, Diff, Error, ErrorKind, Explain as _, Host, Resource, Result, Step, Survey,
};
use serde::{Deserialize, Serialize};

use super::collect::{self, Ended};
use super::item::{Item, Kept, Origin, sum_line};
use crate::command::word;
use crate::file::content::sha256;

/// Keeps evidence in this directory.
pub fn evidence(dir: impl AsRef<Path>) -> Collect {
    Collect { dir: dir.as_ref().to_owned(), sources: Vec::new(), limit: Duration::from_secs(60), at: None }
}

/// The step of [`evidence`]. It is taken as one that cannot be undone, because nobody should.
#[derive(Clone)]
#[must_use = "a step does nothing until it is run: `run.irreversible(\"evidence stays\", \"title\", step).await?`"]
pub struct Collect {
    dir: PathBuf,
    sources: Vec<Source>,
    limit: Duration,
    at: Option<Arc<dyn Host>>,
}

#[derive(Debug, Clone)]
enum Source {
    Command(String, Box<Command>),
    File(PathBuf),
}

/// Evidence that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preserved {
    /// Where.
    pub dir: PathBuf,
    /// The name of the host that has it.
    pub host: String,
    /// The checksum of `SHA256SUMS`: who has it elsewhere can tell whether anything was changed.
    pub sha256: String,
    /// What there is.
    pub items: Vec<Item>,
}

pub(super) const SUMS: &str = "SHA256SUMS";
const MANIFEST: &str = "manifest.json";

impl Collect {
    /// With what this command says, under a name.
    pub fn command(mut self, name: impl Into<String>, command: Command) -> Self {
        self.sources.push(Source::Command(name.into(), Box::new(command)));
        self
    }

    /// With a copy of this file, or of all files below this directory.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.sources.push(Source::File(path.as_ref().to_owned()));
        self
    }

    /// Ends each command after this long, instead of a minute. One with a time limit of its own has that.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Keeps it on this host, instead of the one it is taken from: who broke in there cannot reach it here.
    pub fn kept_on(mut self, host: &Arc<dyn Host>) -> Self {
        self.at = Some(host.clone());
        self
    }

    fn keeper<'a>(&'a self, cx: &'a Context) -> &'a Arc<dyn Host> {
        self.at.as_ref().unwrap_or_else(|| cx.host())
    }

    /// What is there already.
    async fn found(&self, cx: &Context) -> Result<Option<Preserved>> {
        let files = self.keeper(cx).files();
        if files.stat(&self.dir.join(SUMS)).await?.is_none() {
            return Ok(None);
        }
        let read = serde_json::from_slice(&files.read(&self.dir.join(MANIFEST)).await?);
        let items = read.with_context(|| format!("read the manifest in `{}`", self.dir.display()))?;
        let sums = files.read(&self.dir.join(SUMS)).await?;
        Ok(Some(self.preserved(cx, items, &sums)))
    }

    fn preserved(&self, cx: &Context, items: Vec<Item>, sums: &[u8]) -> Preserved {
        let host = self.keeper(cx).name().to_owned();
        Preserved { dir: self.dir.clone(), host, sha256: sha256(sums), items }
    }

    /// One piece of it. One that was kept by a runner that died is not taken again.
    async fn item(&self, cx: &Context, n: usize, source: &Source) -> Result<(Item, Kept)> {
        let files = self.keeper(cx).files();
        let origin = source.origin();
        let about = PathBuf::from(format!("{}.json", origin.stem(n)));
        let path = self.dir.join(&about);
        if files.stat(&path).await?.is_some() {
            let text = files.read(&path).await?;
            if let Ok(item) = serde_json::from_slice::<Item>(&text)
                && item.origin == origin
            {
                return Ok((item, about_itself(about, &text)));
            }
        }
        let item = self.collect(cx, n, source, origin).await?;
        let text = serde_json::to_vec_pretty(&item)?;
        files.write(&path, &text, &Attributes::mode(0o600)).await?;
        Ok((item, about_itself(about, &text)))
    }

    async fn collect(&self, cx: &Context, n: usize, source: &Source, origin: Origin) -> Result<Item> {
        let (files, stem) = (self.keeper(cx).files(), origin.stem(n));
        let mut item = Item { origin, taken_at: cx.now(), files: Vec::new(), ending: None, trouble: None };
        let taken = match source {
            Source::Command(_, command) => {
                let limit = command.time_limit().unwrap_or(self.limit);
                collect::command(cx, command, limit, (files, &self.dir, &stem)).await
            }
            Source::File(path) => self.copy(cx, path, &stem).await,
        };
        match taken {
            Ok(Ended { files, ending, good }) => {
                item.trouble = (!good).then(|| ending.clone());
                item.ending = matches!(source, Source::Command(..)).then_some(ending);
                item.files = files;
            }
            Err(error) if error.kind() == ErrorKind::Stopped => return Err(error),
            Err(error) => item.trouble = Some(runbook::redact::text(&format!("{error:#}")).into_owned()),
        }
        if let Some(trouble) = &item.trouble {
            cx.warn(format!("evidence `{}`: {trouble}", item.origin.name()));
        }
        Ok(item)
    }

    /// Copies a file, or what is below a directory. What is neither is named.
    async fn copy(&self, cx: &Context, path: &Path, stem: &str) -> Result<Ended> {
        let keeper = self.keeper(cx).files();
        let mut left = vec![(path.to_owned(), PathBuf::from(stem))];
        let (mut files, mut strange) = (Vec::new(), Vec::new());
        while let Some((path, name)) = left.pop() {
            let about = cx.files().stat(&path).await?;
            let about = about.with_context(|| format!("`{}` does not exist", path.display()))?;
            match about.kind {
                FileKind::File => files.push(collect::file(cx, &path, (keeper, &self.dir, &name)).await?),
                FileKind::Directory => {
                    private_dir(keeper, &self.dir.join(&name)).await?;
                    let inside = cx.files().list(&path).await?;
                    left.extend(inside.into_iter().map(|one| (path.join(&one), name.join(&one))));
                }
                FileKind::Symlink(to) => strange.push(format!("{} is a link to {}", path.display(), to.display())),
                FileKind::Other => strange.push(format!("{} is no file", path.display())),
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Ended { files, good: strange.is_empty(), ending: strange.join(", ") })
    }

    /// The manifest and the checksums; these come last, and make it whole.
    async fn seal(&self, cx: &Context, items: Vec<Item>, abouts: Vec<Kept>) -> Result<Preserved> {
        let files = self.keeper(cx).files();
        let manifest = serde_json::to_vec_pretty(&items)?;
        files.write(&self.dir.join(MANIFEST), &manifest, &Attributes::mode(0o600)).await?;
        let kept = items.iter().flat_map(|item| &item.files).chain(&abouts);
        let mut sums: String = kept.map(Kept::line).collect();
        sums += &sum_line(&sha256(&manifest), Path::new(MANIFEST));
        files.write(&self.dir.join(SUMS), sums.as_bytes(), &Attributes::mode(0o600)).await?;
        Ok(self.preserved(cx, items, sums.as_bytes()))
    }
}

fn about_itself(path: PathBuf, text: &[u8]) -> Kept {
    Kept { path, sha256: sha256(text), bytes: text.len() as u64, redacted: false }
}

/// A directory that nobody else may look into.
async fn private_dir(files: &dyn Files, dir: &Path) -> Result<()> {
    files.make_dir(dir).await?;
    files.set(dir, &Attributes::mode(0o700)).await
}

impl Source {
    fn origin(&self) -> Origin {
        match self {
            Self::Command(name, command) => Origin::Command { name: name.clone(), command: command.to_string() },
            Self::File(path) => Origin::File(path.clone()),
        }
    }
}

impl Preserved {
    /// What is missing or not whole.
    pub fn troubles(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.trouble.is_some())
    }

    /// The evidence, when all of it could be had; else an error that names what could not.
    pub fn all_there(self) -> Result<Self> {
        let line = |item: &Item| format!("{}: {}", item.origin.name(), item.trouble.as_deref().unwrap_or_default());
        let lines: Vec<String> = self.troubles().map(line).collect();
        if lines.is_empty() {
            return Ok(self);
        }
        let (dir, missing, all) = (self.dir.display(), lines.len(), self.items.len());
        Err(Error::new(format!("{missing} of {all} pieces of evidence in `{dir}` are not whole")).details(lines))
    }
}

#[async_trait]
impl Step for Collect {
    type Before = ();
    type Output = Preserved;

    fn describe(&self) -> Description {
        let dir = word(&self.dir);
        let names: Vec<String> = self.sources.iter().map(|source| source.origin().name()).collect();
        let about = Description::new("incident.evidence", self.dir.to_string_lossy())
            .summary(format!("keep evidence in {}: {}", self.dir.display(), names.join(", ")))
            .command(format!("install -d -m 0700 {dir}; cd {dir}; umask 077"))
            .writes(Resource::path(&self.dir));
        let about = self.sources.iter().enumerate().fold(about, |about, (n, source)| match source {
            Source::Command(_, command) => about.command(format!("{command} > {}.txt", source.origin().stem(n))),
            Source::File(path) => {
                about.command(format!("cp -r {} {}", word(path), source.origin().stem(n))).reads(Resource::path(path))
            }
        });
        about.command("sha256sum * > SHA256SUMS")
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), Preserved>> {
        if let Some(found) = self.found(cx).await? {
            let wanted: Vec<Origin> = self.sources.iter().map(Source::origin).collect();
            if found.items.iter().map(|item| &item.origin).eq(&wanted) {
                return Ok(Survey::Already(found));
            }
            let error = Error::new(format!("`{}` holds other evidence", self.dir.display()));
            return Err(error.hint("evidence is not written over: name another directory"));
        }
        let add = |diff: Diff, source: &Source| diff.and_add(source.origin().name());
        Ok(Survey::change((), self.sources.iter().fold(Diff::none(), add)))
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Preserved> {
        if let Some(found) = self.found(cx).await? {
            return Ok(found);
        }
        private_dir(self.keeper(cx).files(), &self.dir).await?;
        let (mut items, mut abouts) = (Vec::new(), Vec::new());
        for (n, source) in self.sources.iter().enumerate() {
            let (item, about) = self.item(cx, n, source).await?;
            items.push(item);
            abouts.push(about);
        }
        self.seal(cx, items, abouts).await
    }
}

impl std::fmt::Debug for Collect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collect").field("dir", &self.dir).field("sources", &self.sources).finish_non_exhaustive()
    }
}
