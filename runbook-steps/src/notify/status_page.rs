//! A status page, through the API of Statuspage.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Explain as _, Result, Rollback, Secret, Step, Survey, redact};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Sent;
use super::letter::{Address, Letter};

/// A status page, by its id.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusPage {
    url: String,
    page: String,
    key: Secret,
}

/// The page with this id, and a key that may write on it.
pub fn status_page(page: impl Into<String>, key: &Secret) -> StatusPage {
    StatusPage { url: "https://api.statuspage.io".to_owned(), page: page.into(), key: key.clone() }
}

/// How a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of the page itself")]
pub enum Component {
    Operational,
    UnderMaintenance,
    DegradedPerformance,
    PartialOutage,
    MajorOutage,
}

/// How far an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of the page itself")]
pub enum Progress {
    Investigating,
    Identified,
    Monitoring,
    Resolved,
}

/// What a component was before; `None` when nobody could tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Was(pub Option<Component>);

/// Says how a component is, and on the way back what it was.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a step does nothing until it is run: `run.hold(\"title\", step, async |run| …).await?`"]
pub struct SetComponent {
    page: StatusPage,
    component: String,
    status: Component,
}

/// Writes about an incident: opens the one of this name, or adds to it. On the way back it is resolved.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct News {
    page: StatusPage,
    name: String,
    progress: Progress,
    text: String,
    components: Vec<(String, Component)>,
}

impl StatusPage {
    /// At this address, for another service that speaks the same API.
    pub fn at(mut self, url: impl Into<String>) -> Self {
        url.into().trim_end_matches('/').clone_into(&mut self.url);
        self
    }

    /// A component, by its id, that is to be shown like this. In a hold it is so for the time of the body.
    pub fn component(&self, id: impl Into<String>, status: Component) -> SetComponent {
        SetComponent { page: self.clone(), component: id.into(), status }
    }

    /// News of the incident of this name.
    pub fn incident(&self, name: impl Into<String>, progress: Progress, text: impl Into<String>) -> News {
        News { page: self.clone(), name: name.into(), progress, text: text.into(), components: Vec::new() }
    }

    fn letter(&self, method: &'static str, path: &str, body: Value) -> Letter {
        let url = format!("{}/v1/pages/{}{path}", self.url, self.page);
        // Its own scheme (developer.statuspage.io, "Authentication").
        let key = Some(("OAuth", self.key.clone()));
        Letter { method, key, ..Letter::post(Address::Plain(url), body) }
    }

    async fn read(&self, cx: &Context, path: &str) -> Result<Value> {
        self.letter("GET", path, Value::Null).send(cx).await?.value()
    }

    fn to(&self) -> String {
        format!("the status page {}", self.page)
    }

    /// Does it, or warns: people who read a status page must not stop a deployment.
    async fn or_warn(&self, cx: &Context, doing: impl Future<Output = Result<()>>) -> Sent {
        match doing.await {
            Ok(()) => Sent::expected(&self.to()),
            Err(error) => {
                let words = format!("{} was not told: {error:#}", self.to());
                cx.warn(words.clone());
                Sent { delivered: false, trouble: Some(words), ..Sent::expected(&self.to()) }
            }
        }
    }
}

impl SetComponent {
    fn path(&self) -> String {
        format!("/components/{}", self.component)
    }

    async fn now(&self, cx: &Context) -> Result<Component> {
        shown(&self.page.read(cx, &self.path()).await?)
    }

    /// Shows it, and sees that it is shown.
    async fn show(&self, cx: &Context, status: Component) -> Result<()> {
        let body = json!({"component": {"status": status}});
        let answer = self.page.letter("PATCH", &self.path(), body).send(cx).await?;
        match shown(&answer.value()?)? {
            now if now == status => Ok(()),
            now => Err(Error::new(format!("component {} is shown as {}", self.component, now.word()))),
        }
    }
}

/// How a component is shown.
fn shown(component: &Value) -> Result<Component> {
    serde_json::from_value(component["status"].clone()).context("read how a component is shown")
}

impl Component {
    fn word(self) -> &'static str {
        match self {
            Self::Operational => "operational",
            Self::UnderMaintenance => "under maintenance",
            Self::DegradedPerformance => "degraded performance",
            Self::PartialOutage => "partial outage",
            Self::MajorOutage => "major outage",
        }
    }
}

impl News {
    /// And this component is like that meanwhile.
    pub fn component(mut self, id: impl Into<String>, status: Component) -> Self {
        self.components.push((id.into(), status));
        self
    }

    /// The id of the incident, while it is open.
    async fn open(&self, cx: &Context) -> Result<Option<String>> {
        let open = self.page.read(cx, "/incidents/unresolved").await?;
        let ours = open.as_array().and_then(|all| all.iter().find(|one| one["name"] == json!(self.name)));
        Ok(ours.and_then(|one| one["id"].as_str()).map(str::to_owned))
    }

    async fn write(&self, cx: &Context) -> Result<()> {
        let mut incident = json!({"name": self.name, "status": self.progress, "body": redact::text(&self.text)});
        if !self.components.is_empty() {
            let components = self.components.iter().map(|(id, status)| (id.clone(), json!(status)));
            incident["components"] = Value::Object(components.collect());
            incident["component_ids"] = self.components.iter().map(|(id, _)| json!(id)).collect();
        }
        let (method, path) = match self.open(cx).await? {
            Some(id) => ("PATCH", format!("/incidents/{id}")),
            None => ("POST", "/incidents".to_owned()),
        };
        self.page.letter(method, &path, json!({"incident": incident})).send(cx).await.map(drop)
    }

    async fn close(&self, cx: &Context) -> Result<()> {
        let Some(id) = self.open(cx).await? else { return Ok(()) };
        let components = self.components.iter().map(|(id, _)| (id.clone(), json!(Component::Operational)));
        let mut incident = json!({"status": Progress::Resolved});
        if !self.components.is_empty() {
            incident["components"] = Value::Object(components.collect());
        }
        let body = json!({"incident": incident});
        self.page.letter("PATCH", &format!("/incidents/{id}"), body).send(cx).await.map(drop)
    }
}

#[async_trait]
impl Step for SetComponent {
    type Before = Was;
    type Output = Sent;

    fn describe(&self) -> Description {
        let (page, component) = (&self.page.page, &self.component);
        Description::new("notify.status_component", format!("{page}/{component}"))
            .summary(format!("show {component} as {} on {}", self.status.word(), self.page.to()))
            .undo_command(format!("in the web interface of {}: show {component} as it was", self.page.to()))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Was, Sent>> {
        let expected = Sent::expected(&self.page.to());
        Ok(match self.now(cx).await {
            Ok(now) if now == self.status => Survey::Already(expected),
            Ok(now) => {
                let diff = Diff::turn(&*self.component, now.word(), self.status.word());
                Survey::predict(Was(Some(now)), diff, expected)
            }
            Err(error) => {
                Survey::predict(Was(None), Diff::note(format!("nobody knows how it is: {error:#}")), expected)
            }
        })
    }

    async fn apply(&self, cx: &Context, _: &Was) -> Result<Sent> {
        Ok(self.page.or_warn(cx, self.show(cx, self.status)).await)
    }

    fn predict(&self) -> Option<Sent> {
        Some(Sent::expected(&self.page.to()))
    }
}

#[async_trait]
impl Rollback for SetComponent {
    async fn rollback(&self, cx: &Context, before: &Was) -> Result<()> {
        match before.0 {
            Some(status) => drop(self.page.or_warn(cx, self.show(cx, status)).await),
            None => cx.warn(format!("component {} of {} may be shown wrongly", self.component, self.page.to())),
        }
        Ok(())
    }
}

#[async_trait]
impl Step for News {
    type Before = ();
    type Output = Sent;

    fn describe(&self) -> Description {
        let (page, name, text) = (&self.page.page, &self.name, redact::text(&self.text));
        Description::new("notify.status_incident", format!("{page}/{name}"))
            .summary(format!("write on {}: {name}: {text}", self.page.to()))
            .undo_command(format!("in the web interface of {}: resolve {name}", self.page.to()))
            .repeats()
    }

    async fn survey(&self, _: &Context) -> Result<Survey<(), Sent>> {
        let diff = Diff::note(format!("says: {}: {}", self.name, redact::text(&self.text)));
        Ok(Survey::predict((), diff, Sent::expected(&self.page.to())))
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Sent> {
        Ok(self.page.or_warn(cx, self.write(cx)).await)
    }

    fn predict(&self) -> Option<Sent> {
        Some(Sent::expected(&self.page.to()))
    }
}

#[async_trait]
impl Rollback for News {
    async fn rollback(&self, cx: &Context, (): &()) -> Result<()> {
        self.page.or_warn(cx, self.close(cx)).await;
        Ok(())
    }
}
