//! getent, useradd, userdel and groupdel.

use runbook::Resource;
use runbook::command::Output;
use runbook::testing::{Call, SimHost};
use serde::{Deserialize, Serialize};

use super::{Fake, Tool, operands};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Entry {
    uid: u32,
    home: String,
    shell: String,
}

const FIRST: u32 = 1001;
const FIRST_OF_SYSTEM: u32 = 998;

pub(super) fn on(host: SimHost) -> SimHost {
    let fake = Fake::new();
    host.program("getent", Tool::new(&fake, getent))
        .program("useradd", Tool::new(&fake, useradd))
        .program("userdel", Tool::new(&fake, |_, call| remove(call, user, "user")))
        .program("groupdel", Tool::new(&fake, |_, call| remove(call, group, "group")))
}

fn user(name: &str) -> Resource {
    Resource::new("user", name)
}

/// The group of a user belongs to it.
fn group(name: &str) -> Resource {
    Resource::new("user", format!("{name}/group"))
}

fn getent(_fake: &Fake, call: &mut Call<'_>) -> Option<Output> {
    let args = call.args();
    let [database, name] = args[..] else { return None };
    let said = match database {
        "passwd" => call.state::<Option<Entry>>(&user(name)).map(|entry| {
            let Entry { uid, home, shell } = entry;
            format!("{name}:x:{uid}:{uid}::{home}:{shell}\n")
        }),
        "group" => call.state::<Option<u32>>(&group(name)).map(|gid| format!("{name}:x:{gid}:\n")),
        _ => return None,
    };
    Some(said.map_or_else(|| Output::failed(2, ""), Output::ok))
}

fn useradd(_fake: &Fake, call: &mut Call<'_>) -> Option<Output> {
    let args = call.args();
    let name = *operands(&args).first()?;
    let option = |option: &str| Some(args[args.iter().position(|arg| *arg == option)? + 1]);
    if args.contains(&"--create-home") {
        return None;
    }
    if call.state::<Option<Entry>>(&user(name)).is_some() {
        return Some(Output::failed(9, format!("useradd: user '{name}' already exists\n")));
    }
    let has_group = call.state::<Option<u32>>(&group(name)).is_some();
    if has_group && args.contains(&"--user-group") {
        return Some(Output::failed(
            9,
            format!("useradd: group {name} exists - if you want to add this user to that group, use -g.\n"),
        ));
    }
    let uid = if args.contains(&"--system") { FIRST_OF_SYSTEM } else { FIRST };
    if !has_group {
        call.set_state(&group(name), &uid);
    }
    let home = option("--home-dir").map_or_else(|| format!("/home/{name}"), str::to_owned);
    let shell = option("--shell").unwrap_or("/bin/sh").to_owned();
    call.set_state(&user(name), &Entry { uid, home, shell });
    Some(Output::ok(""))
}

/// Removes a user, with the group of its name, or a group.
fn remove(call: &mut Call<'_>, resource: fn(&str) -> Resource, what: &str) -> Option<Output> {
    let args = call.args();
    let name = *operands(&args).first()?;
    if call.state::<serde_json::Value>(&resource(name)).is_null() {
        return Some(Output::failed(6, format!("{what} '{name}' does not exist\n")));
    }
    call.forget(&resource(name));
    call.forget(&group(name));
    Some(Output::ok(""))
}
