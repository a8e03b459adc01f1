//! Which servers of an upstream get requests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use runbook::host::{Attributes, FileKind};
use runbook::{Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::facts::{self, Living};
use super::{Nginx, Reloaded, commands, config, reload};

/// An upstream of nginx, by its name. What changes it is tested, loaded, and waits until no process of before is left:
/// none that still passes requests on to a server that is to get none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balancer {
    server: Nginx,
    upstream: String,
    file: Option<PathBuf>,
    limit: Duration,
}

/// The step of [`Balancer::drain`] and [`Balancer::servers`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.hold(\"title\", step, body).await?`"]
pub struct Servers {
    balancer: Balancer,
    wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Without(String),
    These(Vec<String>),
}

/// What an upstream was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServersBefore {
    /// The file it is written in.
    path: PathBuf,
    /// Its inside.
    block: String,
}

/// An upstream that nginx has loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServersLoaded {
    /// The file it is written in.
    pub path: PathBuf,
    /// Its servers, as they are written: `api-1:8000 weight=2`.
    pub servers: Vec<String>,
    /// The workers before and after; `None` where nothing had to change.
    pub reloaded: Option<Reloaded>,
}

/// In the file from before a change is loaded until after.
const MARK: &str = " # runbook: not loaded yet";

impl Balancer {
    pub(super) fn new(server: Nginx, upstream: String) -> Self {
        Self { server, upstream, file: None, limit: Duration::from_secs(60) }
    }

    /// It is written in this file, instead of wherever nginx reads it: the main file, `conf.d`, `sites-enabled`.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(path.as_ref().to_owned());
        self
    }

    /// Requests that are on their way may take this long to end, instead of a minute.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Gives no request to this server, and waits until those on their way have ended: to be held,
    /// `run.hold("Drain", nginx::upstream("api").drain("api-3:8000"), body)`.
    pub fn drain(&self, server: impl Into<String>) -> Servers {
        Servers { balancer: self.clone(), wanted: Wanted::Without(server.into()) }
    }

    /// Gives requests to these servers and no other: `["api-1:8000", "api-2:8000 weight=2"]`.
    pub fn servers<S: Into<String>>(&self, servers: impl IntoIterator<Item = S>) -> Servers {
        let servers = servers.into_iter().map(Into::into).collect();
        Servers { balancer: self.clone(), wanted: Wanted::These(servers) }
    }

    /// The file that holds it, and its inside.
    async fn find(&self, cx: &Context) -> Result<(PathBuf, String)> {
        for path in self.candidates(cx).await? {
            let text = read(cx, &path).await?;
            if let Some(block) = config::upstream_block(&text, &self.upstream) {
                return Ok((path, block.to_owned()));
            }
        }
        Err(Error::refused(format!("nginx has no upstream `{}`", self.upstream))
            .hint("name the file it is written in with `.file(path)`"))
    }

    async fn candidates(&self, cx: &Context) -> Result<Vec<PathBuf>> {
        if let Some(file) = &self.file {
            return Ok(vec![file.clone()]);
        }
        let root = &self.server.root;
        let main = self.server.conf.clone().unwrap_or_else(|| root.join("nginx.conf"));
        let mut all: Vec<PathBuf> = if cx.files().stat(&main).await?.is_some() { vec![main] } else { Vec::new() };
        for dir in [root.join("conf.d"), root.join("sites-enabled")] {
            if cx.files().stat(&dir).await?.is_some() {
                for name in cx.files().list(&dir).await?.into_iter().filter(|name| !name.starts_with('.')) {
                    all.push(linked(cx, dir.join(name)).await?);
                }
            }
        }
        Ok(all)
    }

    /// Writes another inside into this file, and sees that nginx goes by it and by nothing older. `None` where it does
    /// already: that needs no nginx that would load it again, and a drained server may have no address by now.
    async fn load(&self, cx: &Context, path: &Path, block: &str) -> Result<Option<Reloaded>> {
        let old = read(cx, path).await?;
        if config::upstream_block(&old, &self.upstream) == Some(block) {
            return Ok(None);
        }
        self.put(cx, path, &old, &format!("{MARK}\n{block}")).await?;
        let what = || format!("change the upstream {}", self.upstream);
        let (reloaded, living) = match reload::load(cx, &self.server).await {
            Ok(loaded) => loaded,
            Err(error) => {
                write(cx, path, &old)
                    .await
                    .with_context(|| format!("put `{}` back after: {error:#}", path.display()))?;
                return Err(error.context(what()));
            }
        };
        // From here on nginx goes by it: should the older ones not end, the mark stays, so that the way back loads again.
        self.end_of_older(cx, &reloaded, living).await.with_context(what)?;
        // Others may have written to it meanwhile.
        self.put(cx, path, &read(cx, path).await?, block).await?;
        Ok(Some(reloaded))
    }

    async fn put(&self, cx: &Context, path: &Path, text: &str, block: &str) -> Result<()> {
        let changed = config::with_upstream_block(text, &self.upstream, block)
            .with_context(|| format!("`{}` has no upstream `{}` any more", path.display(), self.upstream))?;
        if changed == text { Ok(()) } else { write(cx, path, &changed).await }
    }

    /// A worker of before ends when the last of its requests has.
    async fn end_of_older(&self, cx: &Context, reloaded: &Reloaded, mut living: Vec<Living>) -> Result<()> {
        let began = Instant::now();
        loop {
            let older = living.iter().filter(|worker| !reloaded.now.workers.contains(&worker.pid)).count();
            if older == 0 {
                return Ok(());
            }
            if began.elapsed() > self.limit {
                let limit = self.limit;
                return Err(Error::transient(format!(
                    "{older} workers of before have requests on their way after {limit:?}"
                ))
                .hint("give them longer with `.within(…)`, or let nginx end them with `worker_shutdown_timeout`"));
            }
            cx.pause(Duration::from_millis(50)).await?;
            living = facts::living(cx, reloaded.now.master).await?;
        }
    }
}

impl Servers {
    /// The servers that are to be, from those that are.
    fn wanted(&self, now: &[String]) -> Result<Vec<String>> {
        let drained = match &self.wanted {
            Wanted::These(servers) if servers.is_empty() => {
                return Err(Error::refused(format!("the upstream {} would have no server", self.balancer.upstream)));
            }
            Wanted::These(servers) => return Ok(servers.clone()),
            Wanted::Without(server) => server,
        };
        let is_it = |server: &String| server.split(' ').next() == Some(drained);
        if !now.iter().any(is_it) {
            let upstream = &self.balancer.upstream;
            return Err(Error::refused(format!("the upstream {upstream} has no server `{drained}`"))
                .details(now.iter().map(|server| format!("server {server};"))));
        }
        let is_down = |server: &String| server.split(' ').any(|word| word == "down");
        let down =
            |server: &String| if is_it(server) && !is_down(server) { format!("{server} down") } else { server.clone() };
        let servers: Vec<String> = now.iter().map(down).collect();
        if servers.iter().all(is_down) {
            return Err(Error::refused(format!("`{drained}` is the last server of the upstream that gets requests"))
                .hint("bring another one up first"));
        }
        Ok(servers)
    }

    fn loaded(path: PathBuf, block: &str, reloaded: Option<Reloaded>) -> ServersLoaded {
        ServersLoaded { path, servers: config::servers(block), reloaded }
    }
}

#[async_trait]
impl Step for Servers {
    type Before = ServersBefore;
    type Output = ServersLoaded;

    fn describe(&self) -> Description {
        let Balancer { server, upstream, .. } = &self.balancer;
        let (what, edit) = match &self.wanted {
            Wanted::Without(one) => (format!("drain {one} in the upstream {upstream}"), format!("server {one} down;")),
            Wanted::These(all) => {
                let lines: Vec<_> = all.iter().map(|server| format!("server {server};")).collect();
                (format!("give the upstream {upstream} the servers {}", all.join(", ")), lines.join(" "))
            }
        };
        let edited = |edit: &str| format!("# upstream {upstream} {{ {edit} }}");
        Description::new("nginx.upstream", upstream)
            .summary(what)
            .command(edited(&edit))
            .command(commands::reload(server).to_string())
            .undo_command(edited("as before"))
            .undo_command(commands::reload(server).to_string())
            .reads(Resource::new("upstream", upstream))
            .writes(Resource::new("upstream", upstream))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<ServersBefore, ServersLoaded>> {
        let server = &self.balancer.server;
        let (accepted, workers, found) =
            tokio::join!(facts::ensure_accepted(cx, server), facts::workers(cx, server), self.balancer.find(cx));
        accepted?;
        workers?;
        let (path, block) = found?;
        let servers = config::servers(&block);
        let wanted = self.wanted(&servers)?;
        if servers == wanted && !block.starts_with(MARK) {
            return Ok(Survey::Already(Self::loaded(path, &block, None)));
        }
        let diff = servers.iter().filter(|server| !wanted.contains(server)).fold(Diff::none(), Diff::and_remove);
        let diff = wanted.iter().filter(|server| !servers.contains(server)).fold(diff, Diff::and_add);
        let predicted = ServersLoaded { path: path.clone(), servers: wanted, reloaded: None };
        let block = without_mark(&block).to_owned();
        Ok(Survey::Change { before: ServersBefore { path, block }, diff, predicted: Some(predicted) })
    }

    async fn apply(&self, cx: &Context, before: &ServersBefore) -> Result<ServersLoaded> {
        let block = config::with_servers(&before.block, &self.wanted(&config::servers(&before.block))?);
        let reloaded = self.balancer.load(cx, &before.path, &block).await?;
        Ok(Self::loaded(before.path.clone(), &block, reloaded))
    }
}

#[async_trait]
impl Rollback for Servers {
    async fn rollback(&self, cx: &Context, before: &ServersBefore) -> Result<()> {
        self.balancer.load(cx, &before.path, &before.block).await.map(drop)
    }
}

/// Where a link leads: to write to the link would put a file in its place.
async fn linked(cx: &Context, path: PathBuf) -> Result<PathBuf> {
    let target = match cx.files().stat(&path).await?.map(|stat| stat.kind) {
        Some(FileKind::Symlink(to)) => Some(to),
        _ => None,
    };
    Ok(target.map_or(path.clone(), |to| path.parent().unwrap_or(&path).join(to)))
}

fn without_mark(block: &str) -> &str {
    block.strip_prefix(MARK).map_or(block, |rest| rest.strip_prefix('\n').unwrap_or(rest))
}

async fn read(cx: &Context, path: &Path) -> Result<String> {
    let content = cx.files().read(path).await?;
    String::from_utf8(content).with_context(|| format!("read `{}`", path.display()))
}

async fn write(cx: &Context, path: &Path, text: &str) -> Result<()> {
    cx.files().write(path, text.as_bytes(), &Attributes::default()).await
}
