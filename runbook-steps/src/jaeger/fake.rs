//! A simulated Jaeger, for tests: it answers as the one people run does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use crate::http::{self, Request, Response};

/// A Jaeger as the checks of this library ask it, behind an [`http::Fake`]. A clone is another handle to the same.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<Vec<Value>>>);

impl Fake {
    /// A Jaeger without traces.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a trace of one span: who did what, when, and how long it took.
    pub fn trace(self, service: &str, operation: &str, began: Timestamp, took: Duration) -> Self {
        let id = format!("{:016x}", self.state().len() + 1);
        let span = json!({
            "traceID": id, "spanID": id, "operationName": operation, "references": [],
            "startTime": began.as_microsecond(), "duration": took.as_micros(), "tags": [], "logs": [], "processID": "p1",
        });
        let processes = json!({"p1": {"serviceName": service, "tags": []}});
        self.state().push(json!({"traceID": id, "spans": [span], "processes": processes, "warnings": null}));
        self
    }

    fn state(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These services, with this Jaeger at this URL among them.
    pub fn on(&self, web: http::Fake, url: &str) -> http::Fake {
        let this = self.clone();
        web.on(url, move |request: &Request| this.answer(&request.url))
    }

    pub(super) fn answer(&self, url: &str) -> Response {
        let Ok(url) = Url::parse(url) else { return Response::new(400) };
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        match url.path() {
            "/api/services" => {
                let mut names: Vec<Value> =
                    self.state().iter().map(|trace| trace["processes"]["p1"]["serviceName"].clone()).collect();
                names.sort_by_key(ToString::to_string);
                names.dedup();
                answer(&names)
            }
            "/api/traces" => match query.get("service") {
                None => {
                    let words = "parameter 'service' is required";
                    Response::json(400, json!({"data": null, "errors": [{"code": 400, "msg": words}]}))
                }
                Some(_) => answer(&self.search(&query)),
            },
            _ => Response::text(404, "404 page not found\n"),
        }
    }

    fn search(&self, query: &BTreeMap<String, String>) -> Vec<Value> {
        let time = |name: &str, else_: i64| query.get(name).and_then(|time| time.parse().ok()).unwrap_or(else_);
        let (start, end) = (time("start", 0), time("end", i64::MAX));
        let is = |value: &Value, name: &str| query.get(name).is_none_or(|wanted| *value == *wanted.as_str());
        let wanted = |trace: &&Value| {
            let span = &trace["spans"][0];
            let began = span["startTime"].as_i64().unwrap_or_default();
            let within = (start..=end).contains(&began);
            within && is(&trace["processes"]["p1"]["serviceName"], "service") && is(&span["operationName"], "operation")
        };
        self.state().iter().filter(wanted).cloned().collect()
    }
}

fn answer(data: &[Value]) -> Response {
    Response::json(200, json!({"data": data, "total": data.len(), "limit": 0, "offset": 0, "errors": null}))
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fake with {} traces", self.state().len())
    }
}
