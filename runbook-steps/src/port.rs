//! TCP ports: does someone listen, and who?
//!
//! [`open`] knocks from the machine the runner is on, as a client would. [`free`] and [`owner`] look on the
//! host itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Finding, Resource, Result, Units as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// A socket that listens on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    /// The user it belongs to, by number.
    pub uid: u32,
}

/// A TCP socket of a host, as the kernel tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) listens: bool,
    pub(crate) connected: bool,
    pub(crate) uid: u32,
    pub(crate) inode: u64,
}

/// The TCP sockets of the host. Source: `/proc/net/tcp` and `/proc/net/tcp6`; `None` when the host has neither.
pub(crate) async fn sockets(cx: &Context) -> Result<Option<Vec<Socket>>> {
    let mut all = None;
    for path in ["/proc/net/tcp", "/proc/net/tcp6"].map(Path::new) {
        if cx.files().stat(path).await?.is_none() {
            continue;
        }
        let text = cx.files().read(path).await?;
        let text = String::from_utf8_lossy(&text);
        all.get_or_insert_with(Vec::new).extend(text.lines().skip(1).filter_map(socket));
    }
    Ok(all)
}

/// The sockets that listen on the host; `None` when the host does not say.
pub async fn listeners(cx: &Context) -> Result<Option<Vec<Listener>>> {
    let listener = |socket: Socket| socket.listens.then_some(Listener { address: socket.local, uid: socket.uid });
    Ok(sockets(cx).await?.map(|all| all.into_iter().filter_map(listener).collect()))
}

/// Who listens on this port of the host, at any of its addresses; `None` when nobody does.
pub async fn owner(cx: &Context, port: u16) -> Result<Option<Listener>> {
    let all = listeners(cx).await?.unwrap_or_default();
    Ok(all.into_iter().find(|listener| listener.address.port() == port))
}

/// A line of `/proc/net/tcp`: number, local address, remote address, state, …, user, …, inode.
fn socket(line: &str) -> Option<Socket> {
    const CONNECTED: &str = "01";
    const LISTENS: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let state = *fields.get(3)?;
    Some(Socket {
        local: address(fields.get(1)?)?,
        remote: address(fields.get(2)?)?,
        listens: state == LISTENS,
        connected: state == CONNECTED,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// An address as the kernel writes it: words of 32 bits in the order of the machine, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// How a connection is tried: over the network, or as a test says.
#[async_trait]
pub trait Dial: Send + Sync {
    /// Connects, and closes the connection again.
    async fn dial(&self, host: &str, port: u16) -> std::io::Result<()>;
}

/// What a test hands to the steps to take the place of the network: `cx.with_port(port::Dialer::new(fake))`.
#[derive(Clone)]
pub struct Dialer(Arc<dyn Dial>);

impl Dialer {
    /// The one that dials like this.
    pub fn new(dial: impl Dial + 'static) -> Self {
        Self(Arc::new(dial))
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

async fn dial(cx: &Context, host: &str, port: u16) -> std::io::Result<()> {
    match cx.port::<Dialer>() {
        Some(dialer) => dialer.0.dial(host, port).await,
        None => connect(host, port).await,
    }
}

/// On the loopback, a connection to a port nobody listens on can meet itself: the system may have chosen that very
/// port for this end of it.
async fn connect(host: &str, port: u16) -> std::io::Result<()> {
    let stream = TcpStream::connect((host, port)).await?;
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(std::io::ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}

/// Asks whether someone listens on a port, by connecting from the machine the runner is on. That a port is open
/// does not say that the service behind it works: ask that itself too.
pub fn open(host: impl Into<String>, port: u16) -> Open {
    Open { host: host.into(), port, timeout: 5.seconds() }
}

/// The check of [`open`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Open {
    host: String,
    port: u16,
    timeout: Duration,
}

impl Open {
    /// Waits this long for an answer, instead of five seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

#[async_trait]
impl Check for Open {
    fn describe(&self) -> Description {
        let at = format!("{}:{}", self.host, self.port);
        Description::new("port.open", &at)
            .summary(format!("someone listens on {at}"))
            .command(format!("nc -z {} {}", self.host, self.port))
            .reads(Resource::new("port", at))
    }

    /// A refusal is a *no*. Silence, or a name that cannot be resolved, is *unknown*.
    async fn check(&self, cx: &Context) -> Result<Finding> {
        let began = Instant::now();
        let at = format!("{}:{}", self.host, self.port);
        Ok(match timeout(self.timeout, dial(cx, &self.host, self.port)).await {
            Ok(Ok(())) => Finding::pass(format!("{at} is open, connected in {} ms", began.elapsed().as_millis())),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Finding::fail(format!("{at} refuses connections"))
            }
            Ok(Err(error)) => Finding::unknown(format!("{at} cannot be reached: {error}")),
            Err(_) => Finding::unknown(format!("{at} gave no answer within {:?}", self.timeout)),
        })
    }
}

/// Asks whether nobody listens on this port of the host.
pub fn free(port: u16) -> Free {
    Free { port }
}

/// The check of [`free`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Free {
    port: u16,
}

#[async_trait]
impl Check for Free {
    fn describe(&self) -> Description {
        let port = self.port.to_string();
        Description::new("port.free", &port)
            .summary(format!("nobody listens on port {port}"))
            .command(format!("ss -ltn 'sport = :{port}'"))
            .reads(Resource::new("port", port))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let port = self.port;
        let Some(all) = listeners(cx).await? else {
            return Ok(Finding::unknown("the host has no /proc/net/tcp to look for listeners in"));
        };
        Ok(match all.iter().find(|listener| listener.address.port() == port) {
            Some(Listener { address, uid }) => {
                Finding::fail(format!("port {port} is taken: user {uid} listens on {address}"))
            }
            None => Finding::pass(format!("nobody listens on port {port}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn the_kernels_addresses_are_read() {
        if cfg!(target_endian = "little") {
            assert_eq!(address("0100007F:1F90"), Some(([127, 0, 0, 1], 8080).into()));
            let six = address("00000000000000000000000001000000:0050").expect("is read");
            assert_eq!(six.to_string(), "[::1]:80");
        }
        assert_eq!(address("zz:1"), None);
        assert_eq!(address("0100:1F90"), None);
    }

    async fn listening() -> (TcpListener, u16) {
        // An address of its own: other tests must not take the port when it is free again.
        let listener = TcpListener::bind(("127.0.0.77", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    }

    #[tokio::test]
    async fn a_port_is_open_while_someone_listens() {
        let cx = Context::local();
        let (listener, port) = listening().await;
        assert!(open("127.0.0.77", port).check(&cx).await.expect("is asked").passes());
        let finding = free(port).check(&cx).await.expect("is asked");
        assert!(matches!(finding, Finding::Fail(_)), "{finding:?}");
        let owner = owner(&cx, port).await.expect("is asked").expect("someone listens");
        assert_eq!(owner.address, ([127, 0, 0, 77], port).into());

        drop(listener);
        let finding = open("127.0.0.77", port).check(&cx).await.expect("is asked");
        assert!(matches!(finding, Finding::Fail(_)), "{finding:?}");
        assert!(free(port).check(&cx).await.expect("is asked").passes());
    }

    /// Never answers.
    struct Silence;

    #[async_trait]
    impl Dial for Silence {
        async fn dial(&self, _host: &str, _port: u16) -> std::io::Result<()> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_unknown() {
        let cx = Context::local().with_port(Dialer::new(Silence));
        let finding = open("db", 5432).check(&cx).await.expect("is asked");
        assert!(matches!(finding, Finding::Unknown(_)), "{finding:?}");
    }
}
