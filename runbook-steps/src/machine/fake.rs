//! A simulated machine, for simulated hosts: apt and dpkg, users, processes, swap, a firewall.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook::command::Output;
use runbook::testing::{Call, Program, SimHost};

use self::processes::Known;
use super::Firewall;
use crate::sizes::{Bytes, Sizes as _};

mod apt;
mod firewall;
mod processes;
mod swap;
mod users;

/// The programs of a Debian machine, as far as the steps of this library ask them. They refuse everything else, and are
/// held to the real ones by one suite that runs against both.
///
/// ```
/// use runbook_core::testing::SimHost;
/// use runbook_steps::machine;
///
/// let machine = machine::Fake::new()
///     .offers("nginx", "1.22.1-9", ["nginx-common"])
///     .offers("nginx-common", "1.22.1-9", [])
///     .installed("jq", "1.6-2.1")
///     .process(812, "marb", "gunicorn app.main:app", Some("marb2.0"))
///     .listens(812, 8000);
/// let host = machine.on(SimHost::new("web-1"));
/// ```
#[derive(Debug, Clone)]
pub struct Fake {
    offered: BTreeMap<String, Offer>,
    installed: Vec<(String, String)>,
    processes: Vec<Known>,
    firewall: Firewall,
    people: Vec<String>,
    space: Bytes,
}

/// A package of the archive.
#[derive(Debug, Clone)]
struct Offer {
    version: String,
    needs: Vec<String>,
    pushes_out: Vec<String>,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// A machine without packages, with much room on its disk, and with nftables.
    pub fn new() -> Self {
        Self {
            offered: BTreeMap::new(),
            installed: Vec::new(),
            processes: Vec::new(),
            firewall: Firewall::Nftables,
            people: Vec::new(),
            space: 100.gib(),
        }
    }

    /// Whose archive has this package in this version, which needs these others.
    pub fn offers<'a>(mut self, name: &str, version: &str, needs: impl IntoIterator<Item = &'a str>) -> Self {
        let needs = needs.into_iter().map(str::to_owned).collect();
        let offer = Offer { version: version.to_owned(), needs, pushes_out: Vec::new() };
        self.offered.insert(name.to_owned(), offer);
        self
    }

    /// Whose package pushes another one out when it is installed.
    pub fn pushes_out(mut self, name: &str, other: &str) -> Self {
        if let Some(offer) = self.offered.get_mut(name) {
            offer.pushes_out.push(other.to_owned());
        }
        self
    }

    /// With this package installed from the beginning.
    pub fn installed(mut self, name: &str, version: &str) -> Self {
        self.installed.push((name.to_owned(), version.to_owned()));
        self
    }

    /// With this process, and the unit it belongs to.
    pub fn process(mut self, pid: u32, user: &str, command: &str, unit: Option<&str>) -> Self {
        self.processes.push(Known::new(pid, user, command, unit));
        self
    }

    /// Whose process listens on this port of the loopback interface.
    pub fn listens(self, pid: u32, port: u16) -> Self {
        self.with(pid, |process| process.port = Some(port))
    }

    /// Whose process does not heed SIGTERM.
    pub fn stubborn(self, pid: u32) -> Self {
        self.with(pid, |process| process.stubborn = true)
    }

    fn with(mut self, pid: u32, change: impl FnOnce(&mut Known)) -> Self {
        if let Some(process) = self.processes.iter_mut().find(|process| process.pid == pid) {
            change(process);
        }
        self
    }

    /// With this firewall instead of nftables.
    pub fn firewall(mut self, firewall: Firewall) -> Self {
        self.firewall = firewall;
        self
    }

    /// Where someone from this IPv4 address works through SSH.
    pub fn someone_works_from(mut self, address: &str) -> Self {
        self.people.push(address.to_owned());
        self
    }

    /// With so much room on its disk.
    pub fn space(mut self, space: Bytes) -> Self {
        self.space = space;
        self
    }

    /// The host, as this machine.
    pub fn on(&self, host: SimHost) -> SimHost {
        let host = host.dir("/etc/skel").dir("/proc").ignoring("/proc");
        let host = apt::on(self, host);
        let host = processes::on(self, host);
        let host = firewall::on(self, host);
        swap::on(self, users::on(host))
    }
}

/// One of its programs.
struct Tool(Arc<Fake>, fn(&Fake, &mut Call<'_>) -> Option<Output>);

impl Tool {
    fn new(fake: &Fake, act: fn(&Fake, &mut Call<'_>) -> Option<Output>) -> Self {
        Self(Arc::new(fake.clone()), act)
    }
}

impl Program for Tool {
    fn run(&self, call: &mut Call<'_>) -> Output {
        (self.1)(&self.0, call).unwrap_or_else(|| unknown(call))
    }
}

fn unknown(call: &Call<'_>) -> Output {
    Output::failed(64, format!("the simulated machine does not know `{}`\n", call.command()))
}

/// What stands behind `--`.
fn operands<'a>(args: &[&'a str]) -> Vec<&'a str> {
    args.iter().skip_while(|arg| **arg != "--").skip(1).copied().collect()
}
