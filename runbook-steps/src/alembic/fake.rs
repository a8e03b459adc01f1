//! A simulated alembic, for simulated hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runbook::command::Output;
use runbook::testing::{Call, Program, SimHost};
use runbook::{Error, Resource, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

mod script;

pub use self::script::Script;

use self::script::{Act, Code, Statement};
use super::answers::{Answer, Failed, Migration, Moved, Ran, Seen, Shape, Trouble, Words};
use super::app::Orders;
use crate::postgres::{Database, Target};

/// An alembic that reads the migrations in the files of the host, and databases that it keeps there.
///
/// ```
/// use runbook_core::testing::SimHost;
/// use runbook_steps::alembic::{self, fake::Script};
///
/// let code = [
///     Script::new("2024_claims").creates("claims"),
///     Script::new("2024_notes").after("2024_claims").adds("claims.notes"),
/// ];
/// let host = alembic::Fake::new().on(alembic::Fake::code(SimHost::new("web-1"), "/opt/app", &code));
/// ```
///
/// It understands what [`Script`] writes, and refuses everything else. Where the code comes from a
/// [`git::Fake`](crate::git::Fake), its releases hold the [files](Script::file). Each migration is a transaction, and
/// databases are there as soon as they are asked for. It is held to the real alembic by one suite that runs against both.
/// What is in a database is part of a snapshot of the host. It writes no SQL.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fake;

/// What is in a database: what it says its revisions are, and the columns of its tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The rows of `alembic_version`.
    pub revisions: BTreeSet<String>,
    /// The columns, by table.
    pub tables: BTreeMap<String, BTreeSet<String>>,
}

impl Fake {
    /// An alembic.
    pub fn new() -> Self {
        Self
    }

    /// The host, with an application in this directory that has these migrations.
    pub fn code(host: SimHost, dir: &str, scripts: &[Script]) -> SimHost {
        let host = host.file(format!("{dir}/alembic.ini"), "[alembic]\nscript_location = alembic\n");
        scripts.iter().map(Script::file).fold(host.dir(format!("{dir}/alembic/versions")), |host, (path, text)| {
            host.file(format!("{dir}/{path}"), text)
        })
    }

    /// The host, with this alembic for each of its Pythons.
    pub fn on(&self, host: SimHost) -> SimHost {
        ["python -B - alembic", "python3 -B - alembic"].into_iter().fold(host, |host, words| host.program(words, *self))
    }

    /// The host, with this in a database.
    pub fn database(host: SimHost, database: &Database, contents: &Contents) -> SimHost {
        host.with_state(&resource(&database.to_string()), contents)
    }

    /// What is in a database.
    pub fn contents(host: &SimHost, database: &Database) -> Contents {
        host.state(&resource(&database.to_string()))
    }
}

fn resource(database: &str) -> Resource {
    Resource::new("schema", database)
}

/// One question, with the code and the database that it is about.
struct Desk<'a, 'b> {
    call: &'a mut Call<'b>,
    orders: Orders,
    all: BTreeMap<String, Code>,
}

/// Why there is no answer.
enum No {
    Trouble(Trouble),
    Error(Words),
}

impl From<Error> for No {
    fn from(error: Error) -> Self {
        Self::Error(Words { kind: "Error".to_owned(), said: format!("{error:#}"), lines: Vec::new() })
    }
}

impl Program for Fake {
    fn run(&self, call: &mut Call<'_>) -> Output {
        let verb = call.args().first().map(|verb| (*verb).to_owned()).unwrap_or_default();
        let answer = match Desk::open(call).map(|mut desk| desk.answer(&verb)) {
            Ok(Ok(value)) => Answer::Done(value),
            Ok(Err(No::Trouble(trouble))) => Answer::Trouble(trouble),
            Ok(Err(No::Error(words))) => Answer::Error(words),
            Err(error) => return Output::failed(1, format!("{error:#}\n")),
        };
        Output::ok(serde_json::to_string(&answer).unwrap_or_default() + "\n")
    }
}

fn trouble(kind: &str, revisions: impl IntoIterator<Item = String>) -> No {
    let revisions = revisions.into_iter().collect();
    No::Trouble(Trouble { kind: kind.to_owned(), said: String::new(), revisions })
}

fn words(kind: &str, said: &str) -> Words {
    Words { kind: kind.to_owned(), said: format!("{kind}: {said}"), lines: Vec::new() }
}

impl<'a, 'b> Desk<'a, 'b> {
    fn open(call: &'a mut Call<'b>) -> Result<Self> {
        let input = std::str::from_utf8(call.input())?;
        let line = input.lines().next().unwrap_or_default().trim_start_matches("ORDERS = ");
        let orders: Orders = serde_json::from_str(&serde_json::from_str::<String>(line)?)?;
        Target::parse(orders.env.get(&orders.variable).map(String::as_str).unwrap_or_default())?;
        let versions = call.path("alembic/versions");
        let names = if call.files().is_dir(&versions) { call.files().list(&versions)? } else { Vec::new() };
        let mut all = BTreeMap::new();
        for file in names.iter().map(|name| versions.join(name)).filter(|file| file.extension() == Some("py".as_ref()))
        {
            let code = Code::read(&file, &call.files().text(&file)?)?;
            all.insert(code.revision.clone(), code);
        }
        Ok(Self { call, orders, all })
    }

    fn answer(&mut self, verb: &str) -> Result<Value, No> {
        let target = self.orders.target.clone();
        Ok(match verb {
            "look" => json!(self.look(target.as_deref())?),
            "applied" => json!(self.applied(target.as_deref())?),
            "upgrade" => json!(self.upgrade(&target.unwrap_or_default())?),
            "downgrade" => json!(self.downgrade(target.as_deref())?),
            "stamp" => json!(self.stamp(target)?),
            "heads" => json!(self.heads().iter().map(|one| self.told(one, false)).collect::<Vec<_>>()),
            "path" => {
                let (target, from) = (self.find(&target.unwrap_or_default())?, self.orders.from.clone());
                let from = from.filter(|from| from != "base").map(|from| self.find(&from)).transpose()?;
                let path = self.between(&target, &from.into_iter().collect());
                json!(path.iter().map(|one| self.told(one, true)).collect::<Vec<_>>())
            }
            "history" => json!(self.history()),
            "show" => {
                let code = &self.all[&self.find(&target.unwrap_or_default())?];
                let shown = json!({ "file": code.file, "source": code.source, "back": code.back() });
                merged(json!(self.told(&code.revision, false)), shown)
            }
            other => Err(Error::new(format!("the simulated alembic does not know `{other}`")))?,
        })
    }

    fn stored(&self) -> Contents {
        self.call.state(&resource(&self.orders.database))
    }

    fn store(&mut self, contents: &Contents) {
        self.call.set_state(&resource(&self.orders.database), contents);
    }

    // The code.

    fn heads(&self) -> Vec<String> {
        let is_head = |one: &&String| !self.all.values().any(|code| code.after.contains(one));
        self.all.keys().filter(is_head).cloned().collect()
    }

    fn find(&self, word: &str) -> Result<String, No> {
        if word == "head" {
            return match &self.heads()[..] {
                [] => Err(trouble("no_revisions", [word.to_owned()])),
                [one] => Ok(one.clone()),
                several => Err(trouble("heads", several.iter().cloned())),
            };
        }
        let mut likely = self.all.keys().filter(|one| one.starts_with(word));
        let found = self
            .all
            .get_key_value(word)
            .map(|(one, _)| one)
            .or_else(|| likely.next().filter(|_| likely.next().is_none()));
        found.cloned().ok_or_else(|| trouble("no_such_revision", [word.to_owned()]))
    }

    fn told(&self, revision: &str, back: bool) -> Migration {
        let code = &self.all[revision];
        let back = back.then(|| code.back());
        Migration { revision: code.revision.clone(), title: code.title.clone(), back }
    }

    /// These and all before them.
    fn ancestors<'c>(&'c self, of: impl IntoIterator<Item = &'c String>) -> BTreeSet<&'c String> {
        let (mut all, mut left) = (BTreeSet::new(), of.into_iter().collect::<Vec<_>>());
        while let Some(one) = left.pop() {
            if all.insert(one) {
                left.extend(self.all.get(one).into_iter().flat_map(|code| &code.after));
            }
        }
        all
    }

    /// Those that lead to the target from what is there, first to last.
    fn between(&self, target: &String, from: &BTreeSet<String>) -> Vec<String> {
        let there = self.ancestors(from);
        let mut wanted: Vec<&String> =
            self.ancestors([target]).into_iter().filter(|one| !there.contains(one)).collect();
        // Of two that come after the same one, alembic takes the later word first.
        wanted.sort_by_key(|one| (self.ancestors([*one]).len(), std::cmp::Reverse(*one)));
        wanted.into_iter().cloned().collect()
    }

    fn history(&self) -> Vec<Value> {
        let mut all: Vec<&Code> = self.all.values().collect();
        all.sort_by_key(|code| std::cmp::Reverse(self.ancestors([&code.revision]).len()));
        let heads = self.heads();
        let told = |code: &&Code| {
            let head = heads.contains(&code.revision);
            merged(
                json!(self.told(&code.revision, false)),
                json!({ "after": code.after, "head": head, "file": code.file }),
            )
        };
        all.iter().map(told).collect()
    }

    // The database.

    fn seen(&self) -> Seen {
        let contents = self.stored();
        let current: Vec<String> = contents.revisions.into_iter().collect();
        let unknown = current.iter().filter(|one| !self.all.contains_key(*one)).cloned().collect();
        let columns = |columns: BTreeSet<String>| columns.into_iter().collect::<Vec<_>>().join(",");
        let tables: Shape =
            contents.tables.into_iter().map(|(name, all)| (format!("public.{name}"), columns(all))).collect();
        Seen { current, unknown, tables, ..Seen::default() }
    }

    fn look(&self, target: Option<&str>) -> Result<Seen, No> {
        let mut seen = self.seen();
        seen.heads = self.heads();
        if let Some(target) = target.filter(|_| seen.unknown.is_empty()) {
            let target = self.find(target)?;
            let pending = self.between(&target, &seen.current.iter().cloned().collect());
            seen.pending = pending.iter().map(|one| self.told(one, true)).collect();
            seen.target = Some(target);
        }
        Ok(seen)
    }

    /// What a downgrade takes back, last first.
    fn applied(&self, target: Option<&str>) -> Result<Seen, No> {
        let mut seen = self.seen();
        if seen.unknown.is_empty() {
            let target = target.filter(|target| *target != "base").map(|target| self.find(target)).transpose()?;
            let there = self.ancestors(&seen.current);
            if let Some(target) = target.as_ref().filter(|target| !there.contains(target)) {
                let upper = seen.current.first().map_or("base", String::as_str);
                let said = format!("Revision {target} is not an ancestor of revision {upper}");
                return Err(No::Error(words("alembic.script.revision.RangeNotAncestorError", &said)));
            }
            let kept = self.ancestors(&target);
            let mut gone: Vec<&String> = there.into_iter().filter(|one| !kept.contains(one)).collect();
            gone.sort_by_key(|one| std::cmp::Reverse(self.ancestors([*one]).len()));
            seen.pending = gone.into_iter().map(|one| self.told(one, true)).collect();
        }
        Ok(seen)
    }

    fn upgrade(&mut self, target: &str) -> Result<Moved, No> {
        let target = self.find(target)?;
        let steps = self.between(&target, &self.stored().revisions);
        let moved = self.go(
            &steps,
            |code| code.up.clone(),
            |heads, code| {
                heads.retain(|head| !code.after.contains(head));
                heads.insert(code.revision.clone());
            },
        );
        let now = Some(self.look(Some(&target))?);
        Ok(Moved { now, ..moved })
    }

    fn downgrade(&mut self, target: Option<&str>) -> Result<Moved, No> {
        let steps: Vec<String> = self.applied(target)?.pending.into_iter().map(|one| one.revision).collect();
        let moved = self.go(
            &steps,
            |code| code.down.clone().unwrap_or_default(),
            |heads, code| {
                heads.remove(&code.revision);
                heads.extend(code.after.iter().cloned());
            },
        );
        Ok(Moved { now: Some(self.seen()), ..moved })
    }

    fn stamp(&mut self, target: Option<String>) -> Result<Seen, No> {
        let target = target.filter(|target| target != "base").map(|target| self.find(&target)).transpose()?;
        let contents = Contents { revisions: target.into_iter().collect(), ..self.stored() };
        self.store(&contents);
        Ok(self.seen())
    }

    /// Runs migrations, each in a transaction, until one fails.
    fn go(
        &mut self,
        steps: &[String],
        body: impl Fn(&Code) -> Vec<Statement>,
        mark: impl Fn(&mut BTreeSet<String>, &Code),
    ) -> Moved {
        let mut ran = Vec::new();
        for revision in steps {
            let (code, told) = (self.all[revision].clone(), self.told(revision, false));
            match self.transaction(&body(&code)) {
                Ok((mut contents, took)) => {
                    mark(&mut contents.revisions, &code);
                    self.store(&contents);
                    ran.push(Ran { revision: told.revision, title: told.title, took });
                }
                Err(error) => {
                    return Moved { ran, failed: Some(Failed { migration: Some(told), error }), now: None };
                }
            }
        }
        Moved { ran, failed: None, now: None }
    }

    /// What a transaction comes to, before it is committed. What stands outside one is committed at once.
    fn transaction(&mut self, statements: &[Statement]) -> Result<(Contents, Duration), Words> {
        let (mut contents, mut took) = (self.stored(), Duration::ZERO);
        for Statement { act, outside } in statements {
            if let Act::Sleep(time) = act {
                self.call.takes(*time);
                took += *time;
            }
            contents.change(act)?;
            if *outside {
                self.store(&contents);
            }
        }
        Ok((contents, took))
    }
}

impl Contents {
    fn change(&mut self, act: &Act) -> Result<(), Words> {
        let db = |class: &str, condition: &str, said: String| {
            Err(words(&format!("sqlalchemy.exc.{class}"), &format!("(psycopg2.errors.{condition}) {said}")))
        };
        match act {
            Act::CreateTable(table) if self.tables.contains_key(table) => {
                db("ProgrammingError", "DuplicateTable", format!("relation \"{table}\" already exists"))
            }
            Act::CreateTable(table) => {
                self.tables.insert(table.clone(), ["id".to_owned()].into());
                Ok(())
            }
            Act::DropTable(table) => match self.tables.remove(table) {
                Some(_) => Ok(()),
                None => db("ProgrammingError", "UndefinedTable", format!("table \"{table}\" does not exist")),
            },
            Act::AddColumn(table, column) | Act::DropColumn(table, column) => {
                let adds = matches!(act, Act::AddColumn(..));
                let Some(columns) = self.tables.get_mut(table) else {
                    return db("ProgrammingError", "UndefinedTable", format!("relation \"{table}\" does not exist"));
                };
                let done = if adds { columns.insert(column.clone()) } else { columns.remove(column) };
                let (condition, end) =
                    if adds { ("DuplicateColumn", "already exists") } else { ("UndefinedColumn", "does not exist") };
                if done {
                    Ok(())
                } else {
                    db("ProgrammingError", condition, format!("column \"{column}\" of relation \"{table}\" {end}"))
                }
            }
            Act::Raise { kind, said } => Err(words(kind, said)),
            Act::DivideByZero => db("DataError", "DivisionByZero", "division by zero".to_owned()),
            Act::Sleep(_) | Act::Execute => Ok(()),
        }
    }
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}
