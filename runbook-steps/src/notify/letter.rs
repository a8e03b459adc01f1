//! One request that tells somebody something, and whether it was taken.

use std::time::Duration;

use runbook::{Context, Error, Explain as _, Result, Secret, redact};
use serde_json::Value;

use crate::http::{self, Body, HeaderValue, Request, Response};

/// How often it is tried.
const TRIES: u32 = 3;
/// How long each try may take: nobody waits for a message.
const LIMIT: Duration = Duration::from_secs(5);
/// How long the server may ask us to wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something to be sent. It names its secrets, and holds none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Letter {
    pub(super) method: &'static str,
    pub(super) to: Address,
    pub(super) headers: Vec<(String, HeaderValue)>,
    /// The key behind a scheme of its own: `Authorization: OAuth …`.
    pub(super) key: Option<(&'static str, Secret)>,
    pub(super) body: Value,
    /// Fields of the body that are secrets.
    pub(super) secrets: Vec<(&'static str, Secret)>,
    pub(super) taken: Taken,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Address {
    Plain(String),
    Secret(Secret),
}

/// What says that it was taken, beside a good status.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Taken {
    Status,
    Text(&'static str),
    Field(&'static str, &'static str),
}

impl Letter {
    pub(super) fn post(to: Address, body: Value) -> Self {
        let taken = Taken::Status;
        Self { method: "POST", to, headers: Vec::new(), key: None, body, secrets: Vec::new(), taken }
    }

    /// Sends it, and tries again what may pass. Nothing of the error is a secret.
    pub(super) async fn send(&self, cx: &Context) -> Result<Response> {
        let sent = self.try_to(cx).await;
        // Learned by now: the address is among the words of an error.
        sent.map_err(|error| {
            let clean = Error::of(error.kind(), redact::text(&format!("{error:#}")).into_owned());
            let lines: Vec<String> = error.lines().iter().map(|line| redact::text(line).into_owned()).collect();
            let clean = clean.details(lines);
            match error.advice() {
                Some(hint) => clean.hint(hint),
                None => clean,
            }
        })
    }

    async fn try_to(&self, cx: &Context) -> Result<Response> {
        let request = self.request()?;
        for attempt in 1.. {
            let (error, wait) = match http::fetch(cx, &request).await {
                Ok(response) => match self.judge(&request, &response) {
                    Ok(()) => return Ok(response),
                    Err(error) => (error, wished(&response)),
                },
                Err(error) => (error, None),
            };
            if !error.is_transient() || attempt >= TRIES {
                return Err(error);
            }
            cx.pause(wait.unwrap_or(Duration::from_secs(1) * attempt).min(PATIENCE)).await?;
        }
        Err(Error::new("it was not tried"))
    }

    fn request(&self) -> Result<Request> {
        let url = match &self.to {
            Address::Plain(url) => url.clone(),
            Address::Secret(secret) => {
                let url = secret.expose()?;
                // Its path alone is enough to write there.
                if let Ok(parsed) = url::Url::parse(url.trim()) {
                    redact::learn(parsed.path().trim_matches('/'));
                }
                url.trim().to_owned()
            }
        };
        let mut body = self.body.clone();
        for (field, secret) in &self.secrets {
            body[*field] = Value::String(secret.expose()?);
        }
        let body = if body.is_null() { Body::Nothing } else { Body::Json(body) };
        let mut request = Request { body, timeout: LIMIT, ..Request::new(self.method, url) };
        request.address().context("the address cannot be written to")?;
        if let Some((scheme, key)) = &self.key {
            let value = Secret::found(key.to_string(), format!("{scheme} {}", key.expose()?));
            request = request.header("authorization", HeaderValue::Secret(value));
        }
        Ok(self.headers.iter().fold(request, |request, (name, value)| request.header(name, value.clone())))
    }

    fn judge(&self, request: &Request, response: &Response) -> Result<()> {
        if !(200..300).contains(&response.status) {
            return Err(crate::api::refused(request, response));
        }
        let taken = match self.taken {
            Taken::Status => true,
            Taken::Text(text) => String::from_utf8_lossy(&response.body).trim() == text,
            Taken::Field(pointer, value) => {
                response.value().is_ok_and(|body| body.pointer(pointer).and_then(Value::as_str) == Some(value))
            }
        };
        if taken {
            return Ok(());
        }
        // "Success that isn't": a proxy, a page that wants a login.
        let words = format!("{}, but not in the words of one that took it", response.status_line());
        Err(Error::new(words).details(response.excerpt()))
    }

    /// Whether it could be sent at all, as far as that can be seen without sending it.
    pub(super) fn obstacle(&self) -> Option<String> {
        self.request().err().map(|error| redact::text(&format!("{error:#}")).into_owned())
    }
}

/// How long the server wants us to wait.
fn wished(response: &Response) -> Option<Duration> {
    response.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}
