//! A Prometheus, and how it is reached.

use runbook::{Context, Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::{Api, parse, reached, refused};
use crate::http::{Request, fetch};

/// A Prometheus server, by its URL.
#[derive(Debug, Clone, PartialEq)]
pub struct Prometheus {
    pub(super) api: Api,
}

/// The Prometheus at this URL: `http://localhost:9090`.
pub fn at(url: impl Into<String>) -> Prometheus {
    Prometheus { api: Api::at(url) }
}

reached!(Prometheus);

/// What every answer is wrapped in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<T> {
    data: Option<T>,
    error_type: Option<String>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

/// What an answer says, and why it may not be all of it.
#[derive(Debug)]
pub(super) struct Said<T> {
    pub(super) data: T,
    pub(super) warnings: Vec<String>,
}

impl Prometheus {
    /// Asks, and reads the answer.
    pub(super) async fn read<T: DeserializeOwned>(&self, cx: &Context, request: &Request) -> Result<Said<T>> {
        let response = fetch(cx, request).await?;
        let answer: Envelope<T> = match parse(request, &response) {
            Ok(answer) => answer,
            Err(_) if !(200..300).contains(&response.status) => return Err(refused(request, &response)),
            Err(error) => return Err(error),
        };
        match answer {
            Envelope { data: Some(data), error: None, warnings, .. } => Ok(Said { data, warnings }),
            Envelope { error_type, error, .. } => Err(self.complaint(error_type.as_deref(), error.as_deref())),
        }
    }

    /// The error of an answer that says one (prometheus.io/docs, "HTTP API", "Format overview").
    fn complaint(&self, kind: Option<&str>, words: Option<&str>) -> Error {
        let words = format!("{}: {}", self.api.url(), words.unwrap_or("an answer without data"));
        match kind {
            Some("bad_data") => Error::new(words).hint("try the expression in the web interface of Prometheus"),
            Some("timeout" | "canceled" | "unavailable" | "internal") => Error::transient(words),
            Some(_) => Error::new(words),
            None => Error::unknown(words),
        }
    }
}
