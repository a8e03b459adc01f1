//! What simulated servers and sentinels say.

use std::fmt::Write as _;

use runbook::testing::Call;

use super::life::Moment;
use super::{Answer, FakeSentinels, Fault, files};

/// A refusal, when the password is not the one that is wanted.
pub(super) fn login(given: Option<String>, wanted: Option<&str>) -> Option<Answer> {
    let words = match (given, wanted) {
        (None, None) => return None,
        (Some(given), Some(wanted)) if given == wanted => return None,
        (None, Some(_)) => "NOAUTH Authentication required.",
        (Some(_), Some(_)) => {
            "AUTH failed: WRONGPASS invalid username-password pair or user is disabled.\nNOAUTH Authentication required."
        }
        (Some(_), None) => {
            "AUTH failed: ERR AUTH <password> called without any password configured for the default user. Are you sure \
             your configuration is correct?"
        }
    };
    Some(Some(Err(words.to_owned())))
}

/// Names and values, line by line.
fn fields(pairs: &[(&str, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}\n{value}")).collect::<Vec<_>>().join("\n")
}

fn info(pairs: &[(&str, String)]) -> String {
    pairs.iter().fold("# Section\r".to_owned(), |mut text, (name, value)| {
        let _ = write!(text, "\n{name}:{value}\r");
        text
    })
}

fn place(address: &str) -> (String, String) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host.to_owned(), port.to_owned())
}

/// What changes data, and is refused by a replica.
const WRITES: [&str; 6] = ["SET", "LPUSH", "UNLINK", "EVAL", "FLUSHDB", "FLUSHALL"];

impl FakeSentinels {
    pub(super) fn sentinel_says(&self, moment: &mut Moment, address: &str, words: &[&str]) -> Answer {
        let ["SENTINEL", what, name, more @ ..] = words else { return None };
        if *name != self.master {
            return Some(Err("ERR No such master with that name".to_owned()));
        }
        Some(match (*what, more) {
            ("MASTER", []) => Ok(self.master_of(moment, address)),
            ("REPLICAS", []) => Ok(Self::replicas_of(moment, address)),
            ("CKQUORUM", []) => Self::quorum_of(moment, address),
            ("FAILOVER", []) => moment.begin_takeover(address).map(|()| "OK".to_owned()),
            ("RESET", []) => {
                moment.reset(address);
                Ok("1".to_owned())
            }
            ("SET", more) => {
                let last = moment.world.sentinels.keys().next_back().is_some_and(|last| last == address);
                let deaf = last && self.faults.contains(&Fault::DeafSentinel);
                let settings = &mut moment.world.sentinels.get_mut(address)?.settings;
                for pair in more.chunks(2).filter(|_| !deaf) {
                    let [name, value] = pair else { return None };
                    *settings.get_mut(*name)? = value.parse().ok()?;
                }
                Ok("OK".to_owned())
            }
            _ => return None,
        })
    }

    fn master_of(&self, moment: &Moment, address: &str) -> String {
        let (sentinel, watch) = (&moment.world.sentinels[address], &moment.life.sentinels[address]);
        let (host, port) = place(&sentinel.master);
        let up = moment.world.servers.get(&sentinel.master).is_some_and(|server| server.up);
        let failing = moment.life.failover.as_ref().is_some_and(|takeover| takeover.sentinel == address);
        let mut flags = String::from("master");
        flags += if up { "" } else { ",disconnected" };
        flags += if failing { ",failover_in_progress,force_failover" } else { "" };
        let others = moment.world.sentinels.len() - 1;
        let others = if watch.alone_until > moment.now { 0 } else { others };
        let setting = |name: &str| sentinel.settings[name].to_string();
        fields(&[
            ("name", self.master.clone()),
            ("ip", host),
            ("port", port),
            ("runid", moment.life.servers.get(&sentinel.master).map(|life| life.run_id.clone()).unwrap_or_default()),
            ("flags", flags),
            ("last-ok-ping-reply", if up { "500" } else { "60000" }.to_owned()),
            ("down-after-milliseconds", setting("down-after-milliseconds")),
            ("config-epoch", watch.epoch.to_string()),
            ("num-slaves", sentinel.replicas.len().to_string()),
            ("num-other-sentinels", others.to_string()),
            ("quorum", setting("quorum")),
            ("failover-timeout", setting("failover-timeout")),
            ("parallel-syncs", setting("parallel-syncs")),
        ])
    }

    fn replicas_of(moment: &Moment, address: &str) -> String {
        let (sentinel, watch) = (&moment.world.sentinels[address], &moment.life.sentinels[address]);
        let known = sentinel.replicas.iter().filter(|replica| moment.world.servers.contains_key(*replica));
        let one = |replica: &String| {
            let (host, port) = place(replica);
            let linked = moment.is_linked(replica);
            let up = moment.world.servers[replica].up;
            fields(&[
                ("name", replica.clone()),
                ("ip", host),
                ("port", port),
                ("runid", moment.life.servers[replica].run_id.clone()),
                ("flags", if up { "slave" } else { "s_down,slave,disconnected" }.to_owned()),
                ("master-link-status", if linked && up { "ok" } else { "err" }.to_owned()),
                ("slave-priority", watch.priorities.get(replica).copied().unwrap_or(100).to_string()),
            ])
        };
        known.map(one).collect::<Vec<_>>().join("\n")
    }

    fn quorum_of(moment: &Moment, address: &str) -> super::Said {
        let up = moment.world.sentinels.values().filter(|sentinel| sentinel.up).count();
        let (all, quorum) = (moment.world.sentinels.len(), moment.world.sentinels[address].settings["quorum"]);
        let majority = all / 2 + 1;
        if up < majority {
            return Err(format!(
                "NOQUORUM {up} usable Sentinels. Not enough available Sentinels to reach the majority and authorize a failover"
            ));
        }
        if (up as u64) < quorum {
            return Err(format!(
                "NOQUORUM {up} usable Sentinels. Not enough available Sentinels to reach the specified quorum for this master"
            ));
        }
        Ok(format!("OK {up} usable Sentinels. Quorum and failover authorization can be reached"))
    }

    pub(super) fn server_says(
        &self,
        moment: &mut Moment,
        call: &mut Call<'_>,
        (address, number): (&str, u32),
        words: &[&str],
    ) -> Answer {
        self.end_save(moment, call, address);
        let writes = words.first().is_some_and(|word| WRITES.contains(word));
        if writes && moment.world.servers[address].follows.is_some() {
            return Some(Err("READONLY You can't write against a read only replica.".to_owned()));
        }
        if writes && moment.life.epoch > 0 && self.faults.contains(&Fault::RefusesWrites) {
            return Some(Err(
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to".to_owned()
            ));
        }
        let ok = || Some(Ok("OK".to_owned()));
        match words {
            ["INFO", section] => Self::info_of(moment, address, section),
            ["CONFIG", "GET", name] => Some(Ok(Self::parameter_of(moment, address, name))),
            ["CONFIG", "SET", "replica-priority", value] => {
                moment.world.servers.get_mut(address)?.priority = value.parse().ok()?;
                ok()
            }
            ["CONFIG", "REWRITE"] | ["CLIENT", "PAUSE", _, "WRITE"] | ["CLIENT", "UNPAUSE"] => ok(),
            ["CLIENT", "LIST"] => {
                let name = if moment.life.servers[address].is_mistaken { "sentinel-d4d037d6-cmd" } else { "" };
                Some(Ok(format!("id=8 addr=10.0.0.9:33518 laddr={address} name={name} age=23 cmd=ping")))
            }
            ["CLIENT", "KILL", "ID", "8"] => {
                moment.life.servers.get_mut(address)?.is_mistaken = false;
                Some(Ok("1".to_owned()))
            }
            ["REPLICAOF", "NO", "ONE"] => {
                if moment.world.servers[address].follows.is_some() {
                    moment.promote(address);
                }
                ok()
            }
            ["REPLICAOF", host, port] => {
                moment.follow(address, &format!("{host}:{port}"));
                ok()
            }
            ["TIME"] => Some(Ok(format!("{}\n{}", moment.now / 1000, moment.now % 1000 * 1000))),
            ["BGSAVE", "SCHEDULE"] => {
                moment.begin_save(address);
                Some(Ok("Background saving started".to_owned()))
            }
            ["FLUSHALL"] => {
                let server = moment.world.servers.get_mut(address)?;
                server.databases.clear();
                files::write(call, server);
                ok()
            }
            _ => self.data_says(moment, (address, number), words, writes),
        }
    }

    /// What concerns keys is answered as by a Redis without Sentinel.
    fn data_says(&self, moment: &mut Moment, at: (&str, u32), words: &[&str], writes: bool) -> Answer {
        let databases = &mut moment.world.servers.get_mut(at.0)?.databases;
        let mut database = databases.get(&at.1).cloned().unwrap_or_default();
        let now = moment.now;
        database.retain(|_, entry| entry.expires_at.is_none_or(|at| at > now));
        let said = self.data.say(&mut database, words)?;
        databases.insert(at.1, database);
        databases.retain(|_, database| !database.is_empty());
        if writes {
            moment.life.servers.get_mut(at.0)?.offset += 40;
        }
        Some(said)
    }

    fn end_save(&self, moment: &mut Moment, call: &mut Call<'_>, address: &str) {
        let now = moment.now;
        let (Some(process), Some(server)) = (moment.life.servers.get_mut(address), moment.world.servers.get(address))
        else {
            return;
        };
        if process.saving_until.is_none_or(|until| until > now) {
            return;
        }
        process.saving_until = None;
        process.save_failed = self.faults.contains(&Fault::SaveFails);
        if !process.save_failed {
            process.saved_at = now / 1000;
            files::save(call, server);
        }
    }

    fn parameter_of(moment: &Moment, address: &str, name: &str) -> String {
        let server = &moment.world.servers[address];
        let value = match name {
            "replica-priority" => server.priority.to_string(),
            "dir" => server.dir.display().to_string(),
            "dbfilename" => "dump.rdb".to_owned(),
            "appendonly" => if server.log { "yes" } else { "no" }.to_owned(),
            "appenddirname" => "appendonlydir".to_owned(),
            "appendfilename" => "appendonly.aof".to_owned(),
            _ => return String::new(),
        };
        format!("{name}\n{value}")
    }

    fn info_of(moment: &Moment, address: &str, section: &str) -> Answer {
        let (server, life) = (&moment.world.servers[address], &moment.life.servers[address]);
        let text = match section {
            "server" => info(&[("redis_version", "7.0.15".to_owned()), ("run_id", life.run_id.clone())]),
            "replication" => Self::replication_of(moment, address),
            "persistence" => info(&[
                ("loading", "0".to_owned()),
                ("rdb_bgsave_in_progress", u8::from(life.saving_until.is_some()).to_string()),
                ("rdb_last_save_time", life.saved_at.to_string()),
                ("rdb_last_bgsave_status", if life.save_failed { "err" } else { "ok" }.to_owned()),
                ("rdb_last_load_keys_expired", "0".to_owned()),
                ("rdb_last_load_keys_loaded", life.loaded.to_string()),
            ]),
            "keyspace" => {
                let counted = |(number, keys): (&u32, &super::Database)| {
                    let expires = keys.values().filter(|entry| entry.expires_at.is_some()).count();
                    format!("\ndb{number}:keys={},expires={expires},avg_ttl=0\r", keys.len())
                };
                "# Keyspace\r".to_owned() + &server.databases.iter().map(counted).collect::<String>()
            }
            _ => return None,
        };
        Some(Ok(text))
    }

    fn replication_of(moment: &Moment, address: &str) -> String {
        let (server, life) = (&moment.world.servers[address], &moment.life.servers[address]);
        let mut pairs = Vec::new();
        match &server.follows {
            None => {
                pairs.push(("role".to_owned(), "master".to_owned()));
                let all =
                    moment.world.servers.iter().filter(|(_, one)| one.follows.as_deref() == Some(address) && one.up);
                for (n, (follower, _)) in all.enumerate() {
                    let (host, port) = place(follower);
                    let (state, offset) = if moment.is_linked(follower) {
                        ("online", moment.life.servers[follower].offset)
                    } else {
                        ("wait_bgsave", 0)
                    };
                    let text = format!("ip={host},port={port},state={state},offset={offset},lag=0");
                    pairs.push((format!("slave{n}"), text));
                }
            }
            Some(master) => {
                let ((host, port), linked) = (place(master), moment.is_linked(address));
                pairs.extend([
                    ("role".to_owned(), "slave".to_owned()),
                    ("master_host".to_owned(), host),
                    ("master_port".to_owned(), port),
                    ("master_link_status".to_owned(), if linked { "up" } else { "down" }.to_owned()),
                    ("master_sync_in_progress".to_owned(), u8::from(!linked).to_string()),
                    ("slave_repl_offset".to_owned(), life.offset.to_string()),
                ]);
            }
        }
        pairs.extend([
            ("master_replid".to_owned(), life.history.clone()),
            ("master_replid2".to_owned(), life.earlier.clone()),
            ("master_repl_offset".to_owned(), life.offset.to_string()),
        ]);
        let pairs: Vec<(&str, String)> = pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        info(&pairs)
    }
}
