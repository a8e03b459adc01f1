//! Questions about images.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Finding, Result};

use super::tag::resource;
use super::{Reference, image};
use crate::sizes::Bytes;

/// Asks whether an image is on the host.
pub fn is_present(reference: impl Into<Reference>) -> IsPresent {
    IsPresent { reference: reference.into() }
}

/// How much an image takes; say [how much](SizeOf::at_most) it may be.
pub fn size(reference: impl Into<Reference>) -> SizeOf {
    SizeOf { reference: reference.into() }
}

/// The check of [`is_present`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct IsPresent {
    reference: Reference,
}

/// The size of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say how much it may be: `.at_most(1.gib())`"]
pub struct SizeOf {
    reference: Reference,
}

impl SizeOf {
    /// Asks whether it is at most this.
    pub fn at_most(self, most: Bytes) -> SizeAtMost {
        SizeAtMost { reference: self.reference, most }
    }
}

/// The check of [`size`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct SizeAtMost {
    reference: Reference,
    most: Bytes,
}

fn describe(kind: &str, reference: &Reference, summary: String) -> Description {
    Description::new(format!("docker.{kind}"), reference.as_str())
        .summary(summary)
        .command(format!("docker image ls {reference}"))
        .reads(resource(reference))
}

#[async_trait]
impl Check for IsPresent {
    fn describe(&self) -> Description {
        describe("is_present", &self.reference, format!("there is an image `{}`", self.reference))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        Ok(match image(cx, self.reference.clone()).await? {
            Some(image) => Finding::pass(format!("`{}` is {}, {}", self.reference, image.id, image.size)),
            None => Finding::fail(format!("there is no image `{}`", self.reference)),
        })
    }
}

#[async_trait]
impl Check for SizeAtMost {
    fn describe(&self) -> Description {
        describe("size", &self.reference, format!("the image `{}` takes at most {}", self.reference, self.most))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        Ok(match image(cx, self.reference.clone()).await? {
            Some(image) => {
                let summary = format!("`{}` takes {}, at most {} is fine", self.reference, image.size, self.most);
                Finding::of(image.size <= self.most, summary)
            }
            None => Finding::unknown(format!("there is no image `{}`", self.reference)),
        })
    }
}
