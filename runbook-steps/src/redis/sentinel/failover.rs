//! Letting another server take over as the master.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Explain as _, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Look, Master, Member, Sentinels, split, until};
use crate::redis::cli::Answer;
use crate::redis::probe::Probe;

/// The step of [`Sentinels::failover`].
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Failover {
    sentinels: Sentinels,
    to: Option<String>,
    limit: Duration,
}

/// Who was the master before a failover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverBefore {
    /// The master.
    pub master: Master,
    /// It and the replicas that follow it.
    pub members: Vec<Member>,
    probe: Probe,
}

/// Another master, which takes writes and is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedOver {
    /// The address of the master before.
    pub from: String,
    /// The address of the master now.
    pub to: String,
    /// How often the master had changed before.
    pub epoch_before: u64,
    /// How often it has changed now.
    pub epoch: u64,
    /// How many sentinels say so.
    pub agreed: u64,
    /// The addresses of those that follow it, and have all it had when it was asked.
    pub replicas: Vec<String>,
    /// The key that it took and gave back.
    pub probe: String,
}

impl Sentinels {
    /// Lets a replica take over, and waits until the sentinels agree on it, it takes writes, and all others follow it, the
    /// old master included.
    ///
    /// An undo lets the old master take over again, if it follows in good order: it is preferred for that time, by its
    /// `replica-priority`, which sentinels notice within ten seconds.
    pub fn failover(&self) -> Failover {
        Failover { sentinels: self.clone(), to: None, limit: Duration::from_secs(60) }
    }
}

impl Failover {
    /// To the replica at this address, instead of to the one that the sentinels choose.
    pub fn to(mut self, address: impl Into<String>) -> Self {
        self.to = Some(address.into());
        self
    }

    /// Waits no longer than this for each part of it, instead of a minute.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What has come of it, or an error that may pass while it is under way.
    async fn moved(&self, cx: &Context, before: &FailoverBefore, from: &str) -> Result<FailedOver> {
        let now = self.sentinels.look(cx).await?.settled()?;
        if now.address == from {
            return Err(Error::transient(format!("{from} is still the master")));
        }
        let asking = self.sentinels.asking(cx);
        let master = self.sentinels.server(&now.address)?;
        self.demote(&asking, before, &now.address).await?;
        let probed = before.probe.ask(&asking, &master).await.map_err(not_yet)?;
        let after = master.replication_now(&asking).await?;
        let mut replicas = Vec::new();
        for member in before.members.iter().filter(|member| member.address != now.address) {
            let replica = self.sentinels.server(&member.address)?;
            replica.require_caught_up(&asking, &after.history, after.offset).await?;
            replicas.push(member.address.clone());
        }
        Ok(FailedOver {
            from: before.master.address.clone(),
            to: now.address,
            epoch_before: before.master.config_epoch,
            epoch: now.config_epoch,
            agreed: now.agreed,
            replicas,
            probe: probed.key,
        })
    }

    /// Tells those that still take themselves for the master to follow, as the sentinels would do in ten seconds.
    async fn demote(&self, asking: &Context, before: &FailoverBefore, master: &str) -> Result<()> {
        let is = self.sentinels.server(master)?.replication_now(asking).await?;
        if !is.is_master {
            return Err(Error::transient(format!("{master} {}", is.words())));
        }
        for member in before.members.iter().filter(|member| member.address != master) {
            let server = self.sentinels.server(&member.address)?;
            if server.replication_now(asking).await?.is_master {
                server.follow(asking, Some(split(master)?)).await?;
            }
        }
        Ok(())
    }

    /// Has one sentinel begin.
    async fn begin(&self, cx: &Context, sentinel: &str) -> Result<()> {
        let words = ["SENTINEL", "FAILOVER", &self.sentinels.master];
        let answer = self.sentinels.sentinel(sentinel)?.ask(&self.sentinels.asking(cx), words).await?;
        match answer {
            Answer::Is(said) if said == "OK" => Ok(()),
            Answer::Refused(words) if words.starts_with("INPROG") => Ok(()),
            Answer::Refused(words) if words.starts_with("NOGOODSLAVE") => {
                let hint = "a replica has to follow with its link up, and a `replica-priority` other than 0";
                Err(Error::new(format!("sentinel {sentinel}: {words}")).hint(hint))
            }
            Answer::Silent(words) => Err(Error::unknown(format!("sentinel {sentinel} does not answer: {words}"))),
            Answer::Is(words) | Answer::Refused(words) => Err(Error::new(format!("sentinel {sentinel}: {words}"))),
        }
    }

    /// Moves the master away from where it is, to where it is wanted.
    async fn go(&self, cx: &Context, before: &FailoverBefore, from: &str, to: Option<&str>) -> Result<FailedOver> {
        let sentinel = match to {
            Some(to) => self.sentinels.prefer(cx, to, &before.members, self.limit).await?,
            None => self.first(cx, from).await?,
        };
        self.begin(cx, &sentinel).await?;
        let moved = until(cx, self.limit, || self.moved(cx, before, from)).await;
        let moved = moved.with_context(|| format!("let another one take over from {from}"))?;
        if to.is_some() {
            self.sentinels.prefer_as_before(cx, &before.members).await?;
        }
        match to {
            Some(to) if moved.to != to => Err(Error::new(format!("{} took over, and not {to}", moved.to))),
            _ => Ok(moved),
        }
    }

    /// The first sentinel that holds this one for the master.
    async fn first(&self, cx: &Context, master: &str) -> Result<String> {
        let look = self.sentinels.look(cx).await?;
        let first = look.agreeing(master).next().map(|view| view.sentinel.clone());
        first.with_context(|| format!("no sentinel holds {master} for the master"))
    }

    /// The master, once no failover is under way.
    async fn settled(&self, cx: &Context) -> Result<Look> {
        until(cx, self.limit, || async {
            let look = self.sentinels.look(cx).await?;
            look.settled().map(|_| look)
        })
        .await
    }

    fn diff(&self, master: &Master) -> Diff {
        let to = self.to.as_deref().unwrap_or("one of its replicas");
        Diff::turn(format!("master of {}", master.name), &master.address, to)
    }
}

/// That a server does not take writes may pass while it becomes a master.
fn not_yet(error: Error) -> Error {
    error.kind_of(runbook::ErrorKind::Transient)
}

#[async_trait]
impl Step for Failover {
    type Before = FailoverBefore;
    type Output = FailedOver;

    fn describe(&self) -> Description {
        let master = &self.sentinels.master;
        let to = self.to.as_deref().unwrap_or("a replica");
        let command = self.sentinels.by_hand(["SENTINEL", "FAILOVER", master]);
        let description = Description::new("redis.sentinel_failover", master)
            .summary(format!("let {to} take over as the master of {master}, and see it take writes and be followed"))
            .command(command.clone())
            .command(self.sentinels.by_hand(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", master]))
            .undo_command(command)
            .reads(self.sentinels.resource())
            .writes(self.sentinels.resource());
        if self.to.is_none() { description.repeats() } else { description }
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<FailoverBefore, FailedOver>> {
        let look = self.sentinels.look(cx).await?;
        let master = look.settled()?;
        let members = self.sentinels.members(cx, &look).await?;
        if self.to.as_ref() == Some(&master.address) {
            let before = FailoverBefore { master, members, probe: Probe::new(cx) };
            if Sentinels::prefer_none(&before.members) {
                return self.standing(cx, before).await.map(Survey::Already);
            }
            return Ok(Survey::change(before, Diff::note("the replicas are no longer to be promoted before others")));
        }
        if members.len() < 2 {
            let error = Error::refused(format!("no replica of {} follows its master {}", master.name, master.address));
            return Err(error.details(look.lines()));
        }
        if let Some(to) = self.to.as_ref().filter(|to| members.iter().all(|member| member.address != **to)) {
            let follow: Vec<String> = members.iter().skip(1).map(|member| member.address.clone()).collect();
            let error = Error::refused(format!("{to} is no replica that follows {}", master.address));
            return Err(error.details([format!("these do: {}", follow.join(" "))]));
        }
        let diff = self.diff(&master);
        Ok(Survey::change(FailoverBefore { master, members, probe: Probe::new(cx) }, diff))
    }

    async fn apply(&self, cx: &Context, before: &FailoverBefore) -> Result<FailedOver> {
        let from = &before.master.address;
        let now = self.settled(cx).await?.master()?;
        let there = self.to.as_ref().map_or(now.address != *from, |to| *to == now.address);
        if there {
            let moved = until(cx, self.limit, || self.moved(cx, before, "")).await?;
            self.sentinels.prefer_as_before(cx, &before.members).await?;
            return Ok(moved);
        }
        self.go(cx, before, &now.address, self.to.as_deref()).await
    }
}

impl Failover {
    /// What there is to say when the master is already the one that is wanted. Nothing is written.
    async fn standing(&self, cx: &Context, before: FailoverBefore) -> Result<FailedOver> {
        let asking = self.sentinels.asking(cx);
        let master = self.sentinels.server(&before.master.address)?.replication_now(&asking).await?;
        if !master.is_master {
            return Err(Error::transient(format!("{} {}", before.master.address, master.words())));
        }
        let Master { address, config_epoch, agreed, .. } = before.master;
        Ok(FailedOver {
            from: address.clone(),
            to: address,
            epoch_before: config_epoch,
            epoch: config_epoch,
            agreed,
            replicas: before.members.into_iter().skip(1).map(|member| member.address).collect(),
            probe: String::new(),
        })
    }
}

#[async_trait]
impl Rollback for Failover {
    async fn rollback(&self, cx: &Context, before: &FailoverBefore) -> Result<()> {
        let (wanted, now) = (&before.master.address, self.settled(cx).await?.master()?);
        if now.address == *wanted {
            until(cx, self.limit, || self.moved(cx, before, "")).await?;
        } else {
            let back = self.go(cx, before, &now.address, Some(wanted)).await;
            back.map_err(|error| error.hint(format!("{} is the master, and goes on", now.address)))
                .with_context(|| format!("let {wanted} be the master again"))?;
        }
        self.sentinels.prefer_as_before(cx, &before.members).await
    }
}
