//! Whether evidence is as it was kept.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Resource, Result};

use super::Preserved;
use super::collect::checksum;
use super::evidence::SUMS;

/// The check of [`Preserved::is_intact`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Intact {
    dir: PathBuf,
    sha256: String,
}

impl Preserved {
    /// Asks whether every file of it is as it was, on the host of the run: the one that keeps it.
    pub fn is_intact(&self) -> Intact {
        Intact { dir: self.dir.clone(), sha256: self.sha256.clone() }
    }
}

#[async_trait]
impl Check for Intact {
    fn describe(&self) -> Description {
        Description::new("incident.intact", self.dir.to_string_lossy())
            .summary(format!("the evidence in {} is as it was kept", self.dir.display()))
            .command(format!("cd {}; sha256sum -c {SUMS}", crate::command::word(&self.dir)))
            .reads(Resource::path(&self.dir))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let files = cx.files();
        let sums = self.dir.join(SUMS);
        if files.stat(&sums).await?.is_none() {
            return Ok(Finding::fail(format!("there is no {}", sums.display())));
        }
        let text = files.read(&sums).await?;
        if crate::file::content::sha256(&text) != self.sha256 {
            return Ok(Finding::fail(format!("{SUMS} was changed")));
        }
        let text = String::from_utf8_lossy(&text);
        let (mut count, mut bad) = (0, Vec::new());
        for (sum, name) in text.lines().filter_map(|line| line.split_once("  ")) {
            let path = self.dir.join(Path::new(name));
            count += 1;
            if files.stat(&path).await?.is_none() {
                bad.push(format!("{name} is gone"));
            } else if checksum(files, &path).await? != sum {
                bad.push(format!("{name} was changed"));
            }
        }
        Ok(match bad.first() {
            None => Finding::pass(format!("{count} files are as they were")),
            Some(first) => Finding::fail(Evidence::new(first.clone()).lines(bad.iter().skip(1).take(20))),
        })
    }
}
