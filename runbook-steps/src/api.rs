//! Services that are asked over their HTTP API: where they are, how they are reached, and reading what they say.

use runbook::{Context, Error, ErrorKind, Explain as _, Resource, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::http::{Body, Request, Response, fetch};

/// An API: its address, and what every request to it carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Api(pub(crate) Request);

impl Api {
    pub(crate) fn at(url: impl Into<String>) -> Self {
        let url = url.into();
        Self(Request::new("GET", url.trim_end_matches('/')))
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// What a plan knows it by.
    pub(crate) fn resource(&self) -> Resource {
        Resource::new("url", self.url())
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// With a query, encoded: an expression holds brackets and braces.
    pub(crate) fn ask<'a>(&self, path: &str, query: impl IntoIterator<Item = (&'a str, String)>) -> Request {
        let query = Serializer::new(String::new()).extend_pairs(query).finish();
        self.get(&if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: Value) -> Request {
        Request { body: Body::Json(body), ..self.request(method, path) }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request { method: method.to_owned(), url: format!("{}{path}", self.url()), ..self.0.clone() }
    }

    /// The command a person would type.
    pub(crate) fn by_hand(&self, path: &str) -> String {
        format!("curl -sS '{}{path}'", self.url())
    }
}

/// A text as one word of a shell, behind a program.
pub(crate) fn word(text: &str) -> String {
    runbook::Command::new("-").arg(text).to_string().split_off("- ".len())
}

/// The answer, when its status is a good one.
pub(crate) async fn answered(cx: &Context, request: &Request) -> Result<Response> {
    let response = fetch(cx, request).await?;
    if (200..300).contains(&response.status) { Ok(response) } else { Err(refused(request, &response)) }
}

/// The answer, read.
pub(crate) async fn read<T: DeserializeOwned>(cx: &Context, request: &Request) -> Result<T> {
    parse(request, &answered(cx, request).await?)
}

/// What an answer says. One that cannot be read is *unknown*.
pub(crate) fn parse<T: DeserializeOwned>(request: &Request, response: &Response) -> Result<T> {
    let unreadable = |error: Error| {
        let lines = response.excerpt();
        error.context(format!("{request}: the answer cannot be read")).details(lines).kind_of(ErrorKind::Unknown)
    };
    if response.truncated {
        return response.value().map_err(unreadable).and_then(|_| Err(Error::unknown("the answer is too long")));
    }
    serde_json::from_slice(&response.body).context("it is not the JSON that was expected").map_err(unreadable)
}

/// The error of an answer with a bad status. What may pass by itself is told apart.
pub(crate) fn refused(request: &Request, response: &Response) -> Error {
    let words = format!("{request}: {}", response.status_line());
    let error = match response.status {
        // 420 is what Statuspage says for 429.
        420 | 429 | 500.. => Error::transient(words),
        401 | 403 => Error::new(words).hint("say who asks: `.bearer(&secret)` or `.basic(user, &secret)`"),
        _ => Error::new(words),
    };
    error.details(response.excerpt())
}

/// How an API is reached, as methods of what stands for it. They are the same for all.
macro_rules! reached {
    ($service:ty) => {
        impl $service {
            /// Shows this token: `Authorization: Bearer …`.
            pub fn bearer(mut self, token: &runbook::Secret) -> Self {
                let value = crate::http::HeaderValue::Bearer(token.clone());
                self.api.0 = self.api.0.header("authorization", value);
                self
            }

            /// As this user with this password.
            pub fn basic(mut self, user: impl Into<String>, password: &runbook::Secret) -> Self {
                let value = crate::http::HeaderValue::Basic(user.into(), password.clone());
                self.api.0 = self.api.0.header("authorization", value);
                self
            }

            /// Sends this header with every request.
            pub fn send_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.api.0 = self.api.0.header(name, crate::http::HeaderValue::Plain(value.into()));
                self
            }

            /// Waits this long for an answer, instead of ten seconds.
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.api.0.timeout = timeout;
                self
            }

            /// Asks this address, whatever the name in the URL resolves to.
            pub fn address(mut self, address: std::net::IpAddr) -> Self {
                self.api.0.at = Some(address);
                self
            }

            /// Asks from the host of the step, which needs curl: `localhost` is that host then.
            pub fn from_the_host(mut self) -> Self {
                self.api.0.from_host = true;
                self
            }

            /// Trusts the certificates in this PEM file too.
            pub fn root_certificate(mut self, path: impl Into<std::path::PathBuf>) -> Self {
                self.api.0.tls.root_certificate = Some(path.into());
                self
            }

            /// Trusts any certificate. Whoever stands between can answer in place of the service.
            pub fn insecure(mut self) -> Self {
                self.api.0.tls.insecure = true;
                self
            }
        }
    };
}
pub(crate) use reached;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded() {
        let api = Api::at("http://prometheus:9090/");
        let request = api.ask("/api/v1/query", [("query", r#"rate(x{code="500"}[5m])"#.to_owned())]);
        assert_eq!(request.url, "http://prometheus:9090/api/v1/query?query=rate%28x%7Bcode%3D%22500%22%7D%5B5m%5D%29");
        assert_eq!(api.ask("/x", []).url, "http://prometheus:9090/x");
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_unknown() {
        let request = Request::new("GET", "http://x/");
        let error = parse::<Vec<u8>>(&request, &Response::text(200, "<html>")).expect_err("is no list");
        assert_eq!(error.kind(), ErrorKind::Unknown);
        assert!(refused(&request, &Response::new(503)).is_transient());
        assert!(!refused(&request, &Response::new(404)).is_transient());
    }
}
