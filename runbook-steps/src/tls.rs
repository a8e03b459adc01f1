//! TLS certificates: how long are they good, for whom, and who says so? And how they are obtained and renewed, by certbot.
//!
//! ```
//! use runbook_core::Units as _;
//! use runbook_steps::tls;
//!
//! let check = tls::certificate("app.example.org", 443).valid_for(30.days()).names("www.example.org");
//! let check = tls::certificate_file("/etc/ssl/app.pem").valid_for(14.days());
//!
//! let step = tls::obtain("app.example.org").also("www.example.org").nginx().email("ops@example.org");
//! let check = tls::renew("app.example.org").dry_run();
//! ```
//!
//! - A certificate that certbot obtained is read from its file: names, authority and end are what counts.
//! - An undo removes only a certificate that was not there before, and all that a certbot which was cut off left of it.
//! - `certbot renew --dry-run` exits with 0 when there is nothing it could renew. Here that is a *no*.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use runbook::{
    Check, Context, Description, Error, ErrorKind, Evidence, Explain, Finding, Resource, Result, Units as _,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::trust::{self, Witness};

mod certbot;

mod obtain;
mod renew;

#[cfg(feature = "testing")]
pub mod fake;

#[cfg(feature = "testing")]
pub use self::fake::Fake;
pub use self::obtain::{Obtain, ObtainBefore, Obtained, obtain};
pub use self::renew::{DryRun, Renew, renew};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for, as a distinguished name.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// The host names and addresses it is for.
    pub names: Vec<String>,
    /// From when it is good.
    pub not_before: Timestamp,
    /// Until when it is good.
    pub not_after: Timestamp,
    /// Whether this machine trusts it.
    pub trust: Trust,
}

/// Whether this machine trusts a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// It does: the chain leads to an issuer it knows, and the name is right.
    Yes,
    /// It does not, for this reason.
    No(String),
    /// Nobody asked: a certificate in a file is only read.
    NotAsked,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        let all = trust::certificates(pem)?;
        Self::from_der(&all[0], Trust::NotAsked)
    }

    fn from_der(der: &CertificateDer<'_>, trust: Trust) -> Result<Self> {
        let (_, found) = x509_parser::parse_x509_certificate(der).context("the certificate cannot be read")?;
        let time = |at: x509_parser::time::ASN1Time| {
            Timestamp::from_second(at.timestamp()).context("the certificate has a time that is none")
        };
        Ok(Self {
            subject: found.subject().to_string(),
            issuer: found.issuer().to_string(),
            names: names(&found),
            not_before: time(found.validity().not_before)?,
            not_after: time(found.validity().not_after)?,
            trust,
        })
    }

    /// Whether it is for this host name or address. `*.example.org` is for `www.example.org`, and for no deeper name.
    pub fn is_for(&self, host: &str) -> bool {
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(domain) => {
                host.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest.eq_ignore_ascii_case(domain))
            }
            None => name.eq_ignore_ascii_case(host),
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// A server whose certificate is read, from the machine the runner is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port, where TLS begins at once.
    pub port: u16,
    /// The name it is asked for, when that is another.
    pub name: Option<String>,
    /// A PEM file on the runner's machine with more certificates to trust.
    pub root_certificate: Option<PathBuf>,
}

impl Server {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.host)
    }

    /// Shakes hands with the server whatever its certificate, and says whether this machine trusts it.
    pub async fn certificate(&self) -> Result<Certificate> {
        let pem = match &self.root_certificate {
            Some(path) => Some(tokio::fs::read(path).await.with_context(|| format!("read `{}`", path.display()))?),
            None => None,
        };
        let name = ServerName::try_from(self.name().to_owned())
            .map_err(|_| Error::new(format!("`{}` is no name of a server", self.name())))?;
        let witness = Arc::new(Witness::new(Some(trust::verifier(pem.as_deref())?)));
        let tls = TlsConnector::from(Arc::new(trust::checked_by(witness.clone())?));
        let silent = |error: std::io::Error| Error::transient(format!("{self}: no handshake: {error}"));
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(silent)?;
        let stream = tls.connect(name, stream).await.map_err(silent)?;
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let first = shown.first().with_context(|| format!("{self} showed no certificate"))?;
        let trust = match witness.verdict() {
            Some(Ok(())) => Trust::Yes,
            Some(Err(why)) => Trust::No(why),
            None => Trust::NotAsked,
        };
        Certificate::from_der(first, trust)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The certificate in a PEM file of the host.
pub async fn read_file(cx: &Context, path: impl AsRef<Path>) -> Result<Certificate> {
    let path = path.as_ref();
    let pem = cx.files().read(path).await?;
    Certificate::from_pem(&pem).with_context(|| format!("read the certificate in `{}`", path.display()))
}

/// Asks whether the certificate that a server shows is good: trusted by this machine, for the server's name, now and
/// as [long](CertificateIsGood::valid_for) as wanted.
pub fn certificate(host: impl Into<String>, port: u16) -> CertificateIsGood {
    let server = Server { host: host.into(), port, name: None, root_certificate: None };
    CertificateIsGood::new(Source::Server(server))
}

/// Asks the same of the first certificate in a PEM file of the host. Whether anyone trusts it is not asked.
pub fn certificate_file(path: impl AsRef<Path>) -> CertificateIsGood {
    CertificateIsGood::new(Source::File(path.as_ref().to_owned()))
}

/// The check of [`certificate`] and [`certificate_file`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct CertificateIsGood {
    source: Source,
    valid_for: Duration,
    names: Vec<String>,
    any_issuer: bool,
    timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Server(Server),
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(server) => server.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl CertificateIsGood {
    fn new(source: Source) -> Self {
        Self { source, valid_for: Duration::ZERO, names: Vec::new(), any_issuer: false, timeout: 10.seconds() }
    }

    /// Wants it to be good for at least this much longer.
    pub fn valid_for(mut self, duration: Duration) -> Self {
        self.valid_for = duration;
        self
    }

    /// Wants it to be for this name too.
    pub fn names(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Does not ask who issued it, or for which server: a certificate of one's own making is good too.
    pub fn any_issuer(mut self) -> Self {
        self.any_issuer = true;
        self
    }

    /// Asks the server for this name instead of its host name.
    pub fn server_name(self, name: impl Into<String>) -> Self {
        self.server(|server| server.name = Some(name.into()))
    }

    /// Trusts the certificates in this PEM file of the runner's machine too.
    pub fn root_certificate(self, path: impl Into<PathBuf>) -> Self {
        self.server(|server| server.root_certificate = Some(path.into()))
    }

    /// Waits this long for the handshake, instead of ten seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn server(mut self, change: impl FnOnce(&mut Server)) -> Self {
        if let Source::Server(server) = &mut self.source {
            change(server);
        }
        self
    }

    async fn read(&self, cx: &Context) -> Result<Certificate> {
        match &self.source {
            Source::File(path) => read_file(cx, path).await,
            Source::Server(server) => match tokio::time::timeout(self.timeout, server.certificate()).await {
                Ok(certificate) => certificate,
                Err(_) => Err(Error::transient(format!("{server}: no handshake within {:?}", self.timeout))),
            },
        }
    }

    fn judge(&self, certificate: &Certificate, now: Timestamp) -> Finding {
        let left = certificate.not_after.duration_since(now);
        let wanted = SignedDuration::try_from(self.valid_for).unwrap_or(SignedDuration::MAX);
        let mut wrong = Vec::new();
        if now < certificate.not_before {
            wrong.push(format!("it is not good before {}", certificate.not_before));
        }
        if left <= SignedDuration::ZERO {
            wrong.push(format!("it expired {} ago", days(-left)));
        } else if left < wanted {
            wrong.push(format!("it is good for {} only, wanted {}", days(left), days(wanted)));
        }
        let missing = self.names.iter().filter(|name| !certificate.is_for(name));
        wrong.extend(missing.map(|name| format!("it is not for `{name}`")));
        if let (Trust::No(why), false) = (&certificate.trust, self.any_issuer) {
            wrong.push(format!("it is not trusted: {why}"));
        }
        let what = &self.source;
        let summary = if wrong.is_empty() {
            format!("the certificate of {what} is good for {}", days(left))
        } else {
            format!("the certificate of {what}: {}", wrong.join(", "))
        };
        let evidence = Evidence::new(summary);
        Finding::of(wrong.is_empty(), evidence.lines(about(certificate)))
    }
}

fn about(certificate: &Certificate) -> [String; 3] {
    [
        format!(
            "for {}",
            if certificate.names.is_empty() { "no name".to_owned() } else { certificate.names.join(", ") }
        ),
        format!("issued by {}", certificate.issuer),
        format!("good until {}", certificate.not_after),
    ]
}

/// Whole days, or hours when there are fewer than two days.
fn days(duration: SignedDuration) -> String {
    match duration.as_hours() {
        hours @ ..48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

#[async_trait]
impl Check for CertificateIsGood {
    fn describe(&self) -> Description {
        let wanted = SignedDuration::try_from(self.valid_for).unwrap_or(SignedDuration::MAX);
        let description = Description::new("tls.certificate", self.source.to_string());
        let how_long = if self.valid_for.is_zero() { String::new() } else { format!(" for {}", days(wanted)) };
        let description = description.summary(format!("the certificate of {} is good{how_long}", self.source));
        match &self.source {
            Source::Server(server) => description
                .command(format!("openssl s_client -connect {server} -servername {} </dev/null", server.name()))
                .reads(Resource::new("url", format!("https://{server}"))),
            Source::File(path) => description
                .command(format!("openssl x509 -in {} -noout -text", path.display()))
                .reads(Resource::path(path)),
        }
    }

    /// A server that gives no answer is *unknown*.
    async fn check(&self, cx: &Context) -> Result<Finding> {
        match self.read(cx).await {
            Ok(certificate) => Ok(self.judge(&certificate, cx.now())),
            Err(error) if error.kind() == ErrorKind::Transient => Ok(Finding::unknown(error.to_string())),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
