//! A page in place of a site.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::host::FileKind;
use runbook::{Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Nginx, Reloaded, commands, config, facts, reload};

/// The step of [`maintenance`](super::maintenance()).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.hold(\"title\", step, body).await?`"]
pub struct Maintenance {
    server: Nginx,
    site: String,
    page: String,
}

/// What a site was before the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceBefore {
    /// Where the link of the site led.
    target: PathBuf,
}

impl Maintenance {
    pub(super) fn new(server: Nginx, site: String) -> Self {
        Self { server, site, page: "Maintenance in progress\n".to_owned() }
    }

    /// Shows this page (HTML, at most 3000 bytes, no `$`) instead of the words "Maintenance in progress".
    pub fn page(mut self, page: impl Into<String>) -> Self {
        self.page = page.into();
        self
    }

    /// The site with the page in it. nginx never reads it unless the link leads there.
    fn path(&self) -> PathBuf {
        self.server.available(&format!("{}.runbook-maintenance", self.site))
    }

    /// Where the link of the site leads.
    async fn target(&self, cx: &Context) -> Result<PathBuf> {
        let link = self.server.enabled(&self.site);
        match cx.files().stat(&link).await?.map(|stat| stat.kind) {
            Some(FileKind::Symlink(to)) => Ok(to),
            Some(_) => Err(Error::refused(format!("`{}` is no symbolic link", link.display()))
                .hint("move the file to `sites-available` and link it, with a `nginx::site` step")),
            None => Err(Error::refused(format!("the site {} is not enabled", self.site))
                .hint("install it first, with a `nginx::site` step")),
        }
    }

    async fn with_page(&self, cx: &Context, before: &MaintenanceBefore) -> Result<String> {
        let path = self.server.root.join("sites-enabled").join(&before.target);
        let content = cx.files().read(&path).await?;
        let text = String::from_utf8(content).with_context(|| format!("read `{}`", path.display()))?;
        config::with_page(&text, &self.page, &path)
    }

    async fn lead_to(&self, cx: &Context, target: &Path) -> Result<()> {
        cx.files().symlink(target, &self.server.enabled(&self.site)).await
    }
}

#[async_trait]
impl Step for Maintenance {
    type Before = MaintenanceBefore;
    type Output = Reloaded;

    fn describe(&self) -> Description {
        let (link, path) = (self.server.enabled(&self.site), self.path());
        let site = self.server.available(&self.site);
        Description::new("nginx.maintenance", &self.site)
            .summary(format!("show a maintenance page in place of the site {}", self.site))
            .command(format!("ln -sfn {} {}  # the site with `return 503 …;` in it", path.display(), link.display()))
            .command(commands::reload(&self.server).to_string())
            .undo_command(format!("ln -sfn {} {}", site.display(), link.display()))
            .undo_command(commands::reload(&self.server).to_string())
            .writes(Resource::path(&path))
            .writes(Resource::path(&link))
            .writes(Resource::new("unit", "nginx"))
            .repeats()
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<MaintenanceBefore, Reloaded>> {
        facts::ensure_accepted(cx, &self.server).await?;
        facts::workers(cx, &self.server).await?;
        let target = self.target(cx).await?;
        // A page that a run left when it was cut off is taken over, and goes with this run.
        let target = if target == self.path() { self.server.available(&self.site) } else { target };
        let before = MaintenanceBefore { target };
        self.with_page(cx, &before).await?;
        Ok(Survey::change(before, Diff::turn(format!("site {}", self.site), "serving", "maintenance page")))
    }

    async fn apply(&self, cx: &Context, before: &MaintenanceBefore) -> Result<Reloaded> {
        let config = self.with_page(cx, before).await?;
        cx.files().write(&self.path(), config.as_bytes(), &runbook::host::Attributes::default()).await?;
        self.lead_to(cx, &self.path()).await?;
        match reload::prove(cx, &self.server).await {
            Ok(reloaded) => Ok(reloaded),
            Err(error) => {
                self.lead_to(cx, &before.target).await?;
                Err(error.context(format!("show a maintenance page in place of the site {}", self.site)))
            }
        }
    }
}

#[async_trait]
impl Rollback for Maintenance {
    async fn rollback(&self, cx: &Context, before: &MaintenanceBefore) -> Result<()> {
        // As long as the file is there, nginx may have loaded it.
        if cx.files().stat(&self.path()).await?.is_none() {
            return Ok(());
        }
        if self.target(cx).await? == self.path() {
            self.lead_to(cx, &before.target).await?;
        }
        reload::prove(cx, &self.server).await?;
        cx.files().remove(&self.path()).await
    }
}
