//! Texts with `{{keys}}`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use runbook_core::{Context, Description, Error, Result, Rollback, Secret, Step, Survey};

use super::before::Before;
use super::write::{Source, Write, Written};

/// Writes a text with its `{{keys}}` filled in. Keys are letters, digits, `_`, `-` and `.`; other braces are text.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Template {
    write: Write,
    filled: Filled,
}

/// A text with the values of its keys.
#[derive(Debug, Clone)]
pub(super) struct Filled {
    text: String,
    values: BTreeMap<String, Value>,
}

#[derive(Debug, Clone)]
enum Value {
    Plain(String),
    Secret(Secret),
}

impl Template {
    pub(super) fn new(path: &Path, text: String) -> Self {
        let filled = Filled { text, values: BTreeMap::new() };
        Self { write: Write::new(path, Source::Template(filled.clone())), filled }
    }

    /// The value of a key.
    pub fn set(self, key: impl Into<String>, value: impl fmt::Display) -> Self {
        self.with(key.into(), Value::Plain(value.to_string()))
    }

    /// The value of a key, which is secret. The whole file then is, and gets mode 0600 unless another is set later.
    pub fn set_secret(mut self, key: impl Into<String>, secret: &Secret) -> Self {
        self.write = self.write.secret().mode(0o600);
        self.with(key.into(), Value::Secret(secret.clone()))
    }

    /// With these permission bits.
    pub fn mode(mut self, mode: u32) -> Self {
        self.write = self.write.mode(mode);
        self
    }

    /// Belonging to `user`, `user:group` or `:group`, by name or number.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.write = self.write.owner(owner);
        self
    }

    fn with(mut self, key: String, value: Value) -> Self {
        self.filled.values.insert(key, value);
        self.write = self.write.source(Source::Template(self.filled.clone()));
        self
    }
}

impl Filled {
    /// The text with its keys filled in; all keys that do not fit are named at once.
    pub(super) fn render(&self) -> Result<String> {
        let keys: BTreeSet<&str> = pieces(&self.text).filter_map(Result::ok).collect();
        let missing: Vec<_> = keys.iter().filter(|key| !self.values.contains_key(**key)).copied().collect();
        let unknown: Vec<_> = self.values.keys().filter(|key| !keys.contains(key.as_str())).collect();
        if !missing.is_empty() || !unknown.is_empty() {
            let missing = missing.iter().map(|key| format!("`{{{{{key}}}}}` has no value"));
            let unknown = unknown.iter().map(|key| format!("`{key}` is not in the text"));
            let all: Vec<_> = missing.chain(unknown).collect();
            return Err(Error::new(format!("the template does not fit its values: {}", all.join(", "))));
        }
        pieces(&self.text)
            .map(|piece| match piece {
                Err(text) => Ok(text.to_owned()),
                Ok(key) => self.values[key].text(),
            })
            .collect()
    }
}

impl Value {
    fn text(&self) -> Result<String> {
        match self {
            Self::Plain(value) => Ok(value.clone()),
            Self::Secret(secret) => secret.expose(),
        }
    }
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.iter().map(|(key, value)| match value {
            Value::Plain(value) => format!("{key} = {value}"),
            Value::Secret(secret) => format!("{key} = [{secret}]"),
        });
        f.write_str(&values.collect::<Vec<_>>().join(", "))
    }
}

/// The text in pieces: `Ok` is a key, `Err` is text as it stands.
fn pieces(text: &str) -> impl Iterator<Item = Result<&str, &str>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let start = next_key(rest).map_or(rest.len(), |(start, ..)| start);
        if start > 0 {
            let (plain, after) = rest.split_at(start);
            rest = after;
            return Some(Err(plain));
        }
        let (_, key, end) = next_key(rest)?;
        rest = &rest[end..];
        Some(Ok(key))
    })
}

/// The next key of a text: where it starts, what it is, where it ends.
fn next_key(text: &str) -> Option<(usize, &str, usize)> {
    let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let starts = text.char_indices().filter(|(at, _)| text[*at..].starts_with("{{"));
    starts.map(|(start, _)| start).find_map(|start| {
        let inside = &text[start + 2..];
        let length = inside.find("}}")?;
        let key = inside[..length].trim();
        is_key(key).then_some((start, key, start + 2 + length + 2))
    })
}

#[async_trait]
impl Step for Template {
    type Before = Before;
    type Output = Written;

    fn describe(&self) -> Description {
        self.write.describe()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Before, Written>> {
        self.write.survey(cx).await
    }

    async fn apply(&self, cx: &Context, before: &Before) -> Result<Written> {
        self.write.apply(cx, before).await
    }

    fn predict(&self) -> Option<Written> {
        self.write.predict()
    }
}

#[async_trait]
impl Rollback for Template {
    async fn rollback(&self, cx: &Context, before: &Before) -> Result<()> {
        self.write.rollback(cx, before).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, values: &[(&str, &str)]) -> Result<String, String> {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), Value::Plain((*value).to_owned())));
        let filled = Filled { text: text.to_owned(), values: values.collect() };
        filled.render().map_err(|error| error.message().to_owned())
    }

    #[test]
    fn keys_are_filled_in_and_other_braces_stay() {
        for (text, values, wanted) in [
            ("listen {{port}};", &[("port", "80")][..], "listen 80;"),
            ("{{ a }}{{b}}{{a}}", &[("a", "1"), ("b", "2")], "121"),
            ("{% if x %} { {y} } {{}} {{not a key}}", &[], "{% if x %} { {y} } {{}} {{not a key}}"),
            ("{{{a}}}", &[("a", "1")], "{1}"),
            ("{{a}} {{", &[("a", "{{a}}")], "{{a}} {{"),
        ] {
            assert_eq!(render(text, values).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn keys_that_do_not_fit_are_all_named() {
        let error = render("{{a}} {{b}}", &[("b", "1"), ("c", "2")]).expect_err("they do not fit");
        assert_eq!(error, "the template does not fit its values: `{{a}}` has no value, `c` is not in the text");
    }
}
