//! Setting keys.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::host::Attributes;
use runbook_core::{Context, Description, Diff, Resource, Result, Rollback, Secret, Step, Survey, ensure};
use serde::{Deserialize, Serialize};

use super::EnvFile;
use super::dotenv::is_key;
use crate::command::word;
use crate::file::Before;
use crate::file::aside;
use crate::file::before::Present;
use crate::file::replace::Replace;

/// Sets keys of an env file, and leaves everything else in it as it is.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Set {
    path: PathBuf,
    edits: Vec<(String, Edit)>,
    mode: Option<u32>,
}

#[derive(Debug, Clone)]
enum Edit {
    Plain(String),
    Secret(Secret),
    Unset,
}

/// An env file that was written and read back. It tells no values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// Where.
    pub path: PathBuf,
    /// The keys the step was to set; for one made from a template, all its keys.
    pub keys: Vec<String>,
}

impl Set {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), edits: Vec::new(), mode: None }
    }

    /// Sets a key to a value that anyone may see.
    pub fn key(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.edit(key.into(), Edit::Plain(value.into()))
    }

    /// Sets a key to a secret. Then not everyone on the host may read the file any more.
    pub fn secret(self, key: impl Into<String>, secret: &Secret) -> Self {
        self.edit(key.into(), Edit::Secret(secret.clone()))
    }

    /// Takes a key out.
    pub fn unset(self, key: impl Into<String>) -> Self {
        self.edit(key.into(), Edit::Unset)
    }

    /// With these permission bits.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    fn edit(mut self, key: String, edit: Edit) -> Self {
        self.edits.retain(|(other, _)| *other != key);
        self.edits.push((key, edit));
        self
    }

    /// The file as it should be.
    fn edited(&self, file: &EnvFile) -> Result<EnvFile> {
        let mut file = file.clone();
        for (key, edit) in &self.edits {
            ensure!(is_key(key), "`{key}` is no name of a variable");
            match edit {
                Edit::Plain(value) => file.set(key, value),
                Edit::Secret(secret) => file.set(key, &secret.expose()?),
                Edit::Unset => file.unset(key),
            }
        }
        Ok(file)
    }

    fn attributes(&self, present: &Present) -> Attributes {
        let secret = self.edits.iter().any(|(_, edit)| matches!(edit, Edit::Secret(_)));
        let narrowed = match present {
            Present::File(stat, _) if secret => Some(stat.mode & !0o007),
            _ => None,
        };
        Attributes { mode: self.mode.or(narrowed), owner: None }
    }

    /// The edits that change something, in words.
    fn diff(&self, old: &EnvFile, new: &EnvFile) -> Diff {
        let changing = self.edits.iter().filter(|(key, _)| old.get(key) != new.get(key));
        changing.fold(Diff::none(), |diff, (key, edit)| match (edit, old.get(key)) {
            (Edit::Unset, _) => diff.and_remove(key),
            (Edit::Plain(value), None) => diff.and_add(format!("{key}={value}")),
            (Edit::Plain(value), Some(_)) => diff.and_turn(key, "another value", value),
            (Edit::Secret(secret), None) => diff.and_add(format!("{key}=[{secret}]")),
            (Edit::Secret(secret), Some(_)) => diff.and_turn(key, "another value", format!("[{secret}]")),
        })
    }

    fn configured(&self) -> Configured {
        let keys = self.edits.iter().map(|(key, _)| key.clone()).collect();
        Configured { path: self.path.clone(), keys }
    }

    /// What is there, as it should be, and its attributes.
    async fn wanted(&self, cx: &Context) -> Result<(Present, EnvFile, EnvFile, Attributes)> {
        let old = super::read(cx, &self.path).await?;
        let present = super::present(cx, &self.path).await?;
        let new = self.edited(&old)?;
        let attributes = self.attributes(&present);
        Ok((present, old, new, attributes))
    }
}

#[async_trait]
impl Step for Set {
    type Before = Before;
    type Output = Configured;

    fn describe(&self) -> Description {
        let path = self.path.display();
        let keys = self.edits.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ");
        Description::new("env.set", path.to_string())
            .summary(format!("set {keys} in {path}"))
            .command(format!("$EDITOR {}  # {keys}", word(&self.path)))
            .undo_command(aside::by_hand(&self.path))
            .reads(Resource::path(&self.path))
            .writes(Resource::path(&self.path))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Before, Configured>> {
        let (present, old, new, attributes) = self.wanted(cx).await?;
        let text = if new == old { present.content().unwrap_or_default().to_vec() } else { new.text().into_bytes() };
        let replace = Replace { path: &self.path, content: &text, attributes: &attributes, private: true };
        Ok(match replace.survey(cx, &present).await? {
            None => Survey::Already(self.configured()),
            Some((before, _)) => {
                let diff = replace.attribute_diff(&present, self.diff(&old, &new));
                Survey::predict(before, diff, self.configured())
            }
        })
    }

    async fn apply(&self, cx: &Context, before: &Before) -> Result<Configured> {
        let (present, old, new, attributes) = self.wanted(cx).await?;
        let text = if new == old { present.content().unwrap_or_default().to_vec() } else { new.text().into_bytes() };
        let replace = Replace { path: &self.path, content: &text, attributes: &attributes, private: true };
        replace.apply(cx, before).await?;
        Ok(self.configured())
    }

    fn predict(&self) -> Option<Configured> {
        Some(self.configured())
    }
}

#[async_trait]
impl Rollback for Set {
    async fn rollback(&self, cx: &Context, before: &Before) -> Result<()> {
        before.restore(cx, &self.path).await
    }
}
