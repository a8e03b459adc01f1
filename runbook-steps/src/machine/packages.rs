//! Installing packages.

use std::collections::BTreeSet;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{commands, refresh};

/// Has these packages installed, with what they need. A package is a name, or `NAME=VERSION`. One that is there already
/// is not upgraded, and one that would push another out is refused.
pub fn packages(names: impl IntoIterator<Item = impl Into<String>>) -> Packages {
    Packages { wanted: names.into_iter().map(Into::into).collect(), recommends: true }
}

/// The step of [`packages`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Packages {
    wanted: Vec<String>,
    recommends: bool,
}

/// A package that is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What an installation would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackagesBefore {
    /// Packages that were not there at all.
    pub absent: Vec<String>,
    /// Packages of which only the configuration was left.
    pub removed: Vec<String>,
    /// Packages that were there in another version.
    pub upgraded: Vec<Upgrade>,
}

/// A package that gets another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgrade {
    /// Its name.
    pub name: String,
    /// The version it had.
    pub from: String,
}

/// Packages that are installed, as dpkg says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackagesInstalled {
    /// Those that were wanted.
    pub packages: Vec<Package>,
}

/// A package of the host, when it is installed and whole. Source: dpkg.
pub async fn package(cx: &Context, name: &str) -> Result<Option<Package>> {
    ensure_name(name)?;
    let all = states(cx, [name]).await?;
    Ok(all.into_iter().find(|state| state.name == name).and_then(State::installed))
}

/// What dpkg says of a package.
struct State {
    name: String,
    status: String,
    version: String,
}

impl State {
    fn is_whole(&self) -> bool {
        self.status == "installed"
    }

    fn installed(self) -> Option<Package> {
        self.is_whole().then_some(Package { name: self.name, version: self.version })
    }
}

const NOT_INSTALLED: &str = "not-installed";
const CONFIGURATION_LEFT: &str = "config-files";

async fn states<'a>(cx: &Context, names: impl IntoIterator<Item = &'a str>) -> Result<Vec<State>> {
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let output = commands::ask(cx, &commands::package_states(names)).await?;
    let line = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let state = State { name: words.next()?, status: words.next()?, version: words.next()? };
        Some(state)
    };
    output.text()?.lines().map(|text| line(text).with_context(|| format!("cannot read `{text}` of dpkg"))).collect()
}

/// What apt would do, line by line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Simulation {
    /// Name, version now if there is one, version then.
    installs: Vec<(String, Option<String>, String)>,
    removes: Vec<String>,
}

impl Simulation {
    /// `Inst tree [1.0] (2.1.0-1 Debian:12 [amd64])`, `Remv tree [2.1.0-1]`, `Purg tree [2.1.0-1]`.
    fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for line in text.lines() {
            let (verb, rest) = line.split_once(' ').unwrap_or_default();
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let old = rest.strip_prefix('[').and_then(|rest| Some(rest.split_once(']')?.0.to_owned()));
            let new = rest.split_once('(').map(|(_, rest)| rest.split([' ', ')']).next().unwrap_or_default());
            match verb {
                "Inst" => all.installs.push((name.to_owned(), old, new.unwrap_or_default().to_owned())),
                "Remv" | "Purg" => all.removes.push(name.to_owned()),
                _ => {}
            }
        }
        all
    }
}

/// A name as Debian allows it; nothing that could be a pattern or an option.
fn ensure_name(name: &str) -> Result<()> {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let sane = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    // To apt, a `-` at the end means that the package goes.
    if first && name.chars().all(sane) && !name.ends_with('-') {
        Ok(())
    } else {
        Err(Error::refused(format!("`{name}` is no name of a package")))
    }
}

impl Packages {
    /// Without the packages that are only recommended.
    pub fn without_recommends(mut self) -> Self {
        self.recommends = false;
        self
    }

    /// Names with the version that is wanted.
    fn named(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.wanted.iter().map(|wanted| match wanted.split_once('=') {
            Some((name, version)) => (name, Some(version)),
            None => (wanted.as_str(), None),
        })
    }

    fn list(&self) -> String {
        self.wanted.join(" ")
    }

    fn options(&self) -> &'static [&'static str] {
        if self.recommends { &[] } else { &["--no-install-recommends"] }
    }

    /// What is installed of it, and what of it is missing.
    async fn look(&self, cx: &Context) -> Result<(Vec<Package>, Vec<&str>)> {
        let states = states(cx, self.named().map(|(name, _)| name)).await?;
        let (mut there, mut missing) = (Vec::new(), Vec::new());
        for ((name, version), wanted) in self.named().zip(&self.wanted) {
            match states.iter().find(|state| state.name == name && state.is_whole()) {
                Some(state) if version.is_none_or(|version| version == state.version) => {
                    there.push(Package { name: state.name.clone(), version: state.version.clone() });
                }
                _ => missing.push(wanted.as_str()),
            }
        }
        Ok((there, missing))
    }

    /// What has to be remembered of what an installation would change.
    async fn before(&self, cx: &Context, simulation: &Simulation) -> Result<PackagesBefore> {
        let mut before = PackagesBefore::default();
        let states = states(cx, simulation.installs.iter().map(|(name, ..)| name.as_str())).await?;
        for (name, old, _) in &simulation.installs {
            let left = |state: &State| state.name == *name && state.status == CONFIGURATION_LEFT;
            match old {
                Some(from) => before.upgraded.push(Upgrade { name: name.clone(), from: from.clone() }),
                None if states.iter().any(left) => before.removed.push(name.clone()),
                None => before.absent.push(name.clone()),
            }
        }
        Ok(before)
    }
}

/// All that dpkg manages: it does one thing at a time.
fn managed() -> Resource {
    Resource::new("packages", "dpkg")
}

#[async_trait]
impl Step for Packages {
    type Before = PackagesBefore;
    type Output = PackagesInstalled;

    fn describe(&self) -> Description {
        Description::new("machine.packages", self.list())
            .summary(format!("install {}", self.wanted.join(", ")))
            .command(format!(
                "apt-get install -y {}",
                self.options().iter().copied().chain([&*self.list()]).collect::<Vec<_>>().join(" ")
            ))
            .undo_command(format!(
                "apt-get purge --autoremove {}",
                self.named().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
            ))
            .reads(refresh::lists())
            .reads(managed())
            .writes(managed())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<PackagesBefore, PackagesInstalled>> {
        if self.wanted.is_empty() {
            return Err(Error::refused("no package is named"));
        }
        self.named().try_for_each(|(name, _)| ensure_name(name))?;
        let (packages, missing) = self.look(cx).await?;
        if missing.is_empty() {
            return Ok(Survey::Already(PackagesInstalled { packages }));
        }
        let output = commands::ask(cx, &commands::simulate("install", self.options(), missing)).await?;
        let simulation = Simulation::parse(output.text()?);
        if !simulation.removes.is_empty() {
            let out = simulation.removes.join(", ");
            return Err(Error::refused(format!("installing `{}` would remove {out}", self.list())));
        }
        let diff = simulation.installs.iter().fold(Diff::none(), |diff, (name, old, new)| match old {
            Some(old) => diff.and_turn(name, old, new),
            None => diff.and_add(format!("{name} {new}")),
        });
        Ok(Survey::change(self.before(cx, &simulation).await?, diff))
    }

    async fn apply(&self, cx: &Context, _before: &PackagesBefore) -> Result<PackagesInstalled> {
        mend(cx).await?;
        let (_, missing) = self.look(cx).await?;
        if !missing.is_empty() {
            commands::ask(cx, &commands::apt("install", self.options(), missing)).await?;
        }
        let (packages, missing) = self.look(cx).await?;
        if missing.is_empty() {
            return Ok(PackagesInstalled { packages });
        }
        let error = Error::new(format!("`{}` is not installed after `apt-get install`", missing.join("`, `")));
        Err(error.hint("is it a virtual package? name the one that provides it"))
    }
}

/// Finishes what an apt that was cut off left half done.
async fn mend(cx: &Context) -> Result<()> {
    let left = commands::ask(cx, &commands::half_done()).await?;
    if left.stdout.is_empty() {
        return Ok(());
    }
    commands::ask(cx, &commands::finish()).await.map(drop)
}

impl PackagesBefore {
    /// Of these packages, those that are not as they were: in the status they had.
    async fn changed<'a>(cx: &Context, names: &'a [String], was: &str) -> Result<Vec<&'a str>> {
        let states = states(cx, names.iter().map(String::as_str)).await?;
        let is_now = |name: &str| states.iter().find(|state| state.name == name).map(|state| state.status.as_str());
        let is_other = |name: &&str| is_now(name).unwrap_or(NOT_INSTALLED) != was;
        Ok(names.iter().map(String::as_str).filter(is_other).collect())
    }

    /// Takes packages away. What came since and needs them must not go with them.
    async fn take_away(&self, cx: &Context, verb: &str, names: &[&str]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let simulated = commands::ask(cx, &commands::simulate(verb, &[], names.iter().copied())).await?;
        let ours: BTreeSet<&str> = self.absent.iter().chain(&self.removed).map(String::as_str).collect();
        let removes = Simulation::parse(simulated.text()?).removes;
        let others: Vec<&str> = removes.iter().map(String::as_str).filter(|name| !ours.contains(name)).collect();
        if !others.is_empty() {
            let (ours, others) = (names.join("`, `"), others.join("`, `"));
            return Err(Error::new(format!("`{ours}` cannot go: `{others}`, which came since, would go with it")));
        }
        commands::ask(cx, &commands::apt(verb, &[], names.iter().copied())).await.map(drop)
    }

    async fn downgrade(&self, cx: &Context) -> Result<()> {
        let states = states(cx, self.upgraded.iter().map(|upgrade| upgrade.name.as_str())).await?;
        let is_old = |upgrade: &&Upgrade| {
            states.iter().any(|state| state.name == upgrade.name && state.version == upgrade.from && state.is_whole())
        };
        let newer: Vec<String> = self.upgraded.iter().filter(|upgrade| !is_old(upgrade)).map(Upgrade::pinned).collect();
        if newer.is_empty() {
            return Ok(());
        }
        let command = commands::apt("install", &["--allow-downgrades"], newer.iter().map(String::as_str));
        commands::ask(cx, &command).await.context("bring back the versions that were there")?;
        Ok(())
    }
}

impl Upgrade {
    fn pinned(&self) -> String {
        format!("{}={}", self.name, self.from)
    }
}

#[async_trait]
impl Rollback for Packages {
    async fn rollback(&self, cx: &Context, before: &PackagesBefore) -> Result<()> {
        let purge = PackagesBefore::changed(cx, &before.absent, NOT_INSTALLED).await?;
        let remove = PackagesBefore::changed(cx, &before.removed, CONFIGURATION_LEFT).await?;
        if !purge.is_empty() || !remove.is_empty() {
            // What cannot be finished can still be taken away.
            let _ = mend(cx).await;
        }
        before.take_away(cx, "purge", &purge).await?;
        before.take_away(cx, "remove", &remove).await?;
        before.downgrade(cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_would_do_is_read() {
        let text = "NOTE: This is only a simulation!\nInst libjq1 (1.6-2.1+deb12u1 Debian:12.11/stable [amd64])\n\
                    Inst jq [1.5] (1.6-2.1+deb12u1 Debian:12.11/stable [amd64]) []\nConf jq (1.6 Debian [amd64])\n\
                    Remv mawk [1.3.4]\n";
        let new = "1.6-2.1+deb12u1".to_owned();
        let simulation = Simulation {
            installs: vec![("libjq1".into(), None, new.clone()), ("jq".into(), Some("1.5".into()), new)],
            removes: vec!["mawk".into()],
        };
        assert_eq!(Simulation::parse(text), simulation);
    }

    #[test]
    fn names_that_are_patterns_or_options_are_refused() {
        for name in ["", "-y", "a*", "nginx-", "A", "a b"] {
            assert!(ensure_name(name).is_err(), "{name}");
        }
        assert!(ensure_name("libstdc++6").is_ok());
    }
}
