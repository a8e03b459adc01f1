//! The variables of a dashboard, in the queries of its panels.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// As the dashboard was saved, with these in their places.
    pub(super) fn of(dashboard: &Value, given: &BTreeMap<String, String>) -> Self {
        let list = dashboard["templating"]["list"].as_array().into_iter().flatten();
        let mut all: BTreeMap<String, String> = list.filter_map(variable).collect();
        all.extend(given.clone());
        Self(all)
    }

    /// A value with `$name`, `${name}` and `[[name]]` filled in. What Grafana itself fills in (`$__interval`) stays.
    pub(super) fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill_text(text)),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(name, value)| (name.clone(), self.fill(value))).collect())
            }
            other => other.clone(),
        }
    }

    fn fill_text(&self, text: &str) -> String {
        // The longest first: `$job_name` is not `$job`.
        let mut names: Vec<_> = self.0.iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        names.into_iter().fold(text.to_owned(), |text, (name, value)| {
            let text = text.replace(&format!("${{{name}}}"), value).replace(&format!("[[{name}]]"), value);
            with_format(&text, name, value).replace(&format!("${name}"), value)
        })
    }
}

/// `${name:regex}`: the format is one of how several values are written, which is `a|b` here.
fn with_format(text: &str, name: &str, value: &str) -> String {
    let begin = format!("${{{name}:");
    let mut filled = text.to_owned();
    while let Some(at) = filled.find(&begin) {
        let Some(end) = filled[at..].find('}') else { break };
        filled.replace_range(at..=at + end, value);
    }
    filled
}

fn variable(variable: &Value) -> Option<(String, String)> {
    let name = variable["name"].as_str()?.to_owned();
    let all = variable["allValue"].as_str().filter(|all| !all.is_empty()).unwrap_or(".*");
    let one = |value: &str| if value == "$__all" { all.to_owned() } else { value.to_owned() };
    let value = match &variable["current"]["value"] {
        Value::String(value) => one(value),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().filter_map(Value::as_str).map(one).collect();
            values.join("|")
        }
        _ => return variable["query"].as_str().map(|query| (name, query.to_owned())),
    };
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_take_their_places() {
        let dashboard = json!({"templating": {"list": [
            {"name": "job", "current": {"value": ["api", "web"]}},
            {"name": "job_id", "current": {"value": "7"}},
            {"name": "instance", "current": {"value": "$__all"}},
            {"name": "pod", "current": {"value": ["$__all"]}, "allValue": "pod-.+"},
            {"name": "step", "type": "constant", "query": "5m"},
        ]}});
        let variables = Variables::of(&dashboard, &BTreeMap::from([("step".to_owned(), "1m".to_owned())]));
        let query =
            json!({"expr": "x{a=~\"$job\",b=\"$job_id\",c=~\"${instance:regex}\",d=~\"[[pod]]\"}[$step] $__interval"});
        let filled = json!({"expr": "x{a=~\"api|web\",b=\"7\",c=~\".*\",d=~\"pod-.+\"}[1m] $__interval"});
        assert_eq!(variables.fill(&query), filled);
    }
}
