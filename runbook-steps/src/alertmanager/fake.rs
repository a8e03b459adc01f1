//! A simulated Alertmanager, for tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::{SignedDuration, Timestamp};
use runbook::Clock as _;
use runbook::testing::SimClock;
use serde_json::{Value, json};
use url::Url;

use super::facts::{Delivery, Matcher};
use crate::http::{self, Body, Request, Response};

/// An Alertmanager as the steps of this library ask it, behind an [`http::Fake`]. It is held to the real one by one suite
/// that runs against both.
///
/// What is posted is delivered at once, by the integration of its first receiver. A clone is another handle to the same;
/// its clock goes as tokio's does.
#[derive(Clone, Default)]
pub struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    clock: OnceLock<SimClock>,
}

#[derive(Default)]
struct State {
    /// Name, integration, and whether it takes what it is given.
    receivers: Vec<(String, String, bool)>,
    alerts: BTreeMap<Labels, Known>,
    silences: Vec<Kept>,
    sent: BTreeMap<String, Delivery>,
    deaf: bool,
}

type Labels = BTreeMap<String, String>;

struct Known {
    starts_at: Timestamp,
    ends_at: Timestamp,
    updated_at: Timestamp,
}

struct Kept {
    id: String,
    matchers: Vec<Matcher>,
    comment: String,
    starts_at: Timestamp,
    ends_at: Timestamp,
}

impl Fake {
    /// An Alertmanager without receivers.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.state());
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With a receiver, and the integration it has: `webhook`, `slack`.
    pub fn receiver(self, name: &str, integration: &str) -> Self {
        self.add_receiver(name, integration, true)
    }

    /// With a receiver that takes nothing.
    pub fn broken_receiver(self, name: &str, integration: &str) -> Self {
        self.add_receiver(name, integration, false)
    }

    fn add_receiver(self, name: &str, integration: &str, good: bool) -> Self {
        self.with(|state| {
            state.sent.entry(integration.to_owned()).or_default();
            state.receivers.push((name.to_owned(), integration.to_owned(), good));
        })
    }

    /// That says it took an alert, and keeps none.
    pub fn deaf(self) -> Self {
        self.with(|state| state.deaf = true)
    }

    /// How many alerts there are.
    pub fn alerts(&self) -> usize {
        let now = self.now();
        self.state().alerts.values().filter(|known| known.ends_at > now).count()
    }

    /// How many silences are kept.
    pub fn silences(&self) -> usize {
        let now = self.now();
        self.state().silences.iter().filter(|kept| kept.ends_at > now).count()
    }

    /// These services, with this Alertmanager at this URL among them.
    pub fn on(&self, web: http::Fake, url: &str) -> http::Fake {
        let this = self.clone();
        web.on(url, move |request| this.answer(request))
    }

    fn now(&self) -> Timestamp {
        self.0.clock.get_or_init(SimClock::default).now()
    }

    fn answer(&self, request: &Request) -> Response {
        let Ok(url) = Url::parse(&request.url) else { return Response::new(400) };
        let body = match &request.body {
            Body::Json(value) => value.clone(),
            Body::Nothing | Body::Bytes(_) => Value::Null,
        };
        let now = self.now();
        match (request.method.as_str(), url.path()) {
            ("GET", "/-/ready") => Response::text(200, "OK").with_header("date", date(now)),
            ("GET", "/api/v2/status") => Response::json(200, status()),
            ("GET", "/api/v2/receivers") => Response::json(200, self.state().names()),
            ("GET", "/api/v2/alerts") => Response::json(200, self.state().list(now)),
            ("POST", "/api/v2/alerts") => self.state().post(&body, now),
            ("GET", "/api/v2/silences") => Response::json(200, self.state().list_silences(now)),
            ("POST", "/api/v2/silences") => self.state().silence(&body, now),
            ("DELETE", path) => self.state().expire(path, now),
            ("GET", "/metrics") => Response::text(200, self.state().metrics()),
            _ => Response::text(404, "404 page not found\n"),
        }
    }
}

/// The date of an answer, as HTTP has it.
fn date(now: Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn status() -> Value {
    json!({
        "cluster": {"name": "01", "peers": [], "status": "disabled"},
        "config": {"original": "route: {}\n"},
        "uptime": "2025-07-15T09:00:00.000Z",
        "versionInfo": {"version": "0.25.0"},
    })
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

impl State {
    fn names(&self) -> Value {
        let mut names: Vec<_> = self.receivers.iter().map(|(name, ..)| name).collect();
        names.sort();
        names.iter().map(|name| json!({"name": name})).collect()
    }

    fn silenced_by(&self, labels: &Labels, now: Timestamp) -> Vec<&str> {
        let holds = |one: &Matcher| labels.get(&one.name).map_or("", String::as_str) == one.value;
        let silences = |kept: &&Kept| kept.ends_at > now && kept.matchers.iter().all(holds);
        self.silences.iter().filter(silences).map(|kept| kept.id.as_str()).collect()
    }

    fn list(&self, now: Timestamp) -> Value {
        let receivers: Vec<Value> = self.receivers.iter().take(1).map(|(name, ..)| json!({"name": name})).collect();
        let alert = |(labels, known): (&Labels, &Known)| {
            let by = self.silenced_by(labels, now);
            let state = if by.is_empty() { "active" } else { "suppressed" };
            json!({
                "labels": labels, "annotations": {}, "fingerprint": format!("{:016x}", labels.len()),
                "startsAt": known.starts_at.to_string(), "endsAt": known.ends_at.to_string(),
                "updatedAt": known.updated_at.to_string(), "receivers": receivers,
                "status": {"state": state, "silencedBy": by, "inhibitedBy": []},
            })
        };
        self.alerts.iter().filter(|(_, known)| known.ends_at > now).map(alert).collect()
    }

    fn post(&mut self, body: &Value, now: Timestamp) -> Response {
        for alert in body.as_array().into_iter().flatten() {
            let Ok(labels) = serde_json::from_value::<Labels>(alert["labels"].clone()) else {
                return Response::json(400, json!("bad labels"));
            };
            // One with an end and no beginning begins there.
            let (starts_at, ends_at) = (time(&alert["startsAt"]), time(&alert["endsAt"]));
            let starts_at = starts_at.or(ends_at).unwrap_or(now);
            let ends_at = ends_at.unwrap_or_else(|| now + SignedDuration::from_mins(5));
            if labels.is_empty() || ends_at < starts_at {
                return Response::json(400, json!("start time must be before end time"));
            }
            if self.silenced_by(&labels, now).is_empty() {
                self.notify();
            }
            if !self.deaf {
                self.alerts.insert(labels, Known { starts_at, ends_at, updated_at: now });
            }
        }
        Response::new(200)
    }

    fn notify(&mut self) {
        let Some((_, integration, good)) = self.receivers.first() else { return };
        let sent = self.sent.entry(integration.clone()).or_default();
        sent.requests += 1;
        sent.failed += u64::from(!good);
    }

    fn list_silences(&self, now: Timestamp) -> Value {
        let silence = |kept: &Kept| {
            json!({
                "id": kept.id, "matchers": kept.matchers, "comment": kept.comment, "createdBy": "runbook",
                "startsAt": kept.starts_at.to_string(), "endsAt": kept.ends_at.to_string(),
                "updatedAt": kept.starts_at.to_string(),
                "status": {"state": if kept.ends_at > now { "active" } else { "expired" }},
            })
        };
        self.silences.iter().map(silence).collect()
    }

    fn silence(&mut self, body: &Value, now: Timestamp) -> Response {
        let matchers: Option<Vec<Matcher>> = serde_json::from_value(body["matchers"].clone()).ok();
        let (Some(matchers), Some(starts_at), Some(ends_at)) =
            (matchers, time(&body["startsAt"]), time(&body["endsAt"]))
        else {
            return Response::json(400, json!("bad silence"));
        };
        if matchers.is_empty() || ends_at < now {
            return Response::json(400, json!("invalid silence: at least one matcher required"));
        }
        let id = format!("00000000-0000-4000-8000-{:012}", self.silences.len());
        let comment = body["comment"].as_str().unwrap_or_default().to_owned();
        self.silences.push(Kept { id: id.clone(), matchers, comment, starts_at: starts_at.max(now), ends_at });
        Response::json(200, json!({"silenceID": id}))
    }

    fn expire(&mut self, path: &str, now: Timestamp) -> Response {
        let id = path.strip_prefix("/api/v2/silence/").unwrap_or_default();
        match self.silences.iter_mut().find(|kept| kept.id == id) {
            Some(kept) => {
                kept.ends_at = kept.ends_at.min(now);
                Response::new(200)
            }
            None => Response::new(404),
        }
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        for (integration, Delivery { requests, failed }) in &self.sent {
            let labels = format!("{{integration={integration:?}}}");
            let _ = writeln!(text, "alertmanager_notification_requests_total{labels} {requests}");
            let _ = writeln!(text, "alertmanager_notification_requests_failed_total{labels} {failed}");
        }
        text
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fake with {} alerts", self.state().alerts.len())
    }
}
