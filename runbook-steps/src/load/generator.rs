//! The load: what is asked, how often, and for how long.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Error, Finding, Resource, Result};

use super::limits::{Limits, limited};
use super::{Report, engine};
use crate::http::{self, Probe, Request};

/// Asks this with GET.
pub fn get(url: impl Into<String>) -> Load {
    request(http::get(url))
}

/// Asks this, with its headers and its body. What its answer must look like does not count here, but for the
/// [status](Load::status).
#[allow(clippy::needless_pass_by_value, reason = "a probe is made in its place")]
pub fn request(probe: Probe) -> Load {
    Load {
        request: probe.request().clone(),
        connections: 10,
        rate: None,
        during: Duration::from_secs(10),
        status: None,
        limits: Limits::default(),
    }
}

/// A load, and the limits it must stay within.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Load {
    pub(super) request: Request,
    pub(super) connections: usize,
    pub(super) rate: Option<f64>,
    pub(super) during: Duration,
    status: Option<u16>,
    limits: Limits,
}

limited!(Load);

impl Load {
    /// Over so many connections at once, instead of ten. Each asks again as soon as it is answered, unless there is a
    /// [rate](Load::rate).
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// So many requests a second, whether earlier ones are answered or not, as far as there are
    /// [connections](Load::connections) for them.
    pub fn rate(mut self, per_second: f64) -> Self {
        self.rate = Some(per_second);
        self
    }

    /// For this long, instead of ten seconds.
    pub fn during(mut self, during: Duration) -> Self {
        self.during = during;
        self
    }

    /// Wants exactly this status, instead of any 2xx.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Waits this long for each answer, instead of ten seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.timeout = timeout;
        self
    }

    /// Loads it, and says what came of that, whatever the limits are.
    pub async fn measure(&self, cx: &Context) -> Result<Report> {
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err(Error::new("a rate is a number of requests a second, more than none"));
        }
        if self.request.from_host {
            return Err(Error::new("a load goes out from the runner's machine").hint("leave out `.from_the_host()`"));
        }
        engine::measure(cx, self).await
    }

    /// Whether a report stays within the limits.
    pub async fn judge(&self, cx: &Context, report: &Report) -> Result<Finding> {
        self.limits.judge(cx, report).await
    }

    pub(super) fn is_good(&self, status: u16) -> bool {
        self.status.map_or((200..300).contains(&status), |wanted| status == wanted)
    }

    fn words(&self) -> String {
        let rate = self.rate.map_or_else(String::new, |rate| format!("{rate} times a second "));
        format!("{rate}over {} connections for {:?}", self.connections, self.during)
    }
}

#[async_trait]
impl Check for Load {
    fn describe(&self) -> Description {
        let url = &self.request.url;
        let (connections, seconds) = (self.connections, self.during.as_secs().max(1));
        let by_hand = match self.rate {
            // `hey` counts the rate of each connection.
            Some(rate) => {
                format!("hey -z {seconds}s -c {connections} -q {} {url}", (rate / connections as f64).ceil())
            }
            None => format!("wrk -t1 -c{connections} -d{seconds}s --latency {url}"),
        };
        Description::new("load.http", url)
            .summary(format!("{url} bears being asked {}{}", self.words(), self.limits))
            .command(by_hand)
            .reads(Resource::new("url", url))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let report = self.measure(cx).await?;
        self.judge(cx, &report).await
    }
}
