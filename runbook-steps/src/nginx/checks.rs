//! Questions about nginx.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Resource, Result};

use super::{Nginx, commands, config, facts};

/// The check of [`test`](super::test()).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Test {
    server: Nginx,
}

impl Test {
    pub(super) fn new(server: Nginx) -> Self {
        Self { server }
    }
}

#[async_trait]
impl Check for Test {
    fn describe(&self) -> Description {
        Description::new("nginx.test", self.server.root.to_string_lossy())
            .summary("nginx accepts its configuration")
            .command(commands::test(&self.server).to_string())
            .reads(Resource::path(&self.server.root))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        Ok(match facts::test(cx, &self.server).await? {
            (true, lines) => Finding::pass(lines.last().cloned().unwrap_or_default()),
            (false, lines) => Finding::fail(Evidence::new("nginx does not accept its configuration").lines(lines)),
        })
    }
}

/// The check of [`upstream_port`](super::upstream_port()).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct UpstreamPort {
    server: Nginx,
    site: String,
    port: u16,
}

impl UpstreamPort {
    pub(super) fn new(server: Nginx, site: String, port: u16) -> Self {
        Self { server, site, port }
    }
}

#[async_trait]
impl Check for UpstreamPort {
    fn describe(&self) -> Description {
        let path = self.server.available(&self.site);
        Description::new("nginx.upstream_port", format!("{} {}", self.site, self.port))
            .summary(format!("the site {} passes on to port {}", self.site, self.port))
            .command(format!("grep -nE 'proxy_pass|server ' {}", path.display()))
            .reads(Resource::path(&path))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let (site, wanted) = (&self.site, self.port);
        let content = cx.files().read(&self.server.available(site)).await?;
        let upstreams = config::upstreams(&String::from_utf8_lossy(&content));
        let other = upstreams.iter().find(|upstream| upstream.port != Some(wanted));
        let shown: Vec<String> = upstreams
            .iter()
            .map(|upstream| match upstream.port {
                Some(port) => format!("{}:{port}", upstream.host),
                None => upstream.host.clone(),
            })
            .collect();
        let (list, evidence) = (shown.join(", "), |text: String| Evidence::new(text));
        Ok(match other {
            None if upstreams.is_empty() => Finding::unknown(format!("the site {site} passes nothing on")),
            None => Finding::pass(evidence(format!("the site {site} passes on to {list}"))),
            Some(_) => Finding::fail(evidence(format!("the site {site} passes on to {list}, wanted port {wanted}"))),
        })
    }
}

/// The check of [`no_errors`](super::no_errors()).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct NoErrors {
    log: PathBuf,
    lines: usize,
}

impl NoErrors {
    pub(super) fn new(log: &Path) -> Self {
        Self { log: log.to_owned(), lines: 50 }
    }

    /// Reads this many lines instead of 50.
    pub fn lines(mut self, lines: usize) -> Self {
        self.lines = lines;
        self
    }
}

#[async_trait]
impl Check for NoErrors {
    fn describe(&self) -> Description {
        let log = self.log.display();
        Description::new("nginx.no_errors", log.to_string())
            .summary(format!("the last {} lines of {log} tell of no error", self.lines))
            .command(commands::tail(&self.log, self.lines).to_string())
            .reads(Resource::path(&self.log))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let lines = facts::error_log(cx, &self.log, self.lines).await?;
        let errors: Vec<String> = lines.into_iter().filter(facts::LogLine::is_error).map(|line| line.text).collect();
        let log = self.log.display();
        Ok(match errors.len() {
            0 => Finding::pass(format!("no error in the last {} lines of {log}", self.lines)),
            count => Finding::fail(
                Evidence::new(format!("{count} errors in {log}")).lines(errors.into_iter().rev().take(10)),
            ),
        })
    }
}
