//! Trying an upgrade on a copy.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::answers::{Ran, Seen, different};
use super::app::Alembic;
use super::facts;
use super::way_back::single;
use crate::backup::postgres::Scratch;
use crate::backup::{Dump, VerifiedBackup};
use crate::command::word;
use crate::postgres::row_counts;

/// Tries the upgrade on a copy: restores the dump into a scratch database, upgrades there, takes the time, counts the
/// rows, goes back again, and drops the copy whatever came of it.
pub fn rehearse(alembic: &Alembic, dump: &VerifiedBackup<Dump>) -> RehearseUpgrade {
    RehearseUpgrade { alembic: alembic.clone(), dump: dump.backup().clone() }
}

/// The step of [`rehearse`]. A migration that fails there fails the step, by its name.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct RehearseUpgrade {
    alembic: Alembic,
    dump: Dump,
}

/// What a rollback of [`RehearseUpgrade`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearseUpgradeBefore {
    scratch: Scratch,
}

/// How an upgrade went on a copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The revisions of the dump.
    pub before: Vec<String>,
    /// The revisions after the upgrade.
    pub after: Vec<String>,
    /// The migrations that ran, first to last, with their times.
    pub ran: Vec<Ran>,
    /// How long the upgrade took.
    pub took: Duration,
    /// The rows of every table before.
    pub rows_before: BTreeMap<String, u64>,
    /// The rows of every table after.
    pub rows_after: BTreeMap<String, u64>,
    /// The way back.
    pub back: WentBack,
}

/// How the way back went on a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WentBack {
    /// The schema is what it was before.
    Whole {
        /// How long it took.
        took: Duration,
    },
    /// It was not tried, or it failed, or the schema is not what it was before.
    No {
        /// Why.
        why: String,
    },
}

impl Rehearsal {
    /// Whether the schema got back to what it was.
    pub fn is_reversible(&self) -> bool {
        matches!(self.back, WentBack::Whole { .. })
    }

    /// The tables whose number of rows changed, a line each. Those that alembic keeps for itself are left out.
    pub fn changes(&self) -> Vec<String> {
        let count = |rows: Option<&u64>| rows.map_or_else(|| "no table".to_owned(), |rows| format!("{rows} rows"));
        let names: std::collections::BTreeSet<_> = self.rows_before.keys().chain(self.rows_after.keys()).collect();
        let both = names.into_iter().map(|name| (name, self.rows_before.get(name), self.rows_after.get(name)));
        let changed = both.filter(|(name, before, after)| before != after && *name != "alembic_version");
        changed.map(|(name, before, after)| format!("{name}: {} -> {}", count(before), count(after))).collect()
    }
}

impl RehearseUpgrade {
    /// The copy, as the application's role and by its driver.
    fn copy(&self, scratch: &Scratch) -> Alembic {
        self.alembic.with_database(&self.alembic.database.clone().named(&scratch.name))
    }

    async fn try_out(&self, cx: &Context, copy: &Alembic) -> Result<Rehearsal> {
        let was = facts::look(cx, copy, Some("head")).await?;
        facts::known(cx, copy, &was).await?;
        let rows_before = row_counts(cx, &copy.database).await?;
        let began = Instant::now();
        let (ran, now) = facts::change(cx, copy, "upgrade", was.target.clone()).await?.whole(copy)?;
        let took = began.elapsed();
        let rows_after = row_counts(cx, &copy.database).await?;
        let back = self.go_back(cx, copy, &was).await?;
        let (before, after) = (was.current, now.current);
        Ok(Rehearsal { before, after, ran, took, rows_before, rows_after, back })
    }

    async fn go_back(&self, cx: &Context, copy: &Alembic, was: &Seen) -> Result<WentBack> {
        if let Some(one) = was.pending.iter().find(|one| one.is_irreversible()) {
            let why = one.back.as_ref().map(ToString::to_string).unwrap_or_default();
            return Ok(WentBack::No { why: format!("migration {one} cannot be taken back: {why}") });
        }
        let began = Instant::now();
        let moved = facts::change(cx, copy, "downgrade", single(&was.current)?).await?;
        Ok(match moved.whole(copy) {
            Err(error) => WentBack::No { why: format!("{error:#}") },
            Ok((_, now)) => match &different(&was.tables, &now.tables)[..] {
                [] => WentBack::Whole { took: began.elapsed() },
                names => WentBack::No { why: format!("not as it was: {}", names.join(", ")) },
            },
        })
    }
}

#[async_trait]
impl Step for RehearseUpgrade {
    type Before = RehearseUpgradeBefore;
    type Output = Rehearsal;

    fn describe(&self) -> Description {
        let scratch = Scratch::of(&self.dump, "upgrade");
        let (path, copy, file) = (self.dump.path.display(), self.copy(&scratch), word(&self.dump.file()));
        let (admin, name) = (self.alembic.database.admin().by_hand(), &scratch.name);
        Description::new("alembic.rehearse", format!("{} {path}", self.alembic))
            .summary(format!("try the upgrade of {} on a copy restored from {path}", self.alembic.database))
            .command(format!("createdb --maintenance-db={admin} {name}"))
            .command(format!("zstd -dc {file} | pg_restore --single-transaction --exit-on-error -d {name}"))
            .command(format!("time {}", copy.by_hand(&["upgrade", "head"])))
            .command(copy.by_hand(&["downgrade", "REVISION_BEFORE"]))
            .command(format!("dropdb --maintenance-db={admin} {name}"))
            .undo_command(format!("dropdb --maintenance-db={admin} --if-exists {name}"))
            .reads(Resource::path(&self.alembic.dir))
            .reads(Resource::path(self.dump.path.parent().unwrap_or(&self.dump.path)))
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<RehearseUpgradeBefore, Rehearsal>> {
        facts::heads(cx, &self.alembic).await?;
        let before = RehearseUpgradeBefore { scratch: Scratch::of(&self.dump, "upgrade") };
        let (rows, scratch) = (self.dump.contents.total(), &before.scratch.name);
        let note = format!("{rows} rows are restored into {scratch}, upgraded, taken back, and dropped");
        Ok(Survey::change(before, Diff::note(note)))
    }

    async fn apply(&self, cx: &Context, before: &RehearseUpgradeBefore) -> Result<Rehearsal> {
        let RehearseUpgradeBefore { scratch } = before;
        scratch.fill(cx, &self.dump, &self.alembic.database).await?;
        let tried = self.try_out(cx, &self.copy(scratch)).await;
        let dropped = scratch.drop(cx, &self.alembic.database).await;
        let tried = tried?;
        dropped.map(|()| tried)
    }
}

#[async_trait]
impl Rollback for RehearseUpgrade {
    async fn rollback(&self, cx: &Context, before: &RehearseUpgradeBefore) -> Result<()> {
        before.scratch.drop(cx, &self.alembic.database).await
    }
}
