use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::Names;
use crate::example;

/// What the outline of each procedure tells.
pub type Outlines = BTreeMap<String, Vec<Told>>;

/// What an outline tells in one place.
#[derive(Debug, Clone)]
pub struct Told {
    pub kind: String,
    words: String,
}

impl Told {
    /// Whether it is of this kind and has these words. `systemd` stands for all kinds of `systemd.…`.
    pub fn is(&self, way: &str, command: &str, names: &[(&str, Names)]) -> bool {
        let (kind, words) = way.split_once(' ').unwrap_or((way, ""));
        let of_kind = self.kind == kind || self.kind.split_once('.').is_some_and(|(tool, _)| tool == kind);
        of_kind && words.split_whitespace().all(|word| self.has(word, command, names))
    }

    fn has(&self, word: &str, command: &str, names: &[(&str, Names)]) -> bool {
        if word == "{key}" {
            return keys(command).iter().all(|key| self.words.contains(&key.to_lowercase()));
        }
        let Some((_, alternatives)) = names.iter().find(|(name, _)| *name == word) else {
            return self.words.contains(&word.to_lowercase());
        };
        let known = alternatives.iter().find(|(said, _)| command.contains(said));
        known.is_some_and(|(_, here)| self.words.contains(here))
    }
}

/// The settings that a row names.
fn keys(command: &str) -> Vec<&str> {
    let words = command.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    words.filter(|word| word.contains('_') || matches!(*word, "ENVIRONMENT" | "DEBUG")).collect()
}

/// What the outlines of these procedures tell.
pub fn outlines(program: &str, procedures: BTreeSet<&str>) -> Outlines {
    let program = example::program(program);
    let told = procedures.into_iter().map(|name| {
        let printed = Command::new(&program).args(["outline", name, "--format", "json"]).output().expect("it starts");
        assert!(printed.status.success(), "{name}: {}", String::from_utf8_lossy(&printed.stderr));
        let outline: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
        let mut told = vec![Told { kind: "says".to_owned(), words: texts(&outline, &["title", "doc"]) }];
        tell(&outline, &mut told);
        (name.to_owned(), told)
    });
    told.collect()
}

fn tell(item: &Value, told: &mut Vec<Told>) {
    for item in list(item, "items") {
        let explained: Vec<Told> = list(item, "explained")
            .map(|step| {
                let words = texts(step, &["subject", "summary", "title", "commands"]);
                Told { kind: step["kind"].as_str().unwrap_or_default().to_owned(), words }
            })
            .collect();
        let part = item["part"].as_object().map(|_| texts(&item["part"], &["name", "title", "doc"]));
        let mut words = texts(item, &["title", "doc", "code"]) + &part.unwrap_or_default();
        told.push(Told { kind: "says".to_owned(), words: words.clone() });
        words.extend(explained.iter().map(|step| step.words.as_str()));
        told.push(Told { kind: item["kind"].as_str().unwrap_or_default().to_owned(), words });
        told.extend(explained);
        tell(item, told);
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// The texts in these fields, in small letters.
fn texts(value: &Value, fields: &[&str]) -> String {
    let texts = fields.iter().flat_map(|field| match &value[*field] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    });
    texts.map(|text| format!("{text}\n").to_lowercase()).collect()
}
