//! Silence, for the time of planned work.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use runbook::{Context, Description, Diff, Error, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Alertmanager;
use super::facts::{Matcher, SeenSilence};
use crate::api::{answered, read, word};

/// A silence over alerts with these labels. As a step it begins, and ends on the way back; by itself it ends after its
/// time.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a silence is kept by a run: `run.hold(\"title\", silence, async |run| …).await?`"]
pub struct Silence {
    alertmanager: Alertmanager,
    matchers: Vec<Matcher>,
    lasting: Duration,
    because: String,
}

/// A silence that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silenced {
    /// Its id.
    pub id: String,
    /// When it ends by itself.
    pub until: Timestamp,
}

impl Alertmanager {
    /// Silence over alerts that have all of these labels, for an hour.
    pub fn silence<N: Into<String>, V: Into<String>>(&self, labels: impl IntoIterator<Item = (N, V)>) -> Silence {
        let matcher =
            |(name, value): (N, V)| Matcher { name: name.into(), value: value.into(), is_regex: false, is_equal: true };
        let mut matchers: Vec<Matcher> = labels.into_iter().map(matcher).collect();
        matchers.sort();
        Silence {
            alertmanager: self.clone(),
            matchers,
            lasting: Duration::from_secs(3600),
            because: "planned work".to_owned(),
        }
    }
}

impl Silence {
    /// For this long, should nobody end it before.
    pub fn lasting(mut self, lasting: Duration) -> Self {
        self.lasting = lasting;
        self
    }

    /// With these words for whoever finds it.
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.because = why.into();
        self
    }

    /// Ours, when it is kept: the same labels, the same words.
    async fn seen(&self, cx: &Context) -> Result<Vec<SeenSilence>> {
        let ours = |seen: &SeenSilence| {
            let mut matchers = seen.matchers.clone();
            matchers.sort();
            seen.status.state != "expired" && seen.comment == self.because && matchers == self.matchers
        };
        Ok(self.alertmanager.silences(cx).await?.into_iter().filter(ours).collect())
    }

    fn selector(&self) -> String {
        let matcher = |Matcher { name, value, .. }: &Matcher| format!("{name}={value:?}");
        format!("{{{}}}", self.matchers.iter().map(matcher).collect::<Vec<_>>().join(","))
    }
}

impl From<SeenSilence> for Silenced {
    fn from(seen: SeenSilence) -> Self {
        Self { id: seen.id, until: seen.ends_at }
    }
}

/// What the answer to a new silence is.
#[derive(Deserialize)]
struct Made {
    #[serde(rename = "silenceID")]
    id: String,
}

#[async_trait]
impl Step for Silence {
    type Before = ();
    type Output = Silenced;

    fn describe(&self) -> Description {
        let (api, selector) = (&self.alertmanager.api, self.selector());
        let amtool = format!("amtool --alertmanager.url={} silence", api.url());
        let matchers: Vec<String> =
            self.matchers.iter().map(|one| word(&format!("{}={}", one.name, one.value))).collect();
        let (minutes, because) = (self.lasting.as_secs().div_ceil(60), word(&self.because));
        Description::new("alertmanager.silence", format!("{} {selector} {}", api.url(), self.because))
            .summary(format!("silence {selector} in {} for {:?}", api.url(), self.lasting))
            .command(format!("{amtool} add --duration={minutes}m --comment={because} {}", matchers.join(" ")))
            .undo_command(format!("{amtool} expire \"$({amtool} query -q {})\"", matchers.join(" ")))
            .reads(api.resource())
            .writes(api.resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), Silenced>> {
        if self.matchers.is_empty() {
            return Err(Error::new("a silence over no labels would be one over all alerts").hint("name a label"));
        }
        Ok(match self.seen(cx).await?.pop() {
            Some(seen) => Survey::Already(seen.into()),
            None => Survey::change((), Diff::none().and_add(format!("silence {}", self.selector()))),
        })
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Silenced> {
        if let Some(seen) = self.seen(cx).await?.pop() {
            return Ok(seen.into());
        }
        let now = self.alertmanager.time(cx).await?;
        let lasting = SignedDuration::try_from(self.lasting).unwrap_or(SignedDuration::from_hours(1));
        let silence = json!({
            "matchers": self.matchers, "startsAt": now.to_string(),
            "endsAt": now.saturating_add(lasting)?.to_string(), "createdBy": "runbook", "comment": self.because,
        });
        let made: Made = read(cx, &self.alertmanager.api.send("POST", "/api/v2/silences", silence)).await?;
        match self.seen(cx).await?.pop() {
            Some(seen) => Ok(seen.into()),
            None => Err(Error::unknown(format!("silence `{}` was made, and is not kept", made.id))),
        }
    }
}

#[async_trait]
impl Rollback for Silence {
    async fn rollback(&self, cx: &Context, (): &()) -> Result<()> {
        for seen in self.seen(cx).await? {
            answered(cx, &self.alertmanager.api.request("DELETE", &format!("/api/v2/silence/{}", seen.id))).await?;
        }
        match self.seen(cx).await?.pop() {
            None => Ok(()),
            Some(seen) => Err(Error::transient(format!("silence `{}` was ended, and is still kept", seen.id))),
        }
    }
}
