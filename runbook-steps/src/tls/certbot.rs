//! `certbot`: its commands, its files, and what it means.

use std::path::{Path, PathBuf};

use runbook::{Command, Context, Error, ErrorKind, Result};
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::Certificate;
use crate::{file, tool, trust};

/// Where certbot keeps its certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lineage {
    pub(super) name: String,
    pub(super) root: PathBuf,
}

/// A certificate that certbot keeps.
pub(super) struct Kept {
    pub(super) certificate: Certificate,
    /// The SHA-256 checksum of the certificate.
    pub(super) sha256: String,
    /// The directory of the authority it is from.
    pub(super) server: Option<String>,
}

pub(super) const ROOT: &str = "/etc/letsencrypt";

impl Lineage {
    pub(super) fn live(&self) -> PathBuf {
        self.root.join("live").join(&self.name)
    }

    pub(super) fn chain(&self) -> PathBuf {
        self.live().join("fullchain.pem")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.live().join("privkey.pem")
    }

    pub(super) fn renewal(&self) -> PathBuf {
        self.root.join("renewal").join(format!("{}.conf", self.name))
    }

    /// All that there is of it.
    pub(super) fn all(&self) -> [PathBuf; 3] {
        [self.renewal(), self.live(), self.root.join("archive").join(&self.name)]
    }

    /// A name that is no path and no option.
    pub(super) fn ensure_sane(&self) -> Result<()> {
        let sane = |c: char| c.is_ascii_alphanumeric() || ".-*_".contains(c);
        if !self.name.is_empty() && self.name.chars().all(sane) && !self.name.starts_with(['-', '.']) {
            return Ok(());
        }
        Err(Error::refused(format!("`{}` is no name of a site", self.name)))
    }

    /// What certbot keeps under this name; `None` when it keeps nothing, or only half of it.
    pub(super) async fn read(&self, cx: &Context) -> Result<Option<Kept>> {
        let (chain, renewal) = (self.chain(), self.renewal());
        if cx.files().stat(&chain).await?.is_none() || cx.files().stat(&renewal).await?.is_none() {
            return Ok(None);
        }
        let all = trust::certificates(&cx.files().read(&chain).await?)?;
        let first: &CertificateDer<'_> = &all[0];
        let renewal = cx.files().read(&renewal).await?;
        Ok(Some(Kept {
            certificate: Certificate::from_der(first, super::Trust::NotAsked)?,
            sha256: file::content::sha256(first),
            server: server_in(&String::from_utf8_lossy(&renewal)),
        }))
    }
}

/// `server = https://acme-v02.api.letsencrypt.org/directory`
fn server_in(renewal: &str) -> Option<String> {
    renewal.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "server").then(|| value.trim().to_owned())
    })
}

/// A command of certbot that asks nothing.
pub(super) fn certbot(verb: &str, lineage: &Lineage) -> Command {
    let command = Command::new("certbot").env("LC_ALL", "C").args([verb, "-n", "--cert-name", &lineage.name]);
    // Renewals that nobody watches wait up to eight minutes, to spare the authority.
    let command = if verb == "renew" { command.arg("--no-random-sleep-on-renew") } else { command };
    if lineage.root == Path::new(ROOT) {
        return command;
    }
    let root = &lineage.root;
    let command = command.arg("--config-dir").arg(root).arg("--work-dir").arg(root.join("work"));
    command.arg("--logs-dir").arg(root.join("logs"))
}

/// What certbot says, what it means, and what to do.
const MEANINGS: [(&str, ErrorKind, &str); 8] = [
    ("Another instance of Certbot is already running", ErrorKind::Transient, "wait for it"),
    ("too many", ErrorKind::Failed, "the authority wants a pause: try with its staging directory, `.server(url)`"),
    ("rateLimited", ErrorKind::Failed, "the authority wants a pause: try with its staging directory, `.server(url)`"),
    ("requests.exceptions.ConnectionError", ErrorKind::Transient, "the authority cannot be reached from the host"),
    ("ValueError: Requesting", ErrorKind::Transient, "the authority cannot be reached from the host"),
    ("Failed to establish a new connection", ErrorKind::Transient, "the authority cannot be reached from the host"),
    (
        "Some challenges have failed",
        ErrorKind::Failed,
        "the authority asks for a file at port 80 of each name: is its address this host, and does the web server answer there?",
    ),
    ("must be run as root", ErrorKind::Failed, "it takes root: `run.on(&Become::user(\"root\").on(&host))`"),
];

/// Runs a command of certbot, and gives all it said.
pub(super) async fn ask(cx: &Context, command: &Command) -> Result<String> {
    let output = match cx.output(command).await {
        Err(error) if tool::is_missing(&error) => return Err(missing(error)),
        output => output?,
    };
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join("\n");
    if output.success() {
        return Ok(said);
    }
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(12)..].iter().copied();
    let error = Error::new(format!("`{command}` on {} {}", cx.host().name(), output.ending())).details(last);
    if output.code == Some(127) {
        return Err(missing(error));
    }
    Err(match MEANINGS.iter().find(|(words, ..)| said.contains(words)) {
        Some((_, kind, hint)) => error.kind_of(*kind).hint(*hint),
        None => error,
    })
}

fn missing(error: Error) -> Error {
    error.hint("install it: `machine::packages([\"certbot\", \"python3-certbot-nginx\"])`")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_authority_of_a_lineage_is_read() {
        let renewal =
            "version = 2.1.0\n[renewalparams]\nauthenticator = nginx\nserver = https://acme.example.org/directory\n";
        assert_eq!(super::server_in(renewal).as_deref(), Some("https://acme.example.org/directory"));
        assert_eq!(super::server_in("version = 2"), None);
    }
}
