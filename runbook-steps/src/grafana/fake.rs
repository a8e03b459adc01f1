//! A simulated Grafana, for tests: it answers as its documentation says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use url::Url;

use crate::http::{self, Body, Request, Response};

/// A Grafana as the checks of this library ask it, behind an [`http::Fake`]. A clone is another handle to the same.
///
/// ```
/// use runbook_steps::{grafana, http};
///
/// let grafana = grafana::Fake::new()
///     .datasource("prom", "Prometheus", "prometheus")
///     .dashboard("overview", "Overview", &[("Requests", "rate(requests_total[5m])")])
///     .data("rate(requests_total[5m])", 20);
/// let web = grafana.on(http::Fake::new(), "http://localhost:3001");
/// ```
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    sources: Vec<(Value, Option<String>)>,
    dashboards: Vec<Value>,
    data: Vec<(String, Result<usize, String>)>,
    sick: bool,
    asked: Vec<Value>,
}

impl Fake {
    /// A Grafana without data sources and dashboards.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.state());
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With a data source; the first one is the default.
    pub fn datasource(self, uid: &str, name: &str, kind: &str) -> Self {
        self.with(|state| {
            let default = state.sources.is_empty();
            state.sources.push((json!({"uid": uid, "name": name, "type": kind, "isDefault": default}), None));
        })
    }

    /// With a data source that does not answer, for this reason.
    pub fn broken_datasource(self, uid: &str, name: &str, why: &str) -> Self {
        self.with(|state| {
            let source = json!({"uid": uid, "name": name, "type": "prometheus", "isDefault": false});
            state.sources.push((source, Some(why.to_owned())));
        })
    }

    /// With a dashboard: its uid, its title, and the title and the expression of each panel.
    pub fn dashboard(self, uid: &str, title: &str, panels: &[(&str, &str)]) -> Self {
        let panel = |(n, (title, expr)): (usize, &(&str, &str))| json!({"id": n, "type": "timeseries", "title": title, "targets": [{"refId": "A", "expr": expr}]});
        let panels: Vec<Value> = panels.iter().enumerate().map(panel).collect();
        self.dashboard_json(json!({"uid": uid, "title": title, "panels": panels}))
    }

    /// With a dashboard, as it is exported.
    pub fn dashboard_json(self, dashboard: Value) -> Self {
        self.with(|state| state.dashboards.push(dashboard))
    }

    /// With so many values of an expression. One that nobody said anything about has none.
    pub fn data(self, expression: &str, values: usize) -> Self {
        self.with(|state| state.data.push((expression.to_owned(), Ok(values))))
    }

    /// With an expression that fails.
    pub fn fails(self, expression: &str, why: &str) -> Self {
        self.with(|state| state.data.push((expression.to_owned(), Err(why.to_owned()))))
    }

    /// Whose database does not answer.
    pub fn sick(self) -> Self {
        self.with(|state| state.sick = true)
    }

    /// The queries so far.
    pub fn asked(&self) -> Vec<Value> {
        self.state().asked.clone()
    }

    /// These services, with this Grafana at this URL among them.
    pub fn on(&self, web: http::Fake, url: &str) -> http::Fake {
        let this = self.clone();
        web.on(url, move |request| this.answer_to(request))
    }

    fn answer_to(&self, request: &Request) -> Response {
        let path = Url::parse(&request.url).map_or_else(|_| String::new(), |url| url.path().to_owned());
        let body = if let Body::Json(body) = &request.body { body.clone() } else { Value::Null };
        let authorized = request.headers.iter().any(|(name, _)| name == "authorization");
        self.answer(&request.method, &path, &body, authorized)
    }

    pub(super) fn answer(&self, method: &str, path: &str, body: &Value, authorized: bool) -> Response {
        let mut state = self.state();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method, &parts[..]) {
            ("GET", ["api", "health"]) => {
                let (status, database) = if state.sick { (503, "failing") } else { (200, "ok") };
                Response::json(status, json!({"commit": "0", "database": database, "version": "11.0.0"}))
            }
            _ if !authorized => Response::json(401, json!({"message": "Unauthorized"})),
            ("GET", ["api", "search"]) => state.search(),
            ("GET", ["api", "datasources"]) => {
                Response::json(200, state.sources.iter().map(|(source, _)| source.clone()).collect::<Value>())
            }
            ("GET", ["api", "datasources", "uid", uid, "health"]) => state.health(uid),
            ("GET", ["api", "dashboards", "uid", uid]) => {
                match state.dashboards.iter().find(|one| one["uid"] == *uid) {
                    Some(dashboard) => Response::json(200, json!({"meta": {}, "dashboard": dashboard})),
                    None => Response::json(404, json!({"message": "Dashboard not found"})),
                }
            }
            ("POST", ["api", "ds", "query"]) => state.query(body),
            _ => Response::json(404, json!({"message": "Not found"})),
        }
    }
}

impl State {
    fn search(&self) -> Response {
        let found = |one: &Value| json!({"uid": one["uid"], "title": one["title"], "type": "dash-db"});
        Response::json(200, self.dashboards.iter().map(found).collect::<Value>())
    }

    fn health(&self, uid: &str) -> Response {
        match self.sources.iter().find(|(source, _)| source["uid"] == uid) {
            Some((_, None)) => Response::json(200, json!({"status": "OK", "message": "Successfully queried"})),
            Some((_, Some(why))) => Response::json(400, json!({"status": "ERROR", "message": why})),
            None => Response::json(404, json!({"message": "data source not found"})),
        }
    }

    fn query(&mut self, body: &Value) -> Response {
        let queries = body["queries"].as_array().cloned().unwrap_or_default();
        self.asked.extend(queries.iter().cloned());
        let known = |query: &Value| self.sources.iter().any(|(source, _)| source["uid"] == query["datasource"]["uid"]);
        if queries.is_empty() || !queries.iter().all(known) {
            return Response::json(404, json!({"message": "Data source not found"}));
        }
        let mut status = 200;
        let mut results = serde_json::Map::new();
        for query in &queries {
            let result = self.result(query);
            if result["error"].is_string() {
                status = 400;
            }
            results.insert(query["refId"].as_str().unwrap_or("A").to_owned(), result);
        }
        Response::json(status, json!({"results": results}))
    }

    fn result(&self, query: &Value) -> Value {
        match self.data.iter().find(|(expression, _)| query["expr"] == *expression) {
            Some((_, Err(why))) => json!({"error": why, "status": 400}),
            Some((_, Ok(count))) => {
                let fields = json!([{"name": "Time", "type": "time"}, {"name": "Value", "type": "number"}]);
                let values: Vec<usize> = (0..*count).collect();
                let frame = json!({"schema": {"refId": "A", "fields": fields}, "data": {"values": [values, values]}});
                json!({"status": 200, "frames": [frame]})
            }
            None => json!({"status": 200, "frames": []}),
        }
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fake with {} dashboards", self.state().dashboards.len())
    }
}
