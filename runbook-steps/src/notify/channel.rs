//! Where words go: a webhook of Slack, or any other.

use runbook::{ErrorKind, Result, Run, Secret};
use serde_json::{Value, json};

use super::Message;
use super::letter::{Address, Letter, Taken};
use crate::http::HeaderValue;

/// Somewhere people read, or several such places.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    targets: Vec<Target>,
}

#[derive(Debug, Clone, PartialEq)]
struct Target {
    hook: Secret,
    headers: Vec<(String, HeaderValue)>,
    form: Form,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    Slack,
    /// JSON in which `{text}` is the words.
    Json(Value),
}

/// An incoming webhook of Slack. Its URL is a secret.
pub fn slack(url: &Secret) -> Channel {
    Channel { targets: vec![Target { hook: url.clone(), headers: Vec::new(), form: Form::Slack }] }
}

/// Any webhook that takes JSON by POST. It gets `{"text": "…"}`, or what [`body`](Channel::body) says.
pub fn webhook(url: &Secret) -> Channel {
    let form = Form::Json(json!({"text": "{text}"}));
    Channel { targets: vec![Target { hook: url.clone(), headers: Vec::new(), form }] }
}

impl Channel {
    /// And this one: what is said goes to both.
    pub fn and(mut self, other: Channel) -> Self {
        self.targets.extend(other.targets);
        self
    }

    /// What a webhook gets, instead of `{"text": "…"}`: `{text}` in a text of it is the words.
    pub fn body(mut self, body: impl Into<Value>) -> Self {
        let body = body.into();
        for target in self.targets.iter_mut().filter(|target| target.form != Form::Slack) {
            target.form = Form::Json(body.clone());
        }
        self
    }

    /// Shows this token: `Authorization: Bearer …`.
    pub fn bearer(mut self, token: &Secret) -> Self {
        for target in &mut self.targets {
            target.headers.push(("authorization".to_owned(), HeaderValue::Bearer(token.clone())));
        }
        self
    }

    /// These words, as a step.
    pub fn say(&self, text: impl Into<String>) -> Message {
        Message { channel: self.clone(), text: text.into(), back: None }
    }

    /// Says when the body begins, and when it is done, or has failed and was put back. A run that only pauses says nothing.
    pub async fn around<R>(
        &self,
        run: &Run,
        what: impl Into<String>,
        body: impl AsyncFnOnce(&Run) -> Result<R>,
    ) -> Result<R> {
        let what = what.into();
        run.step(format!("Say that it begins: {what}"), self.say(format!("{what}: begins"))).await?;
        match run.scope(what.clone(), body).await {
            Ok(value) => {
                run.step(format!("Say that it is done: {what}"), self.say(format!("{what}: done"))).await?;
                Ok(value)
            }
            Err(error) => {
                if ends(error.kind()) {
                    let words = format!("{what}: failed, and was put back: {error:#}");
                    // Whatever becomes of the message, this error is the one that counts.
                    let _ = run.step(format!("Say that it failed: {what}"), self.say(words)).await;
                }
                Err(error)
            }
        }
    }

    pub(super) fn letters(&self, text: &str) -> Vec<Letter> {
        self.targets.iter().map(|target| target.letter(text)).collect()
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.targets.iter().all(|target| target.form == Form::Slack) { "notify.slack" } else { "notify.webhook" }
    }

    pub(super) fn names(&self) -> String {
        self.targets.iter().map(|target| target.hook.to_string()).collect::<Vec<_>>().join(" and ")
    }
}

/// Whether an error is the end of what it came from, not a pause.
fn ends(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Failed | ErrorKind::Transient | ErrorKind::Unknown | ErrorKind::Refused)
}

impl Target {
    fn letter(&self, text: &str) -> Letter {
        // What a run says of itself goes out of the house.
        let text = runbook::redact::text(text);
        let (body, taken) = match &self.form {
            Form::Slack => (json!({"text": escape(&text)}), Taken::Text("ok")),
            Form::Json(body) => (fill(body, &text), Taken::Status),
        };
        let letter = Letter::post(Address::Secret(self.hook.clone()), body);
        Letter { taken, headers: self.headers.clone(), ..letter }
    }
}

/// Slack reads `<…>` as a link or a mention (api.slack.com, "Formatting text for app surfaces", "Escaping text").
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn fill(value: &Value, text: &str) -> Value {
    match value {
        Value::String(form) => Value::String(form.replace("{text}", text)),
        Value::Array(items) => items.iter().map(|item| fill(item, text)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), fill(value, text))).collect())
        }
        other => other.clone(),
    }
}
