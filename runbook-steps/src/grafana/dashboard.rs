//! Whether there is data in a dashboard.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Result};
use serde_json::{Value, json};

use super::Grafana;
use super::facts::{Source, Wrapped};
use super::frames::{Shown, shown};
use super::variables::Variables;
use crate::api::{parse, refused};
use crate::http::fetch;

/// The check of [`Grafana::dashboard`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Dashboard {
    grafana: Grafana,
    uid: String,
    over: Duration,
    panels: Vec<String>,
    may_be_empty: Vec<String>,
    variables: BTreeMap<String, String>,
}

impl Grafana {
    /// Asks whether the panels of this dashboard have data. The uid is the part of its address after `/d/`.
    pub fn dashboard(&self, uid: impl Into<String>) -> Dashboard {
        Dashboard {
            grafana: self.clone(),
            uid: uid.into(),
            over: Duration::from_secs(900),
            panels: Vec::new(),
            may_be_empty: Vec::new(),
            variables: BTreeMap::new(),
        }
    }
}

/// A panel that asks for data.
struct Panel {
    title: String,
    queries: Vec<Value>,
}

impl Dashboard {
    /// Looks at the last so long, instead of a quarter of an hour.
    pub fn over(mut self, window: Duration) -> Self {
        self.over = window;
        self
    }

    /// Looks at these panels alone, by their titles. They have to be there.
    pub fn panels(mut self, titles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.panels.extend(titles.into_iter().map(Into::into));
        self
    }

    /// These panels may have no data: what they show does not always happen. Their queries still have to work.
    pub fn may_be_empty(mut self, titles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.may_be_empty.extend(titles.into_iter().map(Into::into));
        self
    }

    /// With this value of a variable, instead of the one it was saved with.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    fn path(&self) -> String {
        format!("/api/dashboards/uid/{}", self.uid)
    }

    /// The dashboard, when it is there.
    async fn read(&self, cx: &Context) -> Result<Option<Value>> {
        let request = self.grafana.api.get(&self.path());
        let response = fetch(cx, &request).await?;
        match response.status {
            404 => Ok(None),
            200 => parse::<Wrapped>(&request, &response).map(|wrapped| Some(wrapped.dashboard)),
            _ => Err(refused(&request, &response)),
        }
    }

    /// Puts the queries of a panel.
    async fn show(&self, cx: &Context, panel: &Panel) -> Result<Shown> {
        let from = format!("now-{}s", self.over.as_secs());
        let body = json!({"queries": panel.queries, "from": from, "to": "now"});
        let request = self.grafana.api.send("POST", "/api/ds/query", body);
        let response = fetch(cx, &request).await?;
        // A query that fails is a 400 or a 207 that says so inside.
        let answer = parse::<Value>(&request, &response).ok().and_then(|answer| shown(&answer));
        answer.ok_or_else(|| refused(&request, &response))
    }

    fn is_wanted(&self, panel: &Panel) -> bool {
        self.panels.is_empty() || self.panels.contains(&panel.title)
    }

    /// What is wrong with a panel, in words.
    fn complaint(&self, panel: &Panel, shown: &Shown) -> Option<String> {
        let title = &panel.title;
        match shown {
            Shown::Nothing if !self.may_be_empty.contains(title) => Some(format!("`{title}` has no data")),
            Shown::Error(words) => Some(format!("`{title}` fails: {words}")),
            Shown::Nothing | Shown::Values(_) => None,
        }
    }
}

/// The panels that ask for data, those in rows too.
fn panels(of: &Value, variables: &Variables, sources: &[Source]) -> Vec<Panel> {
    let all = of["panels"].as_array().into_iter().flatten();
    all.flat_map(|panel| {
        let mut found = panels(panel, variables, sources);
        let targets = panel["targets"].as_array().into_iter().flatten();
        let shown = targets.filter(|target| target["hide"] != true);
        let queries: Vec<Value> = shown.filter_map(|target| query(panel, target, variables, sources)).collect();
        if !queries.is_empty() {
            let title = variables.fill(&panel["title"]).as_str().unwrap_or_default().to_owned();
            let title = if title.is_empty() { format!("panel {}", panel["id"]) } else { title };
            found.push(Panel { title, queries });
        }
        found
    })
    .collect()
}

/// A query as the API takes it. `None` for one that only repeats another panel.
fn query(panel: &Value, target: &Value, variables: &Variables, sources: &[Source]) -> Option<Value> {
    let source = [&target["datasource"], &panel["datasource"]].into_iter().find_map(|one| named(one, variables));
    let source = match source.as_deref() {
        Some("-- Dashboard --") => return None,
        Some(name) => sources.iter().find(|source| source.uid == name || source.name == name),
        None => sources.iter().find(|source| source.is_default),
    };
    let mut query = variables.fill(target);
    query["datasource"] = match source {
        Some(source) => json!({"uid": source.uid, "type": source.kind}),
        None => variables.fill(&panel["datasource"]),
    };
    for (field, value) in [("refId", json!("A")), ("intervalMs", json!(15_000)), ("maxDataPoints", json!(100))] {
        if query[field].is_null() {
            query[field] = value;
        }
    }
    Some(query)
}

/// The uid of a data source, or the name it has in old dashboards. A mixed panel leaves it to its queries.
fn named(source: &Value, variables: &Variables) -> Option<String> {
    let name = source["uid"].as_str().or(source.as_str())?;
    let Value::String(name) = variables.fill(&json!(name)) else { return None };
    (name != "-- Mixed --" && name != "default" && !name.is_empty()).then_some(name)
}

#[async_trait]
impl Check for Dashboard {
    fn describe(&self) -> Description {
        let (api, uid) = (&self.grafana.api, &self.uid);
        let panels = if self.panels.is_empty() { "every panel".to_owned() } else { self.panels.join(", ") };
        Description::new("grafana.dashboard", format!("{} {uid}", api.url()))
            .summary(format!("{panels} of the dashboard {uid} of {} has data of the last {:?}", api.url(), self.over))
            .command(api.by_hand(&self.path()))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let Some(dashboard) = self.read(cx).await? else {
            return Ok(Finding::fail(format!("there is no dashboard {}", self.uid)));
        };
        let sources = self.grafana.sources(cx).await?;
        let variables = Variables::of(&dashboard, &self.variables);
        let mut panels = panels(&dashboard, &variables, &sources);
        let there = |title: &&String| panels.iter().any(|panel| panel.title == **title);
        let mut bad: Vec<String> = self
            .panels
            .iter()
            .filter(|title| !there(title))
            .map(|title| format!("there is no panel `{title}`"))
            .collect();
        panels.retain(|panel| self.is_wanted(panel));
        let mut values = 0;
        for panel in &panels {
            let shown = self.show(cx, panel).await?;
            bad.extend(self.complaint(panel, &shown));
            values += if let Shown::Values(count) = shown { count } else { 0 };
        }
        let title = dashboard["title"].as_str().unwrap_or(&self.uid);
        Ok(match bad.first() {
            Some(first) => {
                let summary = format!(
                    "{title}: {first}; {} of {} panels are fine",
                    panels.len().saturating_sub(bad.len()),
                    panels.len()
                );
                Finding::fail(Evidence::new(summary).lines(bad.iter().skip(1).take(20)))
            }
            None if panels.is_empty() => Finding::fail(format!("{title}: no panel asks for data")),
            None => Finding::of(values > 0, format!("{title}: {} panels show {values} values", panels.len())),
        })
    }
}
