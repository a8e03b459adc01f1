//! Does a load balancer spread requests over all its instances?

use std::collections::BTreeMap;

use async_trait::async_trait;
use runbook::{Check, Context, Description, ErrorKind, Evidence, Finding, Result};
use serde_json::Value;

use crate::http::{Probe, Request, Response, fetch};

/// Asks this over and over, each time over a new connection, and reads who answered: at this place of the JSON answer
/// (`/instance_id`), or in a [header](Spread::in_header).
#[allow(clippy::needless_pass_by_value, reason = "a probe is made in its place")]
pub fn spread(request: Probe, pointer: impl Into<String>) -> Spread {
    Spread {
        request: request.request().clone(),
        name: Name::Json(pointer.into()),
        instances: Vec::new(),
        requests: None,
    }
}

/// The check of [`spread`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Spread {
    request: Request,
    name: Name,
    instances: Vec<String>,
    requests: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
enum Name {
    Json(String),
    Header(String),
}

impl Spread {
    /// Wants each of these to answer, and nobody else.
    pub fn over(mut self, instances: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.instances.extend(instances.into_iter().map(Into::into));
        self
    }

    /// Reads who answered from this header.
    pub fn in_header(mut self, name: impl Into<String>) -> Self {
        self.name = Name::Header(name.into());
        self
    }

    /// Asks so often, instead of ten times for each instance.
    pub fn requests(mut self, requests: usize) -> Self {
        self.requests = Some(requests);
        self
    }

    fn count(&self) -> usize {
        self.requests.unwrap_or(self.instances.len().max(1) * 10)
    }

    fn who(&self, response: &Response) -> Option<String> {
        match &self.name {
            Name::Header(name) => response.header(name).map(str::to_owned),
            Name::Json(pointer) => match response.value().ok()?.pointer(pointer)? {
                Value::String(name) => Some(name.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            },
        }
    }

    fn judge(&self, seen: &BTreeMap<String, usize>, asked: usize) -> Finding {
        let counts: Vec<String> = seen.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let counts = format!("of {asked} answers: {}", counts.join(", "));
        let missing: Vec<&str> =
            self.instances.iter().map(String::as_str).filter(|name| !seen.contains_key(*name)).collect();
        let strange: Vec<&str> =
            seen.keys().map(String::as_str).filter(|name| !self.instances.iter().any(|known| known == name)).collect();
        if !missing.is_empty() {
            return Finding::fail(format!("{} never answered; {counts}", missing.join(", ")));
        }
        if !self.instances.is_empty() && !strange.is_empty() {
            return Finding::fail(format!("{} answered too; {counts}", strange.join(", ")));
        }
        Finding::of(seen.len() > 1 || self.instances.len() == 1, counts)
    }
}

#[async_trait]
impl Check for Spread {
    fn describe(&self) -> Description {
        let over =
            if self.instances.is_empty() { "more than one instance".to_owned() } else { self.instances.join(", ") };
        let read = match &self.name {
            Name::Json(pointer) => format!("jq {}", pointer.replace('/', ".")),
            Name::Header(name) => format!("grep -i ^{name}:"),
        };
        let option = if matches!(self.name, Name::Header(_)) { "-i " } else { "" };
        let (url, count) = (&self.request.url, self.count());
        Description::new("smoke.spread", self.request.to_string())
            .summary(format!("{url} is answered by {over}"))
            .command(format!("for i in $(seq {count}); do curl -sS {option}{url} | {read}; done | sort | uniq -c"))
            .reads(runbook::Resource::new("url", url))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let mut seen = BTreeMap::new();
        for asked in 1..=self.count() {
            let response = match fetch(cx, &self.request).await {
                Err(error) if matches!(error.kind(), ErrorKind::Transient | ErrorKind::Unknown) => {
                    let words = runbook::redact::text(&format!("request {asked}: {error:#}")).into_owned();
                    return Ok(Finding::unknown(words));
                }
                response => response?,
            };
            let bad = |words: String| Evidence::new(format!("request {asked}: {words}")).lines(response.excerpt());
            if !(200..300).contains(&response.status) {
                return Ok(Finding::Fail(bad(response.status_line())));
            }
            let Some(name) = self.who(&response) else {
                return Ok(Finding::Unknown(bad("the answer does not say who gave it".to_owned())));
            };
            *seen.entry(name).or_insert(0) += 1;
        }
        Ok(self.judge(&seen, self.count()))
    }
}
