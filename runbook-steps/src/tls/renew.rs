//! Renewing a certificate.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use runbook::{
    Check, Context, Description, Diff, Error, Evidence, Explain as _, Finding, Resource, Result, Rollback, Step,
    Survey, Units as _,
};

use super::certbot::{self, Kept, Lineage, ROOT};
use super::obtain::{ObtainBefore, Obtained};

/// Renews the certificate that certbot keeps under this name, when it is good for [less than a month](Renew::before).
pub fn renew(name: impl Into<String>) -> Renew {
    Renew { lineage: Lineage { name: name.into(), root: ROOT.into() }, before: 30.days() }
}

/// The step of [`renew`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Renew {
    lineage: Lineage,
    before: Duration,
}

/// The check of [`Renew::dry_run`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct DryRun {
    lineage: Lineage,
}

const LETS_ENCRYPT: &str = ".letsencrypt.org/";

impl Renew {
    /// When it is good for less than this, instead of thirty days.
    pub fn before(mut self, left: Duration) -> Self {
        self.before = left;
        self
    }

    /// Where certbot keeps its files, instead of `/etc/letsencrypt`.
    pub fn config_dir(mut self, dir: impl AsRef<Path>) -> Self {
        dir.as_ref().clone_into(&mut self.lineage.root);
        self
    }

    /// Asks instead whether it could be renewed, now: everything is done as in earnest, and nothing is kept.
    pub fn dry_run(self) -> DryRun {
        DryRun { lineage: self.lineage }
    }

    async fn kept(&self, cx: &Context) -> Result<Kept> {
        self.lineage.ensure_sane()?;
        let kept = self.lineage.read(cx).await?;
        let kept = kept.with_context(|| format!("certbot keeps no certificate `{}`", self.lineage.name));
        kept.map_err(|error| error.hint("obtain it first: `tls::obtain(name)`"))
    }

    fn is_due(&self, cx: &Context, kept: &Kept) -> bool {
        let wanted = SignedDuration::try_from(self.before).unwrap_or(SignedDuration::MAX);
        kept.certificate.not_after.duration_since(cx.now()) < wanted
    }
}

#[async_trait]
impl Step for Renew {
    type Before = ObtainBefore;
    type Output = Obtained;

    fn describe(&self) -> Description {
        let description = Description::new("tls.renew", &self.lineage.name)
            .summary(format!("renew the certificate of {} when it is time", self.lineage.name))
            .command(certbot::certbot("renew", &self.lineage).to_string())
            .reads(Resource::path(self.lineage.live()));
        self.lineage.all().iter().fold(description, |description, path| description.writes(Resource::path(path)))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<ObtainBefore, Obtained>> {
        let kept = self.kept(cx).await?;
        if !self.is_due(cx, &kept) {
            return Ok(Survey::Already(Obtained::of(&self.lineage, kept)));
        }
        let not_after = kept.certificate.not_after;
        let diff = Diff::note(format!("the certificate of {} is good until {not_after} only", self.lineage.name));
        Ok(Survey::change(ObtainBefore { not_after: Some(not_after) }, diff))
    }

    async fn apply(&self, cx: &Context, before: &ObtainBefore) -> Result<Obtained> {
        let is_newer = |kept: &Kept| before.not_after.is_none_or(|not_after| kept.certificate.not_after > not_after);
        let kept = self.kept(cx).await?;
        if is_newer(&kept) && !self.is_due(cx, &kept) {
            return Ok(Obtained::of(&self.lineage, kept));
        }
        // Whether it is time is for us to say.
        certbot::ask(cx, &certbot::certbot("renew", &self.lineage).arg("--force-renewal")).await?;
        let kept = self.kept(cx).await?;
        if is_newer(&kept) {
            return Ok(Obtained::of(&self.lineage, kept));
        }
        let until = kept.certificate.not_after;
        Err(Error::new(format!(
            "the certificate of {} is good until {until} still, after it was renewed",
            self.lineage.name
        )))
    }
}

#[async_trait]
impl Rollback for Renew {
    /// The new certificate stays: it is for the same names, and good for longer.
    async fn rollback(&self, _cx: &Context, _before: &ObtainBefore) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Check for DryRun {
    fn describe(&self) -> Description {
        Description::new("tls.renew_dry_run", &self.lineage.name)
            .summary(format!("the certificate of {} can be renewed", self.lineage.name))
            .command(certbot::certbot("renew", &self.lineage).arg("--dry-run").to_string())
            .reads(Resource::path(self.lineage.live()))
    }

    /// That certbot had nothing to renew is a *no*, though it exits with 0.
    async fn check(&self, cx: &Context) -> Result<Finding> {
        self.lineage.ensure_sane()?;
        let name = &self.lineage.name;
        let Some(kept) = self.lineage.read(cx).await? else {
            return Ok(Finding::fail(format!("certbot keeps no certificate `{name}`")));
        };
        let mut command = certbot::certbot("renew", &self.lineage).arg("--dry-run");
        // Left to itself, certbot rehearses with the staging directory of Let's Encrypt, whoever issued it.
        if let Some(server) = kept.server.filter(|server| !server.contains(LETS_ENCRYPT)) {
            command = command.args(["--server", &server]);
        }
        let asked = certbot::ask(cx, &command).await;
        Ok(match asked {
            Ok(said) if said.contains("all simulated renewals succeeded") => {
                Finding::pass(format!("the certificate of {name} can be renewed"))
            }
            Ok(said) => {
                Finding::unknown(Evidence::new("certbot does not say that it could be renewed").lines(said.lines()))
            }
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                let summary = format!("the certificate of {name} cannot be renewed: {error:#}");
                Finding::fail(Evidence::new(summary).lines(error.lines().iter().cloned()))
            }
        })
    }
}
