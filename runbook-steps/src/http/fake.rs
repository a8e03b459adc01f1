//! HTTP services that are Rust, for tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use runbook::{Error, Result};

use super::{Client, Port, Request, Response};

/// HTTP services that are Rust. A clone is another handle to the same services.
///
/// ```
/// use runbook_core::Context;
/// use runbook_steps::http::{Fake, Response};
///
/// let web = Fake::new()
///     .answers("http://app/version", Response::text(200, "2"))
///     .on("http://app/health", |_request| Response::json(200, serde_json::json!({"status": "healthy"})));
/// let cx = Context::local().with_port(web.port());
/// assert_eq!(web.count("http://app/health"), 0);
/// ```
///
/// An address that no route begins with refuses connections. The real client is held to the same: status, headers,
/// latency and the bound of bodies.
#[derive(Clone, Default)]
pub struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    routes: Mutex<Vec<Route>>,
    seen: Mutex<Vec<Request>>,
}

/// `None` refuses the connection.
type Answer = Arc<dyn Fn(&Request) -> Option<Response> + Send + Sync>;

#[derive(Clone)]
struct Route {
    prefix: String,
    answer: Answer,
}

impl Fake {
    /// No service at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a service that answers every address beginning with this. The route added last wins.
    pub fn on(self, prefix: impl Into<String>, answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        self.route(prefix.into(), Arc::new(move |request| Some(answer(request))))
    }

    /// With one answer to every address beginning with this.
    pub fn answers(self, prefix: impl Into<String>, response: Response) -> Self {
        self.on(prefix, move |_| response.clone())
    }

    /// With these answers one after the other; the last stays.
    pub fn answers_in_turn(self, prefix: impl Into<String>, responses: impl IntoIterator<Item = Response>) -> Self {
        let left: Mutex<Vec<Response>> =
            Mutex::new(responses.into_iter().collect::<Vec<_>>().into_iter().rev().collect());
        let next = move |_: &Request| {
            let mut left = lock(&left);
            if left.len() > 1 { left.pop() } else { left.last().cloned() }
        };
        self.route(prefix.into(), Arc::new(next))
    }

    /// With a service that is down: every address beginning with this refuses connections.
    pub fn refuses(self, prefix: impl Into<String>) -> Self {
        self.route(prefix.into(), Arc::new(|_| None))
    }

    fn route(self, prefix: String, answer: Answer) -> Self {
        lock(&self.0.routes).push(Route { prefix, answer });
        self
    }

    /// What a program or a context is given: `cx.with_port(web.port())`.
    pub fn port(&self) -> Port {
        Port::new(self.clone())
    }

    /// The requests so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.0.seen).clone()
    }

    /// How many requests there were to addresses beginning with this.
    pub fn count(&self, prefix: &str) -> usize {
        lock(&self.0.seen).iter().filter(|request| request.url.starts_with(prefix)).count()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Client for Fake {
    async fn send(&self, request: &Request) -> Result<Response> {
        lock(&self.0.seen).push(request.clone());
        let routes = lock(&self.0.routes).clone();
        let route = routes.iter().rev().find(|route| request.url.starts_with(&route.prefix));
        let Some(mut response) = route.and_then(|route| (route.answer)(request)) else {
            return Err(Error::transient(format!("{request}: no answer: Connection refused")));
        };
        // On the paused clock of a test this costs no time.
        tokio::time::sleep(response.took.min(request.timeout)).await;
        if response.took > request.timeout {
            return Err(Error::transient(format!("{request}: no answer within {:?}", request.timeout)));
        }
        if response.body.len() > super::response::MOST {
            response.body.truncate(super::response::MOST);
            response.truncated = true;
        }
        Ok(response)
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fake with {} routes", lock(&self.0.routes).len())
    }
}
