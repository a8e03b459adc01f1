//! Setting keys.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::host::Attributes;
use runbook_core::{Context, Description, Diff, Resource, Result, Rollback, Secret, Step, Survey, ensure};
use serde::{Deserialize, Serialize};

use super::dotenv::is_key;
use super::placeholder::is_placeholder;
use super::{EnvFile, random};
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
    /// A random value of this many characters, unless there is a good one.
    Generate(usize),
    /// A new random value of this many characters.
    Rotate(usize),
    Unset,
}

impl Edit {
    /// Whether what it sets is nobody's business.
    fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_) | Self::Generate(_) | Self::Rotate(_))
    }
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

    /// Sets a key to a random secret of this many characters, unless it has a value that is at least as long and no
    /// placeholder. Six bits a character: 32 are enough for a key. Nobody ever sees it.
    pub fn generate(self, key: impl Into<String>, characters: usize) -> Self {
        self.edit(key.into(), Edit::Generate(characters))
    }

    /// Sets a key to a new random secret of this many characters, whatever it has. What was made unreadable or invalid by
    /// that is the author's to think of: sessions end, and data that was encrypted with the old key stays so.
    pub fn rotate(self, key: impl Into<String>, characters: usize) -> Self {
        self.edit(key.into(), Edit::Rotate(characters))
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

    /// The file as it should be. `rotate` tells whether what is to be rotated still is.
    fn edited(&self, file: &EnvFile, rotate: bool) -> Result<EnvFile> {
        let mut file = file.clone();
        for (key, edit) in &self.edits {
            ensure!(is_key(key), "`{key}` is no name of a variable");
            match edit {
                Edit::Plain(value) => file.set(key, value),
                Edit::Secret(secret) => file.set(key, &secret.expose()?),
                Edit::Generate(characters) if !is_good(file.get(key), *characters) => {
                    file.set(key, &random::text(*characters)?);
                }
                Edit::Rotate(characters) if rotate => file.set(key, &random::text(*characters)?),
                Edit::Generate(_) | Edit::Rotate(_) => {}
                Edit::Unset => file.unset(key),
            }
        }
        Ok(file)
    }

    fn attributes(&self, present: &Present) -> Attributes {
        let secret = self.edits.iter().any(|(_, edit)| edit.is_secret());
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
            (Edit::Generate(n) | Edit::Rotate(n), None) => diff.and_add(format!("{key}=[{n} random characters]")),
            (Edit::Generate(n) | Edit::Rotate(n), Some(_)) => {
                diff.and_turn(key, "another value", format!("[{n} random characters]"))
            }
        })
    }

    fn configured(&self) -> Configured {
        let keys = self.edits.iter().map(|(key, _)| key.clone()).collect();
        Configured { path: self.path.clone(), keys }
    }

    /// What is there, as it should be, and its attributes.
    async fn wanted(&self, cx: &Context, before: Option<&Before>) -> Result<(Present, EnvFile, EnvFile, Attributes)> {
        let old = super::read(cx, &self.path).await?;
        let present = super::present(cx, &self.path).await?;
        // Once the file is no longer what it was before, it is rotated.
        let new = self.edited(&old, before.is_none_or(|before| before.is(&present)))?;
        let attributes = self.attributes(&present);
        Ok((present, old, new, attributes))
    }
}

/// Whether a value can stay where a secret is generated.
fn is_good(value: Option<&str>, characters: usize) -> bool {
    value.is_some_and(|value| value.len() >= characters && !is_placeholder(value))
}

#[async_trait]
impl Step for Set {
    type Before = Before;
    type Output = Configured;

    fn describe(&self) -> Description {
        let path = self.path.display();
        let keys = self.edits.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ");
        let what = Description::new("env.set", path.to_string());
        let rotates = self.edits.iter().any(|(_, edit)| matches!(edit, Edit::Rotate(_)));
        let what = if rotates { what.repeats() } else { what };
        what.summary(format!("set {keys} in {path}"))
            .command(format!("$EDITOR {}  # {keys}", word(&self.path)))
            .undo_command(aside::by_hand(&self.path))
            .reads(Resource::path(&self.path))
            .writes(Resource::path(&self.path))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Before, Configured>> {
        let (present, old, new, attributes) = self.wanted(cx, None).await?;
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
        let (present, old, new, attributes) = self.wanted(cx, Some(before)).await?;
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
