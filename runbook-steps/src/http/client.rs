//! The port through which requests go out.

use std::fmt;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use runbook::{Context, Error, ErrorKind, Result};

use super::{Network, Request, Response, from_host};

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
    let answer = async {
        match &port {
            Some(port) => port.0.send(request).await,
            None if request.from_host => from_host::send(cx, request).await,
            None => NETWORK.send(request).await,
        }
    };
    tokio::select! {
        answer = answer => answer,
        () = cx.cancelled() => Err(Error::of(ErrorKind::Stopped, format!("{request} was stopped"))),
    }
}
