//! Does a rate limit let the first requests through, and no more than it should?

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, ErrorKind, Finding, Result};

use crate::http::{Probe, Request, Response, fetch};

/// Asks this over and over, one after the other: the first so many may not be refused, and one soon after them must be.
///
/// Nothing else may have asked from this address a while before, and for a while after it nobody can: put it last, or let
/// it wait until the limit is [lifted](RateLimit::lifted_within).
#[allow(clippy::needless_pass_by_value, reason = "a probe is made in its place")]
pub fn rate_limit(request: Probe) -> RateLimit {
    RateLimit { request: request.request().clone(), allows: 10, by: None, refusal: 429, lifted: None }
}

/// The check of [`rate_limit`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct RateLimit {
    request: Request,
    allows: u32,
    by: Option<u32>,
    refusal: u16,
    lifted: Option<Duration>,
}

impl RateLimit {
    /// Wants the first so many not to be refused, instead of ten.
    pub fn allows(mut self, requests: u32) -> Self {
        self.allows = requests;
        self
    }

    /// Wants one of the first so many to be refused, instead of half as many again as are allowed.
    pub fn refuses_by(mut self, requests: u32) -> Self {
        self.by = Some(requests);
        self
    }

    /// The status of a refusal, instead of 429.
    pub fn status(mut self, status: u16) -> Self {
        self.refusal = status;
        self
    }

    /// Asks on until it is not refused any more, at most this long.
    pub fn lifted_within(mut self, deadline: Duration) -> Self {
        self.lifted = Some(deadline);
        self
    }

    fn most(&self) -> u32 {
        self.by.unwrap_or(self.allows + (self.allows / 2).max(5)).max(self.allows + 1)
    }

    fn judge(&self, asked: &Asked) -> Finding {
        let (allows, answers) = (self.allows, asked.words());
        match (&asked.refused, asked.broken) {
            (_, Some(status)) => Finding::fail(format!("request {} got {status}: {answers}", asked.good + 1)),
            (Some(refusal), _) if asked.good == 0 => {
                Finding::unknown(format!("it was limited before the first request{}", refusal.lasting()))
            }
            (Some(refusal), _) if asked.good < allows => {
                let at = asked.good + 1;
                Finding::fail(format!(
                    "request {at} was refused{}, wanted {allows} allowed: {answers}",
                    refusal.lasting()
                ))
            }
            (Some(refusal), _) => {
                let at = asked.good + 1;
                Finding::pass(format!("{answers}, then {} at request {at}{}", self.refusal, refusal.lasting()))
            }
            (None, None) => Finding::fail(format!("none of {} requests was refused: {answers}", asked.good)),
        }
    }

    async fn ask(&self, cx: &Context) -> Result<Asked> {
        let mut asked = Asked::default();
        for _ in 0..self.most() {
            let response = fetch(cx, &self.request).await?;
            if response.status == self.refusal {
                asked.refused = Some(Refusal::of(&response));
                break;
            }
            *asked.statuses.entry(response.status).or_insert(0) += 1;
            if response.status >= 500 {
                asked.broken = Some(response.status);
                break;
            }
            asked.good += 1;
        }
        Ok(asked)
    }

    /// Waits until it is not refused any more: as long as the server says, or a second.
    async fn until_lifted(&self, cx: &Context, deadline: Duration, mut wait: Option<Duration>) -> Result<Finding> {
        let began = tokio::time::Instant::now();
        loop {
            let next = wait.unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(100));
            if began.elapsed() + next > deadline {
                return Ok(Finding::fail(format!("the limit is not lifted within {deadline:?}")));
            }
            cx.pause(next).await?;
            let response = fetch(cx, &self.request).await?;
            if response.status != self.refusal {
                return Ok(Finding::pass(format!("lifted after {:.0} s", began.elapsed().as_secs_f64())));
            }
            wait = Refusal::of(&response).after;
        }
    }
}

/// What came of asking.
#[derive(Debug, Default)]
struct Asked {
    good: u32,
    statuses: BTreeMap<u16, u32>,
    refused: Option<Refusal>,
    broken: Option<u16>,
}

/// A refusal, and how long it lasts, when the server says so.
#[derive(Debug)]
struct Refusal {
    after: Option<Duration>,
}

impl Refusal {
    fn of(response: &Response) -> Self {
        let after = response.header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
        Self { after: after.map(Duration::from_secs) }
    }

    fn lasting(&self) -> String {
        self.after.map_or_else(String::new, |after| format!(", for {} s", after.as_secs()))
    }
}

impl Asked {
    /// `10 answers (401)`.
    fn words(&self) -> String {
        let statuses: Vec<String> = self.statuses.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        if statuses.is_empty() { "no answers".to_owned() } else { statuses.join(", ") }
    }
}

#[async_trait]
impl Check for RateLimit {
    fn describe(&self) -> Description {
        let (request, allows, most) = (&self.request, self.allows, self.most());
        let method = &request.method;
        Description::new("smoke.rate_limit", request.to_string())
            .summary(format!("{request} is allowed {allows} times, and refused with {} after that", self.refusal))
            .command(format!(
                "for i in $(seq {most}); do curl -sS -o /dev/null -w '%{{http_code}}\\n' -X {method} {}; done",
                request.url
            ))
            .reads(runbook::Resource::new("url", &request.url))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let asked = match self.ask(cx).await {
            Err(error) if matches!(error.kind(), ErrorKind::Transient | ErrorKind::Unknown) => {
                return Ok(Finding::unknown(runbook::redact::text(&format!("{error:#}")).into_owned()));
            }
            asked => asked?,
        };
        let finding = self.judge(&asked);
        let (Some(deadline), Some(refusal)) = (self.lifted, &asked.refused) else { return Ok(finding) };
        let lifted = self.until_lifted(cx, deadline, refusal.after).await?;
        let summary = format!("{}; {}", finding.evidence().summary, lifted.evidence().summary);
        Ok(match finding {
            Finding::Unknown(_) => Finding::unknown(summary),
            finding => Finding::of(finding.passes() && lifted.passes(), summary),
        })
    }
}
