//! Servers whose files and processes are in reach.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use runbook::{Context, Error, Explain as _, Host, Resource, Result, Step};

use super::power::Power;
use crate::redis::cli::Answer;
use crate::redis::sentinel::until;
use crate::redis::{Master, Redis, Sentinels};

/// A server; [`on`](Node::on) and [`process`](Node::process) say how its files and its process are reached.
pub fn node(redis: Redis) -> Node {
    Node { redis, files: None, data: None, machine: None, power: None }
}

/// A server whose files and process are in reach.
#[derive(Clone)]
pub struct Node {
    pub(super) redis: Redis,
    files: Option<Arc<dyn Host>>,
    data: Option<PathBuf>,
    machine: Option<Arc<dyn Host>>,
    power: Option<Arc<dyn Power>>,
}

/// The servers of one Redis: a master and its replicas, or one that stands alone.
#[derive(Debug, Clone)]
pub struct Servers {
    pub(super) sentinels: Option<Sentinels>,
    pub(super) nodes: Vec<Node>,
    through: Option<Arc<dyn Host>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("url", &self.redis.url).finish_non_exhaustive()
    }
}

impl Node {
    /// On this host, instead of that of the step.
    pub fn on(mut self, host: &Arc<dyn Host>) -> Self {
        self.machine = Some(host.clone());
        self
    }

    /// Whose files are on this host, also while it is stopped: for a service of Compose a container of its own with the
    /// same volumes.
    pub fn files_on(mut self, host: &Arc<dyn Host>) -> Self {
        self.files = Some(host.clone());
        self
    }

    /// Whose data that host has here, and not where the server itself sees it.
    pub fn data_at(mut self, path: impl AsRef<Path>) -> Self {
        self.data = Some(path.as_ref().to_owned());
        self
    }

    /// Which is stopped and started by these steps.
    pub fn process(mut self, stop: impl Step + 'static, start: impl Step + 'static) -> Self {
        self.power = Some(Arc::new((stop, start)));
        self
    }

    /// Which is stopped and started like this.
    pub fn power(mut self, power: impl Power + 'static) -> Self {
        self.power = Some(Arc::new(power));
        self
    }

    /// The only server of its Redis: without replicas and sentinels.
    pub fn alone(self) -> Servers {
        Servers { sentinels: None, nodes: vec![self], through: None }
    }

    /// The context of the host that has its files.
    pub(super) fn files(&self, cx: &Context) -> Context {
        at(cx, self.files.as_ref().or(self.machine.as_ref()))
    }

    /// Its directory, as the host that has its files sees it.
    pub(super) fn data<'a>(&'a self, seen: &'a Path) -> &'a Path {
        self.data.as_deref().unwrap_or(seen)
    }

    pub(super) fn switch(&self) -> Result<&Arc<dyn Power>> {
        let none = || Error::new(format!("nobody said how {} is stopped and started", self.redis.url));
        let hint = "say it: `.process(systemd::stop(\"redis-server\"), systemd::start(\"redis-server\"))`";
        self.power.as_ref().ok_or_else(|| none().hint(hint))
    }

    /// Stops it, and sees that nobody answers any more.
    pub(super) async fn stop(&self, cx: &Context, asking: &Context, limit: Duration) -> Result<()> {
        let stop = self.switch()?.stop(&at(cx, self.machine.as_ref())).await;
        stop.with_context(|| format!("stop {}", self.redis.url))?;
        until(asking, limit, || self.is_stopped(asking)).await
    }

    async fn is_stopped(&self, asking: &Context) -> Result<()> {
        match self.redis.ask(asking, ["PING"]).await? {
            Answer::Silent(words) if !words.contains("LOADING") => Ok(()),
            _ => Err(Error::transient(format!("{} still answers", self.redis.url))),
        }
    }

    /// Starts it, and sees that it has loaded its data.
    pub(super) async fn start(&self, cx: &Context, asking: &Context, limit: Duration) -> Result<()> {
        let start = self.switch()?.start(&at(cx, self.machine.as_ref())).await;
        start.with_context(|| format!("start {}", self.redis.url))?;
        until(asking, limit, || self.has_loaded(asking)).await
    }

    async fn has_loaded(&self, asking: &Context) -> Result<()> {
        let info = self.redis.require(asking, ["INFO", "persistence"]).await?;
        match Redis::field(&info, "loading") {
            Some("0") => Ok(()),
            _ => Err(Error::transient(format!("{} is loading its data", self.redis.url))),
        }
    }
}

fn at(cx: &Context, host: Option<&Arc<dyn Host>>) -> Context {
    host.map_or_else(|| cx.clone(), |host| cx.at(host))
}

impl Sentinels {
    /// With the servers they watch, all of them: a replica that is left out could bring newer data back.
    pub fn servers(&self, nodes: impl IntoIterator<Item = Node>) -> Servers {
        Servers { sentinels: Some(self.clone()), nodes: nodes.into_iter().collect(), through: None }
    }
}

impl Servers {
    /// Asked from this host, instead of that of the step, or of the sentinels.
    pub fn through(mut self, host: &Arc<dyn Host>) -> Self {
        self.through = Some(host.clone());
        self
    }

    /// What they are called.
    pub(super) fn name(&self) -> &str {
        match (&self.sentinels, self.nodes.first()) {
            (Some(sentinels), _) => &sentinels.master,
            (None, Some(node)) => &node.redis.url,
            (None, None) => "nothing",
        }
    }

    /// A name for files.
    pub(super) fn file_name(&self) -> String {
        match &self.sentinels {
            Some(sentinels) => sentinels.master.replace('/', "_"),
            None => "redis".to_owned(),
        }
    }

    pub(super) fn resource(&self) -> Resource {
        match (&self.sentinels, self.nodes.first()) {
            (Some(sentinels), _) => sentinels.resource(),
            (None, Some(node)) => node.redis.resource(),
            (None, None) => Resource::new("redis", self.name()),
        }
    }

    /// The context of the host that asks.
    pub(super) fn asking(&self, cx: &Context) -> Context {
        match (&self.through, &self.sentinels) {
            (Some(host), _) => cx.at(host),
            (None, Some(sentinels)) => sentinels.asking(cx),
            (None, None) => cx.clone(),
        }
    }

    /// Where their data lies, as far as that was said.
    pub(super) fn data(&self) -> impl Iterator<Item = &Path> {
        self.nodes.iter().filter_map(|node| node.data.as_deref())
    }

    pub(super) fn node(&self, url: &str) -> Result<&Node> {
        let found = self.nodes.iter().find(|node| node.redis.url == url);
        found.with_context(|| format!("{url} is none of the servers of {}", self.name()))
    }

    /// The one that is the master now, and what the sentinels say of it.
    pub(super) async fn master(&self, cx: &Context) -> Result<(&Node, Option<Master>)> {
        let Some(sentinels) = &self.sentinels else {
            let node = self.nodes.first().context("no server is given")?;
            let is = node.redis.replication_now(&self.asking(cx)).await?;
            return if is.is_master { Ok((node, None)) } else { Err(no_master(&node.redis, &is.words())) };
        };
        let (master, asking) = (sentinels.look(cx).await?.settled()?, self.asking(cx));
        let run_id = sentinels.server(&master.address)?.run_id(&asking).await?;
        for node in &self.nodes {
            // One that does not answer is not the master, which did.
            if node.redis.run_id(&asking).await.ok().as_ref() == Some(&run_id) {
                return Ok((node, Some(master)));
            }
        }
        let given = self.nodes.iter().map(|node| node.redis.url.clone());
        let error = Error::new(format!("the master {} is none of the servers of {}", master.address, self.name()));
        Err(error.details(given))
    }
}

fn no_master(redis: &Redis, words: &str) -> Error {
    Error::new(format!("{} {words}", redis.url))
}
