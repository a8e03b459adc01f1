//! Names of images.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of an image, as `docker` takes it: `api`, `ghcr.io/sbf/api:latest`. Without a tag it is that of `latest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(String);

impl Reference {
    /// This one.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        // Docker leaves out where its own images come from.
        let name = ["docker.io/library/", "docker.io/", "index.docker.io/"]
            .iter()
            .find_map(|registry| name.strip_prefix(registry).map(str::to_owned))
            .unwrap_or(name);
        let has_tag = name.rsplit('/').next().is_some_and(|last| last.contains(':')) || name.contains('@');
        Self(if has_tag || is_id(&name) { name } else { name + ":latest" })
    }

    /// As it is written, with its tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without its tag, or its digest.
    pub fn repository(&self) -> &str {
        let name = self.0.split_once('@').map_or(self.0.as_str(), |(name, _)| name);
        match name.rfind(':') {
            Some(colon) if !name[colon..].contains('/') => &name[..colon],
            _ => name,
        }
    }

    /// The repository with the digest; `None` for one without.
    pub(crate) fn digest(&self) -> Option<String> {
        let (_, digest) = self.0.split_once('@')?;
        Some(format!("{}@{digest}", self.repository()))
    }

    /// Whether it can be made to point elsewhere: a name with a tag. A digest and an id are always the same image.
    pub fn is_tag(&self) -> bool {
        !self.0.contains('@') && !is_id(&self.0)
    }
}

/// The id of an image, as opposed to a name.
fn is_id(name: &str) -> bool {
    let digits = name.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: Into<String>> From<T> for Reference {
    fn from(name: T) -> Self {
        Self::named(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_is_that_of_the_latest() {
        let shown = |name: &str| Reference::named(name).to_string();
        assert_eq!(shown("api"), "api:latest");
        assert_eq!(shown("docker.io/library/postgres:15"), "postgres:15");
        assert_eq!(shown("localhost:5000/sbf/api"), "localhost:5000/sbf/api:latest");
        assert_eq!(shown("localhost:5000/sbf/api:v2"), "localhost:5000/sbf/api:v2");
        assert_eq!(shown("api@sha256:00"), "api@sha256:00");
    }

    #[test]
    fn a_repository_is_what_stands_before_the_tag() {
        for (name, repository) in [
            ("api", "api"),
            ("localhost:5000/sbf/api", "localhost:5000/sbf/api"),
            ("localhost:5000/sbf/api:v2", "localhost:5000/sbf/api"),
            ("ghcr.io/sbf/api:v2@sha256:00", "ghcr.io/sbf/api"),
        ] {
            assert_eq!(Reference::named(name).repository(), repository);
        }
    }

    #[test]
    fn a_digest_and_an_id_cannot_be_moved() {
        assert!(Reference::named("api:v2").is_tag());
        assert!(!Reference::named("api@sha256:00").is_tag());
        assert_eq!(
            Reference::named("ghcr.io/sbf/api:v2@sha256:00").digest().as_deref(),
            Some("ghcr.io/sbf/api@sha256:00")
        );
        let id = format!("sha256:{}", "0".repeat(64));
        assert!(!Reference::named(id.as_str()).is_tag());
        assert_eq!(Reference::named(id.as_str()).as_str(), id);
    }
}
