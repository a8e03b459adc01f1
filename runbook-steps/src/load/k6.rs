//! A script of k6, where that is installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Command, Context, Description, Error, Evidence, Explain as _, Finding, Resource, Result};
use serde_json::Value;

use super::limits::{Limits, limited};
use super::{Percentiles, Report};

/// Runs this script with the k6 of the host, and reads the summary it writes.
pub fn k6(script: impl AsRef<Path>) -> K6 {
    let script = script.as_ref().to_owned();
    K6 { script, env: Vec::new(), deadline: Duration::from_secs(1800), limits: Limits::default() }
}

/// The check of [`k6`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct K6 {
    script: PathBuf,
    env: Vec<(String, String)>,
    deadline: Duration,
    limits: Limits,
}

limited!(K6);

/// Its exit code when limits that stand in the script do not hold.
const THRESHOLDS: i32 = 99;

impl K6 {
    /// With this variable for the script: `__ENV.NAME`.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Ended when it takes longer than this, instead of half an hour.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it, and says what came of that, whatever the limits are.
    pub async fn measure(&self, cx: &Context) -> Result<Report> {
        self.run(cx).await.map(|(report, _)| report)
    }

    fn command(&self, summary: &Path) -> Command {
        let stats = "--summary-trend-stats=min,med,max,p(90),p(95),p(99)";
        let command = Command::new("k6").args(["run", "--quiet", "--no-color", stats, "--summary-export"]).arg(summary);
        let command =
            self.env.iter().fold(command, |command, (name, value)| command.arg("-e").arg(format!("{name}={value}")));
        command.arg(&self.script).expect([0, THRESHOLDS]).deadline(self.deadline)
    }

    /// The report, and whether the limits in the script hold.
    async fn run(&self, cx: &Context) -> Result<(Report, bool)> {
        let made = cx.run(&Command::new("mktemp").arg("/tmp/k6-summary.XXXXXX")).await?;
        let summary = PathBuf::from(made.text()?);
        let told = self.run_into(cx, &summary).await;
        cx.files().remove(&summary).await?;
        told
    }

    async fn run_into(&self, cx: &Context, summary: &Path) -> Result<(Report, bool)> {
        let output = cx.run(&self.command(summary)).await;
        let output = output.map_err(|error| error.hint("k6 has to be installed on the host: https://k6.io"))?;
        let text = cx.files().read(summary).await?;
        let read =
            serde_json::from_slice(&text).context("the summary is no JSON").and_then(|value| self.report(&value));
        let report = read.map_err(|error| error.context("read what k6 says").details(output.tail(10)))?;
        Ok((report, output.code != Some(THRESHOLDS)))
    }

    /// Out of the summary (grafana.com/docs/k6, "`--summary-export`"). Times are in milliseconds.
    fn report(&self, summary: &Value) -> Result<Report> {
        let metric = |name: &str, field: &str| {
            let value = summary["metrics"][name][field].as_f64();
            value.with_context(|| format!("the summary has no {field} of {name}"))
        };
        let took = |field: &str| {
            metric("http_req_duration", field).map(|millis| Duration::from_secs_f64(millis.max(0.0) / 1000.0))
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it counts")]
        let count = |value: f64| value.max(0.0).round() as u64;
        let (requests, rate) = (count(metric("http_reqs", "count")?), metric("http_reqs", "rate")?);
        if requests == 0 || rate <= 0.0 {
            return Err(Error::unknown("the script made no requests"));
        }
        // A rate counts what was true: here, that a request failed.
        let failed = count(metric("http_req_failed", "value")? * requests as f64);
        let errors = if failed > 0 { BTreeMap::from([("failed".to_owned(), failed)]) } else { BTreeMap::new() };
        let latency = Percentiles {
            p50: took("med")?,
            p90: took("p(90)")?,
            p95: took("p(95)")?,
            p99: took("p(99)")?,
            max: took("max")?,
        };
        let took = Duration::from_secs_f64(requests as f64 / rate);
        Ok(Report { target: self.target(), requests, errors, took, latency, ..Report::default() })
    }

    fn target(&self) -> String {
        format!("k6 {}", self.script.display())
    }
}

#[async_trait]
impl Check for K6 {
    fn describe(&self) -> Description {
        Description::new("load.k6", self.script.to_string_lossy())
            .summary(format!("{} goes well{}", self.target(), self.limits))
            .command(format!("k6 run {}", crate::command::word(&self.script)))
            .reads(Resource::path(&self.script))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let (report, holds) = self.run(cx).await?;
        let finding = self.limits.judge(cx, &report).await?;
        if holds || !finding.passes() {
            return Ok(finding);
        }
        let Evidence { summary, lines } = finding.evidence();
        Ok(Finding::fail(
            Evidence::new(format!("the limits in the script do not hold: {summary}")).lines(lines.clone()),
        ))
    }
}
