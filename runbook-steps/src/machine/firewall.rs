//! Keeping an address out.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use runbook::command::Output;
use runbook::{Command, Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::commands;
use crate::port;

/// Keeps an address out: `203.0.113.7`, or a network like `203.0.113.0/24`. All that comes from there is dropped, for
/// this host and for what it passes on to containers, until the next boot or the undo.
///
/// An address someone works from through SSH just now is refused, and so is the host's own.
pub fn block(address: impl Into<String>) -> Block {
    Block { address: address.into(), whoever: false }
}

/// The step of [`block`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Block {
    address: String,
    whoever: bool,
}

/// What keeps packets out on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Firewall {
    /// `nft`, in a table of our own.
    Nftables,
    /// `iptables` and `ip6tables`, at the top of the chains `INPUT` and `FORWARD`.
    Iptables,
}

impl fmt::Display for Firewall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nftables => "nftables",
            Self::Iptables => "iptables",
        })
    }
}

/// By what an address is to be blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallBefore {
    /// What the host has.
    pub firewall: Firewall,
}

/// An address that is kept out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// The address or network, as the firewall writes it.
    pub address: String,
    /// What keeps it out.
    pub firewall: Firewall,
}

/// The addresses that [`block`] keeps out of the host.
pub async fn blocked(cx: &Context) -> Result<Vec<Blocked>> {
    let firewall = Firewall::of(cx).await?;
    let mut all = Vec::new();
    for family in [Family::Four, Family::Six] {
        let addresses = firewall.blocked(cx, family).await?;
        all.extend(addresses.into_iter().map(|address| Blocked { address, firewall }));
    }
    Ok(all)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Four,
    Six,
}

/// An address with the length of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    ip: IpAddr,
    length: u8,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (ip, length) = text.split_once('/').map_or((text, None), |(ip, length)| (ip, Some(length)));
        let ip: IpAddr = ip.parse().ok()?;
        let all = Self::bits(ip).1;
        let length = length.map_or(Some(all), |length| length.parse().ok())?;
        let network = Self { ip, length };
        // What is written must be the network itself: `203.0.113.7/24` may be a slip of either part.
        (length <= all && network.masked(ip) == Self::bits(ip).0).then_some(network)
    }

    fn bits(ip: IpAddr) -> (u128, u8) {
        match ip {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), 32),
            IpAddr::V6(ip) => (ip.to_bits(), 128),
        }
    }

    fn masked(&self, ip: IpAddr) -> u128 {
        let (bits, all) = Self::bits(ip);
        let drop = u32::from(all - self.length);
        bits.checked_shr(drop).and_then(|bits| bits.checked_shl(drop)).unwrap_or_default()
    }

    fn holds(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.ip.is_ipv4() && self.masked(ip) == Self::bits(self.ip).0
    }

    fn family(&self) -> Family {
        if self.ip.is_ipv4() { Family::Four } else { Family::Six }
    }

    fn is_whole(&self) -> bool {
        self.length == Self::bits(self.ip).1
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_whole() { self.ip.fmt(f) } else { write!(f, "{}/{}", self.ip, self.length) }
    }
}

/// The mark of our rules.
const MARK: &str = "runbook";

impl Firewall {
    /// What this host has.
    async fn of(cx: &Context) -> Result<Self> {
        for (firewall, ask) in [
            (Self::Nftables, Command::new("nft").arg("--version")),
            (Self::Iptables, Command::new("iptables").arg("--version")),
        ] {
            // A host that goes through another program says with an exit code that there is none, as a shell does.
            if cx.output(&ask).await.is_ok_and(|output| output.success()) {
                return Ok(firewall);
            }
        }
        let error = Error::refused(format!("no firewall on {}: neither `nft` nor `iptables`", cx.host().name()));
        Err(error.hint("install one: `machine::packages([\"nftables\"])`"))
    }

    /// What we keep out.
    async fn blocked(self, cx: &Context, family: Family) -> Result<Vec<String>> {
        match self {
            Self::Nftables => {
                let command = nft().args(["-j", "list", "set", "inet", MARK, set(family)]).expect([0, 1]);
                let output = commands::ask(cx, &command).await?;
                if output.success() {
                    return elements(output.text()?).with_context(|| format!("cannot read what `{command}` says"));
                }
                absent(&command, &output).map(|()| Vec::new())
            }
            Self::Iptables => {
                let output = commands::ask(cx, &iptables(family).args(["-S", "INPUT"])).await?;
                Ok(output.text()?.lines().filter_map(source).collect())
            }
        }
    }

    async fn has(self, cx: &Context, network: &Network) -> Result<bool> {
        match self {
            Self::Nftables => {
                let all = self.blocked(cx, network.family()).await?;
                Ok(all.contains(&network.to_string()))
            }
            Self::Iptables => {
                Ok(self.rule(cx, "-C", "INPUT", network).await? && self.rule(cx, "-C", "FORWARD", network).await?)
            }
        }
    }

    /// Checks, inserts or deletes a rule; `false` when there is none.
    async fn rule(self, cx: &Context, verb: &str, chain: &str, network: &Network) -> Result<bool> {
        let command = iptables(network.family()).args([verb, chain]);
        let command = command.args(["-s", &network.to_string(), "-m", "comment", "--comment", MARK, "-j", "DROP"]);
        let output = commands::ask(cx, &command.expect([0, 1])).await?;
        Ok(output.success())
    }

    async fn add(self, cx: &Context, network: &Network) -> Result<()> {
        match self {
            Self::Nftables => {
                let script = format!("{TABLE}add element inet {MARK} {} {{ {network} }}\n", set(network.family()));
                commands::ask(cx, &nft().args(["-f", "-"]).input(script)).await.map(drop)
            }
            Self::Iptables => {
                for chain in ["INPUT", "FORWARD"] {
                    if !self.rule(cx, "-C", chain, network).await? && !self.rule(cx, "-I", chain, network).await? {
                        return Err(Error::new(format!("iptables does not take a rule for `{network}` in {chain}")));
                    }
                }
                Ok(())
            }
        }
    }

    async fn remove(self, cx: &Context, network: &Network) -> Result<()> {
        match self {
            Self::Nftables => {
                if self.has(cx, network).await? {
                    let element = format!("{{ {network} }}");
                    let delete = nft().args(["delete", "element", "inet", MARK, set(network.family()), &element]);
                    commands::ask(cx, &delete).await?;
                }
                let others = [self.blocked(cx, Family::Four).await?, self.blocked(cx, Family::Six).await?];
                let there = nft().args(["list", "table", "inet", MARK]).expect([0, 1]);
                let is_there = commands::ask(cx, &there).await?.success();
                if is_there && others.iter().all(Vec::is_empty) {
                    commands::ask(cx, &nft().args(["delete", "table", "inet", MARK])).await?;
                }
                Ok(())
            }
            Self::Iptables => {
                for chain in ["INPUT", "FORWARD"] {
                    while self.rule(cx, "-C", chain, network).await? {
                        self.rule(cx, "-D", chain, network).await?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// A table of our own, made in one go: sets of addresses, and what is dropped. Adding what is there is no error, but
/// would add a rule again: so the chains are emptied first.
const TABLE: &str = "add table inet runbook
add set inet runbook blocked4 { type ipv4_addr; flags interval; }
add set inet runbook blocked6 { type ipv6_addr; flags interval; }
add chain inet runbook input { type filter hook input priority -10; }
add chain inet runbook forward { type filter hook forward priority -10; }
flush chain inet runbook input
flush chain inet runbook forward
add rule inet runbook input ip saddr @blocked4 drop
add rule inet runbook input ip6 saddr @blocked6 drop
add rule inet runbook forward ip saddr @blocked4 drop
add rule inet runbook forward ip6 saddr @blocked6 drop
";

fn nft() -> Command {
    Command::new("nft").env("LC_ALL", "C")
}

fn iptables(family: Family) -> Command {
    let program = match family {
        Family::Four => "iptables",
        Family::Six => "ip6tables",
    };
    // Waits for another that is at work.
    Command::new(program).env("LC_ALL", "C").args(["-w", "30"])
}

fn set(family: Family) -> &'static str {
    match family {
        Family::Four => "blocked4",
        Family::Six => "blocked6",
    }
}

/// That `nft` found nothing, as opposed to that it was not let look.
fn absent(command: &Command, output: &Output) -> Result<()> {
    if output.tail(3).iter().any(|line| line.contains("No such file or directory")) {
        return Ok(());
    }
    let error = Error::new(format!("`{command}` {}", output.ending())).details(output.tail(5));
    Err(error.hint("it takes root: `run.on(&Become::user(\"root\").on(&host))`"))
}

/// The elements of a set: `"203.0.113.7"`, `{"prefix": {"addr": "203.0.113.0", "len": 24}}`.
fn elements(json: &str) -> Option<Vec<String>> {
    let all: serde_json::Value = serde_json::from_str(json).ok()?;
    let set = all.get("nftables")?.as_array()?.iter().find_map(|item| item.get("set"))?;
    let Some(elements) = set.get("elem") else { return Some(Vec::new()) };
    let element = |element: &serde_json::Value| match element.get("prefix") {
        Some(prefix) => Some(format!("{}/{}", prefix.get("addr")?.as_str()?, prefix.get("len")?)),
        None => element.as_str().map(str::to_owned),
    };
    elements.as_array()?.iter().map(element).collect()
}

/// `-A INPUT -s 203.0.113.7/32 -m comment --comment runbook -j DROP`
fn source(rule: &str) -> Option<String> {
    let words: Vec<&str> = rule.split_whitespace().collect();
    let after = |word: &str| words.iter().position(|other| *other == word).and_then(|at| words.get(at + 1)).copied();
    let ours = after("--comment")?.trim_matches('"') == MARK && after("-j") == Some("DROP");
    ours.then(|| Network::parse(after("-s")?)).flatten().map(|network| network.to_string())
}

impl Block {
    /// Blocks the address even when someone works from there just now.
    pub fn whoever_works_from_there(mut self) -> Self {
        self.whoever = true;
        self
    }

    fn network(&self) -> Result<Network> {
        let network = Network::parse(self.address.trim());
        let network =
            network.with_context(|| format!("`{}` is no address like 203.0.113.7 or 203.0.113.0/24", self.address));
        network.map_err(|error| error.kind_of(runbook::ErrorKind::Refused))
    }

    async fn ensure_harmless(&self, cx: &Context, network: &Network) -> Result<()> {
        if network.ip.is_loopback() || network.ip.is_unspecified() {
            return Err(Error::refused(format!("`{network}` is the host itself, or everyone")));
        }
        if self.whoever {
            return Ok(());
        }
        let at_work = people(cx).await?.into_iter().find(|ip| network.holds(*ip));
        let Some(ip) = at_work else { return Ok(()) };
        let error = Error::refused(format!("someone works on {} from {ip}, which is in `{network}`", cx.host().name()));
        Err(error.hint("to lock them out all the same: `.whoever_works_from_there()`"))
    }
}

/// Where people, and this runner, come from through SSH.
async fn people(cx: &Context) -> Result<Vec<IpAddr>> {
    const SSH: u16 = 22;
    let sockets = port::sockets(cx).await?.unwrap_or_default();
    let mut all: Vec<IpAddr> = sockets
        .iter()
        .filter(|socket| socket.connected && socket.local.port() == SSH)
        .map(|socket| socket.remote.ip().to_canonical())
        .collect();
    // sshd may listen elsewhere: then it says so to those it lets in.
    let mine = cx.output(&Command::new("printenv").arg("SSH_CONNECTION")).await?;
    all.extend(mine.lossy().split_whitespace().next().and_then(|ip| ip.parse::<IpAddr>().ok()));
    Ok(all)
}

fn resource() -> Resource {
    Resource::new("firewall", MARK)
}

#[async_trait]
impl Step for Block {
    type Before = FirewallBefore;
    type Output = Blocked;

    fn describe(&self) -> Description {
        let address = self.address.trim();
        let program = if address.contains(':') { "ip6tables" } else { "iptables" };
        Description::new("machine.block", address)
            .summary(format!("drop all that comes from {address}"))
            .command(format!("{program} -I INPUT -s {address} -m comment --comment {MARK} -j DROP"))
            .undo_command(format!("{program} -D INPUT -s {address} -m comment --comment {MARK} -j DROP"))
            .reads(resource())
            .writes(resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<FirewallBefore, Blocked>> {
        let network = self.network()?;
        self.ensure_harmless(cx, &network).await?;
        let firewall = Firewall::of(cx).await?;
        let output = Blocked { address: network.to_string(), firewall };
        if firewall.has(cx, &network).await? {
            return Ok(Survey::Already(output));
        }
        let diff = Diff::none().and_add(format!("{firewall}: drop what comes from {network}"));
        Ok(Survey::predict(FirewallBefore { firewall }, diff, output))
    }

    async fn apply(&self, cx: &Context, before: &FirewallBefore) -> Result<Blocked> {
        let network = self.network()?;
        if !before.firewall.has(cx, &network).await? {
            before.firewall.add(cx, &network).await?;
        }
        if !before.firewall.has(cx, &network).await? {
            return Err(Error::new(format!("{} does not list `{network}` after it was added", before.firewall)));
        }
        Ok(Blocked { address: network.to_string(), firewall: before.firewall })
    }
}

#[async_trait]
impl Rollback for Block {
    async fn rollback(&self, cx: &Context, before: &FirewallBefore) -> Result<()> {
        before.firewall.remove(cx, &self.network()?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_hold_what_they_hold() {
        let network = |text| Network::parse(text).expect("is one");
        assert!(network("203.0.113.0/24").holds([203, 0, 113, 9].into()));
        assert!(!network("203.0.113.7").holds([203, 0, 113, 9].into()));
        assert!(network("203.0.113.7").holds("::ffff:203.0.113.7".parse().expect("an address")));
        assert!(network("0.0.0.0/0").holds([8, 8, 8, 8].into()));
        assert!(network("2001:db8::/32").holds("2001:db8::1".parse().expect("an address")));
        assert_eq!(network("203.0.113.7/32").to_string(), "203.0.113.7");
        for text in ["", "203.0.113", "203.0.113.7/24", "203.0.113.7/33", "example.org"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_the_tools_list_is_read() {
        let json = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"set": {"name": "blocked4", "elem":
            ["198.51.100.1", {"prefix": {"addr": "203.0.113.0", "len": 24}}]}}]}"#;
        assert_eq!(elements(json), Some(vec!["198.51.100.1".to_owned(), "203.0.113.0/24".to_owned()]));
        assert_eq!(elements(r#"{"nftables": [{"set": {"name": "blocked4"}}]}"#), Some(vec![]));
        assert_eq!(elements("{}"), None);
        let rule = "-A INPUT -s 203.0.113.7/32 -m comment --comment runbook -j DROP";
        assert_eq!(source(rule).as_deref(), Some("203.0.113.7"));
        assert_eq!(source("-A INPUT -s 203.0.113.7/32 -j DROP"), None);
        assert_eq!(source("-P INPUT ACCEPT"), None);
    }
}
