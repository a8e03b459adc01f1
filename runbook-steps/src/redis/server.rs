//! A Redis, and how it is reached.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, IntoConnectionInfo as _, RedisError};
use runbook::{Error, Explain as _, Result, Secret};

/// A database of a Redis server, by its URL: `redis://HOST:PORT/DATABASE`. The password is a secret of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    pub(super) url: String,
    password: Option<Secret>,
    timeout: Duration,
}

/// What became of a question.
pub(super) enum Answer<T> {
    Is(T),
    /// The server refuses: its own words.
    Refused(String),
    /// Nobody answers.
    Silent(String),
}

impl Redis {
    /// The Redis at this URL. A password does not belong into it.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), password: None, timeout: Duration::from_secs(5) }
    }

    /// With this password.
    pub fn password(mut self, password: &Secret) -> Self {
        self.password = Some(password.clone());
        self
    }

    /// Waits this long for a connection and for an answer, instead of five seconds each.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn client(&self) -> Result<Client> {
        let url = url::Url::parse(&self.url).map_err(|_| Error::new("the URL of the Redis is no URL"))?;
        if url.password().is_some() {
            return Err(Error::new("the URL of the Redis has a password in it")
                .hint("give it as a secret: `.password(&Secret::env(\"REDIS_PASSWORD\"))`"));
        }
        let wrong = || format!("`{}` is no URL of a Redis", self.url);
        let info = self.url.as_str().into_connection_info().with_context(wrong)?;
        let info = match &self.password {
            Some(password) => {
                let settings = info.redis_settings().clone().set_password(password.expose()?);
                info.set_redis_settings(settings)
            }
            None => info,
        };
        Client::open(info).with_context(wrong)
    }

    /// Asks one command.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<Answer<T>> {
        let client = self.client()?;
        let asking = async {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(self.timeout))
                .set_response_timeout(Some(self.timeout));
            let mut connection: MultiplexedConnection =
                client.get_multiplexed_async_connection_with_config(&config).await?;
            command.query_async(&mut connection).await
        };
        Ok(match asking.await {
            Ok(value) => Answer::Is(value),
            Err(error) => refusal(&error),
        })
    }
}

/// What an error means: words of the server, or silence.
fn refusal<T>(error: &RedisError) -> Answer<T> {
    let words = error.to_string();
    let named = match error.code() {
        Some("NOAUTH") => "NOAUTH: it wants a password, and none was given",
        Some("WRONGPASS") => "WRONGPASS: the password is not the right one",
        _ if error.kind() == ::redis::ErrorKind::AuthenticationFailed => "WRONGPASS: the password is not the right one",
        Some(_) => return Answer::Refused(words),
        None => return Answer::Silent(words),
    };
    Answer::Refused(named.to_owned())
}
