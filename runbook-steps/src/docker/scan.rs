//! Known weaknesses of an image.

use async_trait::async_trait;
use runbook::{Check, Command, Context, Description, Error, Evidence, Finding, Result, Units as _};
use serde::Deserialize;

use super::Reference;
use super::ask::answer;
use super::tag::resource;

/// Asks whether an image has no known weaknesses that are high or critical. `docker scan` is gone from Docker; this asks
/// `trivy` on the host of the step. Where it is not installed, nobody knows.
pub fn has_no_weaknesses(reference: impl Into<Reference>) -> HasNoWeaknesses {
    HasNoWeaknesses { reference: reference.into(), severities: "HIGH,CRITICAL".to_owned() }
}

/// The check of [`has_no_weaknesses`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct HasNoWeaknesses {
    reference: Reference,
    severities: String,
}

impl HasNoWeaknesses {
    /// Weaknesses that are critical alone.
    pub fn critical_alone(mut self) -> Self {
        "CRITICAL".clone_into(&mut self.severities);
        self
    }

    fn command(&self) -> Command {
        let words = ["image", "--quiet", "--format", "json", "--severity", &self.severities, self.reference.as_str()];
        Command::new("trivy").args(words).deadline(10.minutes())
    }
}

/// What trivy reports: its documented JSON, as far as it is needed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    #[serde(default)]
    results: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    #[serde(default)]
    vulnerabilities: Option<Vec<Weakness>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weakness {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    #[serde(default)]
    pkg_name: String,
    #[serde(default)]
    severity: String,
}

/// How many weaknesses an answer shows.
const SHOWN: usize = 10;

#[async_trait]
impl Check for HasNoWeaknesses {
    fn describe(&self) -> Description {
        let severities = self.severities.to_lowercase().replace(',', " or ");
        Description::new("docker.scan", self.reference.as_str())
            .summary(format!("the image `{}` has no known weakness that is {severities}", self.reference))
            .command(self.command().to_string())
            .reads(resource(&self.reference))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let output = match answer(cx, &self.command()).await {
            Ok(output) => output,
            Err(error) if error.kind() == runbook::ErrorKind::Failed => {
                let why = format!("nobody looks for weaknesses here: {error:#}");
                return Ok(Finding::unknown(Evidence::new(why).lines(["install trivy: https://trivy.dev"])));
            }
            Err(error) => return Err(error),
        };
        if !output.success() {
            return Ok(Finding::unknown(Evidence::new("trivy could not look at the image").lines(output.tail(10))));
        }
        let report: Report = serde_json::from_slice(&output.stdout)
            .map_err(|error| Error::unknown("cannot read what trivy reports").caused_by(error))?;
        // Without any part, nothing was looked at.
        let Some(parts) = report.results.filter(|parts| !parts.is_empty()) else {
            return Ok(Finding::unknown(format!("trivy found nothing to look at in `{}`", self.reference)));
        };
        let all: Vec<Weakness> = parts.into_iter().filter_map(|part| part.vulnerabilities).flatten().collect();
        let line = |weakness: &Weakness| format!("{} {} in {}", weakness.severity, weakness.id, weakness.pkg_name);
        let evidence = Evidence::new(format!("{} known weaknesses", all.len())).lines(all.iter().take(SHOWN).map(line));
        Ok(Finding::of(all.is_empty(), evidence))
    }
}
