//! Simulated Slack, PagerDuty and Statuspage, for tests: they take what their documentation says they take.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use url::Url;

use super::Component;
use crate::http::{self, Body, Request, Response};

/// Slack, PagerDuty, Statuspage, or any webhook, behind an [`http::Fake`]: the path says which. A clone is another handle
/// to the same.
///
/// ```
/// use runbook_steps::{http, notify};
///
/// let people = notify::Fake::new().component("8kbf7d35c070", notify::Component::Operational);
/// let web = people.on(http::Fake::new(), "https://hooks.slack.com");
/// assert!(people.heard().is_empty());
/// ```
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    heard: Vec<String>,
    components: BTreeMap<String, Value>,
    incidents: Vec<Value>,
    failing: Vec<Response>,
}

impl Fake {
    /// Services that take everything that is well-formed.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a component on the status page.
    pub fn component(self, id: &str, status: Component) -> Self {
        self.state().components.insert(id.to_owned(), json!(status));
        self
    }

    /// That gives this answer first, so many times.
    pub fn fails(self, times: usize, answer: &Response) -> Self {
        self.state().failing.extend(std::iter::repeat_n(answer.clone(), times));
        self
    }

    /// What was heard, one line each: `slack: words`, `pagerduty: trigger key: summary`, `component id: status`,
    /// `incident name: status: words`.
    pub fn heard(&self) -> Vec<String> {
        self.state().heard.clone()
    }

    /// These services, with this one at this URL among them.
    pub fn on(&self, web: http::Fake, url: &str) -> http::Fake {
        let this = self.clone();
        web.on(url, move |request| this.answer_to(request))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer_to(&self, request: &Request) -> Response {
        let path = Url::parse(&request.url).map_or_else(|_| String::new(), |url| url.path().to_owned());
        let body = if let Body::Json(body) = &request.body { body.clone() } else { Value::Null };
        let authorized = request.headers.iter().any(|(name, _)| name == "authorization");
        self.answer(&request.method, &path, &body, authorized)
    }

    pub(super) fn answer(&self, method: &str, path: &str, body: &Value, authorized: bool) -> Response {
        let mut state = self.state();
        if let Some(answer) = state.failing.pop() {
            return answer;
        }
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method, &parts[..]) {
            ("POST", ["services", ..]) => state.slack(body),
            ("POST", ["v2", "enqueue"]) => state.pagerduty(body),
            (_, ["v1", "pages", ..]) if !authorized => Response::json(401, json!({"error": "Could not authenticate"})),
            (_, ["v1", "pages", _, rest @ ..]) => state.status_page(method, rest, body),
            ("POST", _) => {
                state.heard.push(format!("webhook: {body}"));
                Response::new(204)
            }
            _ => Response::new(404),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl State {
    /// api.slack.com, "Sending messages using incoming webhooks".
    fn slack(&mut self, body: &Value) -> Response {
        if text(&body["text"]).is_empty() {
            return Response::text(400, "no_text");
        }
        self.heard.push(format!("slack: {}", text(&body["text"])));
        Response::text(200, "ok")
    }

    /// developer.pagerduty.com, "Send an Alert Event".
    fn pagerduty(&mut self, body: &Value) -> Response {
        let (action, key, payload) = (text(&body["event_action"]), text(&body["dedup_key"]), &body["payload"]);
        let severity = ["critical", "error", "warning", "info"].contains(&text(&payload["severity"]));
        let complete = severity && !text(&payload["summary"]).is_empty() && !text(&payload["source"]).is_empty();
        let wrong = if text(&body["routing_key"]).len() != 32 {
            "Length of 'routing_key' is incorrect (should be 32 characters)"
        } else if !["trigger", "acknowledge", "resolve"].contains(&action) || key.is_empty() {
            "'event_action' is invalid"
        } else if action == "trigger" && !complete {
            "'payload' is missing or blank"
        } else {
            let summary = text(&payload["summary"]);
            let colon = if summary.is_empty() { "" } else { ": " };
            self.heard.push(format!("pagerduty: {action} {key}{colon}{summary}"));
            return Response::json(202, json!({"status": "success", "message": "Event processed", "dedup_key": key}));
        };
        let answer = json!({"status": "invalid event", "message": "Event object is invalid", "errors": [wrong]});
        Response::json(400, answer)
    }

    /// developer.statuspage.io.
    fn status_page(&mut self, method: &str, path: &[&str], body: &Value) -> Response {
        match (method, path) {
            ("GET", ["components", id]) => match self.components.get(*id) {
                Some(status) => Response::json(200, json!({"id": id, "status": status})),
                None => Response::json(404, json!({"error": "not found"})),
            },
            ("PATCH", ["components", id]) if self.components.contains_key(*id) => {
                let status = body["component"]["status"].clone();
                self.heard.push(format!("component {id}: {}", text(&status)));
                self.components.insert((*id).to_owned(), status.clone());
                Response::json(200, json!({"id": id, "status": status}))
            }
            ("GET", ["incidents", "unresolved"]) => {
                let open = self.incidents.iter().filter(|one| one["status"] != "resolved").cloned();
                Response::json(200, Value::Array(open.collect()))
            }
            ("POST", ["incidents"]) => {
                let mut incident = body["incident"].clone();
                incident["id"] = json!(format!("incident-{}", self.incidents.len()));
                self.incidents.push(incident.clone());
                self.tell(&incident);
                Response::json(201, incident)
            }
            ("PATCH", ["incidents", id]) => {
                let found = self.incidents.iter_mut().find(|one| one["id"] == *id);
                let Some(incident) = found else { return Response::json(404, json!({"error": "not found"})) };
                incident["status"] = body["incident"]["status"].clone();
                incident["body"] = body["incident"]["body"].clone();
                let incident = incident.clone();
                self.tell(&incident);
                Response::json(200, incident)
            }
            _ => Response::json(404, json!({"error": "not found"})),
        }
    }

    fn tell(&mut self, incident: &Value) {
        let [name, status, words] = ["name", "status", "body"].map(|field| text(&incident[field]));
        let colon = if words.is_empty() { "" } else { ": " };
        self.heard.push(format!("incident {name}: {status}{colon}{words}"));
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fake that heard {} things", self.state().heard.len())
    }
}
