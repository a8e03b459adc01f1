//! The way back from an upgrade: by downgrades, or by restoring the dump.

use jiff::SignedDuration;
use runbook::{Context, Description, Error, Explain as _, Result, Step as _, Survey};

use super::answers::{Schema, Seen, different};
use super::app::Alembic;
use super::facts::{self, list};
use crate::backup::{self, Dump, Guard, VerifiedBackup};
use crate::command::word;
use crate::postgres::database_facts;

/// How a schema gets back to where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WayBack {
    pub(super) alembic: Alembic,
    pub(super) guard: Guard,
    pub(super) may_restore: bool,
}

impl WayBack {
    /// By downgrades and upgrades only, until the dump may be restored.
    pub(super) fn new(alembic: Alembic, guard: impl Into<Guard>) -> Self {
        Self { alembic, guard: guard.into(), may_restore: false }
    }

    pub(super) fn dump(&self) -> Option<&VerifiedBackup<Dump>> {
        match &self.guard {
            Guard::Dump(dump) => Some(dump),
            Guard::Backup(_) | Guard::NoBackup(_) => None,
        }
    }

    /// With what a person types where alembic does not lead back.
    pub(super) fn describe(&self, description: Description) -> Description {
        match self.dump().map(|dump| word(&dump.backup().file())) {
            Some(file) => description.undo_command(format!("zstd -dc {file} | pg_restore -d RESTORED_DATABASE")),
            None => description,
        }
    }

    /// An error unless what guards it is a dump of this database, of this revision where it may be restored.
    pub(super) fn ensure_fits(&self, current: &[String]) -> Result<()> {
        let database = &self.alembic.database;
        let Some(dump) = self.dump().map(VerifiedBackup::backup) else {
            return match &self.guard {
                Guard::Backup(_) => Err(Error::refused(format!("{} is no dump of {database}", self.guard))
                    .hint("make one: `backup::postgres(&database)`")),
                _ if self.may_restore => Err(Error::refused(format!("nothing can be restored: {}", self.guard))),
                _ => Ok(()),
            };
        };
        if dump.database != *database {
            return Err(Error::refused(format!("{} is of {}, not of {database}", self.guard, dump.database)));
        }
        let was = dump.contents.revisions.clone().unwrap_or_default();
        if self.may_restore && was != current {
            let (was, is) = (list(&was), list(current));
            return Err(Error::refused(format!("{} was taken at {was}, but the database is at {is}", self.guard))
                .hint("take a new one, and prove it"));
        }
        Ok(())
    }

    /// Goes back, and makes sure that it is back. As long as it is not, the dump stays, whatever else is rolled back.
    pub(super) async fn go(&self, cx: &Context, before: &Schema) -> Result<()> {
        let gone = self.try_to_go(cx, before).await;
        if let Some(dump) = self.dump() {
            if gone.is_ok() {
                dump.backup().unpin(cx).await?;
            } else {
                let database = &self.alembic.database;
                let why = format!("the schema of {database} is not as it was, and this puts it right");
                dump.backup().pin(cx, &why).await?;
            }
        }
        gone
    }

    async fn try_to_go(&self, cx: &Context, before: &Schema) -> Result<()> {
        // A restore that was cut off between two renames.
        if self.may_restore && database_facts(cx, &self.alembic.database).await?.is_none() {
            return self.restore(cx, before, Error::new("the database is not there")).await;
        }
        let why = match self.downgrade(cx, before).await {
            Ok(now) => match left(before, &now) {
                None => {
                    warn_of_details(cx, before, &now);
                    return Ok(());
                }
                Some(error) => error,
            },
            Err(error) => error,
        };
        self.restore(cx, before, why).await
    }

    /// Takes back what was applied since, and tells what is there then.
    async fn downgrade(&self, cx: &Context, before: &Schema) -> Result<Seen> {
        let target = single(&before.revisions)?;
        let seen = facts::applied_since(cx, &self.alembic, target.clone()).await?;
        if seen.current == before.revisions {
            return Ok(seen);
        }
        facts::known(cx, &self.alembic, &seen).await?;
        if let Some(one) = seen.pending.iter().find(|one| one.is_irreversible()) {
            let why = one.back.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(Error::new(format!("migration {one} cannot be taken back: {why}")));
        }
        let moved = facts::change(cx, &self.alembic, "downgrade", target).await?;
        moved.whole(&self.alembic).map(|(_, now)| now).context("go back")
    }

    /// Restores the dump, or says why that is left to a person.
    pub(super) async fn restore(&self, cx: &Context, before: &Schema, why: Error) -> Result<()> {
        // What may pass is tried again first.
        if why.is_transient() {
            return Err(why);
        }
        let Some(dump) = self.dump() else { return Err(why.hint(format!("{}: mend it by hand", self.guard))) };
        let (path, age) = (dump.backup().path.display(), age(cx, dump));
        if !self.may_restore {
            return Err(why.hint(format!("restoring {path} puts it right, and loses what was written since: {age}")));
        }
        cx.warn(format!("{why:#}; {path} is restored, and what was written since is lost: {age}"));
        let restored = {
            let step = backup::restore(dump).to(&self.alembic.database);
            match step.survey(cx).await? {
                Survey::Already(restored) => restored,
                Survey::Change { before, .. } => step.apply(cx, &before).await?,
            }
        };
        let aside = restored.aside.map(|name| format!("; the database as it was is kept as `{name}`"));
        for line in &restored.lost {
            cx.warn(format!("lost by the restore: {line}"));
        }
        cx.warn(format!("{path} was restored{}", aside.unwrap_or_default()));
        let now = facts::look(cx, &self.alembic, None).await?;
        match left(before, &now) {
            None => Ok(()),
            Some(error) => Err(error.context(format!("{path} was restored"))),
        }
    }
}

/// The revision to go back to; `None` for an empty database.
pub(super) fn single(revisions: &[String]) -> Result<Option<String>> {
    match revisions {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => Err(Error::new(format!("the database was at {}: several branches", list(several)))),
    }
}

/// What is not as it was: an error.
pub(super) fn left(before: &Schema, now: &Seen) -> Option<Error> {
    if now.current != before.revisions {
        let (is, was) = (list(&now.current), list(&before.revisions));
        return Some(Error::new(format!("the database is at {is}, not back at {was}")));
    }
    let names = different(&before.tables, &now.tables);
    if names.is_empty() {
        return None;
    }
    let at = list(&now.current);
    let error = Error::new(format!("the database is back at {at}, but not its schema: {} differ", names.join(", ")));
    Some(error)
}

fn warn_of_details(cx: &Context, before: &Schema, now: &Seen) {
    let names = different(&before.details, &now.details);
    if !names.is_empty() {
        cx.warn(format!("indexes, constraints or defaults are not what they were: {}", names.join(", ")));
    }
}

fn age(cx: &Context, dump: &VerifiedBackup<Dump>) -> String {
    match dump.backup().taken_at {
        Some(taken) => {
            let age = SignedDuration::from_secs(cx.now().duration_since(taken).as_secs());
            format!("{age:#} since {taken:.0}")
        }
        None => "nobody knows how much".to_owned(),
    }
}
