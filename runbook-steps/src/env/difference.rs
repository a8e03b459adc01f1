//! The keys of an env file against those of its example.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::{Check, Context, Description, Evidence, Finding, Resource, Result};

/// Whether an env file has every key of its example.
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until a run asks it: `run.check(\"…\", check).await?`"]
pub struct Difference {
    path: PathBuf,
    example: PathBuf,
}

impl Difference {
    pub(super) fn new(path: &Path, example: &Path) -> Self {
        Self { path: path.to_owned(), example: example.to_owned() }
    }
}

#[async_trait]
impl Check for Difference {
    fn describe(&self) -> Description {
        let (path, example) = (self.path.display(), self.example.display());
        Description::new("env.diff", path.to_string())
            .summary(format!("{path} has every key of {example}"))
            .reads(Resource::path(&self.path))
            .reads(Resource::path(&self.example))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let (file, example) = match (super::read(cx, &self.path).await, super::read(cx, &self.example).await) {
            (Ok(file), Ok(example)) => (file, example),
            (Err(error), _) | (_, Err(error)) => return Ok(Finding::unknown(format!("{error:#}"))),
        };
        let missing: Vec<_> = example.keys().into_iter().filter(|key| file.get(key).is_none()).collect();
        let extra: Vec<_> = file.keys().into_iter().filter(|key| example.get(key).is_none()).collect();
        let lines = missing.iter().map(|key| format!("- {key}")).chain(extra.iter().map(|key| format!("+ {key}")));
        let summary = format!(
            "of {} keys in the example {} are missing, {} are extra",
            example.keys().len(),
            missing.len(),
            extra.len()
        );
        Ok(Finding::of(missing.is_empty(), Evidence::new(summary).lines(lines)))
    }
}
