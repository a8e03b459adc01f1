//! Saying what a schema is, without changing it.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::app::Alembic;
use super::facts::{self, list};
use super::upgrade::ensure_absolute;
use super::way_back::single;

/// Writes into the database that its schema is at this revision, and changes nothing else: for a schema that was made by
/// other means. What is missing in it stays missing.
pub fn stamp(alembic: &Alembic, revision: impl Into<String>) -> Stamp {
    Stamp { alembic: alembic.clone(), revision: revision.into() }
}

/// The step of [`stamp`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Stamp {
    alembic: Alembic,
    revision: String,
}

/// What a rollback of [`Stamp`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StampBefore {
    revisions: Vec<String>,
}

/// What the database says of itself now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    /// Before.
    pub before: Vec<String>,
    /// After, as the database tells it.
    pub after: Vec<String>,
}

#[async_trait]
impl Step for Stamp {
    type Before = StampBefore;
    type Output = Stamped;

    fn describe(&self) -> Description {
        let Self { alembic, revision } = self;
        let summary = format!("write that the schema of {} is at {revision}", alembic.database);
        alembic.describe("stamp", revision, "stamp").summary(summary)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<StampBefore, Stamped>> {
        ensure_absolute(&self.revision)?;
        let goal = self.goal(cx).await?;
        let seen = facts::look(cx, &self.alembic, None).await?;
        facts::known(cx, &self.alembic, &seen).await?;
        let revisions = seen.current;
        let stamped = Stamped { before: revisions.clone(), after: vec![goal.clone()] };
        if stamped.before == stamped.after {
            return Ok(Survey::Already(stamped));
        }
        single(&revisions)?;
        let what = format!("what {} says its schema is", self.alembic.database);
        let diff = Diff::turn(what, list(&revisions), format!("`{goal}`"));
        Ok(Survey::predict(StampBefore { revisions }, diff, stamped))
    }

    async fn apply(&self, cx: &Context, before: &StampBefore) -> Result<Stamped> {
        let goal = self.goal(cx).await?;
        let after = facts::stamp(cx, &self.alembic, Some(goal.clone())).await?.current;
        if after != [goal.clone()] {
            return Err(Error::new(format!("the database says it is at {}, not at `{goal}`", list(&after))));
        }
        Ok(Stamped { before: before.revisions.clone(), after })
    }
}

impl Stamp {
    /// The revision, in full.
    async fn goal(&self, cx: &Context) -> Result<String> {
        Ok(facts::show(cx, &self.alembic, &self.revision).await?.migration.revision)
    }
}

#[async_trait]
impl Rollback for Stamp {
    async fn rollback(&self, cx: &Context, before: &StampBefore) -> Result<()> {
        let target = single(&before.revisions)?;
        let after = facts::stamp(cx, &self.alembic, target).await?.current;
        if after == before.revisions {
            return Ok(());
        }
        let (is, was) = (list(&after), list(&before.revisions));
        Err(Error::new(format!("the database says it is at {is}, not back at {was}")))
    }
}
