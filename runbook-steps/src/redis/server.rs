//! A Redis, and how it is reached.

use std::path::{Path, PathBuf};
use std::time::Duration;

use runbook::{Context, Error, Explain as _, Resource, Result, Secret};

use crate::{env, percent};

/// A database of a Redis server, by its URL: `redis://HOST:PORT/DATABASE`, or `rediss://` for TLS. The password is a secret
/// of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    pub(super) url: String,
    pub(super) password: Option<Secret>,
    /// The env file of the host, and the key, whose URL has the password.
    pub(super) password_in: Option<(PathBuf, String)>,
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
        Self { url: url.into(), password: None, password_in: None, timeout: Duration::from_secs(10) }
    }

    /// With this password.
    pub fn password(mut self, password: &Secret) -> Self {
        self.password = Some(password.clone());
        self
    }

    /// With the password that the URL under this key has, in an env file of the host: the one the application uses.
    pub fn password_in_env_file(mut self, path: impl AsRef<Path>, key: impl Into<String>) -> Self {
        self.password_in = Some((path.as_ref().to_owned(), key.into()));
        self
    }

    /// Waits this long for an answer, instead of ten seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The password, wherever it is.
    pub(super) async fn secret(&self, cx: &Context) -> Result<Option<Secret>> {
        let Some((path, key)) = &self.password_in else { return Ok(self.password.clone()) };
        let file = env::read(cx, path).await?;
        let text = file.get(key).with_context(|| format!("`{key}` is not set in `{}`", path.display()))?;
        let no_url = || format!("`{key}` in `{}` is no URL", path.display());
        let url = url::Url::parse(text).map_err(|_| Error::new(no_url()))?;
        let Some(password) = url.password() else { return Ok(None) };
        let password = percent::decode(password);
        Ok(Some(Secret::found(format!("{key} in {}", path.display()), password)))
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
