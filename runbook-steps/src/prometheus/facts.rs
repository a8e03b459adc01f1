//! What a Prometheus says, as values.

use prometheus_http_query::response;
use runbook::{Context, Error, Result};
use serde::Deserialize;

use super::series::{Series, Shape};
use super::server::Said;
use super::{Point, Prometheus};

#[derive(Debug, Deserialize)]
pub(super) struct RuleGroups {
    pub(super) groups: Vec<response::RuleGroup>,
}

impl Prometheus {
    /// What it scrapes.
    pub(super) async fn active_targets(&self, cx: &Context) -> Result<Said<response::Targets>> {
        self.read(cx, &self.api.get("/api/v1/targets?state=active")).await
    }

    /// The rules it has loaded.
    pub(super) async fn rule_groups(&self, cx: &Context) -> Result<Said<RuleGroups>> {
        self.read(cx, &self.api.get("/api/v1/rules")).await
    }

    /// Where it sends its alerts.
    pub(super) async fn known_alertmanagers(&self, cx: &Context) -> Result<Said<response::Alertmanagers>> {
        self.read(cx, &self.api.get("/api/v1/alertmanagers")).await
    }

    /// What an expression is now, and whether that may not be all.
    pub(super) async fn instant(&self, cx: &Context, expression: &str) -> Result<Said<Vec<Series>>> {
        let request = self.api.ask("/api/v1/query", [("query", expression.to_owned())]);
        self.read::<Shape>(cx, &request).await.map(Said::series)
    }

    /// What an expression was from one time to another, in steps; all in seconds.
    pub(super) async fn range(
        &self,
        cx: &Context,
        expression: &str,
        (from, to, step): (f64, f64, f64),
    ) -> Result<Said<Vec<Series>>> {
        let query = [
            ("query", expression.to_owned()),
            ("start", from.to_string()),
            ("end", to.to_string()),
            ("step", step.to_string()),
        ];
        self.read::<Shape>(cx, &self.api.ask("/api/v1/query_range", query)).await.map(Said::series)
    }

    /// The time on its clock, in seconds since 1970: ours may go otherwise.
    pub(super) async fn time(&self, cx: &Context) -> Result<f64> {
        let said = self.instant(cx, "time()").await?;
        let now = said.data.first().and_then(Series::last).map(|Point { value, .. }| *value);
        now.ok_or_else(|| Error::unknown(format!("{} does not say what time it is", self.api.url())))
    }
}

impl Said<Shape> {
    fn series(self) -> Said<Vec<Series>> {
        Said { data: Series::of(self.data), warnings: self.warnings }
    }
}
