//! apt-get, dpkg and dpkg-query.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use runbook::Resource;
use runbook::command::Output;
use runbook::testing::{Call, SimHost};
use serde::{Deserialize, Serialize};

use super::{Fake, Offer, Tool, operands};

/// What dpkg knows of a package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    status: String,
    version: String,
}

const INSTALLED: &str = "installed";
const UNPACKED: &str = "unpacked";
const CONFIGURATION_LEFT: &str = "config-files";

pub(super) fn on(fake: &Fake, host: SimHost) -> SimHost {
    let entry = |version: &str| Entry { status: INSTALLED.to_owned(), version: version.to_owned() };
    let all: Known = fake.installed.iter().map(|(name, version)| (name.clone(), entry(version))).collect();
    host.with_state(&database(), &all)
        .program("apt-get", Tool::new(fake, apt_get))
        .program("dpkg", Tool::new(fake, dpkg))
        .program("dpkg-query", Tool::new(fake, query))
}

type Known = BTreeMap<String, Entry>;

fn database() -> Resource {
    Resource::new("packages", "dpkg")
}

fn set(call: &mut Call<'_>, name: &str, entry: Option<Entry>) {
    let mut all: Known = call.state(&database());
    match entry {
        Some(entry) => all.insert(name.to_owned(), entry),
        None => all.remove(name),
    };
    call.set_state(&database(), &all);
}

fn query(_fake: &Fake, call: &mut Call<'_>) -> Option<Output> {
    let args = call.args();
    let ["-W", "-f", _, "--", names @ ..] = &args[..] else { return None };
    let all: Known = call.state(&database());
    let (mut out, mut err) = (String::new(), String::new());
    for name in names {
        let _ = match all.get(*name) {
            Some(Entry { status, version }) => writeln!(out, "{name} {status} {version}"),
            None => writeln!(err, "dpkg-query: no packages found matching {name}"),
        };
    }
    let code = i32::from(!err.is_empty());
    Some(Output { code: Some(code), stdout: out.into(), stderr: err.into(), ..Output::default() })
}

fn dpkg(_fake: &Fake, call: &mut Call<'_>) -> Option<Output> {
    let all: Known = call.state(&database());
    let half: Vec<(String, Entry)> = all.into_iter().filter(|(_, entry)| entry.status == UNPACKED).collect();
    match call.args()[..] {
        ["--audit"] if half.is_empty() => Some(Output::ok("")),
        ["--audit"] => Some(Output::ok("The following packages have been unpacked but not yet configured.\n")),
        ["--configure", "-a", ..] => {
            for (name, entry) in half {
                set(call, &name, Some(Entry { status: INSTALLED.to_owned(), ..entry }));
            }
            Some(Output::ok(""))
        }
        _ => None,
    }
}

/// What it would do, or does.
struct Work {
    simulated: bool,
    said: String,
}

fn apt_get(fake: &Fake, call: &mut Call<'_>) -> Option<Output> {
    let args = call.args();
    let named = operands(&args);
    if args.last() == Some(&"update") {
        return Some(Output::ok("Hit:1 http://archive.example.org stable InRelease\nReading package lists...\n"));
    }
    let mut work = Work { simulated: args.contains(&"--simulate"), said: "Reading package lists...\n".to_owned() };
    let all: Known = call.state(&database());
    if !work.simulated && all.values().any(|entry| entry.status == UNPACKED) {
        let words = "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.\n";
        return Some(Output::failed(100, words));
    }
    if args.contains(&"install") {
        if let Err(words) = work.install(fake, call, &named) {
            return Some(Output::failed(100, words));
        }
    } else if args.contains(&"purge") || args.contains(&"remove") {
        work.take_away(fake, call, &named, args.contains(&"purge"));
    } else {
        return None;
    }
    Some(Output::ok(work.said))
}

impl Work {
    fn install(&mut self, fake: &Fake, call: &mut Call<'_>, named: &[&str]) -> Result<(), String> {
        let mut order: Vec<(String, String)> = Vec::new();
        for word in named {
            let (name, version) = word.split_once('=').unwrap_or((word, ""));
            resolve(fake, call, name, version, &mut order)?;
        }
        let all: Known = call.state(&database());
        let out = |(name, _): &(String, String)| fake.offered.get(name).map(|offer| offer.pushes_out.clone());
        let out: Vec<String> = order.iter().filter_map(out).flatten().filter(|name| is_there(&all, name)).collect();
        for name in out {
            let version = all.get(&name).map_or("", |entry| &entry.version);
            let _ = writeln!(self.said, "Remv {name} [{version}]");
            self.change(call, &name, Some(Entry { status: CONFIGURATION_LEFT.into(), version: version.to_owned() }));
        }
        for (name, version) in order {
            let old = all.get(&name).filter(|entry| entry.status == INSTALLED);
            let old = old.map(|entry| format!("[{}] ", entry.version)).unwrap_or_default();
            let _ = writeln!(self.said, "Inst {name} {old}({version} Archive:1/stable [amd64])");
            for status in [UNPACKED, INSTALLED] {
                self.change(call, &name, Some(Entry { status: status.to_owned(), version: version.clone() }));
            }
        }
        Ok(())
    }

    fn take_away(&mut self, fake: &Fake, call: &mut Call<'_>, asked_for: &[&str], purge: bool) {
        let mut names: Vec<String> = asked_for.iter().map(|name| (*name).to_owned()).collect();
        let all: Known = call.state(&database());
        // What needs one of them goes first.
        while let Some(more) =
            all.keys().find(|name| is_there(&all, name) && !names.contains(name) && needs(fake, name, &names))
        {
            names.insert(0, more.clone());
        }
        for name in names {
            let Some(entry) = all.get(&name) else { continue };
            let purge = purge && asked_for.contains(&&*name);
            let verb = if purge { "Purg" } else { "Remv" };
            let _ = writeln!(self.said, "{verb} {name} [{}]", entry.version);
            let left = Entry { status: CONFIGURATION_LEFT.into(), version: entry.version.clone() };
            self.change(call, &name, (!purge).then_some(left));
        }
    }

    fn change(&self, call: &mut Call<'_>, name: &str, entry: Option<Entry>) {
        if !self.simulated {
            set(call, name, entry);
        }
    }
}

fn is_there(all: &Known, name: &str) -> bool {
    all.get(name).is_some_and(|entry| entry.status != CONFIGURATION_LEFT)
}

fn needs(fake: &Fake, name: &str, others: &[String]) -> bool {
    fake.offered.get(name).is_some_and(|offer| offer.needs.iter().any(|need| others.contains(need)))
}

/// What has to be installed for a package, in order.
fn resolve(
    fake: &Fake,
    call: &Call<'_>,
    name: &str,
    version: &str,
    order: &mut Vec<(String, String)>,
) -> Result<(), String> {
    let all: Known = call.state(&database());
    let there = all.get(name).filter(|entry| entry.status == INSTALLED);
    if there.is_some_and(|entry| version.is_empty() || version == entry.version)
        || order.iter().any(|(known, _)| known == name)
    {
        return Ok(());
    }
    let Some(Offer { version: offered, needs, .. }) = fake.offered.get(name) else {
        return Err(format!("E: Unable to locate package {name}\n"));
    };
    if !version.is_empty() && version != offered {
        return Err(format!("E: Version '{version}' for '{name}' was not found\n"));
    }
    for need in needs {
        resolve(fake, call, need, "", order)?;
    }
    order.push((name.to_owned(), offered.clone()));
    Ok(())
}
