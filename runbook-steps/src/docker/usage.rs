//! What containers use.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Error, Evidence, Explain as _, Finding, Resource, Result};
use serde::{Deserialize, Serialize};

use super::ask::{ask, docker, lines};
use crate::sizes::Bytes;

/// What a container uses, in one sample of a second or two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Its name.
    pub name: String,
    /// How much of one processor it uses, in percent: 250 is two and a half.
    pub cpu: f64,
    /// The memory it holds.
    pub memory: Bytes,
    /// The memory it may hold: its limit, or all there is.
    pub limit: Bytes,
}

/// What containers of these names or ids use now; all that run, when there are none.
pub async fn sample(cx: &Context, names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Vec<Usage>> {
    let command = docker(["stats", "--no-stream", "--format", "{{json .}}"]);
    let command = names.into_iter().fold(command, |command, name| command.arg(name.as_ref()));
    let output = ask(cx, &command).await?;
    lines::<Said>(&command, &output)?.into_iter().map(Said::read).collect()
}

/// A line of `docker stats`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    name: String,
    #[serde(rename = "CPUPerc")]
    cpu: String,
    mem_usage: String,
}

impl Said {
    /// A container that ends meanwhile is shown with dashes, and one that cannot be measured with nothing of nothing, where one
    /// without a limit has all there is: nobody knows.
    fn read(self) -> Result<Usage> {
        let unknown = || {
            Error::unknown(format!("Docker does not say what `{}` uses: {} {}", self.name, self.cpu, self.mem_usage))
        };
        let cpu = self.cpu.trim_end_matches('%').parse().map_err(|_| unknown())?;
        let (memory, limit) = self.mem_usage.split_once('/').with_context(|| unknown().message().to_owned())?;
        let (memory, limit) = (bytes(memory).ok_or_else(unknown)?, bytes(limit).ok_or_else(unknown)?);
        if limit.0 == 0 {
            return Err(unknown().hint("it does not run, or its engine cannot measure it: the engine's log tells why"));
        }
        Ok(Usage { name: self.name, cpu, memory, limit })
    }
}

/// `21.5MiB`, as Docker writes it.
fn bytes(text: &str) -> Option<Bytes> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let bits = [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let (_, bits) = bits.into_iter().find(|(name, _)| *name == unit)?;
    let number: f64 = number.parse().ok()?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of bytes that Docker has rounded"
    )]
    Some(Bytes((number * (1_u64 << bits) as f64) as u64))
}

/// What these containers use; say how much that may be. Without names, all that run.
pub fn usage(names: impl IntoIterator<Item = impl Into<String>>) -> UsageWithin {
    UsageWithin { names: names.into_iter().map(Into::into).collect(), cpu: None, memory: None }
}

/// The check of [`usage`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct UsageWithin {
    names: Vec<String>,
    cpu: Option<f64>,
    memory: Option<Bytes>,
}

impl UsageWithin {
    /// Each may use this much of one processor, in percent.
    pub fn cpu_at_most(mut self, percent: f64) -> Self {
        self.cpu = Some(percent);
        self
    }

    /// Each may hold this much memory.
    pub fn memory_at_most(mut self, most: Bytes) -> Self {
        self.memory = Some(most);
        self
    }

    /// Of these containers.
    pub(crate) fn of(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }

    /// The limits, for people.
    pub(crate) fn people_say(&self) -> String {
        let cpu = self.cpu.map(|most| format!("{most}% of a processor"));
        let memory = self.memory.map(|most| format!("{most} of memory"));
        let limits: Vec<String> = cpu.into_iter().chain(memory).collect();
        if limits.is_empty() { "anything".to_owned() } else { format!("at most {}", limits.join(" and ")) }
    }

    fn is_fine(&self, usage: &Usage) -> bool {
        self.cpu.is_none_or(|most| usage.cpu <= most) && self.memory.is_none_or(|most| usage.memory <= most)
    }
}

#[async_trait]
impl Check for UsageWithin {
    fn describe(&self) -> Description {
        let who = if self.names.is_empty() { "all containers".to_owned() } else { self.names.join(", ") };
        Description::new("docker.usage", &who)
            .summary(format!("{who} use {}", self.people_say()))
            .command(format!("docker stats --no-stream {}", self.names.join(" ")))
            .reads(Resource::new("container", who))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let all = sample(cx, &self.names).await?;
        if all.is_empty() {
            return Ok(Finding::unknown("no container runs"));
        }
        let line = |usage: &Usage| {
            format!(
                "{} uses {:.1}% of a processor and {} of {} memory",
                usage.name, usage.cpu, usage.memory, usage.limit
            )
        };
        let over = all.iter().filter(|usage| !self.is_fine(usage)).count();
        let summary = format!("{over} of {} containers use too much", all.len());
        Ok(Finding::of(over == 0, Evidence::new(summary).lines(all.iter().map(line))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_says_is_read_as_numbers() {
        let said = |cpu: &str, memory: &str| Said { name: "api".into(), cpu: cpu.into(), mem_usage: memory.into() };
        let usage = said("150.25%", "21.5MiB / 1GiB").read().expect("is read");
        assert_eq!((usage.cpu, usage.memory, usage.limit), (150.25, Bytes(22_544_384), Bytes(1 << 30)));
        assert_eq!(said("0.00%", "0B / 1GiB").read().expect("is read").memory, Bytes(0));
        for (cpu, memory) in [("--", "-- / --"), ("0.00%", "0B / 0B")] {
            let error = said(cpu, memory).read().expect_err("is unknown");
            assert_eq!(error.kind(), runbook::ErrorKind::Unknown);
        }
    }
}
