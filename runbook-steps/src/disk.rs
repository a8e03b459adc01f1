//! Disk: is there room for what comes?
//!
//! ```
//! use runbook_steps::disk;
//! use runbook_steps::sizes::Sizes as _;
//!
//! let check = disk::free("/var/backups").at_least(20.gib());
//! let check = disk::free("/").at_least(10.percent());
//! ```

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::{Check, Command, Context, Description, Error, Explain, Finding, Resource, Result};

use crate::sizes::{Amount, Bytes};

/// The room on the file system that a path lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What this user can still write.
    pub available: Bytes,
    /// The whole file system.
    pub size: Bytes,
}

/// The room on the file system that `path` lies on. Source: `df`.
pub async fn space(cx: &Context, path: impl AsRef<Path>) -> Result<Space> {
    let command = df(path.as_ref());
    let output = cx.run(&command).await?;
    parse(output.text()?).with_context(|| format!("cannot read what `{command}` says"))
}

fn df(path: &Path) -> Command {
    Command::new("df").args(["--output=avail,size", "-B1", "--"]).arg(path).env("LC_ALL", "C")
}

fn parse(text: &str) -> Option<Space> {
    let mut numbers = text.lines().nth(1)?.split_whitespace().map(str::parse);
    let (available, size) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(Space { available: Bytes(available), size: Bytes(size) })
}

/// The free space at `path`, on the host; say [how much](Free::at_least) there has to be.
pub fn free(path: impl AsRef<Path>) -> Free {
    Free { path: path.as_ref().to_owned() }
}

/// The free space at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say how much there has to be: `.at_least(2.gib())`"]
pub struct Free {
    path: PathBuf,
}

impl Free {
    /// Asks whether this much is free: bytes, or a share of the file system.
    pub fn at_least(self, amount: impl Into<Amount>) -> FreeAtLeast {
        FreeAtLeast { path: self.path, amount: amount.into() }
    }
}

/// The check of [`free`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct FreeAtLeast {
    path: PathBuf,
    amount: Amount,
}

#[async_trait]
impl Check for FreeAtLeast {
    fn describe(&self) -> Description {
        let path = self.path.display();
        Description::new("disk.free", path.to_string())
            .summary(format!("at least {} are free at {path}", self.amount))
            .command(format!("df -h {path}"))
            .reads(Resource::new("disk", path.to_string()))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let space = space(cx, &self.path).await?;
        // Some file systems have no size, /proc for one: a share of nothing says nothing.
        if space.size == Bytes(0) {
            return Err(Error::unknown(format!("the file system at `{}` has no size", self.path.display())));
        }
        let evidence = format!("{} of {} are free at {}", space.available, space.size, self.path.display());
        let enough = space.available >= self.amount.of(space.size);
        Ok(Finding::of(enough, if enough { evidence } else { format!("{evidence}, wanted {}", self.amount) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Sizes as _;

    #[test]
    fn df_is_read() {
        let space = parse("      Avail     1B-blocks\n 1024 2048\n").expect("is read");
        assert_eq!((space.available, space.size), (1.kib(), 2.kib()));
        assert_eq!(parse("      Avail     1B-blocks\n    -    -\n"), None);
        assert_eq!(parse(""), None);
    }

    #[tokio::test]
    async fn the_disk_of_this_machine_has_room_for_a_byte_and_not_for_everything() {
        let cx = Context::local();
        assert!(free("/tmp").at_least(1).check(&cx).await.expect("is asked").passes());
        let finding = free("/tmp").at_least(u64::MAX).check(&cx).await.expect("is asked");
        assert!(matches!(finding, Finding::Fail(_)), "{finding:?}");
        assert!(finding.evidence().summary.contains("wanted"), "{finding:?}");
    }

    #[tokio::test]
    async fn a_path_that_is_not_there_is_named() {
        let error = free("/no/such/place").at_least(1).check(&Context::local()).await.expect_err("cannot be asked");
        assert!(error.to_string().contains("/no/such/place"), "{error:?}");
    }
}
