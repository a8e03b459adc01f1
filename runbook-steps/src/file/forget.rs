//! Forgetting what was kept aside.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::{Context, Description, Diff, Resource, Result, Step, Survey};
use serde::{Deserialize, Serialize};

use super::aside;

/// Removes for good everything that steps kept aside of a path. To be taken when nobody will want it back.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.irreversible(\"why\", \"…\", step).await?`"]
pub struct Forget(PathBuf);

/// What is no longer kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Where it was kept.
    pub removed: Vec<PathBuf>,
}

impl Forget {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

#[async_trait]
impl Step for Forget {
    type Before = Vec<PathBuf>;
    type Output = Forgotten;

    fn describe(&self) -> Description {
        let path = self.0.display();
        // What is kept aside of a path changes with the path: a plan must wait for those who write it.
        Description::new("file.forget", path.to_string())
            .summary(format!("remove what was kept aside of {path}"))
            .reads(Resource::path(&self.0))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Vec<PathBuf>, Forgotten>> {
        let kept = aside::all(cx, &self.0).await?;
        if kept.is_empty() {
            return Ok(Survey::Already(Forgotten { removed: kept }));
        }
        let diff = kept.iter().fold(Diff::none(), |diff, path| diff.and_remove(path.display().to_string()));
        Ok(Survey::predict(kept.clone(), diff, Forgotten { removed: kept }))
    }

    async fn apply(&self, cx: &Context, kept: &Vec<PathBuf>) -> Result<Forgotten> {
        for aside in kept {
            aside::drop(cx, aside).await?;
        }
        Ok(Forgotten { removed: kept.clone() })
    }
}
