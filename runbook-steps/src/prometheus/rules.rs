//! The rules: loaded, evaluated, and which of them fire.

use async_trait::async_trait;
use prometheus_http_query::response::{AlertingRule, Rule};
use runbook::{Check, Context, Description, Evidence, Finding, Result};

use super::Prometheus;

/// The check of [`Prometheus::rules`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Rules {
    prometheus: Prometheus,
    named: Vec<String>,
    fires: Fires,
}

/// What is wanted of those that fire.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fires {
    Whatever,
    None,
    These(Vec<String>),
}

impl Prometheus {
    /// Asks whether rules are loaded and can be evaluated. The answer says which of them fire.
    pub fn rules(&self) -> Rules {
        Rules { prometheus: self.clone(), named: Vec::new(), fires: Fires::Whatever }
    }
}

impl Rules {
    /// Wants these among them.
    pub fn named(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.named.extend(names.into_iter().map(Into::into));
        self
    }

    /// Wants none to fire.
    pub fn none_fires(mut self) -> Self {
        self.fires = Fires::None;
        self
    }

    /// Wants these to fire, whatever the others do: an alert that is to be seen.
    pub fn fires(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fires = Fires::These(names.into_iter().map(Into::into).collect());
        self
    }

    fn judge(&self, rules: &[Rule]) -> Finding {
        if rules.is_empty() {
            return Finding::fail("no rules are loaded");
        }
        let firing: Vec<&str> = rules.iter().filter(|rule| fires(rule)).map(name).collect();
        let mut bad: Vec<String> = Vec::new();
        let known = |wanted: &&String| rules.iter().any(|rule| name(rule) == wanted.as_str());
        bad.extend(self.named.iter().filter(|name| !known(name)).map(|name| format!("rule `{name}` is not loaded")));
        let broken = rules.iter().filter(|rule| is_good(rule) == Some(false));
        bad.extend(broken.map(|rule| format!("rule `{}` cannot be evaluated", name(rule))));
        bad.extend(self.wrongly(&firing));
        let summary = format!("{} loaded, {}", count(rules.len()), which(&firing));
        if let Some(first) = bad.first() {
            return Finding::fail(Evidence::new(format!("{first}; {summary}")).lines(bad.iter().skip(1).take(20)));
        }
        let fresh = rules.iter().filter(|rule| is_good(rule).is_none());
        let fresh: Vec<String> = fresh.map(|rule| format!("rule `{}` was not evaluated yet", name(rule))).collect();
        match fresh.first() {
            Some(first) => Finding::unknown(Evidence::new(format!("{first}; {summary}")).lines(fresh.iter().skip(1))),
            None => Finding::pass(summary),
        }
    }

    /// What should not fire and does, or should and does not.
    fn wrongly(&self, firing: &[&str]) -> Vec<String> {
        match &self.fires {
            Fires::Whatever => Vec::new(),
            Fires::None => firing.iter().map(|name| format!("`{name}` fires")).collect(),
            Fires::These(wanted) => {
                let quiet = wanted.iter().filter(|name| !firing.contains(&name.as_str()));
                quiet.map(|name| format!("`{name}` does not fire")).collect()
            }
        }
    }
}

fn name(rule: &Rule) -> &str {
    match rule {
        Rule::Recording(rule) => rule.name(),
        Rule::Alerting(rule) => rule.name(),
    }
}

/// Whether it was evaluated well; `None` when it was not evaluated yet.
fn is_good(rule: &Rule) -> Option<bool> {
    let health = match rule {
        Rule::Recording(rule) => rule.health(),
        Rule::Alerting(rule) => rule.health(),
    };
    (!health.is_unknown()).then(|| health.is_good())
}

/// A rule that is merely pending does not fire.
fn fires(rule: &Rule) -> bool {
    let firing = |rule: &AlertingRule| rule.alerts().iter().any(|alert| alert.state().is_firing());
    rule.as_alerting().is_some_and(firing)
}

fn count(rules: usize) -> String {
    if rules == 1 { "1 rule is".to_owned() } else { format!("{rules} rules are") }
}

fn which(firing: &[&str]) -> String {
    match firing {
        [] => "none fires".to_owned(),
        [one] => format!("`{one}` fires"),
        more => format!("`{}` fire", more.join("`, `")),
    }
}

#[async_trait]
impl Check for Rules {
    fn describe(&self) -> Description {
        let api = &self.prometheus.api;
        let named = if self.named.is_empty() { String::new() } else { format!(" {}", self.named.join(", ")) };
        let fire = match &self.fires {
            Fires::Whatever => String::new(),
            Fires::None => ", and none fires".to_owned(),
            Fires::These(these) => format!(", and {} fires", these.join(", ")),
        };
        Description::new("prometheus.rules", api.url())
            .summary(format!("the rules{named} are loaded in {}{fire}", api.url()))
            .command(api.by_hand("/api/v1/rules"))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let groups = self.prometheus.rule_groups(cx).await?.data.groups;
        let rules: Vec<Rule> = groups.iter().flat_map(|group| group.rules().iter().cloned()).collect();
        Ok(self.judge(&rules))
    }
}
