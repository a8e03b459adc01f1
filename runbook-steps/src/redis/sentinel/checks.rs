//! Questions to the sentinels.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Result};

use super::{Look, Master, ReplicaView, Sentinels};
use crate::redis::cli::Answer;

/// The check of [`Sentinels::has_master`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct HasMaster(Sentinels);

/// The check of [`Sentinels::can_fail_over`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct CanFailOver(Sentinels);

/// The check of [`Sentinels::healthy`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Healthy {
    sentinels: Sentinels,
    replicas: u64,
}

impl Sentinels {
    /// Asks whether a majority of them names one master, and finds it up.
    pub fn has_master(&self) -> HasMaster {
        HasMaster(self.clone())
    }

    /// Asks whether they could let another one take over: none finds that its quorum or a majority is out of reach, and a
    /// replica is there that may be promoted.
    pub fn can_fail_over(&self) -> CanFailOver {
        CanFailOver(self.clone())
    }

    /// Asks whether everything is in order: all sentinels answer, know each other and name one master, which is up, and
    /// at least one replica follows it, or [more](Healthy::replicas).
    pub fn healthy(&self) -> Healthy {
        Healthy { sentinels: self.clone(), replicas: 1 }
    }
}

impl Healthy {
    /// Wants at least so many replicas to follow.
    pub fn replicas(mut self, replicas: u64) -> Self {
        self.replicas = replicas;
        self
    }
}

fn words(master: &Master) -> String {
    let Master { name, address, config_epoch, agreed, sentinels, .. } = master;
    format!("{name} is {address} (epoch {config_epoch}), say {agreed} of {sentinels} sentinels")
}

fn told(look: &Look, summary: String) -> Evidence {
    Evidence::new(summary).lines(look.lines())
}

/// The master, or the answer when there is none to go on with.
fn master(look: &Look) -> Result<Master, Finding> {
    let Some(master) = look.agreed() else {
        let evidence = told(look, look.disagreement());
        // Without a majority that answers, nobody knows; with one, they differ.
        let answered = look.views().count() as u64 >= look.majority();
        return Err(if answered { Finding::fail(evidence) } else { Finding::unknown(evidence) });
    };
    let trouble = look.agreeing(&master.address).find(|view| !view.trouble().is_empty() || view.is_failing_over());
    match trouble {
        Some(view) => {
            let summary = format!("{}, and {} finds it {}", words(&master), view.sentinel, view.flags.join(" "));
            Err(Finding::fail(told(look, summary)))
        }
        None => Ok(master),
    }
}

fn line(replica: &ReplicaView) -> String {
    let link = if replica.follows { "follows" } else { "does not follow" };
    format!("replica {}: {}, priority {}, {link}", replica.address, replica.flags.join(" "), replica.priority)
}

#[async_trait]
impl Check for HasMaster {
    fn describe(&self) -> Description {
        let Self(sentinels) = self;
        Description::new("redis.sentinel_master", &sentinels.master)
            .summary(format!("a majority of the sentinels names one master of {}, and finds it up", sentinels.master))
            .command(sentinels.by_hand(["SENTINEL", "MASTER", &sentinels.master]))
            .reads(sentinels.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let look = self.0.look(cx).await?;
        Ok(match master(&look) {
            Ok(master) => Finding::pass(told(&look, words(&master))),
            Err(finding) => finding,
        })
    }
}

#[async_trait]
impl Check for CanFailOver {
    fn describe(&self) -> Description {
        let Self(sentinels) = self;
        Description::new("redis.sentinel_ckquorum", &sentinels.master)
            .summary(format!("another one could take over from the master of {}", sentinels.master))
            .command(sentinels.by_hand(["SENTINEL", "CKQUORUM", &sentinels.master]))
            .reads(sentinels.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let Self(sentinels) = self;
        let look = sentinels.look(cx).await?;
        let master = match master(&look) {
            Ok(master) => master,
            Err(finding) => return Ok(finding),
        };
        let mut said = Vec::new();
        for view in look.views() {
            let sentinel = sentinels.sentinel(&view.sentinel)?;
            match sentinel.ask(&sentinels.asking(cx), ["SENTINEL", "CKQUORUM", &sentinels.master]).await? {
                Answer::Is(words) => said.push(format!("{}: {words}", view.sentinel)),
                Answer::Refused(words) => return Ok(Finding::fail(told(&look, format!("{}: {words}", view.sentinel)))),
                Answer::Silent(words) => return Ok(Finding::unknown(format!("{}: {words}", view.sentinel))),
            }
        }
        let replicas = sentinels.replicas_in(cx, &look).await?;
        let fit = replicas.iter().filter(|replica| replica.is_well() && replica.priority > 0).count();
        let summary = format!("{}; {fit} of {} replicas could take over", words(&master), replicas.len());
        Ok(Finding::of(fit > 0, Evidence::new(summary).lines(said).lines(replicas.iter().map(line))))
    }
}

#[async_trait]
impl Check for Healthy {
    fn describe(&self) -> Description {
        let sentinels = &self.sentinels;
        let count = sentinels.addresses().map_or(0, <[String]>::len);
        Description::new("redis.sentinel_healthy", &sentinels.master)
            .summary(format!(
                "{} has a master, {} replicas that follow it, and {count} sentinels that agree",
                sentinels.master, self.replicas
            ))
            .command(sentinels.by_hand(["SENTINEL", "MASTER", &sentinels.master]))
            .command(sentinels.by_hand(["SENTINEL", "REPLICAS", &sentinels.master]))
            .reads(sentinels.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let look = self.sentinels.look(cx).await?;
        let master = match master(&look) {
            Ok(master) => master,
            Err(finding) => return Ok(finding),
        };
        if let Some(silent) = look.silent().first() {
            return Ok(Finding::fail(told(&look, format!("sentinel {silent}"))));
        }
        let listed = self.sentinels.addresses()?.len() as u64;
        if let Some(view) = look.views().find(|view| view.others + 1 != listed || view.master != master.address) {
            let summary = format!("sentinel {} is not of one mind with the {listed} that are listed", view.sentinel);
            return Ok(Finding::fail(told(&look, summary)));
        }
        let replicas = self.sentinels.replicas_in(cx, &look).await?;
        let well = replicas.iter().filter(|replica| replica.is_well()).count() as u64;
        let summary = format!("{}; {well} of {} replicas follow", words(&master), replicas.len());
        let fits = well >= self.replicas;
        let summary = if fits { summary } else { format!("{summary}, wanted {}", self.replicas) };
        Ok(Finding::of(fits, told(&look, summary).lines(replicas.iter().map(line))))
    }
}
