//! Requests are values: built without sending anything.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use runbook::{Error, Explain, Result, Secret};
use url::Url;

/// A request.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a request does nothing until it is sent: `http::fetch(cx, &request).await?`"]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The address, as it was written.
    pub url: String,
    /// Its headers, in order.
    pub headers: Vec<(String, HeaderValue)>,
    /// Its body.
    pub body: Body,
    /// How long the whole answer may take; ten seconds unless told otherwise.
    pub timeout: Duration,
    /// Whom to trust.
    pub tls: Tls,
    /// The address that is asked, whatever the name in the URL resolves to; the port is that of the URL.
    pub at: Option<IpAddr>,
    /// How many redirects are followed; none unless told otherwise.
    pub redirects: usize,
    /// Whether it goes out from the host of the step, through the curl there, instead of the runner's machine.
    pub from_host: bool,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// Anyone may see it.
    Plain(String),
    /// Nobody may; it is sent as `Bearer …`.
    Bearer(Secret),
    /// Nobody may see the password; user and password are sent as `Basic …`.
    Basic(String, Secret),
    /// Nobody may; it is sent as it is.
    Secret(Secret),
}

/// What a request carries.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Body {
    /// Nothing.
    #[default]
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// This value, as JSON.
    Json(serde_json::Value),
}

/// Whom a request trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Tls {
    /// Whether any certificate is good enough. Never the default.
    pub insecure: bool,
    /// A PEM file on the machine of the runner with more certificates to trust.
    pub root_certificate: Option<PathBuf>,
}

impl Request {
    /// A request with this method to this address.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Body::Nothing,
            timeout: Duration::from_secs(10),
            tls: Tls::default(),
            at: None,
            redirects: 0,
            from_host: false,
        }
    }

    /// With one more header.
    pub fn header(mut self, name: impl Into<String>, value: HeaderValue) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// The address, parsed. What is no address over HTTP is an error that names it.
    pub fn address(&self) -> Result<Url> {
        let url = Url::parse(&self.url).with_context(|| format!("`{}` is no URL", self.url))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(Error::new(format!("`{}` is no URL", self.url))
                .hint("it begins with `http://` or `https://` and names a host"));
        }
        Ok(url)
    }

    /// What is wrong with it before it is sent.
    pub(super) fn ensure_sane(&self) -> Result<()> {
        let url = self.address()?;
        if url.password().is_some() {
            return Err(Error::new(format!("the URL for {} has a password in it", url.host_str().unwrap_or_default()))
                .hint("give it as a secret: `.basic(user, &secret)`"));
        }
        Ok(())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}
