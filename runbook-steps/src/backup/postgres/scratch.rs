//! Databases that are made from a dump: scratch ones, and one that will take the place of another.

use std::path::PathBuf;

use runbook_core::command::Pipeline;
use runbook_core::host::Attributes;
use runbook_core::{Command, Context, Explain as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::handle;
use super::{Contents, Dump, Format, unpack, with_pass};
use crate::disk;
use crate::file::content::hex;
use crate::postgres::{Ask, Database, DatabaseFacts, Open, Pass, RoleFacts, database_facts, open};

/// A database that is made from a dump, on the server of another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scratch {
    /// Its name.
    pub(crate) name: String,
    /// The directory where a password lies for the time of the restore.
    dir: PathBuf,
}

impl Scratch {
    /// The one for this purpose. Its name follows from the dump, so that one that was left behind is found again.
    pub(crate) fn of(dump: &Dump, purpose: &str) -> Self {
        let digest = hex(&Sha256::digest(dump.path.as_os_str().as_encoded_bytes()));
        let name: String = dump.name.chars().take(20).collect();
        let name = format!("{name}_{purpose}_{}", &digest[..12]);
        Self { dir: handle::beside(&dump.path, purpose), name }
    }

    /// The database itself, as the administrator of that one.
    pub(crate) fn database(&self, server: &Database) -> Database {
        server.beside(&self.name)
    }

    /// Makes it, and restores the dump into it, in one transaction that the first error ends. What is in it then is what
    /// was dumped, or it is an error.
    pub(crate) async fn fill(&self, cx: &Context, dump: &Dump, server: &Database) -> Result<()> {
        self.fill_by(Hands::One, cx, dump, server).await
    }

    /// The same with several tables at once, where it can be done: for a database that nobody uses before it is whole.
    pub(super) async fn fill_at_once(&self, cx: &Context, dump: &Dump, server: &Database) -> Result<()> {
        self.fill_by(Hands::Many, cx, dump, server).await
    }

    async fn fill_by(&self, hands: Hands, cx: &Context, dump: &Dump, server: &Database) -> Result<()> {
        self.drop(cx, server).await?;
        cx.files().make_dir(&self.dir).await?;
        cx.files().set(&self.dir, &Attributes::mode(0o700)).await?;
        let filled = self.restore(hands, cx, dump, server).await;
        let removed = cx.files().remove(&self.dir).await;
        filled.with_context(|| format!("restore `{}`", dump.path.display())).and(removed)
    }

    async fn restore(&self, hands: Hands, cx: &Context, dump: &Dump, server: &Database) -> Result<()> {
        let like: Option<DatabaseFacts> = database_facts(cx, server).await?;
        let mut admin = open(cx, &server.maintenance(&self.name)).await?;
        let (owner, locale) = match like {
            Some(like) => (Some(like.owner), Some(like.locale)),
            // It is gone: the role of the URL may make tables in it only if it is its own.
            None => (owner(cx, &mut admin, server).await?, None),
        };
        admin.order(&Ask::CreateDatabase { name: self.name.clone(), owner, locale }).await?;
        let (scratch, is_admin) = (self.database(server), server.has_admin());
        with_pass(cx, &scratch, &self.dir, async |pass| match hands {
            Hands::Many if pass.reads_our_files() && self.has_room(cx, dump).await => {
                let file = self.dir.join("unpacked");
                cx.pipe(&Pipeline::of(unpack(&dump.file())).into_file(&file, 0o600)).await?;
                cx.run(&pg_restore(pass, is_admin, &[HANDS]).arg(file)).await.map(drop)
            }
            _ => {
                let reader = reader(dump.format, pass, is_admin);
                cx.pipe(&(Pipeline::of(unpack(&dump.file())) | reader)).await.map(drop)
            }
        })
        .await?;
        Contents::read(&mut open(cx, &scratch).await?).await?.require(dump)
    }

    /// Whether the dump can lie here unpacked, from where alone `pg_restore` takes several tables at once. A host that does
    /// not say how much room it has, has none.
    async fn has_room(&self, cx: &Context, dump: &Dump) -> bool {
        let needed = dump.bytes.saturating_mul(EXPANDS).saturating_add(SPARE);
        let room = disk::space(cx, &self.dir).await;
        dump.format == Format::Custom && room.is_ok_and(|room| room.available.0 >= needed)
    }

    /// Removes it, if it is there.
    pub(crate) async fn drop(&self, cx: &Context, server: &Database) -> Result<()> {
        let mut admin = open(cx, &server.maintenance(&self.name)).await?;
        admin.order(&Ask::DropDatabase(self.name.clone())).await?;
        cx.files().remove(&self.dir).await
    }
}

/// How many tables are filled at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hands {
    /// One after another, all in one transaction.
    One,
    /// Several.
    Many,
}

/// More than a core each: a restore waits for the server as much as it computes.
const HANDS: &str = "--jobs=4";
/// The rows of a database are hardly ever packed smaller than this.
const EXPANDS: u64 = 20;
/// What is left to others on the disk: 1 GiB.
const SPARE: u64 = 1 << 30;

/// The role of a database's URL, if there is one.
async fn owner(cx: &Context, admin: &mut Open, database: &Database) -> Result<Option<String>> {
    let user = database.target(cx).await?.user;
    let role: Option<RoleFacts> = admin.ask(&Ask::Role(user.clone())).await?;
    Ok(role.map(|_| user))
}

/// Reads a dump from its input. Who is no administrator cannot give things to others, so everything is his own.
fn reader(format: Format, pass: &Pass, is_admin: bool) -> Command {
    match format {
        Format::Custom => pg_restore(pass, is_admin, &["--single-transaction"]),
        Format::Plain => pass.tool("psql").args([
            "-X",
            "-q",
            "--no-password",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            "--output=/dev/null",
            "--file=-",
        ]),
    }
}

fn pg_restore(pass: &Pass, is_admin: bool, options: &[&str]) -> Command {
    let restore = pass.tool("pg_restore").args(options).args(["--exit-on-error", "--no-password"]);
    let restore = if is_admin { restore } else { restore.args(["--no-owner", "--no-privileges"]) };
    restore.args(["--dbname", &pass.target.name])
}
