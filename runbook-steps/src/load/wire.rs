//! One connection, and one request over it after another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::http::{HeaderMap, Method, Request, Uri, header};
use hyper_util::rt::TokioIo;
use runbook::{Error, Explain as _, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::http::prepare;
use crate::{http as ours, trust};

/// Where requests go, and what they are: all of it settled before the first one.
pub(super) struct Target {
    address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    pub(super) timeout: Duration,
}

impl Target {
    pub(super) async fn of(request: &ours::Request) -> Result<Self> {
        let url = request.address()?;
        let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let address = match request.at {
            Some(at) => SocketAddr::new(at, port),
            None => tokio::net::lookup_host((name.as_str(), port))
                .await
                .with_context(|| format!("look up `{name}`"))?
                .next()
                .with_context(|| format!("`{name}` has no address"))?,
        };
        let root = match &request.tls.root_certificate {
            Some(path) => Some(tokio::fs::read(path).await.with_context(|| format!("read `{}`", path.display()))?),
            None => None,
        };
        let config = || if request.tls.insecure { trust::anyone() } else { trust::system(root.as_deref()) };
        let tls = if url.scheme() == "https" {
            let server =
                ServerName::try_from(name.clone()).with_context(|| format!("`{name}` is no name of a server"))?;
            Some((TlsConnector::from(Arc::new(config()?)), server))
        } else {
            None
        };
        let builder = reqwest::Client::builder().tls_backend_preconfigured(trust::anyone()?);
        let ready = prepare(&builder.build().context("make an HTTP client")?, request)?;
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let mut headers = ready.headers().clone();
        let host = url.port().map_or_else(
            || url.host_str().unwrap_or_default().to_owned(),
            |port| format!("{}:{port}", url.host_str().unwrap_or_default()),
        );
        headers.entry(header::HOST).or_insert(host.parse().context("name the host")?);
        let agent = header::HeaderValue::from_static(concat!("runbook/", env!("CARGO_PKG_VERSION")));
        headers.entry(header::USER_AGENT).or_insert(agent);
        let body = ready.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        Ok(Self {
            address,
            tls,
            method: ready.method().clone(),
            uri: path.parse().with_context(|| format!("`{path}` is no path"))?,
            headers,
            body: Bytes::copy_from_slice(body),
            timeout: request.timeout,
        })
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// A connection that is kept.
pub(super) struct Line(SendRequest<Full<Bytes>>);

/// An answer that was read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) bytes: u64,
}

impl Line {
    pub(super) async fn open(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        match &target.tls {
            Some((connector, name)) => Self::over(connector.connect(name.clone(), stream).await?).await,
            None => Self::over(stream).await,
        }
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the sender, or when the server ends it.
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Whether the server will hear more over it.
    pub(super) async fn is_open(&mut self) -> bool {
        self.0.ready().await.is_ok()
    }

    pub(super) async fn ask(&mut self, target: &Target) -> Result<Answer> {
        let response = self.0.send_request(target.request()).await?;
        let status = response.status().as_u16();
        let (mut body, mut bytes) = (response.into_body(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(Error::from)?;
            bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Ok(Answer { status, bytes })
    }
}
