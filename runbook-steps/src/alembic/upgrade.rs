//! Upgrading a schema.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, ErrorKind, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::answers::{Migration, Moved, Ran, Schema, Seen, different};
use super::app::Alembic;
use super::facts::{self, list};
use super::way_back::WayBack;
use crate::backup::Guard;

/// Upgrades the schema to the newest migration of the code. What [guards](Upgrading::guarded_by) it has to be said.
pub fn upgrade(alembic: &Alembic) -> Upgrading {
    Upgrading { alembic: alembic.clone(), to: None }
}

/// An upgrade that nothing guards yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say what guards it: `alembic::upgrade(&app).guarded_by(&dump)`"]
pub struct Upgrading {
    alembic: Alembic,
    to: Option<String>,
}

impl Upgrading {
    /// To this revision, and no further.
    pub fn to(mut self, revision: impl Into<String>) -> Self {
        self.to = Some(revision.into());
        self
    }

    /// With this proven dump behind it, or the reason for having none: `NoBackup::because("…")`.
    pub fn guarded_by(self, guard: impl Into<Guard>) -> Upgrade {
        Upgrade { to: self.to, way_back: WayBack::new(self.alembic, guard) }
    }
}

/// The step of [`upgrade`].
///
/// Its rollback goes back to the revision that was there, and compares the tables and columns with those that were. Where
/// migrations cannot be taken back, or something of them remains, it restores the dump if it [may](Self::may_restore);
/// else it says what is left, and how to put it right.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Upgrade {
    to: Option<String>,
    way_back: WayBack,
}

impl Upgrade {
    /// Restores the dump on the way back where there is no other. What was written since the dump was taken is then only
    /// in the database that is kept aside, and a warning says how long that is.
    pub fn may_restore(mut self) -> Self {
        self.way_back.may_restore = true;
        self
    }

    fn target(&self) -> &str {
        self.to.as_deref().unwrap_or("head")
    }

    fn diff(&self, seen: &Seen) -> Diff {
        let WayBack { alembic, guard, may_restore } = &self.way_back;
        let (from, to) = (list(&seen.current), list(seen.target.as_slice()));
        let diff = Diff::turn(format!("schema of {}", alembic.database), from, to);
        let diff = seen.pending.iter().fold(diff, |diff, one| diff.and_add(format!("migration {one}")));
        let back = seen.pending.iter().filter_map(|one| Some((one, one.back.as_ref()?)));
        let diff = back
            .filter(|(_, back)| **back != super::Back::Works { loses: Vec::new() })
            .fold(diff, |diff, (one, back)| diff.and_note(format!("{one}: {back}")));
        match seen.pending.iter().any(Migration::is_irreversible) {
            true if *may_restore => diff.and_note(format!("there is no way back but to restore: {guard}")),
            true => diff.and_note("there is no way back, and the dump may not be restored by itself"),
            false => diff,
        }
    }
}

/// What a rollback of [`Upgrade`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeBefore {
    schema: Schema,
    target: String,
}

/// A schema that was upgraded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Migrated {
    /// The revisions before.
    pub before: Vec<String>,
    /// The revisions after, as the database tells them.
    pub after: Vec<String>,
    /// The migrations that ran, first to last.
    pub ran: Vec<Ran>,
    /// How long it took; `None` when nothing was done.
    pub took: Option<Duration>,
}

impl Migrated {
    pub(super) fn of(before: &Schema, now: &Seen, ran: Vec<Ran>, took: Option<Duration>) -> Self {
        Self { before: before.revisions.clone(), after: now.current.clone(), ran, took }
    }
}

/// A revision that means another one every time cannot be where a step ends.
pub(super) fn ensure_absolute(revision: &str) -> Result<()> {
    if revision.contains(['+', '-', ':', '@']) || matches!(revision, "" | "heads" | "current") {
        return Err(Error::refused(format!("`{revision}` is no revision, but a way to find one")).hint("name it"));
    }
    Ok(())
}

#[async_trait]
impl Step for Upgrade {
    type Before = UpgradeBefore;
    type Output = Migrated;

    fn describe(&self) -> Description {
        let (WayBack { alembic, guard, .. }, target) = (&self.way_back, self.target());
        let what = if self.to.is_some() { format!("to {target}") } else { "to the newest".to_owned() };
        let summary = format!("upgrade the schema of {} {what}, with {guard}", alembic.database);
        self.way_back.describe(alembic.describe("upgrade", target, "downgrade")).summary(summary)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<UpgradeBefore, Migrated>> {
        let alembic = &self.way_back.alembic;
        ensure_absolute(self.target())?;
        let seen = facts::look(cx, alembic, Some(self.target())).await?;
        facts::known(cx, alembic, &seen).await?;
        let before = UpgradeBefore { schema: seen.schema(), target: seen.target.clone().unwrap_or_default() };
        if seen.pending.is_empty() {
            return Ok(Survey::Already(Migrated::of(&before.schema, &seen, Vec::new(), None)));
        }
        self.way_back.ensure_fits(&seen.current)?;
        Ok(Survey::change(before, self.diff(&seen)))
    }

    async fn apply(&self, cx: &Context, before: &UpgradeBefore) -> Result<Migrated> {
        let (began, alembic) = (Instant::now(), &self.way_back.alembic);
        let moved = facts::change(cx, alembic, "upgrade", Some(before.target.clone())).await?;
        if let Some(left) = before.what_remains(&moved) {
            let failed = moved.whole(alembic).err();
            return Err(failed.map_or(left.clone(), |error| error.kind_of(ErrorKind::Failed).caused_by(left)));
        }
        let (ran, now) = moved.whole(alembic)?;
        if let Some(left) = now.pending.first() {
            let at = list(&now.current);
            return Err(Error::new(format!(
                "alembic says it is done, but {left} did not run: the database is at {at}"
            )));
        }
        let took = (!ran.is_empty()).then(|| began.elapsed());
        Ok(Migrated::of(&before.schema, &now, ran, took))
    }
}

impl UpgradeBefore {
    /// What a migration that failed has done outside its transaction.
    fn what_remains(&self, moved: &Moved) -> Option<Error> {
        let now = moved.now.as_ref().filter(|now| moved.failed.is_some() && now.current == self.schema.revisions)?;
        let names = different(&self.schema.tables, &now.tables);
        let lines = names.iter().map(|name| format!("changed, and not taken back: {name}"));
        let error = Error::new("a part of it ran outside the transaction and remains").details(lines);
        (!names.is_empty()).then(|| error.hint("restoring the verified backup puts it right"))
    }
}

#[async_trait]
impl Rollback for Upgrade {
    async fn rollback(&self, cx: &Context, before: &UpgradeBefore) -> Result<()> {
        self.way_back.go(cx, &before.schema).await
    }
}
