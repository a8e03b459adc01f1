//! A simulated Redis, for simulated hosts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use runbook::command::Output;
use runbook::testing::{Call, Program, SimClock, SimHost};
use runbook::{Clock as _, Resource};
use serde::{Deserialize, Serialize};

use super::delete::{EXPIRES_AT, GIVE_BACK, TAKE};
use crate::sizes::{Bytes, Sizes as _};

pub use self::sentinel::{FakePower, FakeSentinels, Fault};

mod sentinel;

/// A Redis that is asked through `redis-cli`, as the steps of this library ask it. It refuses everything else, and is
/// held to the real one by one suite that runs against both.
///
/// ```
/// use runbook_core::testing::SimHost;
/// use runbook_steps::redis;
///
/// let broker = redis::Fake::new().password("hunter2").list("redis://127.0.0.1/0", "celery", ["a", "b"]);
/// let host = broker.on(SimHost::new("web-1"));
/// ```
///
/// A clone is another handle to the same. Its clock goes as tokio's does.
#[derive(Debug, Clone)]
pub struct Fake {
    password: Option<String>,
    version: String,
    used: Bytes,
    limit: Bytes,
    down: bool,
    lookups: (u64, u64),
    databases: BTreeMap<String, Database>,
    clock: Arc<OnceLock<SimClock>>,
}

type Database = BTreeMap<String, Entry>;

/// What is under a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    value: Value,
    /// In milliseconds since 1970.
    expires_at: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Value {
    List(Vec<String>),
    String(String),
}

/// As many as a Redis has unless told otherwise.
const DATABASES: u32 = 16;

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// A Redis 7.0.15 without a password, at whatever address it is asked, that holds nothing.
    pub fn new() -> Self {
        Self {
            password: None,
            version: "7.0.15".to_owned(),
            used: 1.mib(),
            limit: Bytes(0),
            down: false,
            lookups: (0, 0),
            databases: BTreeMap::new(),
            clock: Arc::default(),
        }
    }

    /// That wants this password.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Of this version.
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// That holds so much memory, of at most so much.
    pub fn memory(mut self, used: Bytes, limit: Bytes) -> Self {
        (self.used, self.limit) = (used, limit);
        self
    }

    /// That does not answer.
    pub fn down(mut self) -> Self {
        self.down = true;
        self
    }

    /// That has found so many keys it was asked for, and so many not.
    pub fn lookups(mut self, hits: u64, misses: u64) -> Self {
        self.lookups = (hits, misses);
        self
    }

    /// With this list in the database of this URL.
    pub fn list<'a>(mut self, url: &str, key: &str, elements: impl IntoIterator<Item = &'a str>) -> Self {
        let list = elements.into_iter().map(str::to_owned).collect();
        self.database(url).insert(key.to_owned(), Entry { value: Value::List(list), expires_at: None });
        self
    }

    /// With this text in the database of this URL.
    pub fn text(mut self, url: &str, key: &str, text: &str) -> Self {
        self.database(url).insert(key.to_owned(), Entry { value: Value::String(text.to_owned()), expires_at: None });
        self
    }

    fn database(&mut self, url: &str) -> &mut Database {
        self.databases.entry(super::Redis::at(url).resource().name).or_default()
    }

    /// The host, with this Redis in its reach.
    pub fn on(&self, host: SimHost) -> SimHost {
        let keep = |host: SimHost, (name, database): (&String, &Database)| {
            host.with_state(&Resource::new("redis", name), database)
        };
        self.databases.iter().fold(host, keep).program("redis-cli", self.clone())
    }

    fn now(&self) -> i64 {
        self.clock.get_or_init(SimClock::default).now().as_millisecond()
    }
}

/// What the server says: an answer, or an error.
type Said = Result<String, String>;

impl Program for Fake {
    fn run(&self, call: &mut Call<'_>) -> Output {
        let args = call.args();
        let ["-e", "-h", host, "-p", port, "-n", number, rest @ ..] = &args[..] else { return unknown(call) };
        let rest = rest.strip_prefix(&["--tls"]).unwrap_or(rest);
        let words = if let ["--user", _, words @ ..] = rest { words } else { rest };
        if self.down {
            return Output::failed(1, format!("Could not connect to Redis at {host}:{port}: Connection refused\n"));
        }
        let mut complaints = String::new();
        let given = call.env("REDISCLI_AUTH");
        if given.is_some() && given != self.password {
            complaints += "AUTH failed: WRONGPASS invalid username-password pair or user is disabled.\n";
        }
        if self.password.is_some() && given != self.password {
            return Output::failed(1, complaints + "NOAUTH Authentication required.\n");
        }
        let mut number: u32 = number.parse().unwrap_or(DATABASES);
        if number >= DATABASES {
            let _ = writeln!(complaints, "SELECT {number} failed: ERR DB index is out of range");
            number = 0;
        }
        let resource = Resource::new("redis", format!("{host}:{port}/{number}"));
        let old: Database = call.state(&resource);
        let now = self.now();
        let mut database = old.clone();
        database.retain(|_, entry| entry.expires_at.is_none_or(|at| at > now));
        let Some(said) = self.say(&mut database, words) else { return unknown(call) };
        if database != old {
            call.set_state(&resource, &database);
        }
        match said {
            Ok(text) => {
                Output { code: Some(0), stdout: (text + "\n").into(), stderr: complaints.into(), ..Output::default() }
            }
            Err(words) => Output::failed(1, complaints + &words + "\n"),
        }
    }
}

fn unknown(call: &Call<'_>) -> Output {
    Output::failed(64, format!("the simulated Redis does not know `{}`\n", call.command()))
}

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

fn list<'a>(database: &'a mut Database, key: &str) -> Result<&'a mut Vec<String>, String> {
    let empty = Entry { value: Value::List(Vec::new()), expires_at: None };
    match &mut database.entry(key.to_owned()).or_insert(empty).value {
        Value::List(list) => Ok(list),
        Value::String(_) => Err(WRONG_TYPE.to_owned()),
    }
}

impl Fake {
    /// What it says to a command; `None` to one it does not know.
    fn say(&self, database: &mut Database, words: &[&str]) -> Option<Said> {
        let number = |number: usize| Ok(number.to_string());
        Some(match words {
            ["PING"] => Ok("PONG".to_owned()),
            ["SELECT", number] => match number.parse::<u32>() {
                Ok(0..DATABASES) => Ok("OK".to_owned()),
                _ => Err("ERR DB index is out of range".to_owned()),
            },
            ["INFO", "server"] => Ok(format!("# Server\r\nredis_version:{}\r\nredis_mode:standalone\r", self.version)),
            ["INFO", "memory"] => Ok(format!(
                "# Memory\r\nused_memory:{}\r\ntotal_system_memory:{}\r\nmaxmemory:{}\r\nmaxmemory_policy:noeviction\r",
                self.used.0,
                16.gib().0,
                self.limit.0,
            )),
            ["INFO", "stats"] => {
                let (hits, misses) = self.lookups;
                Ok(format!("# Stats\r\nkeyspace_hits:{hits}\r\nkeyspace_misses:{misses}\r"))
            }
            ["DBSIZE"] => number(database.len()),
            ["FLUSHDB"] => {
                database.clear();
                Ok("OK".to_owned())
            }
            ["EXISTS", key] => number(usize::from(database.contains_key(*key))),
            ["TYPE", key] => Ok(kind(database, key).to_owned()),
            ["UNLINK", key] => number(usize::from(database.remove(*key).is_some())),
            ["PTTL", key] => Ok(match database.get(*key) {
                None => -2,
                Some(entry) => entry.expires_at.map_or(-1, |at| at - self.now()),
            }
            .to_string()),
            ["PEXPIRE", key, left] => {
                let at = self.now() + left.parse::<i64>().ok()?;
                let entry = database.get_mut(*key);
                number(usize::from(entry.map(|entry| entry.expires_at = Some(at)).is_some()))
            }
            ["SET", key, text] => {
                let entry = Entry { value: Value::String((*text).to_owned()), expires_at: None };
                database.insert((*key).to_owned(), entry);
                Ok("OK".to_owned())
            }
            ["SET", key, text, "PX", left] => {
                let at = self.now() + left.parse::<i64>().ok()?;
                let entry = Entry { value: Value::String((*text).to_owned()), expires_at: Some(at) };
                database.insert((*key).to_owned(), entry);
                Ok("OK".to_owned())
            }
            ["GET", key] => match database.get(*key).map(|entry| &entry.value) {
                Some(Value::String(text)) => Ok(text.clone()),
                Some(Value::List(_)) => Err(WRONG_TYPE.to_owned()),
                None => Ok(String::new()),
            },
            ["LLEN", key] if !database.contains_key(*key) => number(0),
            ["LLEN", key] => list(database, key).map(|list| list.len().to_string()),
            ["LPUSH", key, elements @ ..] => list(database, key).map(|list| {
                list.splice(0..0, elements.iter().rev().map(|element| (*element).to_owned()));
                list.len().to_string()
            }),
            ["LRANGE", key, "0", "-1"] if !database.contains_key(*key) => Ok(String::new()),
            ["LRANGE", key, "0", "-1"] => list(database, key).map(|list| list.join("\n")),
            ["EVAL", script, "1", key] if *script == EXPIRES_AT => {
                Ok(database.get(*key).and_then(|entry| entry.expires_at).unwrap_or(-1).to_string())
            }
            ["EVAL", script, "2", key, kept, keep] if *script == TAKE => {
                self.take(database, key, kept, keep.parse().ok()?);
                number(usize::from(database.contains_key(*kept)))
            }
            ["EVAL", script, "2", key, kept, at] if *script == GIVE_BACK => give_back(database, key, kept, at),
            _ => return None,
        })
    }

    fn take(&self, database: &mut Database, key: &str, kept: &str, keep: i64) {
        if database.contains_key(kept) {
            return;
        }
        let Some(mut entry) = database.remove(key) else { return };
        let at = self.now() + keep;
        entry.expires_at = Some(entry.expires_at.map_or(at, |expires_at| expires_at.min(at)));
        database.insert(kept.to_owned(), entry);
    }
}

fn kind(database: &Database, key: &str) -> &'static str {
    match database.get(key).map(|entry| &entry.value) {
        None => "none",
        Some(Value::List(_)) => "list",
        Some(Value::String(_)) => "string",
    }
}

fn give_back(database: &mut Database, key: &str, kept: &str, at: &str) -> Said {
    let Some(mut old) = database.remove(kept) else { return Ok("0".to_owned()) };
    match (database.get_mut(key).map(|entry| &mut entry.value), &mut old.value) {
        (None, _) => {
            old.expires_at = at.parse().ok();
            database.insert(key.to_owned(), old);
        }
        (Some(Value::List(now)), Value::List(list)) => now.append(list),
        _ => {
            database.insert(kept.to_owned(), old);
            return Err("BUSYKEY the key was written since".to_owned());
        }
    }
    Ok("1".to_owned())
}
