//! ps, find and kill, and what is in /proc.

use std::fmt::Write as _;

use runbook::Resource;
use runbook::command::Output;
use runbook::testing::{Call, SimHost};
use serde::{Deserialize, Serialize};

use super::{Fake, Tool};
use crate::systemd::Unit;

/// A process of the simulated machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) pid: u32,
    user: String,
    command: String,
    unit: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) stubborn: bool,
}

impl Known {
    pub(super) fn new(pid: u32, user: &str, command: &str, unit: Option<&str>) -> Self {
        let unit = unit.map(|unit| Unit::named(unit).to_string());
        Self { pid, user: user.to_owned(), command: command.to_owned(), unit, port: None, stubborn: false }
    }

    /// The number of its socket.
    fn inode(&self) -> u32 {
        70_000 + self.pid
    }
}

fn resource() -> Resource {
    Resource::new("process", "all")
}

pub(super) fn on(fake: &Fake, host: SimHost) -> SimHost {
    let mut host = host.with_state(&resource(), &fake.processes).ignoring_state("process");
    for process in &fake.processes {
        let Known { pid, unit, .. } = process;
        let stat = format!("{pid} (app) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {pid} 99 100\n");
        let group = unit.as_ref().map_or_else(|| "/user.slice".to_owned(), |unit| format!("/system.slice/{unit}"));
        host =
            host.file(format!("/proc/{pid}/stat"), stat).file(format!("/proc/{pid}/cgroup"), format!("0::{group}\n"));
    }
    host.file("/proc/net/tcp", sockets(&fake.processes, &fake.people))
        .program("ps", Tool::new(fake, |_, call| Some(ps(call))))
        .program("find", Tool::new(fake, |_, call| Some(find(call))))
        .program("kill", Tool::new(fake, kill))
}

/// `/proc/net/tcp`, as far as it is read.
fn sockets(processes: &[Known], people: &[String]) -> String {
    let mut text =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n".to_owned();
    let word = |ip: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(ip));
    let (here, none) = (word([127, 0, 0, 1]), word([0; 4]));
    for process in processes {
        let Some(port) = process.port else { continue };
        let inode = process.inode();
        let _ = writeln!(
            text,
            " 0: {here}:{port:04X} {none}:0000 0A 00000000:00000000 00:00000000 00000000 1001 0 {inode} 1"
        );
    }
    for person in people {
        let ip: std::net::Ipv4Addr = person.parse().unwrap_or(std::net::Ipv4Addr::UNSPECIFIED);
        let from = word(ip.octets());
        let _ = writeln!(text, " 1: {here}:0016 {from}:C001 01 00000000:00000000 00:00000000 00000000 0 0 99 1");
    }
    text
}

fn ps(call: &mut Call<'_>) -> Output {
    let mut said = String::new();
    for Known { pid, user, command, .. } in call.state::<Vec<Known>>(&resource()) {
        let _ = writeln!(said, "{pid:>7}       1 {user} {:>6}  1.5    3600 {command}", pid * 10);
    }
    Output::ok(said)
}

fn find(call: &mut Call<'_>) -> Output {
    let args = call.args();
    let is_asked_for = |process: &Known| args.iter().any(|arg| *arg == format!("socket:\\[{}\\]", process.inode()));
    let mut said = String::new();
    for process in call.state::<Vec<Known>>(&resource()) {
        if process.port.is_some() && is_asked_for(&process) {
            let _ = writeln!(said, "/proc/{}/fd/5", process.pid);
        }
    }
    Output::ok(said)
}

fn kill(fake: &Fake, call: &mut Call<'_>) -> Option<Output> {
    let args = call.args();
    let ["-s", signal, "--", pid] = args[..] else { return None };
    let mut all: Vec<Known> = call.state(&resource());
    let Some(at) = all.iter().position(|process| process.pid.to_string() == pid) else {
        return Some(Output::failed(1, format!("kill: ({pid}): No such process\n")));
    };
    if signal == "KILL" || !all[at].stubborn {
        let process = all.remove(at);
        call.set_state(&resource(), &all);
        let gone = call.files().remove(format!("/proc/{}", process.pid));
        let gone = gone.and_then(|()| call.files().write("/proc/net/tcp", sockets(&all, &fake.people)));
        if let Err(error) = gone {
            return Some(Output::failed(1, format!("kill: {error:#}\n")));
        }
    }
    Some(Output::ok(""))
}
