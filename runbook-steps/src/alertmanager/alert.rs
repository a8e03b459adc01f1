//! An alert of our own.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use runbook::{
    Check, CheckExt as _, Context, Description, Diff, Error, Finding, Result, Rollback, Run, Step, Survey, Units as _,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Alertmanager;
use super::facts::Seen;
use crate::api::{answered, word};

/// An alert with these labels, posted for as long as it is needed. As a step it is posted, and resolved on the way back.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an alert is posted by a run: `run.hold(\"title\", alert, async |run| …).await?`"]
pub struct Alert {
    alertmanager: Alertmanager,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    lasting: Duration,
}

/// An alert that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// How Alertmanager tells it from others.
    pub fingerprint: String,
    /// Since when, on its clock.
    pub since: Timestamp,
    /// Who is to hear of it.
    pub receivers: Vec<String>,
}

/// The check of [`Alert::is_active`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct IsActive {
    alert: Alert,
    receiver: Option<String>,
}

/// How long a posted alert may take to show.
const SOON: Duration = Duration::from_secs(5);

impl Alertmanager {
    /// An alert of this name.
    pub fn alert(&self, name: impl Into<String>) -> Alert {
        Alert {
            alertmanager: self.clone(),
            labels: BTreeMap::from([("alertname".to_owned(), name.into())]),
            annotations: BTreeMap::new(),
            lasting: Duration::from_secs(600),
        }
    }
}

impl Alert {
    /// With this label, by which routes pick their alerts.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// With this text for people.
    pub fn annotation(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(name.into(), value.into());
        self
    }

    /// Resolved by itself after this time, instead of ten minutes, should nobody do it before.
    pub fn lasting(mut self, lasting: Duration) -> Self {
        self.lasting = lasting;
        self
    }

    /// Asks whether it is there, and neither silenced nor inhibited.
    pub fn is_active(&self) -> IsActive {
        IsActive { alert: self.clone(), receiver: None }
    }

    /// Posts it, sees it there, waits until this integration (`webhook`, `slack`, `email`) has taken one notification more,
    /// and resolves it, whatever came of that.
    pub async fn reaches(&self, run: &Run, integration: &str, within: Duration) -> Result<()> {
        let alertmanager = &self.alertmanager;
        let before = run.look(async |cx| alertmanager.deliveries(cx).await).await?;
        run.hold(format!("Alert {}", self.name()), self.clone(), async |run| {
            run.check("It is there", self.is_active().within(10.seconds())).await?;
            let taken = alertmanager.delivers(&before).by(integration);
            run.check(format!("It is taken by {integration}"), taken.within(within)).await
        })
        .await
    }

    fn name(&self) -> &str {
        self.labels.get("alertname").map_or("", String::as_str)
    }

    async fn seen(&self, cx: &Context) -> Result<Option<Seen>> {
        self.alertmanager.find(cx, &self.labels).await
    }

    /// Posts it, with a beginning and an end: one with an end alone would begin there.
    async fn post(&self, cx: &Context, starts_at: Timestamp, ends_at: Timestamp) -> Result<()> {
        let (starts_at, ends_at) = (starts_at.to_string(), ends_at.to_string());
        let (labels, annotations) = (&self.labels, &self.annotations);
        let alert = json!({"labels": labels, "annotations": annotations, "startsAt": starts_at, "endsAt": ends_at});
        let request = self.alertmanager.api.send("POST", "/api/v2/alerts", json!([alert]));
        answered(cx, &request).await.map(drop)
    }

    /// Looks until it is there, or not.
    async fn until(&self, cx: &Context, there: bool) -> Result<Option<Seen>> {
        let began = tokio::time::Instant::now();
        loop {
            let seen = self.seen(cx).await?;
            if seen.is_some() == there || began.elapsed() > SOON {
                return Ok(seen);
            }
            cx.pause(Duration::from_millis(100)).await?;
        }
    }

    fn selector(&self) -> String {
        let labels: Vec<String> = self.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{{{}}}", labels.join(","))
    }
}

impl From<Seen> for Posted {
    fn from(seen: Seen) -> Self {
        let receivers = seen.receivers.into_iter().map(|receiver| receiver.name).collect();
        Self { fingerprint: seen.fingerprint, since: seen.starts_at, receivers }
    }
}

#[async_trait]
impl Step for Alert {
    type Before = ();
    type Output = Posted;

    fn describe(&self) -> Description {
        let (api, selector) = (&self.alertmanager.api, self.selector());
        let add = |more: &str| format!("amtool --alertmanager.url={} alert add {}{more}", api.url(), self.amtool());
        Description::new("alertmanager.alert", format!("{} {selector}", api.url()))
            .summary(format!("post the alert {selector} to {}", api.url()))
            .command(add(""))
            .undo_command(add(" --end=\"$(date --iso-8601=seconds)\""))
            .reads(api.resource())
            .writes(api.resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), Posted>> {
        Ok(match self.seen(cx).await? {
            Some(seen) => Survey::Already(seen.into()),
            None => Survey::change((), Diff::none().and_add(format!("alert {}", self.selector()))),
        })
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Posted> {
        if let Some(seen) = self.seen(cx).await? {
            return Ok(seen.into());
        }
        let lasting = SignedDuration::try_from(self.lasting).unwrap_or(SignedDuration::from_mins(10));
        let now = self.alertmanager.time(cx).await?;
        self.post(cx, now, now.saturating_add(lasting)?).await?;
        match self.until(cx, true).await? {
            Some(seen) => Ok(seen.into()),
            None => Err(Error::unknown(format!("alert {} was posted, and is not there", self.selector()))),
        }
    }
}

#[async_trait]
impl Rollback for Alert {
    /// It ends when it was last heard of, on the clock of Alertmanager, which is past.
    async fn rollback(&self, cx: &Context, (): &()) -> Result<()> {
        let Some(seen) = self.seen(cx).await? else { return Ok(()) };
        let ends_at = seen.updated_at.max(seen.starts_at.saturating_add(SignedDuration::from_millis(1))?);
        self.post(cx, seen.starts_at, ends_at).await?;
        match self.until(cx, false).await? {
            None => Ok(()),
            Some(_) => Err(Error::transient(format!("alert {} was resolved, and is still there", self.selector()))),
        }
    }
}

impl Alert {
    /// Its labels as `amtool` takes them.
    fn amtool(&self) -> String {
        let labels = self.labels.iter().map(|(name, value)| format!("{name}={}", word(value)));
        labels.collect::<Vec<_>>().join(" ")
    }
}

impl IsActive {
    /// Wants this receiver to hear of it.
    pub fn routed_to(mut self, receiver: impl Into<String>) -> Self {
        self.receiver = Some(receiver.into());
        self
    }

    fn judge(&self, seen: &Seen) -> Finding {
        let receivers: Vec<&str> = seen.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
        let (name, state, to) = (self.alert.name(), &seen.status.state, receivers.join(", "));
        let summary = format!("{name} is {state} since {}, routed to {to}", seen.starts_at);
        let hidden = seen.status.silenced_by.len() + seen.status.inhibited_by.len();
        match &self.receiver {
            _ if hidden > 0 => Finding::fail(format!("{name} is silenced or inhibited, and reaches nobody")),
            Some(wanted) if !receivers.contains(&wanted.as_str()) => {
                Finding::fail(format!("{summary}, wanted {wanted}"))
            }
            // Not looked at yet.
            _ if state == "unprocessed" => Finding::unknown(summary),
            _ => Finding::of(state == "active", summary),
        }
    }
}

#[async_trait]
impl Check for IsActive {
    fn describe(&self) -> Description {
        let (api, selector) = (&self.alert.alertmanager.api, self.alert.selector());
        let to = self.receiver.as_ref().map_or_else(String::new, |receiver| format!(", and routed to {receiver}"));
        Description::new("alertmanager.active", format!("{} {selector}", api.url()))
            .summary(format!("the alert {selector} is in {}{to}", api.url()))
            .command(format!("amtool --alertmanager.url={} alert query {}", api.url(), self.alert.amtool()))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        Ok(match self.alert.seen(cx).await? {
            Some(seen) => self.judge(&seen),
            None => Finding::fail(format!("{} is not there", self.alert.name())),
        })
    }
}
