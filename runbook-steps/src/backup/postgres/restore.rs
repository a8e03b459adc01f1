//! Restoring a dump.

use async_trait::async_trait;
use runbook_core::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::super::{Restorable, VerifiedBackup};
use super::{Contents, Dump, Scratch};
use crate::command::word;
use crate::postgres::{Ask, Database, DatabaseFacts, Open, database_facts, open};

/// A dump to restore.
#[derive(Debug, Clone)]
#[must_use = "a dump is restored to somewhere: `backup::restore(&dump).to(&database)`"]
pub struct RestoringDump(VerifiedBackup<Dump>);

/// Restores a dump. It is restored beside the database that is there, and compared; then the two change their names in
/// a moment, and the sessions in the old one end. The old one is kept under another name: the rollback brings it back.
///
/// Where there is room for it unpacked, `pg_restore` fills several tables at once; a database that is reached as another
/// user of the host is filled from the stream.
///
/// What is set for the database itself (`ALTER DATABASE … SET`, rights to connect) is not part of a dump.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct RestoreDump {
    dump: VerifiedBackup<Dump>,
    database: Database,
}

/// What a rollback of [`RestoreDump`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreDumpBefore {
    name: String,
    /// The number of the database that is there.
    oid: Option<u32>,
    /// How many sessions it lets in.
    limit: i32,
    /// Its name afterwards.
    aside: String,
    incoming: Scratch,
}

/// A database that was restored and compared with the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredDump {
    /// The database.
    pub database: String,
    /// Its number, which is not that of the one before; `None` in a plan.
    pub oid: Option<u32>,
    /// How many rows are in it.
    pub rows: u64,
    /// The name under which the one before is kept. It takes its space until somebody drops it.
    pub aside: Option<String>,
    /// What is not as it was before, a line for each table.
    pub lost: Vec<String>,
}

impl Restorable for VerifiedBackup<Dump> {
    type Restoring = RestoringDump;

    fn restoring(&self) -> RestoringDump {
        RestoringDump(self.clone())
    }
}

impl RestoringDump {
    /// To this database, whatever is in it.
    pub fn to(self, database: &Database) -> RestoreDump {
        RestoreDump { dump: self.0, database: database.clone() }
    }
}

impl RestoreDump {
    fn dump(&self) -> &Dump {
        self.dump.backup()
    }

    /// What the database has that the dump has not, and the other way round.
    async fn lost(&self, cx: &Context, name: &str) -> Result<Vec<String>> {
        let now = Contents::read(&mut open(cx, &self.database.beside(name)).await?).await?;
        Ok(now.differences(&self.dump().contents))
    }

    fn restored(&self, before: &RestoreDumpBefore, oid: Option<u32>, lost: Vec<String>) -> RestoredDump {
        RestoredDump {
            database: before.name.clone(),
            oid,
            rows: self.dump().contents.total(),
            aside: before.oid.map(|_| before.aside.clone()),
            lost,
        }
    }
}

/// How many sessions a database lets in unless somebody says otherwise: any number.
const ANY: i32 = -1;

impl RestoreDumpBefore {
    /// Gives a database another name, once nobody is in it. It lets nobody in then: see [`reopen`](Self::reopen).
    async fn rename(&self, admin: &mut Open, from: &str, to: &str) -> Result<()> {
        for _ in 0..20 {
            admin.order(&Ask::Limit(from.to_owned(), 0)).await?;
            admin.order(&Ask::Terminate(from.to_owned())).await?;
            match admin.order(&Ask::RenameDatabase(from.to_owned(), to.to_owned())).await {
                // Somebody came in between, or has not gone yet.
                Err(error) if error.is_transient() => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                done => return done,
            }
        }
        Err(Error::transient(format!("somebody is always in the database `{from}`")).hint("stop what uses it"))
    }

    /// Lets as many in as before, if the database is there.
    async fn reopen(&self, admin: &mut Open, name: &str) -> Result<()> {
        match find(admin, name).await? {
            Some(found) if found.limit != self.limit => admin.order(&Ask::Limit(name.to_owned(), self.limit)).await,
            _ => Ok(()),
        }
    }
}

async fn find(admin: &mut Open, name: &str) -> Result<Option<DatabaseFacts>> {
    admin.ask(&Ask::Database(name.to_owned())).await
}

#[async_trait]
impl Step for RestoreDump {
    type Before = RestoreDumpBefore;
    type Output = RestoredDump;

    fn describe(&self) -> Description {
        let (dump, database) = (self.dump(), &self.database);
        let (file, admin) = (word(&dump.file()), database.admin().by_hand());
        Description::new("backup.restore", database.to_string())
            .summary(format!("restore {database} from {}", dump.path.display()))
            .command(format!("createdb --maintenance-db={admin} incoming"))
            .command(format!("zstd -dc {file} | pg_restore --single-transaction --exit-on-error -d incoming"))
            .command(format!("psql -d {admin} -c 'ALTER DATABASE NAME RENAME TO NAME_before'"))
            .command(format!("psql -d {admin} -c 'ALTER DATABASE incoming RENAME TO NAME'"))
            .undo_command(format!("psql -d {admin} -c 'DROP DATABASE NAME WITH (FORCE)'"))
            .undo_command(format!("psql -d {admin} -c 'ALTER DATABASE NAME_before RENAME TO NAME'"))
            .reads(Resource::path(dump.path.parent().unwrap_or(&dump.path)))
            .reads(database.resource())
            .writes(database.resource())
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<RestoreDumpBefore, RestoredDump>> {
        self.dump().require_whole(cx).await?;
        let name = self.database.target(cx).await?.name;
        let found = database_facts(cx, &self.database).await?;
        let (oid, limit) = found.map_or((None, ANY), |found| (Some(found.oid), found.limit));
        let incoming = Scratch::of(self.dump(), "incoming");
        // The number makes it a name of its own for every restore.
        let aside = format!("{}_before_{}", name.chars().take(40).collect::<String>(), oid.unwrap_or_default());
        let before = RestoreDumpBefore { name, oid, limit, aside, incoming };
        let lost = if oid.is_some() { self.lost(cx, &before.name).await? } else { Vec::new() };
        let diff = match oid {
            None => Diff::none().and_add(format!("database {}", before.name)),
            Some(_) => Diff::turn(before.name.as_str(), "as it is", self.dump().path.display()),
        };
        let diff = lost.iter().fold(diff, |diff, line| diff.and_note(line.clone()));
        let restored = self.restored(&before, None, lost);
        Ok(Survey::predict(before, diff, restored))
    }

    async fn apply(&self, cx: &Context, before: &RestoreDumpBefore) -> Result<RestoredDump> {
        let (dump, name, incoming) = (self.dump(), &before.name, &before.incoming);
        let mut admin = open(cx, &self.database.maintenance(name)).await?;
        let now = find(&mut admin, name).await?.map(|found| found.oid);
        let is_aside = find(&mut admin, &before.aside).await?.is_some();
        let done = now.is_some() && now != before.oid;
        if !done {
            dump.require_whole(cx).await?;
            incoming.fill_at_once(cx, dump, &self.database_to_look_like(&before.aside, is_aside)).await?;
            if now.is_some() {
                before.rename(&mut admin, name, &before.aside).await?;
            }
            before.rename(&mut admin, &incoming.name, name).await?;
        }
        for name in [name, &before.aside] {
            before.reopen(&mut admin, name).await?;
        }
        let oid = find(&mut admin, name).await?.map(|found| found.oid);
        let lost = match before.oid {
            Some(_) => self.lost(cx, &before.aside).await?,
            None => Vec::new(),
        };
        Ok(self.restored(before, oid, lost))
    }
}

impl RestoreDump {
    /// The database whose owner and locale the restored one gets.
    fn database_to_look_like(&self, aside: &str, is_aside: bool) -> Database {
        if is_aside { self.database.clone().named(aside) } else { self.database.clone() }
    }
}

#[async_trait]
impl Rollback for RestoreDump {
    async fn rollback(&self, cx: &Context, before: &RestoreDumpBefore) -> Result<()> {
        let mut admin = open(cx, &self.database.maintenance(&before.name)).await?;
        let now = find(&mut admin, &before.name).await?.map(|found| found.oid);
        if now.is_some() && now != before.oid {
            let safe = before.oid.is_none() || find(&mut admin, &before.aside).await?.is_some();
            if !safe {
                let RestoreDumpBefore { name, aside, .. } = before;
                return Err(Error::new(format!(
                    "`{name}` was restored, but `{aside}`, which was there before, is gone"
                )));
            }
            admin.order(&Ask::DropDatabase(before.name.clone())).await?;
        }
        if find(&mut admin, &before.aside).await?.is_some() {
            before.rename(&mut admin, &before.aside, &before.name).await?;
        }
        before.reopen(&mut admin, &before.name).await?;
        before.incoming.drop(cx, &self.database).await
    }
}
