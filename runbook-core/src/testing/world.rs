//! Worlds: everything simulated hosts hold at one moment, to be compared, printed and put back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::Resource;

/// Everything simulated hosts hold at one moment: files, and the states of programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World(BTreeMap<Place, Thing>);

/// Where in a world: a resource of a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The name of the host.
    pub host: Arc<str>,
    /// What on it.
    pub resource: Resource,
}

/// What is in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A file.
    File {
        /// Its bytes.
        content: Arc<[u8]>,
        /// Its permission bits.
        mode: u32,
        /// User and group, by number.
        owner: (u32, u32),
    },
    /// A directory.
    Directory {
        /// Its permission bits.
        mode: u32,
        /// User and group, by number.
        owner: (u32, u32),
    },
    /// A symbolic link to this.
    Link(PathBuf),
    /// What a simulated program remembers.
    State(Value),
}

/// One place in which two worlds differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub place: Place,
    /// What is there in the first world.
    pub from: Option<Thing>,
    /// What is there in the second.
    pub to: Option<Thing>,
}

impl World {
    /// A world without anything.
    pub fn empty() -> Self {
        Self::default()
    }

    /// What is in this place.
    pub fn get(&self, place: &Place) -> Option<&Thing> {
        self.0.get(place)
    }

    /// All places and what is in them.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, &Thing)> {
        self.0.iter()
    }

    /// Both worlds together.
    pub fn join(mut self, other: World) -> Self {
        self.0.extend(other.0);
        self
    }

    /// What is different in `later`.
    pub fn diff(&self, later: &World) -> Vec<Difference> {
        let places: BTreeSet<&Place> = self.0.keys().chain(later.0.keys()).collect();
        let differ = |place: &Place| {
            let (from, to) = (self.get(place).cloned(), later.get(place).cloned());
            (from != to).then(|| Difference { place: place.clone(), from, to })
        };
        places.into_iter().filter_map(differ).collect()
    }

    pub(crate) fn put(&mut self, place: Place, thing: Thing) {
        self.0.insert(place, thing);
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(place, thing)| writeln!(f, "{place}: {thing}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.resource.kind.as_str() {
            "path" => write!(f, "{}:{}", self.host, self.resource.name),
            _ => write!(f, "{}: {}", self.host, self.resource),
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { content, mode, owner } => write!(f, "{} ({mode:04o}{})", words(content), Owner(*owner)),
            Self::Directory { mode, owner } => write!(f, "directory ({mode:04o}{})", Owner(*owner)),
            Self::Link(target) => write!(f, "link to {}", target.display()),
            Self::State(value) => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (None, Some(to)) => write!(f, "+ {}: {to}", self.place),
            (Some(from), None) => write!(f, "- {}: {from}", self.place),
            (Some(Thing::State(from)), Some(Thing::State(to))) => {
                let (path, from, to) = leaf(String::new(), from, to);
                write!(f, "~ {}{path}: {from} -> {to}", self.place)
            }
            (Some(from), Some(to)) => write!(f, "~ {}: {from} -> {to}", self.place),
            (None, None) => write!(f, "  {}", self.place),
        }
    }
}

/// The owner of a file, when it is not root.
struct Owner((u32, u32));

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            (0, 0) => Ok(()),
            (uid, gid) => write!(f, " {uid}:{gid}"),
        }
    }
}

/// The beginning of a content as text, or its size.
fn words(content: &[u8]) -> String {
    const ENOUGH: usize = 120;
    match std::str::from_utf8(content) {
        Ok(text) if text.chars().count() <= ENOUGH => format!("{text:?}"),
        Ok(text) => {
            format!("{:?}… {} bytes", text.chars().take(ENOUGH).collect::<String>(), content.len())
        }
        Err(_) => format!("{} bytes", content.len()),
    }
}

/// The one member in which two objects differ, as far down as there is only one.
fn leaf<'a>(path: String, from: &'a Value, to: &'a Value) -> (String, &'a Value, &'a Value) {
    if let (Value::Object(a), Value::Object(b)) = (from, to) {
        let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        let mut different = names.into_iter().filter(|name| a.get(*name) != b.get(*name));
        if let (Some(only), None) = (different.next(), different.next()) {
            let null = &Value::Null;
            return leaf(format!("{path}/{only}"), a.get(only).unwrap_or(null), b.get(only).unwrap_or(null));
        }
    }
    (path, from, to)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn world(state: Value) -> World {
        let mut world = World::empty();
        world.put(Place { host: "web-1".into(), resource: Resource::new("unit", "api") }, Thing::State(state));
        world
    }

    #[test]
    fn a_difference_names_the_one_member_that_changed() {
        let before = world(json!({"main": {"version": 1}, "enabled": true}));
        let after = world(json!({"main": {"version": 2}, "enabled": true}));
        let lines: Vec<_> = before.diff(&after).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["~ web-1: unit api/main/version: 1 -> 2"]);
        assert!(before.diff(&before).is_empty());
        assert_eq!(
            before.diff(&World::empty())[0].to_string(),
            r#"- web-1: unit api: {"enabled":true,"main":{"version":1}}"#
        );
    }
}
