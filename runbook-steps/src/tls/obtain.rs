//! Obtaining a certificate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use runbook::{
    Command, Context, Description, Diff, Error, Explain as _, Resource, Result, Rollback, Step, Survey, Units as _,
};
use serde::{Deserialize, Serialize};

use super::certbot::{self, Kept, Lineage, ROOT};

/// Obtains a certificate for this name through certbot, and has it renewed by certbot from then on. Say how the authority
/// is to see that the name is ours: [`nginx`](Obtain::nginx), [`webroot`](Obtain::webroot) or
/// [`standalone`](Obtain::standalone).
///
/// One that certbot keeps already stays, when it is for all names, from the same authority, and good for
/// [another month](Obtain::renew_before). The sites of nginx stay as they are: name the files in them, see
/// [`Obtained`].
pub fn obtain(domain: impl Into<String>) -> Obtain {
    let lineage = Lineage { name: domain.into(), root: ROOT.into() };
    Obtain {
        names: vec![lineage.name.clone()],
        lineage,
        proof: Proof::Standalone,
        server: None,
        email: None,
        renew_before: 30.days(),
        deploy_hook: None,
    }
}

/// The step of [`obtain`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Obtain {
    lineage: Lineage,
    names: Vec<String>,
    proof: Proof,
    server: Option<String>,
    email: Option<String>,
    renew_before: Duration,
    deploy_hook: Option<String>,
}

/// How the authority sees that a name is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Proof {
    Webroot(PathBuf),
    Nginx,
    Standalone,
}

/// What certbot kept before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObtainBefore {
    /// Until when the certificate was good that it kept; `None` when it kept none.
    pub not_after: Option<Timestamp>,
}

/// A certificate that certbot keeps, as it was read from its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obtained {
    /// The certificate with its chain: `ssl_certificate` of nginx.
    pub certificate: PathBuf,
    /// Its key: `ssl_certificate_key` of nginx.
    pub key: PathBuf,
    /// The names it is for.
    pub names: Vec<String>,
    /// Until when it is good.
    pub not_after: Timestamp,
    /// The SHA-256 checksum of the certificate: another one with every renewal.
    pub sha256: String,
}

impl Obtained {
    pub(super) fn of(lineage: &Lineage, kept: Kept) -> Self {
        let Kept { certificate, sha256, .. } = kept;
        let (names, not_after) = (certificate.names, certificate.not_after);
        Self { certificate: lineage.chain(), key: lineage.key(), names, not_after, sha256 }
    }
}

impl Obtain {
    /// For this name too.
    pub fn also(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Proves it with a file below this directory, which a web server shows at port 80 of every name.
    pub fn webroot(mut self, dir: impl AsRef<Path>) -> Self {
        self.proof = Proof::Webroot(dir.as_ref().to_owned());
        self
    }

    /// Proves it through the nginx that listens on port 80, which is told to show the file for a moment.
    pub fn nginx(mut self) -> Self {
        self.proof = Proof::Nginx;
        self
    }

    /// Proves it with a server of certbot's own at port 80, which must be free. It is what happens unless told otherwise.
    pub fn standalone(mut self) -> Self {
        self.proof = Proof::Standalone;
        self
    }

    /// From the authority with this ACME directory, instead of the one certbot is set up for, which is Let's Encrypt.
    pub fn server(mut self, directory: impl Into<String>) -> Self {
        self.server = Some(directory.into());
        self
    }

    /// With this address, to which the authority writes when something is wrong.
    pub fn email(mut self, address: impl Into<String>) -> Self {
        self.email = Some(address.into());
        self
    }

    /// Obtains a new one when the old one is good for less than this, instead of thirty days.
    pub fn renew_before(mut self, left: Duration) -> Self {
        self.renew_before = left;
        self
    }

    /// What certbot runs after every renewal: `systemctl reload nginx`. Without it, a server goes on with the old one.
    pub fn deploy_hook(mut self, command: impl Into<String>) -> Self {
        self.deploy_hook = Some(command.into());
        self
    }

    /// Where certbot keeps its files, instead of `/etc/letsencrypt`.
    pub fn config_dir(mut self, dir: impl AsRef<Path>) -> Self {
        dir.as_ref().clone_into(&mut self.lineage.root);
        self
    }

    fn command(&self, force: bool) -> Command {
        let mut command = certbot::certbot("certonly", &self.lineage).arg("--agree-tos");
        command = match &self.email {
            Some(address) => command.args(["--email", address]),
            None => command.arg("--register-unsafely-without-email"),
        };
        command = match &self.proof {
            Proof::Webroot(dir) => command.args(["--webroot", "-w"]).arg(dir),
            Proof::Nginx => command.arg("--nginx"),
            Proof::Standalone => command.arg("--standalone"),
        };
        if let Some(directory) = &self.server {
            command = command.args(["--server", directory]);
        }
        if let Some(hook) = &self.deploy_hook {
            command = command.args(["--deploy-hook", hook]);
        }
        if force {
            command = command.args(["--force-renewal", "--renew-with-new-domains"]);
        }
        self.names.iter().fold(command, |command, name| command.args(["-d", name]))
    }

    /// Why what certbot keeps is not what is wanted; `None` when it is.
    fn wrong(&self, kept: &Kept, now: Timestamp) -> Option<String> {
        let Kept { certificate, server, .. } = kept;
        if let Some(name) =
            self.names.iter().find(|name| !certificate.is_for(name) && !certificate.names.contains(name))
        {
            return Some(format!("it is not for `{name}`"));
        }
        if let (Some(wanted), Some(server)) = (&self.server, server)
            && wanted != server
        {
            return Some(format!("it is from {server}"));
        }
        let left = certificate.not_after.duration_since(now);
        let wanted = SignedDuration::try_from(self.renew_before).unwrap_or(SignedDuration::MAX);
        (left < wanted).then(|| format!("it is good until {} only", certificate.not_after))
    }

    /// Sweeps away what a certbot that was cut off left: it would be taken for another certificate of that name.
    async fn sweep(&self, cx: &Context) -> Result<()> {
        for path in self.lineage.all() {
            cx.files().remove(&path).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Step for Obtain {
    type Before = ObtainBefore;
    type Output = Obtained;

    fn describe(&self) -> Description {
        let description = Description::new("tls.obtain", &self.lineage.name)
            .summary(format!("obtain a certificate for {}", self.names.join(", ")))
            .command(self.command(false).to_string())
            .undo_command(certbot::certbot("delete", &self.lineage).to_string());
        let description = self
            .names
            .iter()
            .fold(description, |description, name| description.reads(Resource::new("url", format!("http://{name}"))));
        self.lineage.all().iter().fold(description, |description, path| description.writes(Resource::path(path)))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<ObtainBefore, Obtained>> {
        for name in &self.names {
            Lineage { name: name.clone(), root: PathBuf::new() }.ensure_sane()?;
        }
        let names = self.names.join(", ");
        let Some(kept) = self.lineage.read(cx).await? else {
            let diff = Diff::none().and_add(format!("certificate for {names}"));
            return Ok(Survey::change(ObtainBefore { not_after: None }, diff));
        };
        Ok(match self.wrong(&kept, cx.now()) {
            None => Survey::Already(Obtained::of(&self.lineage, kept)),
            Some(why) => {
                let before = ObtainBefore { not_after: Some(kept.certificate.not_after) };
                Survey::change(before, Diff::note(format!("a new certificate for {names}: {why}")))
            }
        })
    }

    async fn apply(&self, cx: &Context, before: &ObtainBefore) -> Result<Obtained> {
        let kept = self.lineage.read(cx).await?;
        if let Some(kept) = kept.filter(|kept| self.wrong(kept, cx.now()).is_none()) {
            return Ok(Obtained::of(&self.lineage, kept));
        }
        if before.not_after.is_none() && self.lineage.read(cx).await?.is_none() {
            self.sweep(cx).await?;
        }
        certbot::ask(cx, &self.command(before.not_after.is_some())).await?;
        let kept = self.lineage.read(cx).await?;
        let kept =
            kept.with_context(|| format!("certbot keeps no certificate `{}` after it was told to", self.lineage.name))?;
        match self.wrong(&kept, cx.now()) {
            None => Ok(Obtained::of(&self.lineage, kept)),
            Some(why) => {
                Err(Error::new(format!("the certificate `{}` that certbot obtained: {why}", self.lineage.name)))
            }
        }
    }
}

#[async_trait]
impl Rollback for Obtain {
    /// Takes away only what was not there at all: a certificate that took the place of an older one stays, as the older
    /// one would soon be of no use. The account with the authority stays too.
    async fn rollback(&self, cx: &Context, before: &ObtainBefore) -> Result<()> {
        if before.not_after.is_some() {
            return Ok(());
        }
        if self.lineage.read(cx).await?.is_some() {
            certbot::ask(cx, &certbot::certbot("delete", &self.lineage)).await?;
        }
        self.sweep(cx).await
    }
}
