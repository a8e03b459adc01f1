//! A simulated Prometheus, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::{SignedDuration, Timestamp};
use runbook::Clock as _;
use runbook::testing::SimClock;
use serde_json::{Value, json};
use url::Url;

use super::number::Number;
use crate::http::{self, Request, Response};

/// A Prometheus as the checks of this library ask it, behind an [`http::Fake`]. It is held to the real one by one suite
/// that runs against both.
///
/// It has no PromQL: what an expression is is [said](Fake::value). One that nobody said anything about has no data. A
/// clone is another handle to the same; its clock goes as tokio's does.
///
/// ```
/// use runbook_steps::{http, prometheus};
///
/// let metrics = prometheus::Fake::new().target("api", "api-1:8000").value("errors", 0.01).rule("HighErrorRate", false);
/// let web = metrics.on(http::Fake::new(), "http://localhost:9090");
/// ```
#[derive(Clone, Default)]
pub struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    clock: OnceLock<SimClock>,
}

#[derive(Default)]
struct State {
    targets: Vec<Target>,
    rules: Vec<(String, &'static str, bool)>,
    values: BTreeMap<String, Vec<Told>>,
    refused: BTreeMap<String, String>,
    alertmanagers: Vec<String>,
    warnings: Vec<String>,
}

struct Target {
    job: String,
    instance: String,
    health: &'static str,
    error: String,
    /// How many seconds ago it was scraped.
    age: i64,
}

/// The values of one series: its labels, and a value for each time.
struct Told {
    labels: BTreeMap<String, String>,
    value: Arc<dyn Fn(f64) -> Option<f64> + Send + Sync>,
}

impl Fake {
    /// A Prometheus that scrapes nothing and knows no rule.
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

    /// With a target that is up.
    pub fn target(self, job: &str, instance: &str) -> Self {
        self.add_target(job, instance, "up", "", 1)
    }

    /// With a target that is down, for this reason.
    pub fn target_down(self, job: &str, instance: &str, why: &str) -> Self {
        self.add_target(job, instance, "down", why, 1)
    }

    /// With a target that was not scraped yet.
    pub fn target_new(self, job: &str, instance: &str) -> Self {
        self.add_target(job, instance, "unknown", "", 1)
    }

    /// With a target that was up when it was last scraped, so many seconds ago.
    pub fn target_forgotten(self, job: &str, instance: &str, seconds: i64) -> Self {
        self.add_target(job, instance, "up", "", seconds)
    }

    fn add_target(self, job: &str, instance: &str, health: &'static str, error: &str, age: i64) -> Self {
        let target = Target { job: job.into(), instance: instance.into(), health, error: error.into(), age };
        self.with(|state| state.targets.push(target))
    }

    /// Without the targets of a job.
    pub fn without_job(self, job: &str) -> Self {
        self.with(|state| state.targets.retain(|target| target.job != job))
    }

    /// With an alerting rule that fires or does not.
    pub fn rule(self, name: &str, fires: bool) -> Self {
        self.with(|state| state.rules.push((name.to_owned(), "ok", fires)))
    }

    /// With an alerting rule that cannot be evaluated.
    pub fn rule_broken(self, name: &str) -> Self {
        self.with(|state| state.rules.push((name.to_owned(), "err", false)))
    }

    /// With an alerting rule that was not evaluated yet.
    pub fn rule_new(self, name: &str) -> Self {
        self.with(|state| state.rules.push((name.to_owned(), "unknown", false)))
    }

    /// With this value of an expression, now and ever.
    pub fn value(self, expression: &str, value: f64) -> Self {
        self.value_at(expression, [], move |_| Some(value))
    }

    /// With one series more of an expression: its labels, and what it is so many seconds ago. `None` is no value.
    pub fn value_at<'a>(
        self,
        expression: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: impl Fn(f64) -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let told = Told { labels, value: Arc::new(value) };
        self.with(|state| state.values.entry(expression.to_owned()).or_default().push(told))
    }

    /// Without any value of an expression.
    pub fn forgets(self, expression: &str) -> Self {
        self.with(|state| drop(state.values.remove(expression)))
    }

    /// With an expression that it refuses, with these words.
    pub fn refuses(self, expression: &str, words: &str) -> Self {
        self.with(|state| drop(state.refused.insert(expression.to_owned(), words.to_owned())))
    }

    /// With a warning in every answer: it may not be complete.
    pub fn warns(self, words: &str) -> Self {
        self.with(|state| state.warnings.push(words.to_owned()))
    }

    /// That sends its alerts to this URL.
    pub fn alertmanager(self, url: &str) -> Self {
        self.with(|state| state.alertmanagers.push(format!("{url}/api/v2/alerts")))
    }

    /// These services, with this Prometheus at this URL among them.
    pub fn on(&self, web: http::Fake, url: &str) -> http::Fake {
        let this = self.clone();
        web.on(url, move |request| this.answer(request))
    }

    fn now(&self) -> Timestamp {
        self.0.clock.get_or_init(SimClock::default).now()
    }

    fn answer(&self, request: &Request) -> Response {
        let Ok(url) = Url::parse(&request.url) else { return Response::new(400) };
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let get = |name: &str| query.get(name).map_or("", String::as_str);
        match (request.method.as_str(), url.path()) {
            ("GET", "/api/v1/query") => self.instant(get("query")),
            ("GET", "/api/v1/query_range") => self.range(get("query"), [get("start"), get("end"), get("step")]),
            ("GET", "/api/v1/targets") => self.targets(),
            ("GET", "/api/v1/rules") => self.rules(),
            ("GET", "/api/v1/alertmanagers") => {
                let urls: Vec<_> = self.state().alertmanagers.iter().map(|url| json!({"url": url})).collect();
                self.good(&json!({"activeAlertmanagers": urls, "droppedAlertmanagers": []}))
            }
            _ => Response::text(404, "404 page not found\n"),
        }
    }

    fn good(&self, data: &Value) -> Response {
        let warnings = self.state().warnings.clone();
        let mut answer = json!({"status": "success", "data": data});
        if !warnings.is_empty() {
            answer["warnings"] = json!(warnings);
        }
        Response::json(200, answer)
    }

    fn refusal(&self, expression: &str, before: &str) -> Option<Response> {
        let words = before.to_owned() + self.state().refused.get(expression)?;
        Some(Response::json(400, json!({"status": "error", "errorType": "bad_data", "error": words})))
    }

    fn instant(&self, expression: &str) -> Response {
        // It says more of an expression that is asked for now than of one over a window.
        if let Some(refusal) = self.refusal(expression, "invalid parameter \"query\": ") {
            return refusal;
        }
        let now = seconds(self.now());
        if expression == "time()" {
            return self.good(&json!({"resultType": "scalar", "result": [now, now.to_string()]}));
        }
        // What the checks ask when there is no data now: was there any within the hour?
        let counted = expression.strip_prefix("count_over_time((").and_then(|rest| rest.strip_suffix(")[1h:10s])"));
        let state = self.state();
        let series = state.values.get(counted.unwrap_or(expression)).map_or(&[][..], Vec::as_slice);
        let value = |told: &Told| match counted {
            Some(_) => {
                let times = (0..360).filter(|n| (told.value)(f64::from(n * 10)).is_some()).count();
                (times > 0).then_some(times as f64)
            }
            None => (told.value)(0.0),
        };
        let result: Vec<Value> = series
            .iter()
            .filter_map(|told| Some(json!({"metric": told.labels, "value": [now, text(value(told)?)]})))
            .collect();
        drop(state);
        self.good(&json!({"resultType": "vector", "result": result}))
    }

    fn range(&self, expression: &str, times: [&str; 3]) -> Response {
        if let Some(refusal) = self.refusal(expression, "") {
            return refusal;
        }
        let [Ok(from), Ok(to), Ok(step)] = times.map(str::parse::<f64>) else { return Response::new(400) };
        let now = seconds(self.now());
        let state = self.state();
        let series = state.values.get(expression).map_or(&[][..], Vec::as_slice);
        let values = |told: &Told| {
            let grid = (0..).map(|n| from + f64::from(n) * step).take_while(|at| *at <= to + 0.0005);
            let point = |at: f64| Some(json!([at, text((told.value)(now - at)?)]));
            grid.filter_map(point).collect::<Vec<Value>>()
        };
        let result = series.iter().map(|told| (told, values(told))).filter(|(_, values)| !values.is_empty());
        let result: Vec<Value> =
            result.map(|(told, values)| json!({"metric": told.labels, "values": values})).collect();
        drop(state);
        self.good(&json!({"resultType": "matrix", "result": result}))
    }

    fn targets(&self) -> Response {
        let now = self.now();
        let target = |target: &Target| {
            let url = format!("http://{}/metrics", target.instance);
            let scraped = now.saturating_sub(SignedDuration::from_secs(target.age)).unwrap_or(now);
            json!({
                "discoveredLabels": {}, "labels": {"job": target.job, "instance": target.instance},
                "scrapePool": target.job, "scrapeUrl": url, "globalUrl": url, "lastError": target.error,
                "lastScrape": scraped.to_string(), "lastScrapeDuration": 0.002, "health": target.health,
                "scrapeInterval": "1s", "scrapeTimeout": "1s",
            })
        };
        let targets: Vec<Value> = self.state().targets.iter().map(target).collect();
        self.good(&json!({"activeTargets": targets, "droppedTargets": []}))
    }

    fn rules(&self) -> Response {
        let now = self.now().to_string();
        let rule = |(name, health, fires): &(String, &str, bool)| {
            let alert = json!({
                "labels": {"alertname": name}, "annotations": {}, "state": "firing", "activeAt": now, "value": "1e+00",
            });
            json!({
                "type": "alerting", "name": name, "query": "vector(1)", "duration": 0, "keepFiringFor": 0,
                "labels": {}, "annotations": {}, "alerts": if *fires { vec![alert] } else { vec![] },
                "state": if *fires { "firing" } else { "inactive" },
                "health": health, "evaluationTime": 0.001, "lastEvaluation": now,
            })
        };
        let rules: Vec<Value> = self.state().rules.iter().map(rule).collect();
        let group = json!({
            "name": "rules", "file": "/etc/prometheus/rules.yml", "interval": 1, "limit": 0, "evaluationTime": 0.001,
            "lastEvaluation": now, "rules": rules,
        });
        let groups = if rules.is_empty() { vec![] } else { vec![group] };
        self.good(&json!({"groups": groups}))
    }
}

fn seconds(now: Timestamp) -> f64 {
    now.as_millisecond() as f64 / 1000.0
}

/// A value as Prometheus writes it.
fn text(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { Number(value).to_string() }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fake with {} targets", self.state().targets.len())
    }
}
