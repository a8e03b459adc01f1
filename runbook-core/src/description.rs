//! What a step or check is, for people and for the plan.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a step or a check does: its kind, what it acts on, the commands a person would type, and the
/// resources it reads and writes.
///
/// On replay, the kind and the subject of what the journal remembers are compared with the code.
/// Both must therefore follow from the inputs alone, never from the state of the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Description {
    /// The kind of step: `git.checkout`. It does not change between versions of a program.
    pub kind: String,
    /// What it acts on: a path, a unit, a URL.
    pub subject: String,
    /// One line for people, in the imperative: "check out `v2` in /srv/app".
    pub summary: String,
    /// Shell commands that do about the same by hand, secrets masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Shell commands that undo it by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo_commands: Vec<String>,
    /// What it looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Resource>,
    /// What it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<Resource>,
    /// Whether it acts at every run, like a restart, rather than converging on a state.
    #[serde(default)]
    pub repeats: bool,
}

impl Description {
    /// A description of `kind` acting on `subject`. The summary is both, until [`summary`](Self::summary).
    pub fn new(kind: impl Into<String>, subject: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            subject: subject.into(),
            summary: String::new(),
            commands: Vec::new(),
            undo_commands: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            repeats: false,
        }
    }

    /// With one line for people, in the imperative.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    /// With a command a person would type instead.
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }

    /// With a command a person would type to undo it.
    pub fn undo_command(mut self, command: impl Into<String>) -> Self {
        self.undo_commands.push(command.into());
        self
    }

    /// Reads this resource.
    pub fn reads(mut self, resource: impl Into<Resource>) -> Self {
        self.reads.push(resource.into());
        self
    }

    /// Changes this resource.
    pub fn writes(mut self, resource: impl Into<Resource>) -> Self {
        self.writes.push(resource.into());
        self
    }

    /// Acts at every run rather than converging on a state.
    pub fn repeats(mut self) -> Self {
        self.repeats = true;
        self
    }

    /// The line for people.
    pub fn line(&self) -> std::borrow::Cow<'_, str> {
        if self.summary.is_empty() {
            [&*self.kind, " ", &*self.subject].concat().into()
        } else {
            self.summary.as_str().into()
        }
    }
}

/// Something in the world that steps read and write: a path, a unit, a database.
///
/// Two resources overlap when they are of one kind and one name is the other or lies inside it (`/srv/app` and
/// `/srv/app/.env`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Resource {
    /// The kind of thing: `path`, `unit`, `database`, `image`, `url`, `port`.
    pub kind: String,
    /// Its name, with the host where that matters.
    pub name: String,
}

impl Resource {
    /// A resource of a kind of one's own.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }

    /// A file or a directory with all that is in it.
    pub fn path(path: impl AsRef<std::path::Path>) -> Self {
        Self::new("path", path.as_ref().to_string_lossy())
    }

    /// Whether the other is this one, or lies inside it.
    pub fn contains(&self, other: &Self) -> bool {
        self.kind == other.kind && inside(&other.name, &self.name)
    }

    /// Whether changing one may change the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

/// Whether `inner` is `outer` or lies below it.
fn inside(inner: &str, outer: &str) -> bool {
    inner == outer || std::path::Path::new(inner).starts_with(outer)
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_overlaps_what_is_in_it_and_nothing_beside_it() {
        let app = Resource::path("/srv/app");
        assert!(app.overlaps(&Resource::path("/srv/app/.env")));
        assert!(Resource::path("/srv/app/.env").overlaps(&app));
        assert!(!app.overlaps(&Resource::path("/srv/application")));
        assert!(!app.overlaps(&Resource::new("unit", "/srv/app")));
    }
}
