//! What was there before and after, as the outputs of the steps tell: commits, revisions, images.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::log::family;
use super::words::fields;
use super::{Node, Summary};
use crate::Stored;

/// Something that has a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// What it is: `Git commit`, `Schema revision`, `Image api`.
    pub name: String,
    /// What was there before; `None` when there was nothing, or nobody tells.
    pub before: Option<String>,
    /// What is there afterwards.
    pub after: Option<String>,
    /// The step that tells.
    pub step: Arc<str>,
    /// Whether what was there before is there again.
    pub back: bool,
}

/// Names of fields that hold a version, and what a log calls them.
const FIELDS: [(&str, &str); 12] = [
    ("commit", "Git commit"),
    ("sha", "Git commit"),
    ("release", "Release"),
    ("version", "Version"),
    ("revision", "Revision"),
    ("digest", "Image"),
    ("digests", "Image"),
    ("image", "Image"),
    ("images", "Image"),
    ("image_id", "Image"),
    ("revisions", "Schema revision"),
    ("checksum", "Checksum"),
];

/// Names of two fields that belong together: what was there, and what is there.
const PAIRS: [(&str, &str); 6] =
    [("from", "to"), ("before", "after"), ("before", "image"), ("previous", "current"), ("old", "new"), ("was", "now")];

/// The versions of a run, each with its first value before and its last after.
pub(super) fn of(summary: &Summary) -> Vec<Version> {
    let mut found = Found::default();
    for node in summary.steps() {
        if let Some(output) = node.output.as_ref().filter(|_| tells(node)) {
            found.step = node.title.clone();
            found.back = node.is_back() && !summary.is_held(node);
            let name = family_name(&node.kind);
            found.walk(&output.to_value(), name, "", name.is_some());
        }
    }
    if let Some(output) = summary.ended.as_ref().and_then(|ended| ended.output.as_ref()) {
        (found.step, found.back) = ("result".into(), false);
        found.result(&output.to_value());
    }
    found.versions
}

/// The tag or branch that was asked for: what an output calls so, or an input.
pub(super) fn tag(summary: &Summary) -> Option<String> {
    let named = |stored: &Stored, names: &[&str]| {
        let is_one = |(name, _): &(String, String)| names.contains(&name.rsplit('.').next().unwrap_or(name));
        fields(stored).into_iter().find(is_one).map(|(_, value)| value)
    };
    let told = summary.steps().filter_map(|node| node.output.as_ref()).find_map(|output| named(output, &["tag"]));
    let inputs = &summary.began.as_ref()?.inputs;
    let asked = || named(inputs, &["tag", "revision", "release", "git_ref", "branch"]);
    told.or_else(|| asked().filter(|value| !is_commit(value)))
}

fn is_commit(text: &str) -> bool {
    text.len() >= 7 && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// What was fetched is not there yet.
fn tells(node: &Node) -> bool {
    !matches!(&*node.kind, "git.fetch")
}

/// What a pair of fields in the output of such a step is a version of.
fn family_name(kind: &str) -> Option<&'static str> {
    match family(kind).0 {
        "git" => Some("Git commit"),
        "alembic" => Some("Schema revision"),
        "compose" | "docker" | "rollout" => Some("Image"),
        _ => None,
    }
}

#[derive(Default)]
struct Found {
    versions: Vec<Version>,
    step: Arc<str>,
    back: bool,
}

impl Found {
    /// Reads a value. `name` is what a pair in it is a version of; `is_plain` says whether that is known only from the
    /// step, so that a pair of something else is told apart by how its values look.
    fn walk(&mut self, value: &Value, name: Option<&str>, of: &str, is_plain: bool) {
        match value {
            Value::Object(all) => self.object(all, name, of, is_plain),
            Value::Array(items) => {
                for item in items.iter().filter(|item| item.is_object()) {
                    self.walk(item, name, item_name(item).unwrap_or(of), is_plain);
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, all: &Map<String, Value>, name: Option<&str>, of: &str, is_plain: bool) {
        let pair = PAIRS.iter().find(|(old, new)| all.contains_key(*old) && all.contains_key(*new));
        if let (Some(name), Some((old, new))) = (name, pair) {
            let (before, after) = (text(&all[*old]), text(&all[*new]));
            if name != "Image" || !is_plain || [&before, &after].into_iter().flatten().any(|value| is_image(value)) {
                self.add(name, of, before, after);
            }
        }
        for (field, value) in all {
            let label = FIELDS.iter().find(|(known, _)| *known == field).map(|(_, label)| *label);
            match (label, text(value)) {
                // What belongs to a family is that family's: a revision of git is a commit.
                (Some(label), Some(value)) => {
                    let label = if label == "Revision" { name.unwrap_or(label) } else { label };
                    self.add(label, of, all.get("previous").and_then(text), Some(value));
                }
                (Some(label), None) => self.named(value, label, of, is_plain),
                (None, None) if pair.is_none_or(|(old, new)| field != old && field != new) => {
                    self.walk(value, name, item_name(value).unwrap_or(field), is_plain);
                }
                _ => {}
            }
        }
    }

    /// Versions of several things by name: `{"api": {"before": …, "after": …}, "web": "sha256:…"}`.
    fn named(&mut self, value: &Value, label: &str, of: &str, is_plain: bool) {
        let Value::Object(all) = value else { return self.walk(value, Some(label), of, false) };
        if PAIRS.iter().any(|(old, new)| all.contains_key(*old) && all.contains_key(*new)) {
            return self.walk(value, Some(label), of, false);
        }
        for (of, value) in all {
            match text(value) {
                Some(value) => self.add(label, of, None, Some(value)),
                None => self.walk(value, Some(label), of, is_plain && label != "Image"),
            }
        }
    }

    /// What the procedure returned says once more what a step has said.
    fn result(&mut self, value: &Value) {
        let known = self.versions.clone();
        self.walk(value, None, "", false);
        let is_new = |version: &Version| !known.iter().any(|known| known.after == version.after);
        let at = known.len();
        let more: Vec<Version> = self.versions.drain(at..).filter(is_new).collect();
        self.versions.extend(more);
    }

    /// The first value before and the last after count.
    fn add(&mut self, name: &str, of: &str, before: Option<String>, after: Option<String>) {
        let name = if of.is_empty() || name != "Image" { name.to_owned() } else { format!("{name} {of}") };
        if before.is_none() && after.is_none() {
            return;
        }
        match self.versions.iter_mut().find(|known| known.name == name) {
            // What says once more what is there changes nothing.
            Some(known) if known.after == after && after.is_some() => {}
            Some(known) => {
                known.before = known.before.take().or(before);
                (known.after, known.step, known.back) = (after.or(known.after.take()), self.step.clone(), self.back);
            }
            None => self.versions.push(Version { name, before, after, step: self.step.clone(), back: self.back }),
        }
    }
}

/// What an item of a list is called.
fn item_name(item: &Value) -> Option<&str> {
    ["service", "name", "reference", "container"].iter().find_map(|field| item.get(field)?.as_str())
}

fn is_image(value: &str) -> bool {
    value.contains("sha256:") || (value.len() == 64 && is_commit(value))
}

/// A value of one word, or a list of such.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::{Story, stored};
    use super::*;

    fn told(steps: &[(&str, Value)]) -> Vec<(String, Option<String>, Option<String>)> {
        let mut story = Story::begins();
        for (n, (kind, output)) in steps.iter().enumerate() {
            story = story.step_of(&n.to_string(), "Step", kind, stored(output));
        }
        let events = story.events();
        let versions = of(&events.iter().collect());
        versions.into_iter().map(|version| (version.name, version.before, version.after)).collect()
    }

    fn is(name: &str, before: Option<&str>, after: &str) -> (String, Option<String>, Option<String>) {
        (name.to_owned(), before.map(str::to_owned), Some(after.to_owned()))
    }

    #[test]
    fn a_checkout_and_a_migration_tell_what_was_there_before() {
        let steps = [
            ("git.fetch", json!({"root": "/srv", "moved": [{"name": "main", "from": "11", "to": "22"}]})),
            ("git.checkout", json!({"root": "/srv", "from": "1a2b", "to": "3c4d", "changed": ["app.py"]})),
            ("alembic.upgrade", json!({"before": ["r1"], "after": ["r2", "r3"], "ran": [], "took": null})),
        ];
        let expected = [is("Git commit", Some("1a2b"), "3c4d"), is("Schema revision", Some("r1"), "r2, r3")];
        assert_eq!(told(&steps), expected);
    }

    #[test]
    fn images_are_told_by_service_in_a_list_or_by_name() {
        let (old, new) = ("sha256:aa", "sha256:bb");
        let expected = [is("Image api", Some(old), new)];
        for output in [
            json!({"images": [{"service": "api", "before": old, "after": new}]}),
            json!({"images": {"api": {"before": old, "after": new}}}),
            json!({"services": [{"service": "api", "image": {"from": old, "to": new}}]}),
            json!([{"name": "api", "from": old, "to": new}]),
            json!({"images": {"api": {"reference": "cleaning/api:latest", "image": new, "before": old}}}),
        ] {
            assert_eq!(told(&[("compose.build", output.clone())]), expected, "{output}");
        }
        let only = json!({"images": {"api": new}});
        assert_eq!(told(&[("compose.up", only)]), [is("Image api", None, new)]);
        let other = json!({"containers": [{"service": "api", "before": "running", "after": "running"}]});
        assert_eq!(told(&[("compose.up", other)]), []);
    }

    #[test]
    fn of_several_steps_the_first_before_and_the_last_after_count() {
        let steps = [
            ("git.checkout", json!({"from": "11", "to": "22"})),
            ("git.checkout", json!({"from": "22", "to": "33"})),
            ("file.write", json!({"mode": "0644"})),
        ];
        assert_eq!(told(&steps), [is("Git commit", Some("11"), "33")]);
    }
}
