//! What simulated servers and sentinels do by themselves, as time goes by.

use std::collections::{BTreeMap, BTreeSet};

use runbook::testing::Call;
use serde::{Deserialize, Serialize};

use super::{FakeSentinels, Fault, World, files};

/// What does not last: ids, counters, what is under way. It is no part of a snapshot of the host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Life {
    pub(super) servers: BTreeMap<String, Process>,
    pub(super) sentinels: BTreeMap<String, Watch>,
    /// How many ids were given away.
    ids: u64,
    pub(super) epoch: u64,
    pub(super) failover: Option<Takeover>,
}

/// The life of a server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) run_id: String,
    pub(super) history: String,
    pub(super) earlier: String,
    pub(super) offset: u64,
    /// When a replica has taken over all of the data.
    pub(super) synced_at: i64,
    /// Whether it has: then it is on its disk too.
    synced: bool,
    /// Since when it is what it is: up or down, master or replica.
    pub(super) since: i64,
    /// When a snapshot under way is written, and when the last one was, in seconds.
    pub(super) saving_until: Option<i64>,
    pub(super) saved_at: i64,
    pub(super) save_failed: bool,
    pub(super) loaded: usize,
    /// Until when it takes no writes.
    pub(super) paused_until: i64,
    /// Whether a sentinel takes it for a replica.
    pub(super) is_mistaken: bool,
}

/// What a sentinel knows for now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Watch {
    pub(super) epoch: u64,
    /// The priorities of the replicas, as it last asked for them, and when that was.
    pub(super) priorities: BTreeMap<String, u64>,
    asked_at: i64,
    /// Until when it knows no other sentinel, after a reset.
    pub(super) alone_until: i64,
}

/// Another one taking over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Takeover {
    /// The sentinel that sees to it.
    pub(super) sentinel: String,
    from: String,
    to: String,
    /// When it is over.
    at: i64,
}

/// How long things take, in milliseconds. The real ones take two to ten times as long, which would be waited for in every
/// one of the thousand ways in which a test has it go wrong.
const TAKEOVER: i64 = 400;
const SYNC: i64 = 200;
const ASKS_EVERY: i64 = 1_000;
const CONVERTS_AFTER: i64 = 8_000;
const HELLO: i64 = 400;
const SAVE: i64 = 100;

/// All of them, now.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) world: World,
    pub(super) life: Life,
    pub(super) now: i64,
}

impl Moment {
    pub(super) fn id(&mut self) -> String {
        self.life.ids += 1;
        format!("{:040x}", self.life.ids)
    }

    /// What has happened since they were last asked.
    pub(super) fn goes_on(&mut self, fake: &FakeSentinels, call: &mut Call<'_>) {
        self.begin_lives();
        if self.life.failover.as_ref().is_some_and(|takeover| takeover.at <= self.now) {
            self.end_takeover(fake);
        }
        self.notice_that_it_is_down();
        self.convert();
        self.replicate(fake, call);
        self.ask_replicas();
    }

    fn begin_lives(&mut self) {
        let addresses: Vec<String> = self.world.servers.keys().cloned().collect();
        let (masters, replicas): (Vec<&String>, Vec<&String>) =
            addresses.iter().partition(|address| self.world.servers[*address].follows.is_none());
        // The replicas have the history of their master.
        masters.into_iter().chain(replicas).for_each(|address| self.born(address));
        for address in self.world.sentinels.keys() {
            self.life
                .sentinels
                .entry(address.clone())
                .or_insert_with(|| Watch { asked_at: -ASKS_EVERY, ..Watch::default() });
        }
    }

    fn born(&mut self, address: &str) {
        if self.life.servers.contains_key(address) {
            return;
        }
        let (run_id, own) = (self.id(), self.id());
        let leader = self.world.servers[address].follows.as_ref().and_then(|master| self.life.servers.get(master));
        let history = leader.map_or(own, |leader| leader.history.clone());
        let process = Process {
            run_id,
            history,
            earlier: "0".repeat(40),
            offset: 100,
            saved_at: 1,
            synced: true,
            ..Process::default()
        };
        self.life.servers.insert(address.to_owned(), process);
    }

    /// The replica that takes over: the lowest priority first, as far as this sentinel knows.
    fn best(&self, sentinel: &str) -> Option<String> {
        let (view, watch) = (&self.world.sentinels[sentinel], &self.life.sentinels[sentinel]);
        let fit = view.replicas.iter().filter_map(|address| {
            let server = self.world.servers.get(address).filter(|server| server.up)?;
            let follows = server.follows.as_ref() == Some(&view.master);
            let priority = *watch.priorities.get(address)?;
            (follows && priority > 0).then_some((priority, address))
        });
        fit.min().map(|(_, address)| address.clone())
    }

    /// Has a sentinel let another one take over.
    pub(super) fn begin_takeover(&mut self, sentinel: &str) -> Result<(), String> {
        if self.life.failover.as_ref().is_some_and(|takeover| takeover.sentinel == sentinel) {
            return Err("INPROG Failover already in progress".to_owned());
        }
        let to = self.best(sentinel).ok_or_else(|| "NOGOODSLAVE No suitable replica to promote".to_owned())?;
        let from = self.world.sentinels[sentinel].master.clone();
        self.life.failover = Some(Takeover { sentinel: sentinel.to_owned(), from, to, at: self.now + TAKEOVER });
        Ok(())
    }

    fn end_takeover(&mut self, fake: &FakeSentinels) {
        let Some(Takeover { from, to, .. }) = self.life.failover.take() else { return };
        self.life.epoch += 1;
        let epoch = self.life.epoch;
        self.promote(&to);
        for (address, server) in &mut self.world.servers {
            let stays = fake.faults.contains(&Fault::ReplicasStay);
            if server.follows.as_ref() == Some(&from) && *address != to && !stays {
                server.follows = Some(to.clone());
            }
        }
        for (address, sentinel) in &mut self.world.sentinels {
            sentinel.replicas.remove(&to);
            sentinel.replicas.insert(from.clone());
            sentinel.master.clone_from(&to);
            self.life.sentinels.entry(address.clone()).or_default().epoch = epoch;
        }
        if let Some(old) = self.life.servers.get_mut(&from) {
            old.since = self.now;
        }
    }

    /// Makes one a master: its history goes on under another id.
    pub(super) fn promote(&mut self, address: &str) {
        let (id, now) = (self.id(), self.now);
        if let (Some(server), Some(process)) = (self.world.servers.get_mut(address), self.life.servers.get_mut(address))
        {
            server.follows = None;
            process.earlier = std::mem::replace(&mut process.history, id);
            process.since = now;
        }
    }

    /// Makes one a replica.
    pub(super) fn follow(&mut self, address: &str, master: &str) {
        let now = self.now;
        if let (Some(server), Some(process)) = (self.world.servers.get_mut(address), self.life.servers.get_mut(address))
        {
            server.follows = Some(master.to_owned());
            process.synced_at = now + SYNC;
            process.synced = false;
            process.since = now;
        }
    }

    /// A master that is down for longer than a quorum of the sentinels waits is replaced.
    fn notice_that_it_is_down(&mut self) {
        let Some((first, sentinel)) = self.world.sentinels.iter().find(|(_, sentinel)| sentinel.up) else { return };
        let (first, master) = (first.clone(), sentinel.master.clone());
        let quorum = sentinel.settings["quorum"];
        let Some(since) = self.life.servers.get(&master).map(|process| process.since) else { return };
        if self.world.servers.get(&master).is_none_or(|server| server.up) || self.life.failover.is_some() {
            return;
        }
        let waited = |settings: &BTreeMap<String, u64>| {
            let limit = i64::try_from(settings["down-after-milliseconds"]).unwrap_or(i64::MAX);
            self.now.saturating_sub(since) > limit
        };
        let down = self.world.sentinels.values().filter(|sentinel| sentinel.up && waited(&sentinel.settings)).count();
        if down as u64 >= quorum {
            let _ = self.begin_takeover(&first);
        }
    }

    /// One that should be a replica and says it is a master is made one.
    fn convert(&mut self) {
        let Some(sentinel) = self.world.sentinels.values().find(|sentinel| sentinel.up) else { return };
        let (master, known) = (sentinel.master.clone(), sentinel.replicas.clone());
        let lost = |address: &&String| {
            let since = self.life.servers.get(*address).map_or(self.now, |process| process.since);
            let server = self.world.servers.get(*address);
            server.is_some_and(|server| server.up && server.follows.is_none()) && self.now - since > CONVERTS_AFTER
        };
        for address in known.iter().filter(lost).cloned().collect::<Vec<_>>() {
            if address != master {
                self.follow(&address, &master);
            }
        }
        let is_mistaken = self.life.servers.get(&master).is_some_and(|process| process.is_mistaken);
        if is_mistaken && self.world.servers[&master].follows.is_none() {
            self.follow(&master, &master);
        }
    }

    pub(super) fn is_linked(&self, address: &str) -> bool {
        let Some(master) = self.world.servers[address].follows.as_ref() else { return false };
        let master = self.world.servers.get(master).is_some_and(|master| master.up && master.follows.is_none());
        master && self.life.servers[address].synced_at <= self.now
    }

    fn replicate(&mut self, fake: &FakeSentinels, call: &mut Call<'_>) {
        let follows = |address: &&String| self.world.servers[*address].up && self.is_linked(address);
        let replicas: Vec<String> = self.world.servers.keys().filter(follows).cloned().collect();
        for address in &replicas {
            let Some(master) = self.world.servers[address].follows.clone() else { continue };
            if fake.faults.contains(&Fault::ReplicasStay) && self.life.epoch > 0 {
                continue;
            }
            let databases = self.world.servers[&master].databases.clone();
            let Process { history, earlier, offset, .. } = self.life.servers[&master].clone();
            let replica = self.life.servers.entry(address.clone()).or_default();
            (replica.history, replica.earlier, replica.offset) = (history, earlier, offset);
            let first = !std::mem::replace(&mut replica.synced, true);
            if let Some(server) = self.world.servers.get_mut(address) {
                server.databases = databases;
                if first {
                    files::write(call, server);
                }
            }
            for sentinel in self.world.sentinels.values_mut().filter(|sentinel| sentinel.master == master) {
                sentinel.replicas.insert(address.clone());
            }
        }
    }

    /// The sentinels ask for priorities only now and then.
    fn ask_replicas(&mut self) {
        for (address, sentinel) in &self.world.sentinels {
            let watch = self.life.sentinels.entry(address.clone()).or_default();
            let known: BTreeSet<&String> = watch.priorities.keys().collect();
            let new = sentinel.replicas.iter().any(|replica| !known.contains(replica));
            if self.now - watch.asked_at >= ASKS_EVERY || new {
                watch.asked_at = self.now;
                let servers = sentinel.replicas.iter().filter_map(|one| Some((one, self.world.servers.get(one)?)));
                watch.priorities = servers.map(|(one, server)| (one.clone(), server.priority)).collect();
            }
        }
    }

    /// Has a sentinel forget the others.
    pub(super) fn reset(&mut self, sentinel: &str) {
        let until = self.now + HELLO;
        if let Some(view) = self.world.sentinels.get_mut(sentinel) {
            view.replicas.clear();
        }
        self.life.sentinels.entry(sentinel.to_owned()).or_default().alone_until = until;
    }

    pub(super) fn begin_save(&mut self, address: &str) {
        let until = self.now + SAVE;
        self.life.servers.entry(address.to_owned()).or_default().saving_until = Some(until);
    }

    pub(super) fn stop(&mut self, call: &mut Call<'_>, address: &str) {
        let Some(server) = self.world.servers.get_mut(address).filter(|server| server.up) else { return };
        server.up = false;
        files::write(call, server);
        self.life.servers.entry(address.to_owned()).or_default().since = self.now;
    }

    pub(super) fn start(&mut self, fake: &FakeSentinels, call: &mut Call<'_>, address: &str) {
        if self.world.servers.get(address).is_none_or(|server| server.up) {
            return;
        }
        let (run_id, history, now) = (self.id(), self.id(), self.now);
        let others_are_down = self.world.servers.iter().any(|(other, server)| other != address && !server.up);
        let Some(server) = self.world.servers.get_mut(address) else { return };
        server.up = true;
        server.databases =
            if fake.faults.contains(&Fault::LoadsNothing) { BTreeMap::new() } else { files::read(call, server) };
        let loaded = server.databases.values().map(BTreeMap::len).sum();
        let earlier = "0".repeat(40);
        let process = Process {
            run_id,
            history,
            earlier,
            loaded,
            since: now,
            synced_at: now + SYNC,
            saved_at: now / 1000,
            is_mistaken: fake.faults.contains(&Fault::OldAddresses) && others_are_down,
            ..Process::default()
        };
        self.life.servers.insert(address.to_owned(), process);
    }
}
