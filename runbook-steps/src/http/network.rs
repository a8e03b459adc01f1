//! The client that goes over the network.

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use runbook::{Error, Explain, Result};

use super::response::MOST;
use super::{Body, Client, HeaderValue, Request, Response};
use crate::trust;

/// Sends requests over the network, with rustls and the certificates this machine trusts.
#[derive(Default)]
pub struct Network {
    clients: Mutex<HashMap<Kind, reqwest::Client>>,
}

/// What is settled when a client is made, and cannot be changed by a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    insecure: bool,
    root: Option<Vec<u8>>,
    redirects: usize,
    direct: bool,
    /// A name, and the address it is to have.
    at: Option<(String, IpAddr)>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl Network {
    /// The client of this kind, made when it is first needed.
    fn client(&self, kind: Kind) -> Result<reqwest::Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&kind) {
            return Ok(client.clone());
        }
        let client = kind.build()?;
        clients.insert(kind, client.clone());
        Ok(client)
    }
}

impl Kind {
    async fn of(request: &Request) -> Result<Self> {
        let root = match &request.tls.root_certificate {
            Some(path) => Some(tokio::fs::read(path).await.with_context(|| format!("read `{}`", path.display()))?),
            None => None,
        };
        let url = request.address()?;
        // What this machine says to itself is no business of a proxy.
        let direct = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        let at = request.at.and_then(|at| Some((url.host_str()?.to_owned(), at)));
        let direct = direct || at.is_some();
        Ok(Self { insecure: request.tls.insecure, root, redirects: request.redirects, direct, at })
    }

    fn build(&self) -> Result<reqwest::Client> {
        use reqwest::redirect::Policy;
        let redirects = if self.redirects == 0 { Policy::none() } else { Policy::limited(self.redirects) };
        let tls = if self.insecure { trust::anyone()? } else { trust::system(self.root.as_deref())? };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls)
            .redirect(redirects)
            // A connection of its own for each request; also, one that is kept would belong to a runtime that ends.
            .pool_max_idle_per_host(0);
        if self.direct {
            builder = builder.no_proxy();
        }
        if let Some((name, at)) = &self.at {
            // Port 0 stands for the one of the URL.
            builder = builder.resolve(name, SocketAddr::new(*at, 0));
        }
        builder.build().context("make an HTTP client")
    }
}

#[async_trait]
impl Client for Network {
    async fn send(&self, request: &Request) -> Result<Response> {
        let client = self.client(Kind::of(request).await?)?;
        let ready = prepare(&client, request)?;
        let began = Instant::now();
        let answer = client.execute(ready).await.map_err(|error| silence(request, &error))?;
        let mut response =
            Response { status: answer.status().as_u16(), headers: headers(&answer), ..Response::default() };
        read(answer, &mut response).await.map_err(|error| silence(request, &error))?;
        response.took = began.elapsed();
        Ok(response)
    }
}

pub(crate) fn prepare(client: &reqwest::Client, request: &Request) -> Result<reqwest::Request> {
    let method = reqwest::Method::from_bytes(request.method.as_bytes())
        .with_context(|| format!("`{}` is no HTTP method", request.method))?;
    let mut ready = client.request(method, request.address()?).timeout(request.timeout);
    for (name, value) in &request.headers {
        ready = match value {
            HeaderValue::Plain(value) => ready.header(name, value),
            HeaderValue::Bearer(secret) => ready.bearer_auth(secret.expose()?),
            HeaderValue::Basic(user, secret) => ready.basic_auth(user, Some(secret.expose()?)),
            HeaderValue::Secret(secret) => ready.header(name, secret.expose()?),
        };
    }
    let ready = match &request.body {
        Body::Nothing => ready,
        Body::Bytes(bytes) => ready.body(bytes.clone()),
        Body::Json(value) => ready.header("content-type", "application/json").body(value.to_string()),
    };
    ready.build().with_context(|| format!("build the request {request}"))
}

fn headers(answer: &reqwest::Response) -> Vec<(String, String)> {
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// Reads the body as far as it is wanted.
async fn read(mut answer: reqwest::Response, response: &mut Response) -> Result<(), reqwest::Error> {
    while let Some(chunk) = answer.chunk().await? {
        let room = MOST - response.body.len();
        response.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            response.truncated = true;
            break;
        }
    }
    Ok(())
}

/// The error of a request that got no answer.
fn silence(request: &Request, error: &reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::transient(format!("{request}: no answer within {:?}", whole(request.timeout)));
    }
    // The outer words are reqwest's own and name the URL again; the cause is what the system or the server said.
    let mut why = error.source();
    while let Some(deeper) = why.and_then(std::error::Error::source) {
        why = Some(deeper);
    }
    let why = why.map_or_else(|| error.to_string(), ToString::to_string);
    let silent = Error::transient(format!("{request}: no answer: {why}"));
    if why.contains("certificate") {
        return silent.hint("trust its issuer with `.root_certificate(path)`, or look at it with `tls::certificate`");
    }
    silent
}

fn whole(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
