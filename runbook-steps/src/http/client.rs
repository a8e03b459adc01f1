//! The port through which requests go out.

use std::fmt;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use runbook::{Context, Error, ErrorKind, Result};

use super::{Network, Request, Response};

/// Sends a request and takes the answer, whatever its status. No answer is an error: transient when trying again
/// may help.
#[async_trait]
pub trait Client: Send + Sync {
    /// Sends it. The request carries its own deadline.
    async fn send(&self, request: &Request) -> Result<Response>;
}

/// What a program hands to its steps to send requests in its own way: `runner.port(http::Port::new(client))`.
#[derive(Clone)]
pub struct Port(Arc<dyn Client>);

impl Port {
    /// A port to this client.
    pub fn new(client: impl Client + 'static) -> Self {
        Self(Arc::new(client))
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Port")
    }
}

/// Sends a request: through the port the program was given, else over the network. Ends early when the run is
/// stopped.
pub async fn fetch(cx: &Context, request: &Request) -> Result<Response> {
    static NETWORK: LazyLock<Network> = LazyLock::new(Network::default);
    request.ensure_sane()?;
    let port = cx.port::<Port>();
    let client: &dyn Client = match &port {
        Some(port) => &*port.0,
        None => &*NETWORK,
    };
    tokio::select! {
        answer = client.send(request) => answer,
        () = cx.cancelled() => Err(Error::of(ErrorKind::Stopped, format!("{request} was stopped"))),
    }
}
