//! What a conversation keeps.

use std::collections::BTreeMap;

use runbook::{Error, Explain as _, Result, Secret};
use serde_json::Value;

/// Values by name, some of them secrets.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    plain: BTreeMap<String, String>,
    secret: BTreeMap<String, Secret>,
}

/// A text with its values in it.
pub(super) struct Filled {
    pub(super) text: String,
    /// Whether one of them is a secret.
    pub(super) secret: bool,
}

impl Values {
    pub(super) fn unique(unique: &str) -> Self {
        Self { plain: BTreeMap::from([("unique".to_owned(), unique.to_owned())]), secret: BTreeMap::new() }
    }

    pub(super) fn keep(&mut self, name: &str, value: String) {
        self.plain.insert(name.to_owned(), value);
    }

    /// From here on it shows nowhere.
    pub(super) fn keep_secret(&mut self, name: &str, place: &str, value: &str) {
        self.secret.insert(name.to_owned(), Secret::found(place, value));
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.plain.contains_key(name) || self.secret.contains_key(name)
    }

    /// A secret that was kept.
    pub(super) fn secret(&self, name: &str) -> Result<&Secret> {
        self.secret.get(name).with_context(|| format!("no secret was kept as `{name}`"))
    }

    /// The text with what was kept in the place of `{name}`.
    pub(super) fn fill(&self, text: &str) -> Result<Filled> {
        self.fill_as(text, |value| value)
    }

    /// A path with what was kept, encoded.
    pub(super) fn fill_path(&self, path: &str) -> Result<String> {
        let filled = self.fill_as(path, |value| encode(&value))?;
        if filled.secret {
            let error = Error::new(format!("`{path}` has a secret in it"));
            return Err(error.hint("paths are written into logs: send it as a header or in the body"));
        }
        Ok(filled.text)
    }

    fn fill_as(&self, text: &str, form: impl Fn(String) -> String) -> Result<Filled> {
        let mut filled = Filled { text: String::with_capacity(text.len()), secret: false };
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => filled.text += text,
                Piece::Name(name) => {
                    let value = match (self.plain.get(name), self.secret.get(name)) {
                        (Some(value), _) => value.clone(),
                        (None, Some(secret)) => {
                            filled.secret = true;
                            secret.expose()?
                        }
                        (None, None) => return Err(Error::new(format!("nothing was kept as `{name}`"))),
                    };
                    filled.text += &form(value);
                }
            }
        }
        Ok(filled)
    }

    /// A value of JSON with what was kept in its texts.
    pub(super) fn fill_json(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill(text)?.text),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.fill_json(item)).collect::<Result<_>>()?),
            Value::Object(fields) => {
                let fill = |(name, value): (&String, &Value)| Ok((name.clone(), self.fill_json(value)?));
                Value::Object(fields.iter().map(fill).collect::<Result<_>>()?)
            }
            other => other.clone(),
        })
    }
}

/// The names a text wants.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|piece| if let Piece::Name(name) = piece { Some(name) } else { None })
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// A text in pieces: `{name}` is a name, and braces around anything else are braces.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let name = rest[open + 1..].split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
        let end = name.map_or(open + 1, |name| open + name.len() + 2);
        found.push(Piece::Text(&rest[..if name.is_some() { open } else { end }]));
        found.extend(name.map(Piece::Name));
        rest = &rest[end..];
    }
    found.push(Piece::Text(rest));
    found
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// As a part of a URL.
fn encode(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_kept_takes_its_place() {
        let mut values = Values::unique("smoke-1");
        values.keep("id", "a b/7".to_owned());
        values.keep_secret("token", "a test", "tok-values-4711");
        assert_eq!(values.fill_path("/cases/{id}?name={unique}").expect("fills"), "/cases/a%20b%2F7?name=smoke-1");
        let body = values.fill_json(&json!({"a": ["{id}", 1, "{ \"x\": {Not} }"]})).expect("fills");
        assert_eq!(body, json!({"a": ["a b/7", 1, "{ \"x\": {Not} }"]}));
        assert!(values.fill("Bearer {token}").expect("fills").secret);
        assert!(values.fill_path("/{token}").expect_err("is refused").message().contains("has a secret in it"));
        assert!(values.fill("{other}").err().expect("is refused").message().contains("nothing was kept as `other`"));
        assert_eq!(names("/{id}/{unique}").collect::<Vec<_>>(), ["id", "unique"]);
    }
}
