//! PagerDuty: incidents through its Events API v2.

use async_trait::async_trait;
use runbook::{Context, Description, Result, Rollback, Secret, Step, Survey, redact};
use serde_json::{Map, Value, json};

use super::Sent;
use super::letter::{Address, Letter, Taken};
use super::message::{preview, send_all};

/// A service of PagerDuty, by its integration key.
#[derive(Debug, Clone, PartialEq)]
pub struct PagerDuty {
    url: String,
    key: Secret,
}

/// The service with this integration key, which is a secret.
pub fn pagerduty(key: &Secret) -> PagerDuty {
    PagerDuty { url: "https://events.pagerduty.com".to_owned(), key: key.clone() }
}

/// An incident, by the key that makes one of many events.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    service: PagerDuty,
    dedup_key: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The system is down.
    Critical,
    /// A part of it is.
    Error,
    /// It will be.
    Warning,
    /// For the record.
    Info,
}

/// An event of an incident, as a step.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an event is sent by a run: `run.step(\"title\", page).await?`"]
pub struct Page {
    incident: Incident,
    action: Action,
    summary: String,
    severity: Severity,
    source: String,
    details: Map<String, Value>,
    resolves: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Trigger,
    Acknowledge,
    Resolve,
}

impl PagerDuty {
    /// At this address: `https://events.eu.pagerduty.com` for accounts in the EU.
    pub fn at(mut self, url: impl Into<String>) -> Self {
        url.into().trim_end_matches('/').clone_into(&mut self.url);
        self
    }

    /// The incident of this key: events with the same one belong together, and opening it twice opens it once.
    pub fn incident(&self, dedup_key: impl Into<String>) -> Incident {
        Incident { service: self.clone(), dedup_key: dedup_key.into() }
    }
}

impl Incident {
    /// Opens it, and wakes somebody.
    pub fn trigger(&self, summary: impl Into<String>) -> Page {
        Page { summary: summary.into(), ..self.event(Action::Trigger) }
    }

    /// Says that somebody is on it.
    pub fn acknowledge(&self) -> Page {
        self.event(Action::Acknowledge)
    }

    /// Says that it is over.
    pub fn resolve(&self) -> Page {
        self.event(Action::Resolve)
    }

    fn event(&self, action: Action) -> Page {
        Page {
            incident: self.clone(),
            action,
            summary: String::new(),
            severity: Severity::Error,
            source: runbook::whoami(),
            details: Map::new(),
            resolves: false,
        }
    }
}

impl Page {
    /// How bad it is, instead of an error.
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// What has the trouble: a host, a service.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// With one more detail.
    pub fn detail(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }

    /// On the way back, and at the end of a hold, it is resolved. Without this an incident stays open: that a run was put
    /// back mends nothing.
    pub fn resolved_when_rolled_back(mut self) -> Self {
        self.resolves = true;
        self
    }

    /// An event as the API takes it (developer.pagerduty.com, "Send an Alert Event").
    fn letter(&self, action: Action) -> Letter {
        let mut body = json!({"event_action": action.word(), "dedup_key": self.incident.dedup_key});
        if action == Action::Trigger {
            let details: Map<String, Value> = self.details.clone();
            // The API takes no more than 1024 characters.
            let summary: String = redact::text(&self.summary).chars().take(1024).collect();
            body["payload"] = json!({
                "summary": summary, "source": self.source, "severity": self.severity.word(), "custom_details": details,
            });
            body["client"] = json!("runbook");
        }
        let service = &self.incident.service;
        let letter = Letter::post(Address::Plain(format!("{}/v2/enqueue", service.url)), body);
        let secrets = vec![("routing_key", service.key.clone())];
        Letter { secrets, taken: Taken::Field("/status", "success"), ..letter }
    }

    fn to(&self) -> String {
        format!("PagerDuty ({})", self.incident.service.key)
    }

    fn words(&self) -> String {
        let (action, key) = (self.action.word(), &self.incident.dedup_key);
        let summary = redact::text(&self.summary);
        if summary.is_empty() { format!("{action} {key}") } else { format!("{action} {key}: {summary}") }
    }
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

#[async_trait]
impl Step for Page {
    type Before = ();
    type Output = Sent;

    fn describe(&self) -> Description {
        let subject = format!("{} {}", self.incident.service.key, self.incident.dedup_key);
        let kind = format!("notify.pagerduty_{}", self.action.word());
        Description::new(kind, subject).summary(format!("tell {}: {}", self.to(), self.words())).repeats()
    }

    async fn survey(&self, _: &Context) -> Result<Survey<(), Sent>> {
        let diff = preview(&self.words(), &[self.letter(self.action)]);
        Ok(Survey::predict((), diff, Sent::expected(&self.to())))
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Sent> {
        Ok(send_all(cx, &self.to(), &[self.letter(self.action)]).await)
    }

    fn predict(&self) -> Option<Sent> {
        Some(Sent::expected(&self.to()))
    }
}

#[async_trait]
impl Rollback for Page {
    async fn rollback(&self, cx: &Context, (): &()) -> Result<()> {
        if self.resolves {
            send_all(cx, &self.to(), &[self.letter(Action::Resolve)]).await;
        }
        Ok(())
    }
}
