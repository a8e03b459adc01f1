//! Proving a dump.

use async_trait::async_trait;
use runbook_core::{Context, Description, Diff, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::super::{Provable, VerifiedBackup};
use super::{Dump, Scratch};
use crate::command::word;

/// Restores a dump into a scratch database on its server, in one transaction that the first error ends, compares the
/// rows of every table and the revision with the manifest, and drops the scratch database whatever came of it.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct RehearseDump(Dump);

/// What a rollback of [`RehearseDump`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearseDumpBefore {
    scratch: Scratch,
}

impl Provable for Dump {
    type Rehearsal = RehearseDump;

    fn rehearsal(&self) -> RehearseDump {
        RehearseDump(self.clone())
    }
}

#[async_trait]
impl Step for RehearseDump {
    type Before = RehearseDumpBefore;
    type Output = VerifiedBackup<Dump>;

    fn describe(&self) -> Description {
        let Self(dump) = self;
        let (path, file, scratch) = (dump.path.display(), word(&dump.file()), Scratch::of(dump, "rehearsal").name);
        let admin = dump.database.admin().by_hand();
        Description::new("backup.rehearse", path.to_string())
            .summary(format!("prove that {path} restores"))
            .command(format!("createdb --maintenance-db={admin} {scratch}"))
            .command(format!("zstd -dc {file} | pg_restore --single-transaction --exit-on-error -d {scratch}"))
            .command(format!("dropdb --maintenance-db={admin} {scratch}"))
            .undo_command(format!("dropdb --maintenance-db={admin} --if-exists {scratch}"))
            .reads(Resource::path(dump.path.parent().unwrap_or(&dump.path)))
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<RehearseDumpBefore, VerifiedBackup<Dump>>> {
        let Self(dump) = self;
        dump.require_whole(cx).await?;
        let before = RehearseDumpBefore { scratch: Scratch::of(dump, "rehearsal") };
        let (rows, scratch) = (dump.contents.total(), &before.scratch.name);
        let diff = Diff::note(format!("{rows} rows are restored into {scratch}, compared, and dropped"));
        Ok(Survey::predict(before, diff, VerifiedBackup::new(dump, None)))
    }

    async fn apply(&self, cx: &Context, before: &RehearseDumpBefore) -> Result<VerifiedBackup<Dump>> {
        let Self(dump) = self;
        dump.require_whole(cx).await?;
        let proven = before.scratch.fill(cx, dump, &dump.database).await;
        let dropped = before.scratch.drop(cx, &dump.database).await;
        proven.and(dropped)?;
        Ok(VerifiedBackup::new(dump, Some(cx.now())))
    }

    fn predict(&self) -> Option<VerifiedBackup<Dump>> {
        Some(VerifiedBackup::new(&self.0, None))
    }
}

#[async_trait]
impl Rollback for RehearseDump {
    async fn rollback(&self, cx: &Context, before: &RehearseDumpBefore) -> Result<()> {
        before.scratch.drop(cx, &self.0.database).await
    }
}
