//! A Redis, and how it is reached.

use std::time::Duration;

use runbook::{Error, Explain as _, Resource, Result, Secret};

/// A database of a Redis server, by its URL: `redis://HOST:PORT/DATABASE`, or `rediss://` for TLS. The password is a secret
/// of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    pub(super) url: String,
    pub(super) password: Option<Secret>,
    pub(super) timeout: Duration,
}

/// What a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: u32,
    pub(super) user: Option<String>,
    pub(super) tls: bool,
}

const PORT: u16 = 6379;

impl Redis {
    /// The Redis at this URL, as the host of the step sees it. A password does not belong into it.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), password: None, timeout: Duration::from_secs(10) }
    }

    /// With this password.
    pub fn password(mut self, password: &Secret) -> Self {
        self.password = Some(password.clone());
        self
    }

    /// Waits this long for an answer, instead of ten seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) fn place(&self) -> Result<Place> {
        let url = url::Url::parse(&self.url).map_err(|_| Error::new("the URL of the Redis is no URL"))?;
        if url.password().is_some() {
            return Err(Error::new("the URL of the Redis has a password in it")
                .hint("give it as a secret: `.password(&Secret::env(\"REDIS_PASSWORD\"))`"));
        }
        let wrong = || format!("`{}` is no URL like redis://127.0.0.1:6379/0", self.url);
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(Error::new(wrong())),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).with_context(wrong)?;
        let database = match url.path().trim_matches('/') {
            "" => 0,
            number => number.parse().with_context(wrong)?,
        };
        Ok(Place {
            // An IPv6 address has brackets in a URL only.
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(PORT),
            database,
            user: Some(url.username().to_owned()).filter(|user| !user.is_empty()),
            tls,
        })
    }

    /// The database, as something in the world.
    pub(super) fn resource(&self) -> Resource {
        let name = self.place().map_or_else(|_| "?".to_owned(), |place| place.name());
        Resource::new("redis", name)
    }
}

impl Place {
    pub(super) fn name(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_passwords_stay_out_of_them() {
        let name = |url: &str| Redis::at(url).place().map(|place| place.name());
        assert_eq!(name("redis://127.0.0.1").expect("a URL"), "127.0.0.1:6379/0");
        assert_eq!(name("redis://app@[::1]:6380/2").expect("a URL"), "::1:6380/2");
        for url in ["", "http://a", "redis://", "redis://a/x", "redis://:hunter2@a/0"] {
            let error = name(url).expect_err("is refused");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
