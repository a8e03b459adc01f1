//! Installing and enabling a site.

use std::path::PathBuf;

use async_trait::async_trait;
use runbook::{Change, Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Nginx, commands, facts};
use crate::file;

/// The step of [`site`](super::site()).
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Site {
    server: Nginx,
    name: String,
    file: file::Write,
    link: file::Symlink,
}

/// What was there before a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteBefore {
    /// `None` where nothing changes.
    file: Option<file::Before>,
    link: Option<file::Before>,
}

/// A site that nginx accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteEnabled {
    /// Its configuration.
    pub path: PathBuf,
    /// The link that enables it.
    pub link: PathBuf,
    /// The SHA-256 checksum of the configuration, in hexadecimal digits.
    pub sha256: Option<String>,
    /// Whether it was other before: nginx does not know it until it is reloaded.
    pub changed: bool,
}

impl Site {
    pub(super) fn new(server: Nginx, name: String, config: String) -> Self {
        let path = server.available(&name);
        let file = file::write(&path, config);
        let link = file::symlink(server.enabled(&name)).to(path);
        Self { server, name, file, link }
    }

    fn ensure_sane(&self) -> Result<()> {
        let sane = !self.name.is_empty() && !self.name.contains('/') && !self.name.starts_with('.');
        if sane { Ok(()) } else { Err(Error::new(format!("`{}` is no name of a site", self.name))) }
    }

    async fn put_back(&self, cx: &Context, before: &SiteBefore) -> Result<()> {
        if let Some(link) = &before.link {
            self.link.rollback(cx, link).await?;
        }
        match &before.file {
            Some(file) => self.file.rollback(cx, file).await,
            None => Ok(()),
        }
    }

    fn enabled(&self, file: file::Written, changed: bool) -> SiteEnabled {
        SiteEnabled { path: file.path, link: self.server.enabled(&self.name), sha256: file.sha256, changed }
    }
}

#[async_trait]
impl Step for Site {
    type Before = SiteBefore;
    type Output = SiteEnabled;

    fn describe(&self) -> Description {
        let (path, link) = (self.server.available(&self.name), self.server.enabled(&self.name));
        let (file, linking) = (self.file.describe(), self.link.describe());
        let mut description = Description::new("nginx.site", path.to_string_lossy())
            .summary(format!("install and enable the site {} of nginx", self.name))
            .reads(Resource::path(&path))
            .writes(Resource::path(&path))
            .writes(Resource::path(&link));
        description.commands = [file.commands, linking.commands].concat();
        description.commands.push(commands::test(&self.server).to_string());
        description.undo_commands = [linking.undo_commands, file.undo_commands].concat();
        description
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<SiteBefore, SiteEnabled>> {
        self.ensure_sane()?;
        // What is broken already would be blamed on this site.
        facts::ensure_accepted(cx, &self.server).await?;
        match (self.file.survey(cx).await?, self.link.survey(cx).await?) {
            (Survey::Already(file), Survey::Already(_)) => Ok(Survey::Already(self.enabled(file, false))),
            (file, link) => {
                let written = written(&file);
                let (file, of_file) = changes(file);
                let (link, of_link) = changes(link);
                let diff = of_link.changes().iter().cloned().fold(of_file, and_change);
                let before = SiteBefore { file, link };
                Ok(Survey::Change { before, diff, predicted: written.map(|file| self.enabled(file, true)) })
            }
        }
    }

    async fn apply(&self, cx: &Context, before: &SiteBefore) -> Result<SiteEnabled> {
        if let Some(file) = &before.file {
            self.file.apply(cx, file).await?;
        }
        if let Some(link) = &before.link {
            self.link.apply(cx, link).await?;
        }
        if let Err(error) = facts::ensure_accepted(cx, &self.server).await {
            let back = self.put_back(cx, before).await;
            back.with_context(|| format!("put back the site {} after: {error:#}", self.name))?;
            return Err(error.context(format!("install the site {} (what was there before is back)", self.name)));
        }
        match self.file.survey(cx).await? {
            Survey::Already(file) => Ok(self.enabled(file, true)),
            Survey::Change { .. } => Err(Error::new(format!("the site {} is not as it was just written", self.name))),
        }
    }
}

/// What the file will be.
fn written(file: &Survey<file::Before, file::Written>) -> Option<file::Written> {
    match file {
        Survey::Already(written) => Some(written.clone()),
        Survey::Change { predicted, .. } => predicted.clone(),
    }
}

fn changes<O>(survey: Survey<file::Before, O>) -> (Option<file::Before>, Diff) {
    match survey {
        Survey::Already(_) => (None, Diff::none()),
        Survey::Change { before, diff, .. } => (Some(before), diff),
    }
}

fn and_change(diff: Diff, change: Change) -> Diff {
    match change {
        Change::Add(line) => diff.and_add(line),
        Change::Remove(line) => diff.and_remove(line),
        Change::Turn { what, from, to } => diff.and_turn(what, from, to),
        Change::Note(line) => diff.and_note(line),
    }
}

#[async_trait]
impl Rollback for Site {
    async fn rollback(&self, cx: &Context, before: &SiteBefore) -> Result<()> {
        self.put_back(cx, before).await
    }
}
