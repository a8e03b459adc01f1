//! TLS for connections, with rustls.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use runbook::{Explain as _, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::url::Tls;
use super::wire::Stream;
use crate::trust;

/// Encrypts a connection to a server of this name.
pub(super) struct Encrypt {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Encrypt {
    /// Below `verify`, the server may be anyone, as PostgreSQL has it.
    pub(super) fn of(tls: Tls, host: &str) -> Result<Self> {
        let config = if tls == Tls::Verify { trust::system(None)? } else { trust::anyone()? };
        let name = if host.starts_with('/') { "localhost" } else { host };
        let name = ServerName::try_from(name.to_owned()).with_context(|| format!("`{host}` is no name of a server"))?;
        Ok(Self { connector: Arc::new(config).into(), name })
    }
}

/// An encrypted connection. The lifetime is always `'static`; the compiler wants to hear that it need not be.
pub(super) struct Encrypted<'a>(tokio_rustls::client::TlsStream<Box<dyn Stream + 'a>>);

impl<'a> TlsConnect<Box<dyn Stream + 'a>> for Encrypt {
    type Stream = Encrypted<'a>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<'a>>> + Send + 'a>>;

    fn connect(self, stream: Box<dyn Stream + 'a>) -> Self::Future {
        let connecting = self.connector.connect(self.name, stream);
        Box::pin(async move { connecting.await.map(Encrypted) })
    }
}

impl TlsStream for Encrypted<'_> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Encrypted<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
