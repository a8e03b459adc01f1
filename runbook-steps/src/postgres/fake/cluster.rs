//! What a simulated server holds, and what it answers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Ask, DatabaseFacts, Locale, RoleFacts};
use crate::file::content::sha256;

/// All that is in a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its roles.
    pub roles: BTreeMap<String, Role>,
    /// Its databases.
    pub databases: BTreeMap<String, Data>,
    /// Whether it does not run.
    pub stopped: bool,
    #[serde(skip)]
    numbers: Numbers,
}

/// The numbers of what is there. They are no part of what a server holds: two that hold the same have others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers {
    last: u32,
    roles: BTreeMap<String, u32>,
    databases: BTreeMap<String, u32>,
}

impl Numbers {
    /// One that was never given.
    fn next(&mut self) -> u32 {
        self.last = self.last.max(FIRST) + 1;
        self.last
    }
}

/// A role that may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its password; any will do for `None`.
    pub password: Option<String>,
    /// Whether it may do anything.
    pub superuser: bool,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// The role it belongs to.
    pub owner: String,
    /// How many sessions it lets in; any number for -1.
    pub limit: i32,
    /// Who may make tables in it, besides its owner.
    pub makers: BTreeSet<String>,
    /// Its tables, that of alembic left out.
    pub tables: BTreeMap<String, Table>,
    /// What alembic wrote down of its schema; `None` when it has no table.
    pub revisions: Option<Vec<String>>,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// How many rows it has.
    pub rows: u64,
    /// What stands for all that is in them: another word, other data.
    pub content: String,
    /// For a column that points to another table: how many rows point to none.
    pub orphans: BTreeMap<String, u64>,
}

impl Table {
    /// With so many rows.
    pub fn of(rows: u64) -> Self {
        Self { rows, ..Self::default() }
    }
}

/// What a session was opened with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) database: String,
    pub(super) password: Option<String>,
}

/// An error, in the words and with the code of the real server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) code: String,
    pub(super) message: String,
}

pub(super) const NOT_SIMULATED: &str = "not simulated";

fn refused(code: &str, message: impl Into<String>) -> Refused {
    Refused { code: code.to_owned(), message: message.into() }
}

fn no_database(name: &str) -> Refused {
    refused("3D000", format!("database \"{name}\" does not exist"))
}

fn no_role(name: &str) -> Refused {
    refused("42704", format!("role \"{name}\" does not exist"))
}

/// What a real one of this version says of itself.
pub(super) const VERSION: &str = "15.18 (Debian 15.18-0+deb12u1)";
const NUMBER: u32 = 150_018;
/// The first number a server gives to what people make.
const FIRST: u32 = 16_384;
/// The size of an empty database, in bytes.
const EMPTY: u64 = 7_500_000;

impl Cluster {
    pub(super) fn fresh() -> Self {
        let mut fresh = Self::default();
        fresh.role("postgres").superuser = true;
        for name in ["postgres", "template0", "template1"] {
            fresh.make(name, "postgres");
        }
        fresh
    }

    /// Gives everything its number: the one it had, or a new one.
    pub(super) fn number(&mut self, numbers: Numbers) {
        self.numbers = numbers;
        let Numbers { roles, databases, .. } = &mut self.numbers;
        roles.retain(|name, _| self.roles.contains_key(name));
        databases.retain(|name, _| self.databases.contains_key(name));
        for name in self.roles.keys() {
            if !self.numbers.roles.contains_key(name) {
                let number = self.numbers.next();
                self.numbers.roles.insert(name.clone(), number);
            }
        }
        for name in self.databases.keys() {
            if !self.numbers.databases.contains_key(name) {
                let number = self.numbers.next();
                self.numbers.databases.insert(name.clone(), number);
            }
        }
    }

    pub(super) fn numbers(&mut self) -> Numbers {
        std::mem::take(&mut self.numbers)
    }

    /// A role, which is made when it is missing.
    pub(super) fn role(&mut self, name: &str) -> &mut Role {
        self.roles.entry(name.to_owned()).or_insert(Role { password: None, superuser: false })
    }

    /// A database, which is made when it is missing.
    pub(super) fn make(&mut self, name: &str, owner: &str) -> &mut Data {
        self.databases.entry(name.to_owned()).or_insert_with(|| Data {
            owner: owner.to_owned(),
            limit: -1,
            makers: BTreeSet::new(),
            tables: BTreeMap::new(),
            revisions: None,
        })
    }

    pub(super) fn data(&mut self, name: &str) -> Result<&mut Data, Refused> {
        self.databases.get_mut(name).ok_or_else(|| no_database(name))
    }

    fn is_superuser(&self, name: &str) -> bool {
        self.roles.get(name).is_some_and(|role| role.superuser)
    }

    pub(super) fn log_in(&self, login: &Login) -> Result<(), Refused> {
        let Login { user, database, password } = login;
        let known = self.roles.get(user).filter(|role| role.password.is_none() || role.password == *password);
        if known.is_none() {
            return Err(refused("28P01", format!("password authentication failed for user \"{user}\"")));
        }
        match self.databases.get(database) {
            None => Err(no_database(database)),
            Some(data) if data.limit == 0 && !self.is_superuser(user) => {
                Err(refused("53300", format!("too many connections for database \"{database}\"")))
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn ask(&mut self, login: &Login, ask: &Ask) -> Result<Value, Refused> {
        // Nobody else is ever there.
        if let Ask::Terminate(_) = ask {
            return Ok(json!(0));
        }
        if ask.is_order() {
            return self.order(login, ask).map(|()| Value::Null);
        }
        let data = self.databases.get(&login.database).ok_or_else(|| no_database(&login.database))?;
        Ok(match ask {
            Ask::Hello => {
                let bytes = EMPTY + data.counts().values().sum::<u64>() * 100;
                json!({"number": NUMBER, "version": VERSION, "database": login.database, "bytes": bytes})
            }
            Ask::Role(name) => json!(self.roles.get(name).map(|role| role.facts(self.numbers.roles[name]))),
            Ask::Database(name) => json!(self.databases.get(name).map(|data| data.facts(self.numbers.databases[name]))),
            Ask::Databases => json!(self.databases.keys().collect::<Vec<_>>()),
            Ask::MayCreate(role) => json!(self.is_superuser(role) || data.owner == *role || data.makers.contains(role)),
            Ask::Tables => json!(data.counts().keys().collect::<Vec<_>>()),
            Ask::RowCounts => json!(data.counts()),
            Ask::Hash { table, columns } => json!(data.hash(table, columns)?),
            Ask::Orphans { from, .. } => {
                let (table, column) = from.rsplit_once('.').unwrap_or((from, ""));
                json!(data.table(table)?.orphans.get(column).copied().unwrap_or_default())
            }
            Ask::Activity | Ask::Locks => json!([]),
            Ask::Revisions => json!(data.revisions),
            Ask::Snapshot => json!("00000003-00000001-1"),
            order => return Err(refused(NOT_SIMULATED, format!("{order:?} is not simulated"))),
        })
    }

    fn order(&mut self, login: &Login, ask: &Ask) -> Result<(), Refused> {
        match ask {
            Ask::CreateRole(name, _) => self.create_role(login, name),
            Ask::DropRole(name) => self.roles.remove(name).map(drop).ok_or_else(|| no_role(name)),
            Ask::CreateDatabase { name, owner, .. } => self.create_database(login, name, owner.as_deref()),
            Ask::DropDatabase(name) => self.drop_database(login, name),
            Ask::RenameDatabase(from, to) => self.rename_database(login, from, to),
            Ask::Grant { role, give } => {
                let makers = &mut self.data(&login.database)?.makers;
                if *give {
                    makers.insert(role.clone());
                } else {
                    makers.remove(role);
                }
                Ok(())
            }
            Ask::Limit(name, sessions) => {
                self.require_owner(login, name)?;
                self.data(name)?.limit = *sessions;
                Ok(())
            }
            question => Err(refused(NOT_SIMULATED, format!("{question:?} is not simulated"))),
        }
    }

    fn create_role(&mut self, login: &Login, name: &str) -> Result<(), Refused> {
        if !self.is_superuser(&login.user) {
            return Err(refused("42501", "permission denied to create role"));
        }
        if self.roles.contains_key(name) {
            return Err(refused("42710", format!("role \"{name}\" already exists")));
        }
        self.role(name);
        Ok(())
    }

    fn create_database(&mut self, login: &Login, name: &str, owner: Option<&str>) -> Result<(), Refused> {
        if !self.is_superuser(&login.user) {
            return Err(refused("42501", "permission denied to create database"));
        }
        let owner = owner.unwrap_or(&login.user);
        if !self.roles.contains_key(owner) {
            return Err(no_role(owner));
        }
        self.require_free(name)?;
        self.make(name, owner);
        Ok(())
    }

    fn drop_database(&mut self, login: &Login, name: &str) -> Result<(), Refused> {
        if self.databases.contains_key(name) {
            self.require_owner(login, name)?;
            self.databases.remove(name);
        }
        Ok(())
    }

    fn rename_database(&mut self, login: &Login, from: &str, to: &str) -> Result<(), Refused> {
        self.require_owner(login, from)?;
        self.require_free(to)?;
        let data = self.databases.remove(from).ok_or_else(|| no_database(from))?;
        self.databases.insert(to.to_owned(), data);
        // The old name keeps its number until the next one comes: this order may yet be cut off.
        let number = self.numbers.databases.get(from).copied().unwrap_or_default();
        self.numbers.databases.insert(to.to_owned(), number);
        Ok(())
    }

    fn require_free(&self, name: &str) -> Result<(), Refused> {
        match self.databases.get(name) {
            Some(_) => Err(refused("42P04", format!("database \"{name}\" already exists"))),
            None => Ok(()),
        }
    }

    fn require_owner(&self, login: &Login, name: &str) -> Result<(), Refused> {
        let data = self.databases.get(name).ok_or_else(|| no_database(name))?;
        if data.owner == login.user || self.is_superuser(&login.user) {
            return Ok(());
        }
        Err(refused("42501", format!("must be owner of database {name}")))
    }
}

impl Role {
    fn facts(&self, oid: u32) -> RoleFacts {
        RoleFacts { oid, login: true, creates_databases: self.superuser, superuser: self.superuser }
    }
}

impl Data {
    fn facts(&self, oid: u32) -> DatabaseFacts {
        let [encoding, collate, ctype] = ["UTF8", "C.UTF-8", "C.UTF-8"].map(str::to_owned);
        let locale = Locale { encoding, collate, ctype };
        DatabaseFacts { oid, owner: self.owner.clone(), limit: self.limit, locale }
    }

    /// How many rows every table has, that of alembic included.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let revisions = self.revisions.iter().map(|all| ("alembic_version".to_owned(), all.len() as u64));
        self.tables.iter().map(|(name, table)| (name.clone(), table.rows)).chain(revisions).collect()
    }

    fn table(&self, name: &str) -> Result<&Table, Refused> {
        let name = name.trim_start_matches("public.");
        let missing = || refused("42P01", format!("relation \"public.{name}\" does not exist"));
        self.tables.get(name).ok_or_else(missing)
    }

    fn hash(&self, table: &str, columns: &[String]) -> Result<String, Refused> {
        let Table { rows, content, .. } = self.table(table)?;
        let all = format!("{rows} {content:?} {columns:?}");
        Ok(sha256(all.as_bytes())[..32].to_owned())
    }
}
