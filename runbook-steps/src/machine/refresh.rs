//! Fetching the lists of packages.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::commands;

/// Fetches the lists of packages that the host knows of (`apt-get update`). No list that cannot be had goes unsaid. There
/// is nothing to take back: the lists say what there is, not what is installed.
pub fn refresh_packages() -> Refresh {
    Refresh
}

/// The step of [`refresh_packages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Refresh;

/// That the lists of packages are those of now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// The lists that were asked for, as apt names them.
    pub lists: Vec<String>,
}

/// What the lists say which packages there are.
pub(super) fn lists() -> Resource {
    Resource::new("packages", "lists")
}

#[async_trait]
impl Step for Refresh {
    type Before = ();
    type Output = Refreshed;

    fn describe(&self) -> Description {
        Description::new("machine.refresh_packages", "apt")
            .summary("fetch the lists of packages")
            .command("apt-get update")
            .writes(lists())
            .repeats()
    }

    async fn survey(&self, _cx: &Context) -> Result<Survey<(), Refreshed>> {
        Ok(Survey::change((), Diff::note("the lists of packages are fetched")))
    }

    async fn apply(&self, cx: &Context, _before: &()) -> Result<Refreshed> {
        let output = commands::ask(cx, &commands::refresh()).await?;
        Ok(Refreshed { lists: asked_for(output.text()?) })
    }
}

/// `Hit:1 http://deb.debian.org/debian bookworm InRelease`, and `Get:` for one that is new.
fn asked_for(text: &str) -> Vec<String> {
    let list = |line: &str| {
        let (word, rest) = line.split_once(' ')?;
        let list = rest.split(" [").next().unwrap_or(rest);
        (word.starts_with("Hit:") || word.starts_with("Get:")).then(|| list.to_owned())
    };
    text.lines().filter_map(list).collect()
}

#[async_trait]
impl Rollback for Refresh {
    async fn rollback(&self, _cx: &Context, _before: &()) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_lists_are_named() {
        let text =
            "Hit:1 http://deb.example.org bookworm InRelease\nGet:2 file:/srv/apt ./ Packages [1 kB]\nReading…\n";
        assert_eq!(super::asked_for(text), ["http://deb.example.org bookworm InRelease", "file:/srv/apt ./ Packages"]);
    }
}
