//! Env files made from their example.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::host::Attributes;
use runbook_core::{Context, Description, Diff, Resource, Result, Rollback, Step, Survey};

use super::{Configured, EnvFile};
use crate::command::word;
use crate::file::Before;
use crate::file::aside;
use crate::file::before::Present;
use crate::file::replace::Replace;

/// Makes an env file from its example, or adds to it the keys it lacks.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct FromTemplate {
    example: PathBuf,
    target: PathBuf,
    attributes: Attributes,
}

impl FromTemplate {
    pub(super) fn new(example: &Path, target: &Path) -> Self {
        Self { example: example.to_owned(), target: target.to_owned(), attributes: Attributes::mode(0o600) }
    }

    /// With these permission bits instead of 0600.
    pub fn mode(mut self, mode: u32) -> Self {
        self.attributes.mode = Some(mode);
        self
    }

    /// Belonging to `user`, `user:group` or `:group`, by name or number.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.attributes.owner = Some(owner.into());
        self
    }

    /// What is there, the keys it lacks, and the whole as it should be.
    async fn wanted(&self, cx: &Context) -> Result<(Present, Vec<String>, EnvFile)> {
        let example = super::read(cx, &self.example).await?;
        let old = super::find(cx, &self.target).await?;
        let present = super::present(cx, &self.target).await?;
        let mut new = old.clone().unwrap_or_default();
        match &old {
            Some(_) => new.add_missing(&example),
            None => new.clone_from(&example),
        }
        let had = |key: &str| old.as_ref().is_some_and(|old| old.get(key).is_some());
        let lacking = example.keys().into_iter().filter(|key| !had(key)).map(str::to_owned).collect();
        Ok((present, lacking, new))
    }

    fn replace<'a>(&'a self, content: &'a [u8]) -> Replace<'a> {
        Replace { path: &self.target, content, attributes: &self.attributes, private: true }
    }

    fn configured(&self, file: &EnvFile) -> Configured {
        let keys = file.keys().into_iter().map(str::to_owned).collect();
        Configured { path: self.target.clone(), keys }
    }
}

/// The text, or the very bytes that are there when no key is missing.
fn text(present: &Present, lacking: &[String], new: &EnvFile) -> Vec<u8> {
    match present.content() {
        Some(content) if lacking.is_empty() => content.to_vec(),
        _ => new.text().into_bytes(),
    }
}

#[async_trait]
impl Step for FromTemplate {
    type Before = Before;
    type Output = Configured;

    fn describe(&self) -> Description {
        let (example, target) = (self.example.display(), self.target.display());
        let mode = self.attributes.mode.unwrap_or(0o600);
        Description::new("env.from_template", target.to_string())
            .summary(format!("make {target} from {example}"))
            .command(format!("install -m {mode:04o} {} {}", word(&self.example), word(&self.target)))
            .undo_command(aside::by_hand(&self.target))
            .reads(Resource::path(&self.example))
            .reads(Resource::path(&self.target))
            .writes(Resource::path(&self.target))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Before, Configured>> {
        let (present, lacking, new) = self.wanted(cx).await?;
        let text = text(&present, &lacking, &new);
        let replace = self.replace(&text);
        Ok(match replace.survey(cx, &present).await? {
            None => Survey::Already(self.configured(&new)),
            Some((before, _)) => {
                let keys = lacking.iter().fold(Diff::none(), Diff::and_add);
                Survey::predict(before, replace.attribute_diff(&present, keys), self.configured(&new))
            }
        })
    }

    async fn apply(&self, cx: &Context, before: &Before) -> Result<Configured> {
        let (present, lacking, new) = self.wanted(cx).await?;
        self.replace(&text(&present, &lacking, &new)).apply(cx, before).await?;
        Ok(self.configured(&new))
    }
}

#[async_trait]
impl Rollback for FromTemplate {
    async fn rollback(&self, cx: &Context, before: &Before) -> Result<()> {
        before.restore(cx, &self.target).await
    }
}
