//! Making a dump.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use runbook_core::command::Pipeline;
use runbook_core::host::Attributes;
use runbook_core::{Command, Context, Description, Diff, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::super::archive;
use super::super::handle::{self, Kept as _};
use super::super::place::Place;
use super::dump::needed;
use super::{Contents, Dump, Format, version_of, with_pass};
use crate::command::word;
use crate::file::DirectoryBefore;
use crate::postgres::{Ask, Database, open};

/// A database to back up.
#[derive(Debug, Clone)]
#[must_use = "a backup goes somewhere: `backup::postgres(&database).into_dir(dir)`"]
pub struct DumpSource {
    database: Database,
    format: Format,
}

/// Makes a dump of a database, and a manifest of what was in it at that moment.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct BackUpDatabase {
    database: Database,
    format: Format,
    dir: PathBuf,
}

/// What a rollback of [`BackUpDatabase`] needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpBefore {
    /// Where the dump will be.
    path: PathBuf,
    name: String,
    taken_at: Timestamp,
    /// What was there of the directory for backups, when that has to be made.
    dir: Option<DirectoryBefore>,
}

impl DumpSource {
    pub(super) fn new(database: &Database) -> Self {
        Self { database: database.clone(), format: Format::Custom }
    }

    /// As SQL, for people and for `psql`.
    pub fn plain(mut self) -> Self {
        self.format = Format::Plain;
        self
    }

    /// Into this directory, which is made when it is missing.
    pub fn into_dir(self, dir: impl AsRef<Path>) -> BackUpDatabase {
        BackUpDatabase { database: self.database, format: self.format, dir: dir.as_ref().to_owned() }
    }
}

impl BackUpDatabase {
    fn place(&self) -> Place<'_> {
        Place(&self.dir)
    }

    fn foreseen(&self, name: &str, contents: Contents) -> Dump {
        Dump {
            path: self.dir.join(format!("{name}-<time>")),
            name: name.to_owned(),
            database: self.database.clone(),
            format: self.format,
            checksum: "(known once the dump is made)".to_owned(),
            bytes: 0,
            contents,
            server: None,
            tools: Vec::new(),
            taken_at: None,
        }
    }

    /// Fills a directory with the dump and what it says of itself.
    async fn fill(&self, cx: &Context, dir: &Path, before: &DumpBefore) -> Result<Dump> {
        let mut session = open(cx, &self.database).await?;
        // The rows are counted in the moment that is dumped, whoever writes meanwhile.
        let moment: String = session.ask(&Ask::Snapshot).await?;
        let server = session.ask(&Ask::Hello).await?;
        let file = dir.join(self.format.file());
        let dumped = with_pass(cx, &self.database, dir, async |pass| {
            let dump = pass.tool("pg_dump").args([self.format.option(), "--compress=0", "--no-password"]);
            let dump = dump.args(["--lock-wait-timeout=60000"]).arg(format!("--snapshot={moment}"));
            cx.pipe(&packed(dump, &file)).await.map(drop)
        });
        let (contents, dumped) = tokio::join!(Contents::read(&mut session), dumped);
        dumped.with_context(|| format!("dump `{}`", before.name))?;
        let contents = contents?;
        drop(session);
        let bytes = cx.files().stat(&file).await?.with_context(|| format!("`{}` is gone", file.display()))?.size;
        let dump = Dump {
            path: before.path.clone(),
            checksum: archive::checksum(cx, &file).await?,
            bytes,
            server: Some(server),
            tools: vec![version_of(cx, "pg_dump").await?, version_of(cx, "zstd").await?],
            taken_at: Some(before.taken_at),
            ..self.foreseen(&before.name, contents)
        };
        let about = dir.join(Dump::ABOUT);
        cx.files().write(&about, &serde_json::to_vec_pretty(&dump)?, &Attributes::mode(0o600)).await?;
        for path in [&file, &about] {
            archive::sync(cx, path).await?;
        }
        Ok(dump)
    }
}

/// Compressed with all cores, into a file that is there when every stage has ended well. At the lowest level: a third of
/// the work of zstd's own choice, and still no larger than what gzip makes of the rows of a database.
fn packed(dump: Command, file: &Path) -> Pipeline {
    (dump | Command::new("zstd").args(["-T0", "-1", "-q", "-c"])).into_file(file, 0o600)
}

#[async_trait]
impl Step for BackUpDatabase {
    type Before = DumpBefore;
    type Output = Dump;

    fn describe(&self) -> Description {
        let (database, dir) = (&self.database, word(&self.dir));
        let (option, file) = (self.format.option(), self.format.file());
        let to = format!("{dir}/NAME-$(date -u +%Y%m%dT%H%M%SZ)");
        Description::new("backup.postgres", database.to_string())
            .summary(format!("back up {database} into {}", self.dir.display()))
            .command("set -o pipefail")
            .command(format!(
                "mkdir -m 700 {to} && pg_dump {option} -Z0 -d {} | zstd -T0 -1 > {to}/{file}",
                database.by_hand()
            ))
            .undo_command(format!("ls -d {dir}/NAME-*; rm -r {dir}/NAME-TIME"))
            .reads(database.resource())
            .writes(Resource::path(&self.dir))
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<DumpBefore, Dump>> {
        let name = self.database.target(cx).await?.name;
        let mut session = open(cx, &self.database).await?;
        let contents = Contents::read(&mut session).await?;
        for program in ["pg_dump", "zstd"] {
            version_of(cx, program).await.map_err(|error| error.hint("apt-get install postgresql-client zstd"))?;
        }
        let (dir, taken_at) = (self.place().missing(cx).await?, cx.now());
        let path = self.place().free(cx, &name, taken_at).await?;
        let foreseen = self.foreseen(&name, contents);
        let rows = foreseen.contents.total();
        let diff = Diff::none().and_add(format!("{} with {rows} rows", foreseen.path.display()));
        Ok(Survey::predict(DumpBefore { path, name, taken_at, dir }, diff, foreseen))
    }

    async fn apply(&self, cx: &Context, before: &DumpBefore) -> Result<Dump> {
        if let Some(made) = handle::read::<Dump>(cx, &before.path).await? {
            made.require_whole(cx).await?;
            return Ok(made);
        }
        let partial = self.place().begin(cx, &before.path, before.dir.as_ref()).await?;
        match self.fill(cx, &partial, before).await {
            Ok(dump) => {
                cx.files().rename(&partial, &before.path).await?;
                archive::sync(cx, &self.dir).await?;
                Ok(dump)
            }
            Err(error) => {
                // On a full disk, half a dump is in everybody's way.
                let _ = cx.files().remove(&partial).await;
                Err(error)
            }
        }
    }

    fn predict(&self) -> Option<Dump> {
        Some(self.foreseen("NAME", Contents::default()))
    }
}

#[async_trait]
impl Rollback for BackUpDatabase {
    async fn rollback(&self, cx: &Context, before: &DumpBefore) -> Result<()> {
        if let Some(why) = needed(cx, &before.path).await? {
            cx.warn(format!("{} stays: {why}", before.path.display()));
            return Ok(());
        }
        self.place().take_back(cx, &before.path, before.dir.as_ref()).await
    }
}
