//! Going back to an older schema, on purpose.

use std::time::Instant;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::answers::{Back, Migration, Schema};
use super::app::Alembic;
use super::facts::{self, list};
use super::upgrade::{Migrated, ensure_absolute};
use super::way_back::{WayBack, left};
use crate::backup::Guard;

/// Goes back to an older schema. Where [to](Downgrading::to), and what [guards](Downgrade) it, has to be said.
pub fn downgrade(alembic: &Alembic) -> Downgrading {
    Downgrading(alembic.clone())
}

/// A downgrade that does not know where to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say where to: `alembic::downgrade(&app).to(\"2024_01\").guarded_by(&dump)`"]
pub struct Downgrading(Alembic);

/// A downgrade that nothing guards yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say what guards it: `.guarded_by(&dump)`"]
pub struct DowngradingTo {
    alembic: Alembic,
    to: Option<String>,
}

/// The step of [`downgrade`]. A migration that cannot be taken back is refused before anything changes.
///
/// What a migration brought is dropped, with all that was written into it. The rollback upgrades again; what was dropped
/// then is there, and empty, unless the dump [may](Self::may_restore) be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Downgrade {
    to: Option<String>,
    way_back: WayBack,
}

/// What a rollback of [`Downgrade`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DowngradeBefore {
    schema: Schema,
    /// What is dropped.
    loses: Vec<String>,
}

impl Downgrading {
    /// To this revision, which the database was at before.
    pub fn to(self, revision: impl Into<String>) -> DowngradingTo {
        DowngradingTo { alembic: self.0, to: Some(revision.into()) }
    }

    /// To before the first migration: that drops everything.
    pub fn to_nothing(self) -> DowngradingTo {
        DowngradingTo { alembic: self.0, to: None }
    }
}

impl DowngradingTo {
    /// With this proven dump behind it, or the reason for having none: `NoBackup::because("…")`.
    pub fn guarded_by(self, guard: impl Into<Guard>) -> Downgrade {
        Downgrade { to: self.to, way_back: WayBack::new(self.alembic, guard) }
    }
}

impl Downgrade {
    /// Restores the dump on the way back when something was dropped. What was written since the dump was taken is then
    /// only in the database that is kept aside.
    pub fn may_restore(mut self) -> Self {
        self.way_back.may_restore = true;
        self
    }

    fn target(&self) -> &str {
        self.to.as_deref().unwrap_or("base")
    }

    /// What the database is to say when it is done.
    async fn goal(&self, cx: &Context) -> Result<Vec<String>> {
        match &self.to {
            None => Ok(Vec::new()),
            Some(word) => Ok(vec![facts::show(cx, &self.way_back.alembic, word).await?.migration.revision]),
        }
    }
}

fn losses(pending: &[Migration]) -> Vec<String> {
    let of = |one: &Migration| match &one.back {
        Some(Back::Works { loses }) => loses.clone(),
        _ => Vec::new(),
    };
    pending.iter().flat_map(of).collect()
}

#[async_trait]
impl Step for Downgrade {
    type Before = DowngradeBefore;
    type Output = Migrated;

    fn describe(&self) -> Description {
        let (WayBack { alembic, guard, .. }, target) = (&self.way_back, self.target());
        let summary = format!("take the schema of {} back to {target}, with {guard}", alembic.database);
        self.way_back.describe(alembic.describe("downgrade", target, "upgrade")).summary(summary)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<DowngradeBefore, Migrated>> {
        let alembic = &self.way_back.alembic;
        ensure_absolute(self.target())?;
        let goal = self.goal(cx).await?;
        let seen = facts::applied_since(cx, alembic, self.to.clone()).await?;
        facts::known(cx, alembic, &seen).await?;
        let schema = seen.schema();
        if seen.current == goal {
            return Ok(Survey::Already(Migrated::of(&schema, &seen, Vec::new(), None)));
        }
        if let Some(one) = seen.pending.iter().find(|one| one.is_irreversible()) {
            let why = one.back.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(Error::refused(format!("migration {one} cannot be taken back: {why}"))
                .hint("restore a dump that was taken before it: `backup::restore`"));
        }
        self.way_back.ensure_fits(&seen.current)?;
        let (from, to, loses) = (list(&seen.current), list(&goal), losses(&seen.pending));
        let diff = Diff::turn(format!("schema of {}", alembic.database), from, to);
        let diff = seen.pending.iter().fold(diff, |diff, one| diff.and_remove(format!("migration {one}")));
        let diff = loses.iter().fold(diff, |diff, name| diff.and_remove(format!("all that is in {name}")));
        Ok(Survey::change(DowngradeBefore { schema, loses }, diff))
    }

    async fn apply(&self, cx: &Context, before: &DowngradeBefore) -> Result<Migrated> {
        let alembic = &self.way_back.alembic;
        let (began, goal) = (Instant::now(), self.goal(cx).await?);
        let seen = facts::look(cx, alembic, None).await?;
        if seen.current == goal {
            return Ok(Migrated::of(&before.schema, &seen, Vec::new(), None));
        }
        let moved = facts::change(cx, alembic, "downgrade", self.to.clone()).await?;
        let (ran, now) = moved.whole(alembic)?;
        if now.current != goal {
            let (is, goal) = (list(&now.current), list(&goal));
            return Err(Error::new(format!("alembic says it is done, but the database is at {is}, not at {goal}")));
        }
        Ok(Migrated::of(&before.schema, &now, ran, Some(began.elapsed())))
    }
}

#[async_trait]
impl Rollback for Downgrade {
    async fn rollback(&self, cx: &Context, before: &DowngradeBefore) -> Result<()> {
        let WayBack { alembic, may_restore, .. } = &self.way_back;
        let DowngradeBefore { schema, loses } = before;
        let seen = facts::look(cx, alembic, None).await?;
        if seen.current == schema.revisions {
            return left(schema, &seen).map_or(Ok(()), Err);
        }
        if *may_restore && !loses.is_empty() {
            let why = Error::new(format!("the downgrade dropped {}", loses.join(", ")));
            return self.way_back.restore(cx, schema, why).await;
        }
        let mut now = seen;
        for revision in &schema.revisions {
            let moved = facts::change(cx, alembic, "upgrade", Some(revision.clone())).await?;
            now = moved.whole(alembic)?.1;
        }
        for name in loses {
            cx.warn(format!("it is there again, and what was in it is not: {name}"));
        }
        left(schema, &now).map_or(Ok(()), Err)
    }
}
