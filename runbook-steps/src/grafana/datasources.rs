//! Whether data sources answer.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Result};
use serde_json::Value;

use super::Grafana;
use super::facts::Source;
use crate::api::parse;
use crate::http::fetch;

/// The check of [`Grafana::datasources`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Datasources {
    grafana: Grafana,
    named: Vec<String>,
}

/// How one of them is.
enum State {
    Good(String),
    Bad(String),
    Unknown(String),
}

impl Grafana {
    /// Asks whether its data sources answer it: all of them, unless some are [named](Datasources::named).
    pub fn datasources(&self) -> Datasources {
        Datasources { grafana: self.clone(), named: Vec::new() }
    }
}

impl Datasources {
    /// Asks for these, by name or uid. They have to be there.
    pub fn named(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.named.extend(names.into_iter().map(Into::into));
        self
    }

    fn is_named(&self, source: &Source) -> bool {
        self.named.is_empty() || self.named.iter().any(|name| *name == source.name || *name == source.uid)
    }

    async fn ask(&self, cx: &Context, source: &Source) -> Result<State> {
        let request = self.grafana.api.get(&format!("/api/datasources/uid/{}/health", source.uid));
        let response = fetch(cx, &request).await?;
        let name = &source.name;
        // One that cannot say how it is, has no such plug-in or is not there any more.
        if response.status == 404 {
            return Ok(State::Unknown(format!("{name} cannot say how it is")));
        }
        // A bad one is a 400 that says why; anything else is none of its.
        if !matches!(response.status, 200 | 400 | 500) {
            return Err(crate::api::refused(&request, &response));
        }
        let body: Value = parse(&request, &response)?;
        let words = body["message"].as_str().unwrap_or_default();
        Ok(match body["status"].as_str() {
            Some("OK") => State::Good(format!("{name} ({})", source.kind)),
            Some(_) => State::Bad(format!("{name}: {words}")),
            None => State::Unknown(format!("{name}: {} {words}", response.status_line())),
        })
    }
}

#[async_trait]
impl Check for Datasources {
    fn describe(&self) -> Description {
        let api = &self.grafana.api;
        let which = if self.named.is_empty() { String::new() } else { format!(" {}", self.named.join(", ")) };
        Description::new("grafana.datasources", api.url())
            .summary(format!("the data sources{which} of {} answer", api.url()))
            .command(api.by_hand("/api/datasources/uid/UID/health"))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let sources = self.grafana.sources(cx).await?;
        let there = |name: &&String| sources.iter().any(|source| source.name == **name || source.uid == **name);
        let missing = self.named.iter().filter(|name| !there(name));
        let mut bad: Vec<String> = missing.map(|name| format!("{name} is not there")).collect();
        let (mut good, mut unknown) = (Vec::new(), Vec::new());
        for source in sources.iter().filter(|source| self.is_named(source)) {
            match self.ask(cx, source).await? {
                State::Good(words) => good.push(words),
                State::Bad(words) => bad.push(words),
                State::Unknown(words) => unknown.push(words),
            }
        }
        Ok(if let Some(first) = bad.first() {
            Finding::fail(Evidence::new(first.clone()).lines(bad.iter().skip(1)))
        } else if let Some(first) = unknown.first() {
            Finding::unknown(Evidence::new(first.clone()).lines(unknown.iter().skip(1)))
        } else if good.is_empty() {
            Finding::fail("there are no data sources")
        } else {
            Finding::pass(format!("{} answer", good.join(", ")))
        })
    }
}
