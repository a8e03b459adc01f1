//! What the sentinels say.

use std::collections::BTreeMap;
use std::time::Duration;

use runbook::{Context, Error, Explain as _, Result};
use serde::{Deserialize, Serialize};

use super::Sentinels;
use super::ask::Fields;

/// What one sentinel says of the master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The sentinel.
    pub sentinel: String,
    /// The address it holds for the master's.
    pub master: String,
    /// The master's run id.
    pub run_id: String,
    /// Its flags: `master`, and `s_down`, `o_down`, `failover_in_progress` and others when they apply.
    pub flags: Vec<String>,
    /// How often the master has changed, by its counting.
    pub config_epoch: u64,
    /// How long ago the master answered it.
    pub heard: Duration,
    /// How many replicas it knows, whatever their state.
    pub replicas: u64,
    /// How many other sentinels it knows.
    pub others: u64,
    /// How many sentinels must find the master down.
    pub quorum: u64,
    /// After which time without an answer it finds it down.
    pub down_after: Duration,
    /// How long a failover may take.
    pub failover_timeout: Duration,
    /// How many replicas sync with a new master at once.
    pub parallel_syncs: u64,
}

/// The master, by what a majority of the sentinels says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Master {
    /// The name under which the sentinels watch it.
    pub name: String,
    /// Its address.
    pub address: String,
    /// The id of its life.
    pub run_id: String,
    /// How often the master has changed.
    pub config_epoch: u64,
    /// How many sentinels say so.
    pub agreed: u64,
    /// Of how many.
    pub sentinels: u64,
}

/// What a sentinel says of a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaView {
    /// Its address.
    pub address: String,
    /// Its run id.
    pub run_id: String,
    /// Its flags: `slave`, and `s_down`, `disconnected` and others when they apply.
    pub flags: Vec<String>,
    /// Its priority: the lowest one is promoted, 0 never.
    pub priority: u64,
    /// Whether its link to the master is up.
    pub follows: bool,
}

/// Flags of something that is not in good order.
const BAD: [&str; 3] = ["s_down", "o_down", "disconnected"];

/// They ask once a second.
const LATELY: Duration = Duration::from_millis(1500);

impl View {
    fn of(sentinel: &str, fields: &Fields) -> Option<Self> {
        let number = |name| fields.get(name)?.parse::<u64>().ok();
        let time = |name| number(name).map(Duration::from_millis);
        Some(Self {
            sentinel: sentinel.to_owned(),
            master: format!("{}:{}", fields.get("ip")?, fields.get("port")?),
            run_id: fields.get("runid")?.clone(),
            flags: flags(fields)?,
            config_epoch: number("config-epoch")?,
            heard: time("last-ok-ping-reply")?,
            replicas: number("num-slaves")?,
            others: number("num-other-sentinels")?,
            quorum: number("quorum")?,
            down_after: time("down-after-milliseconds")?,
            failover_timeout: time("failover-timeout")?,
            parallel_syncs: number("parallel-syncs")?,
        })
    }

    /// What is wrong with the master, as it sees it.
    pub fn trouble(&self) -> Vec<&str> {
        bad(&self.flags)
    }

    /// Whether it is letting another one take over.
    pub fn is_failing_over(&self) -> bool {
        self.flags.iter().any(|flag| flag == "failover_in_progress")
    }
}

impl ReplicaView {
    fn of(fields: &Fields) -> Option<Self> {
        Some(Self {
            address: format!("{}:{}", fields.get("ip")?, fields.get("port")?),
            run_id: fields.get("runid")?.clone(),
            flags: flags(fields)?,
            priority: fields.get("slave-priority")?.parse().ok()?,
            follows: fields.get("master-link-status")? == "ok",
        })
    }

    /// Whether it answers and follows the master.
    pub fn is_well(&self) -> bool {
        self.follows && bad(&self.flags).is_empty()
    }
}

fn flags(fields: &Fields) -> Option<Vec<String>> {
    Some(fields.get("flags")?.split(',').map(str::to_owned).collect())
}

fn bad(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).filter(|flag| BAD.contains(flag)).collect()
}

/// What all sentinels say, each for itself.
#[derive(Debug, Clone)]
pub(in crate::redis) struct Look {
    name: String,
    said: Vec<(String, Result<View, String>)>,
}

impl Look {
    pub(super) fn views(&self) -> impl Iterator<Item = &View> {
        self.said.iter().filter_map(|(_, said)| said.as_ref().ok())
    }

    /// Those that do not say, with what they say instead.
    pub(super) fn silent(&self) -> Vec<String> {
        let silent = self.said.iter().filter_map(|(sentinel, said)| Some((sentinel, said.as_ref().err()?)));
        silent.map(|(sentinel, words)| format!("{sentinel} {words}")).collect()
    }

    /// How many sentinels there are: those that are listed, or more when one knows of more.
    fn sentinels(&self) -> u64 {
        let known = self.views().map(|view| view.others + 1).max().unwrap_or_default();
        known.max(self.said.len() as u64)
    }

    pub(super) fn majority(&self) -> u64 {
        self.sentinels() / 2 + 1
    }

    /// Those that hold this address for the master's.
    pub(super) fn agreeing<'a>(&'a self, address: &'a str) -> impl Iterator<Item = &'a View> {
        self.views().filter(move |view| view.master == address)
    }

    /// The master; `None` when no majority names one.
    pub(super) fn agreed(&self) -> Option<Master> {
        let mut votes = BTreeMap::<&str, u64>::new();
        for view in self.views() {
            *votes.entry(&view.master).or_default() += 1;
        }
        let (address, agreed) = votes.into_iter().find(|(_, votes)| *votes >= self.majority())?;
        let newest = self.agreeing(address).max_by_key(|view| view.config_epoch)?;
        Some(Master {
            name: self.name.clone(),
            address: address.to_owned(),
            run_id: newest.run_id.clone(),
            config_epoch: newest.config_epoch,
            agreed,
            sentinels: self.sentinels(),
        })
    }

    /// The master, or an error that may pass: during a failover they differ for a moment.
    pub(in crate::redis) fn master(&self) -> Result<Master> {
        self.agreed().ok_or_else(|| Error::transient(self.disagreement()).details(self.lines()))
    }

    pub(super) fn disagreement(&self) -> String {
        format!("no {} of {} sentinels name one master `{}`", self.majority(), self.sentinels(), self.name)
    }

    /// The master, once no failover is under way.
    pub(in crate::redis) fn settled(&self) -> Result<Master> {
        match self.views().find(|view| view.is_failing_over()) {
            Some(view) => {
                let words = format!("{} is letting another one take over as `{}`", view.sentinel, self.name);
                Err(Error::transient(words).details(self.lines()))
            }
            None => self.master(),
        }
    }

    /// An error that may pass, unless each sentinel that answers has heard of the master of late.
    pub(in crate::redis) fn require_heard(&self) -> Result<()> {
        let hears = |view: &&View| view.trouble().is_empty() && view.heard <= LATELY;
        match self.views().find(|view| !hears(view)) {
            None => Ok(()),
            Some(view) => {
                let words = format!("{} has not heard of {} of late", view.sentinel, view.master);
                Err(Error::transient(words).details(self.lines()))
            }
        }
    }

    /// A line for each sentinel.
    pub(in crate::redis) fn lines(&self) -> Vec<String> {
        self.said.iter().map(|(sentinel, said)| line(sentinel, said)).collect()
    }
}

fn line(sentinel: &str, said: &Result<View, String>) -> String {
    match said {
        Err(words) => format!("{sentinel} {words}"),
        Ok(view) => format!(
            "{sentinel}: {} (epoch {}), {}, {} replicas, {} other sentinels, quorum {}",
            view.master,
            view.config_epoch,
            view.flags.join(" "),
            view.replicas,
            view.others,
            view.quorum
        ),
    }
}

impl Sentinels {
    /// Asks all of them.
    pub(in crate::redis) async fn look(&self, cx: &Context) -> Result<Look> {
        let mut said = Vec::new();
        for address in self.addresses()? {
            let fields = self.said_by(cx, address).await?;
            let view = fields
                .and_then(|fields| View::of(address, &fields).ok_or_else(|| "says what cannot be read".to_owned()));
            said.push((address.clone(), view));
        }
        Ok(Look { name: self.master.clone(), said })
    }

    /// What each of them says of the master; all have to answer.
    pub async fn views(&self, cx: &Context) -> Result<Vec<View>> {
        let look = self.look(cx).await?;
        match look.silent().as_slice() {
            [] => Ok(look.views().cloned().collect()),
            [first, ..] => Err(Error::transient(format!("sentinel {first}")).details(look.lines())),
        }
    }

    /// The master now, by what a majority of them says.
    pub async fn master_now(&self, cx: &Context) -> Result<Master> {
        self.look(cx).await?.master()
    }

    /// The replicas, as one of the sentinels sees them.
    pub async fn replicas_of(&self, cx: &Context, sentinel: &str) -> Result<Vec<ReplicaView>> {
        let all = self.replicas_by(cx, sentinel).await?;
        let read = all.iter().map(ReplicaView::of).collect::<Option<Vec<_>>>();
        read.ok_or_else(|| Error::unknown(format!("cannot read what sentinel {sentinel} says of the replicas")))
    }

    /// The replicas now, as the first sentinel that knows the master sees them.
    pub(super) async fn replicas_in(&self, cx: &Context, look: &Look) -> Result<Vec<ReplicaView>> {
        let master = look.master()?;
        let sentinel = look.agreeing(&master.address).next().context("nobody names the master")?;
        self.replicas_of(cx, &sentinel.sentinel).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(sentinel: &str, master: &str, others: u64) -> (String, Result<View, String>) {
        let text = format!(
            "name\nm\nip\n{master}\nport\n1\nrunid\nr\nflags\nmaster\nlast-ok-ping-reply\n9\ndown-after-milliseconds\n1\nconfig-epoch\n3\n\
             num-slaves\n2\nnum-other-sentinels\n{others}\nquorum\n2\nfailover-timeout\n1\nparallel-syncs\n1"
        );
        let fields = super::super::ask::records(&text).remove(0);
        (sentinel.to_owned(), View::of(sentinel, &fields).ok_or_else(String::new))
    }

    fn look(said: Vec<(String, Result<View, String>)>) -> Look {
        Look { name: "m".to_owned(), said }
    }

    #[test]
    fn a_majority_is_one_of_all_that_are_known() {
        let two_of_three = look(vec![view("1", "a", 2), view("2", "a", 2), view("3", "b", 2)]);
        assert_eq!(two_of_three.agreed().map(|master| master.address), Some("a:1".to_owned()));
        let one_of_two = look(vec![view("1", "a", 1), ("2".to_owned(), Err("is down".to_owned()))]);
        assert_eq!(one_of_two.agreed(), None);
        // Only one is listed, and it knows two others: they may say something else.
        assert_eq!(look(vec![view("1", "a", 2)]).agreed(), None);
        assert_eq!(look(Vec::new()).agreed(), None);
    }
}
