//! Installing packages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::host::Attributes;
use runbook::{Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::commands::{self, Wanted};
use super::facts::{self, Frozen};

/// Installs packages with the pip of the environment `venv`: what
/// [`requirements`](Install::requirements) and [`package`](Install::package) name.
pub fn install(venv: impl AsRef<Path>) -> Install {
    Install { venv: venv.as_ref().to_owned(), wanted: Wanted::default(), reads: Vec::new() }
}

/// The step of [`install`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Install {
    venv: PathBuf,
    wanted: Wanted,
    reads: Vec<PathBuf>,
}

impl Install {
    /// What this file names.
    pub fn requirements(mut self, file: impl AsRef<Path>) -> Self {
        self.reads.push(file.as_ref().to_owned());
        self.what(["-r".to_owned(), file.as_ref().to_string_lossy().into_owned()])
    }

    /// This package, as pip takes it: `fastapi`, `fastapi==0.110.0`, `"uvicorn[standard]>=0.29"`, the path of a wheel.
    pub fn package(self, package: impl Into<String>) -> Self {
        self.what([package.into()])
    }

    /// Looks for packages in this directory of wheels too.
    pub fn find_links(mut self, dir: impl AsRef<Path>) -> Self {
        self.reads.push(dir.as_ref().to_owned());
        self.from(["--find-links".to_owned(), dir.as_ref().to_string_lossy().into_owned()])
    }

    /// Asks no index: with [`find_links`](Install::find_links), what is not there does not exist.
    pub fn no_index(self) -> Self {
        self.from(["--no-index".to_owned()])
    }

    /// Asks this index instead of the one pip is configured for. A password does not belong into it.
    pub fn index_url(self, url: impl Into<String>) -> Self {
        self.from(["--index-url".to_owned(), url.into()])
    }

    /// Refuses everything whose hash the requirements do not name.
    pub fn require_hashes(self) -> Self {
        self.from(["--require-hashes".to_owned()])
    }

    /// Takes the newest versions the requirements allow, even where an older one that is installed would do.
    pub fn upgrade(mut self) -> Self {
        self.wanted.upgrade = true;
        self
    }

    fn what(mut self, words: impl IntoIterator<Item = String>) -> Self {
        self.wanted.what.extend(words);
        self
    }

    fn from(mut self, words: impl IntoIterator<Item = String>) -> Self {
        self.wanted.from.extend(words);
        self
    }
}

/// What was installed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallBefore {
    frozen: Frozen,
    /// What lay in the directories of packages.
    entries: BTreeMap<PathBuf, Vec<String>>,
    /// What pip said it would install.
    planned: BTreeMap<String, String>,
}

/// What an installation changed, as `pip freeze` told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The environment.
    pub venv: PathBuf,
    /// What came, went or changed its version.
    pub changes: Vec<PackageChange>,
    /// All that is installed now.
    pub frozen: Frozen,
}

/// A package that came, went or changed its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageChange {
    /// Its name, in normal form.
    pub name: String,
    /// Its version before; `None` when it was not installed.
    pub from: Option<String>,
    /// Its version now; `None` when it is gone.
    pub to: Option<String>,
}

impl Installed {
    fn of(venv: &Path, before: &Frozen, now: Frozen) -> Self {
        Self { venv: venv.to_owned(), changes: changes(before, &now), frozen: now }
    }

    /// Whether this package came, went or changed its version.
    pub fn changed(&self, name: &str) -> bool {
        self.changes.iter().any(|change| change.name == facts::normal(name))
    }
}

/// How two sets differ, by name.
fn changes(before: &Frozen, now: &Frozen) -> Vec<PackageChange> {
    let mut names: Vec<&str> = before.names().chain(now.names()).collect();
    names.sort_unstable();
    names.dedup();
    let change = |name: &str| PackageChange {
        name: name.to_owned(),
        from: before.version(name).map(str::to_owned),
        to: now.version(name).map(str::to_owned),
    };
    names.into_iter().map(change).filter(|change| change.from != change.to).collect()
}

#[async_trait]
impl Step for Install {
    type Before = InstallBefore;
    type Output = Installed;

    fn describe(&self) -> Description {
        let venv = self.venv.display();
        let words = self.wanted.what.iter().filter(|word| *word != "-r").cloned().collect::<Vec<_>>().join(", ");
        let description = Description::new("python.install", format!("{venv} {words}"))
            .summary(format!("install {words} in {venv}"))
            .command(commands::install(&self.venv, &self.wanted).to_string())
            .undo_command(format!("{venv}/bin/python -m pip install --no-deps -r frozen-before.txt"))
            .writes(Resource::path(&self.venv));
        self.reads.iter().fold(description, |description, path| description.reads(Resource::path(path)))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<InstallBefore, Installed>> {
        self.ensure_sane()?;
        facts::ensure_venv(cx, &self.venv).await?;
        let frozen = facts::frozen(cx, &self.venv).await?;
        let planned = facts::would_install(cx, &self.venv, &self.wanted).await?;
        let cut = self.was_cut_off(cx).await?;
        if planned.is_empty() && !cut {
            return Ok(Survey::Already(Installed::of(&self.venv, &frozen, frozen.clone())));
        }
        let mut after = frozen.clone();
        for (name, version) in &planned {
            after.insert(name, version);
        }
        let output = Installed::of(&self.venv, &frozen, after);
        let diff = if cut { Diff::note("an installation that was cut off is mended") } else { Diff::none() };
        let diff = output.changes.iter().fold(diff, and_change);
        let entries = self.entries(cx).await?;
        Ok(Survey::predict(InstallBefore { frozen, entries, planned }, diff, output))
    }

    async fn apply(&self, cx: &Context, before: &InstallBefore) -> Result<Installed> {
        if self.was_cut_off(cx).await? {
            self.mend(cx, before).await?;
        } else {
            cx.files().write(&self.note(), b"", &Attributes::mode(0o600)).await?;
        }
        facts::ask(cx, &commands::install(&self.venv, &self.wanted)).await?;
        let now = facts::frozen(cx, &self.venv).await?;
        self.ensure_planned(before, &now)?;
        cx.files().remove(&self.note()).await?;
        Ok(Installed::of(&self.venv, &before.frozen, now))
    }
}

fn and_change(diff: Diff, change: &PackageChange) -> Diff {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => diff.and_turn(&change.name, from, to),
        (None, Some(to)) => diff.and_add(format!("{} {to}", change.name)),
        (Some(from), None) => diff.and_remove(format!("{} {from}", change.name)),
        (None, None) => diff,
    }
}

#[async_trait]
impl Rollback for Install {
    async fn rollback(&self, cx: &Context, before: &InstallBefore) -> Result<()> {
        let cut = self.was_cut_off(cx).await?;
        let now = facts::frozen(cx, &self.venv).await?;
        if !cut && now == before.frozen {
            return Ok(());
        }
        // What pip is killed in the middle of this is mended by the next attempt.
        cx.files().write(&self.note(), b"", &Attributes::mode(0o600)).await?;
        self.put_back(cx, before, &now, cut).await?;
        self.sweep(cx, before).await?;
        let now = facts::frozen(cx, &self.venv).await?;
        if now != before.frozen {
            return Err(self.not_put_back(&before.frozen, &now));
        }
        cx.files().remove(&self.note()).await
    }
}

impl Install {
    fn ensure_sane(&self) -> Result<()> {
        if self.wanted.what.is_empty() {
            return Err(Error::new(format!("nothing is to be installed in `{}`", self.venv.display()))
                .hint("name it: `.requirements(\"requirements.txt\")` or `.package(\"fastapi\")`"));
        }
        if self.wanted.from.iter().filter_map(|word| url::Url::parse(word).ok()).any(|url| url.password().is_some()) {
            return Err(Error::new("the URL of the index has a password in it, which every process list would show")
                .hint("put it into the netrc file of this user, or into pip.conf"));
        }
        Ok(())
    }

    /// In the environment while pip is at work.
    fn note(&self) -> PathBuf {
        self.venv.join(".runbook-pip")
    }

    async fn was_cut_off(&self, cx: &Context) -> Result<bool> {
        Ok(cx.files().stat(&self.note()).await?.is_some())
    }

    /// The directories that packages lie in, and what is in each now. A later Python would have another one.
    async fn entries(&self, cx: &Context) -> Result<BTreeMap<PathBuf, Vec<String>>> {
        let lib = self.venv.join("lib");
        let mut entries = BTreeMap::new();
        for name in cx.files().list(&lib).await? {
            let packages = lib.join(name).join("site-packages");
            if cx.files().stat(&packages).await?.is_some() {
                let names = cx.files().list(&packages).await?;
                entries.insert(packages, names);
            }
        }
        Ok(entries)
    }

    /// Installs again what pip was cut off at: `pip freeze` would not see which half of it is missing.
    async fn mend(&self, cx: &Context, before: &InstallBefore) -> Result<()> {
        let specs: Vec<String> = before.planned.iter().map(|(name, version)| format!("{name}=={version}")).collect();
        if !specs.is_empty() {
            facts::ask(cx, &commands::install_exactly(&self.venv, &specs, &self.places(), true)).await?;
        }
        self.remove_entries(cx, before, |name| name.starts_with('~')).await
    }

    /// Where packages come from, without what needs hashes: a frozen set has none.
    fn places(&self) -> Vec<String> {
        self.wanted.from.iter().filter(|word| *word != "--require-hashes").cloned().collect()
    }

    async fn put_back(&self, cx: &Context, before: &InstallBefore, now: &Frozen, cut: bool) -> Result<()> {
        let came: Vec<String> =
            now.names().filter(|name| before.frozen.line(name).is_none()).map(str::to_owned).collect();
        if !came.is_empty() {
            facts::ask(cx, &commands::uninstall(&self.venv, &came)).await?;
        }
        let touched = |name: &str| cut && before.planned.contains_key(name);
        let lost = before.frozen.lines().filter(|(name, line)| now.line(name) != Some(line) || touched(name));
        let lost: Vec<String> = lost.map(|(_, line)| line.clone()).collect();
        if lost.is_empty() {
            return Ok(());
        }
        let put = facts::ask(cx, &commands::install_exactly(&self.venv, &lost, &self.places(), cut)).await;
        put.with_context(|| format!("install {} again", lost.join(", "))).map(drop)
    }

    /// Removes what lies where packages lie and did not before: the halves that pip was cut off at.
    async fn sweep(&self, cx: &Context, before: &InstallBefore) -> Result<()> {
        self.remove_entries(cx, before, |name| name != "__pycache__").await
    }

    async fn remove_entries(&self, cx: &Context, before: &InstallBefore, which: impl Fn(&str) -> bool) -> Result<()> {
        for (packages, names) in self.entries(cx).await? {
            let was = before.entries.get(&packages);
            for name in names.iter().filter(|name| which(name) && was.is_none_or(|was| !was.contains(name))) {
                cx.files().remove(&packages.join(name)).await?;
            }
        }
        Ok(())
    }

    fn ensure_planned(&self, before: &InstallBefore, now: &Frozen) -> Result<()> {
        let missing = before.planned.iter().find(|(name, version)| match now.line(name) {
            // A package that comes from a file or a repository shows its place, not its version.
            Some(line) => line.contains("==") && now.version(name) != Some(version),
            None => true,
        });
        let Some((name, version)) = missing else { return Ok(()) };
        let (venv, is) = (self.venv.display(), now.version(name).unwrap_or("not installed"));
        Err(Error::new(format!("pip said that all went well, but in `{venv}` the package `{name}` is {is}"))
            .hint(format!("version {version} was planned: did the index change meanwhile?")))
    }

    fn not_put_back(&self, before: &Frozen, now: &Frozen) -> Error {
        let left = changes(now, before).into_iter().map(|change| {
            let version = |version: Option<String>| version.unwrap_or_else(|| "nothing".to_owned());
            format!("{}: {}, was {}", change.name, version(change.from), version(change.to))
        });
        Error::new(format!("`{}` does not hold the packages it held before", self.venv.display())).details(left)
    }
}

impl Install {
    /// What pip would change now.
    pub(super) async fn missing(&self, cx: &Context) -> Result<Vec<String>> {
        self.ensure_sane()?;
        facts::ensure_venv(cx, &self.venv).await?;
        let planned = facts::would_install(cx, &self.venv, &self.wanted).await?;
        Ok(planned.into_iter().map(|(name, version)| format!("{name} {version}")).collect())
    }

    pub(super) fn dry_run(&self) -> String {
        commands::dry_run(&self.venv, &self.wanted).to_string()
    }
}
