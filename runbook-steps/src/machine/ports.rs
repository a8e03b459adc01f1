//! Who holds a port.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Resource, Result};
use serde::{Deserialize, Serialize};

use super::commands;
use super::processes::{self, Process};
use crate::port;
use crate::systemd::Unit;

/// Who listens on a port of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortOwner {
    /// Where it listens.
    pub address: SocketAddr,
    /// The user it belongs to, by number.
    pub uid: u32,
    /// The oldest process that holds it, which is the master where workers share it. `None` when we may not see whose it
    /// is: ask as root.
    pub process: Option<Process>,
}

impl PortOwner {
    /// The unit it belongs to, when it is known.
    pub fn unit(&self) -> Option<&Unit> {
        self.process.as_ref()?.unit.as_ref()
    }
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some(process) => write!(f, "{} is held by {process}", self.address),
            None => write!(f, "{} is held by a process of user {} that cannot be seen", self.address, self.uid),
        }
    }
}

/// Who listens on this port of the host, whatever the address; `None` when nobody does. Of several, the first.
pub async fn port_owner(cx: &Context, port: u16) -> Result<Option<PortOwner>> {
    Ok(port_owners(cx, port).await?.into_iter().next())
}

/// All who listen on this port of the host, one for each address. Source: `/proc`.
pub async fn port_owners(cx: &Context, port: u16) -> Result<Vec<PortOwner>> {
    let all = port::sockets(cx).await?.unwrap_or_default();
    let mut owners = Vec::new();
    for socket in all.iter().filter(|socket| socket.listens && socket.local.port() == port) {
        let process = oldest_holder(cx, socket.inode).await?;
        owners.push(PortOwner { address: socket.local, uid: socket.uid, process });
    }
    Ok(owners)
}

async fn oldest_holder(cx: &Context, inode: u64) -> Result<Option<Process>> {
    let found = commands::ask(cx, &commands::sockets(&[inode])).await?;
    let pids: BTreeSet<u32> = found.text()?.lines().filter_map(pid_in).collect();
    let mut oldest: Option<(u64, u32)> = None;
    for pid in pids {
        if let Some(started) = processes::started(cx, pid).await? {
            oldest = Some(oldest.map_or((started, pid), |other| other.min((started, pid))));
        }
    }
    match oldest {
        Some((_, pid)) => processes::process(cx, pid).await,
        None => Ok(None),
    }
}

/// `/proc/812/fd/5`
fn pid_in(path: &str) -> Option<u32> {
    path.split('/').nth(2)?.parse().ok()
}

/// Asks whether a port of the host is held by a process of this unit.
pub fn port_belongs_to(port: u16, unit: impl Into<Unit>) -> PortBelongsTo {
    PortBelongsTo { port, unit: unit.into() }
}

/// The check of [`port_belongs_to`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct PortBelongsTo {
    port: u16,
    unit: Unit,
}

#[async_trait]
impl Check for PortBelongsTo {
    fn describe(&self) -> Description {
        let (port, unit) = (self.port, &self.unit);
        Description::new("machine.port_belongs_to", format!("{port} {unit}"))
            .summary(format!("port {port} is held by {unit}"))
            .command(format!("ss -ltnp 'sport = :{port}'"))
            .reads(Resource::new("port", port.to_string()))
            .reads(unit.resource())
    }

    /// A free port is a *no*. A process that we may not see is *unknown*.
    async fn check(&self, cx: &Context) -> Result<Finding> {
        let owners = port_owners(cx, self.port).await?;
        let shown: Vec<String> = owners.iter().map(ToString::to_string).collect();
        let foreign = owners.iter().any(|owner| owner.process.is_some() && owner.unit() != Some(&self.unit));
        let unseen = owners.iter().any(|owner| owner.process.is_none());
        let evidence = Evidence::new(shown.join("; "));
        Ok(match owners.len() {
            0 => Finding::fail(format!("nobody listens on port {}", self.port)),
            _ if foreign => Finding::fail(evidence),
            _ if unseen => Finding::unknown(evidence),
            _ => Finding::pass(evidence),
        })
    }
}
