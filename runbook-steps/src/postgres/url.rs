//! The URL of a database, as libpq and SQLAlchemy write it.

use std::fmt;

use crate::percent;
use runbook::{Error, Explain as _, Result, redact};
use url::Url;

/// Where a database is and who we are there. It holds the password, hence neither `Serialize` nor a `Debug` that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// A name, an address, or the directory of a socket.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The role.
    pub user: String,
    /// The database.
    pub name: String,
    pub(super) password: Option<String>,
    pub(super) tls: Tls,
    /// The URL as it was written, for programs that want their driver in it.
    url: Option<Url>,
}

/// Whether a connection is encrypted, and whom it trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    Never,
    /// When the server can; it may be anyone.
    Prefer,
    /// Always; it may be anyone.
    Require,
    /// Always, by a certificate this machine trusts.
    Verify,
}

impl Tls {
    fn parse(mode: &str) -> Option<Self> {
        Some(match mode {
            "disable" | "false" | "0" => Self::Never,
            "allow" | "prefer" => Self::Prefer,
            "require" | "true" | "1" => Self::Require,
            "verify-ca" | "verify-full" => Self::Verify,
            _ => return None,
        })
    }

    /// As PostgreSQL's own programs call it.
    pub(super) fn mode(self) -> &'static str {
        match self {
            Self::Never => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::Verify => "verify-full",
        }
    }
}

/// Where Debian's PostgreSQL listens.
pub(super) const SOCKETS: &str = "/var/run/postgresql";

impl Target {
    /// Reads a URL. No message repeats any of it, because it may hold a password.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::new("the URL of the database is empty")
                .hint("without one, PostgreSQL's tools would ask another database"));
        }
        let url = Url::parse(&with_host(text))
            .map_err(|error| Error::new(format!("the URL of the database is none: {error}")))?;
        let scheme = url.scheme();
        if !matches!(scheme.split('+').next(), Some("postgresql" | "postgres")) {
            return Err(Error::new(format!("the URL of the database is of `{scheme}`, not of `postgresql`")));
        }
        let mut target = Self {
            host: percent::decode(url.host_str().unwrap_or_default()).trim_matches(['[', ']']).replace(NOBODY, ""),
            port: url.port().unwrap_or(5432),
            user: percent::decode(url.username()),
            name: percent::decode(url.path().trim_start_matches('/')),
            password: url.password().map(percent::decode),
            tls: Tls::Prefer,
            url: None,
        };
        for (key, value) in url.query_pairs() {
            target.set(&key, &value)?;
        }
        target.url = Some(url);
        target.checked()
    }

    /// The parameters of a URL that change where it leads; a driver has others, which are its own.
    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            // SQLAlchemy: host=name:port, or the directory of a socket.
            "host" => match value.rsplit_once(':') {
                Some((host, port)) if port.parse::<u16>().is_ok() => {
                    host.clone_into(&mut self.host);
                    self.port = port.parse().unwrap_or(self.port);
                }
                _ => value.clone_into(&mut self.host),
            },
            "port" => self.port = value.parse().map_err(|_| Error::new("the port in the URL is none"))?,
            "user" => value.clone_into(&mut self.user),
            "password" => self.password = Some(value.to_owned()),
            "dbname" => value.clone_into(&mut self.name),
            "sslmode" | "ssl" => {
                let tls = Tls::parse(value).or_else(|| Tls::parse(&value.to_lowercase()));
                self.tls = tls.with_context(|| format!("`{key}={value}` in the URL of the database means nothing"))?;
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn checked(mut self) -> Result<Self> {
        if self.name.is_empty() {
            return Err(Error::new("the URL names no database").hint("end it with `/NAME`"));
        }
        if self.user.is_empty() {
            return Err(Error::new("the URL names no user").hint("write `postgresql://USER@HOST/NAME`"));
        }
        if self.host.is_empty() {
            SOCKETS.clone_into(&mut self.host);
        }
        if let Some(password) = self.password.as_deref() {
            redact::learn(password);
        }
        Ok(self)
    }

    /// Whether it is reached through a socket on its host.
    pub fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// The file of the socket.
    pub(super) fn socket(&self) -> String {
        format!("{}/.s.PGSQL.{}", self.host, self.port)
    }

    /// Its URL with its driver and all else it says, the password included.
    pub(crate) fn full_url(&self) -> Result<String> {
        let mut url = self.url.clone().with_context(|| format!("`{self}` has no URL"))?;
        let bad = || Error::new(format!("the URL of `{self}` takes no password"));
        url.set_password(self.password.as_deref()).map_err(|()| bad())?;
        url.set_path(&self.name);
        let text = url.to_string().replace(&format!("@{NOBODY}/"), "@/");
        redact::learn(&text);
        Ok(text)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, user, name, .. } = self;
        if self.is_socket() {
            return write!(f, "{name} at {host} (port {port}) as {user}");
        }
        write!(f, "{name} at {host}:{port} as {user}")
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// Stands for the host that a URL leaves out.
const NOBODY: &str = "no-host.invalid";

/// A URL with a user needs a host for the parser, while PostgreSQL's may leave it out: `postgresql://marb@/claims`.
fn with_host(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    match rest.split_once('/') {
        Some((authority, path)) if authority.ends_with('@') => format!("{scheme}://{authority}{NOBODY}/{path}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_every_driver_are_understood() {
        for (url, shown, password) in [
            ("postgresql://marb:s%40fe%2Ftest@db:5433/claims", "claims at db:5433 as marb", Some("s@fe/test")),
            ("postgres://marb@db/claims", "claims at db:5432 as marb", None),
            ("postgresql+asyncpg://marb:x1y2z3w4@db/claims", "claims at db:5432 as marb", Some("x1y2z3w4")),
            ("postgresql+psycopg2://marb@/claims", "claims at /var/run/postgresql (port 5432) as marb", None),
            ("postgresql://marb@/claims?host=/tmp/s&port=6000", "claims at /tmp/s (port 6000) as marb", None),
            ("postgresql+psycopg://marb@/claims?host=db:6001", "claims at db:6001 as marb", None),
            ("postgresql://marb@[::1]:5/claims?application_name=x", "claims at ::1:5 as marb", None),
        ] {
            let target = Target::parse(url).expect(url);
            assert_eq!((target.to_string().as_str(), target.password.as_deref()), (shown, password), "{url}");
        }
    }

    #[test]
    fn what_names_no_database_is_refused_and_not_repeated() {
        for (url, why) in [
            ("", "is empty"),
            ("  ", "is empty"),
            ("marb:hunter22@db/claims", "not of `postgresql`"),
            ("postgresql://marb:hunter22@db", "names no database"),
            ("postgresql://marb:hunter22@db/", "names no database"),
            ("postgresql://db/claims", "names no user"),
            ("mysql+pymysql://marb:hunter22@db/claims", "of `mysql+pymysql`"),
            ("postgresql://marb:hunter22@db:99999/claims", "is none"),
            ("postgresql://marb:hunter22@db/claims?sslmode=maybe", "means nothing"),
        ] {
            let error = Target::parse(url).expect_err(url);
            assert!(error.message().contains(why), "{url}: {error:?}");
            assert!(!format!("{error:?}").contains("hunter22"), "{error:?}");
        }
    }
}
