//! Images, as the engine knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use runbook::command::Output;
use runbook::{Command, Context, Result};
use serde::{Deserialize, Serialize};

use super::ask::{answer, ask, docker, lines};
use super::container::moment;
use super::{Reference, failure};
use crate::sizes::Bytes;

/// The id of an image: a digest of what is in it. Another image has another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageId(pub(crate) String);

impl ImageId {
    /// All of it: `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The twelve digits that people read.
    pub fn short(&self) -> &str {
        let digits = self.0.strip_prefix("sha256:").unwrap_or(&self.0);
        digits.get(..12).unwrap_or(digits)
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// What is in it.
    pub id: ImageId,
    /// The names that point to it now.
    #[serde(default, deserialize_with = "or_none")]
    pub tags: Vec<String>,
    /// What registries call it: `ghcr.io/sbf/api@sha256:…`. Without any, it was never pulled or pushed.
    #[serde(default, deserialize_with = "or_none")]
    pub digests: Vec<String>,
    /// How much it takes, with the layers it shares.
    pub size: Bytes,
    /// When a name was last made to point to it, where the engine says so.
    #[serde(default, deserialize_with = "moment")]
    pub tagged: Option<Timestamp>,
}

/// Docker says `null` where there are none.
fn or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A line of JSON for each image, with no more than is wanted: the environment of an image may hold anything.
const FORMAT: &str = r#"{"id":{{json .Id}},"tags":{{json .RepoTags}},"digests":{{json .RepoDigests}},"size":{{json .Size}},"tagged":{{json .Metadata.LastTagTime}}}"#;

fn inspect() -> Command {
    docker(["image", "inspect", "--format", FORMAT])
}

/// The image this name points to; `None` when there is none on the host.
pub async fn image(cx: &Context, reference: impl Into<Reference>) -> Result<Option<Image>> {
    let command = inspect().arg(reference.into().as_str());
    Ok(known(cx, &command).await?.pop())
}

/// All images of the host that are not merely parts of others.
pub async fn images(cx: &Context) -> Result<Vec<Image>> {
    let list = ask(cx, &docker(["image", "ls", "--quiet", "--no-trunc"])).await?;
    let ids: BTreeSet<&str> = list.text()?.lines().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let command = inspect().args(ids);
    known(cx, &command).await
}

/// Those that are there. One that is not makes Docker complain, after it has shown the others.
async fn known(cx: &Context, command: &Command) -> Result<Vec<Image>> {
    let output: Output = answer(cx, command).await?;
    if output.success() || failure::is_missing(&output) {
        lines(command, &output)
    } else {
        Err(failure::of(cx, command, &output))
    }
}

/// The images that these names point to, as far as there are such.
pub(crate) async fn pointed(cx: &Context, references: &[Reference]) -> Result<BTreeMap<Reference, Image>> {
    if references.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names: BTreeSet<&str> = references.iter().map(Reference::as_str).collect();
    let images = known(cx, &inspect().args(names)).await?;
    let of = |reference: &Reference| images.iter().find(|image| image.is_named(reference)).cloned();
    Ok(references.iter().filter_map(|reference| Some((reference.clone(), of(reference)?))).collect())
}

impl Image {
    /// Whether this name points to it.
    fn is_named(&self, reference: &Reference) -> bool {
        let name = reference.as_str();
        let digest = reference.digest();
        self.id.as_str() == name
            || self.tags.iter().any(|tag| tag == name)
            || self.digests.iter().any(|known| Some(known) == digest.as_ref())
    }
}
