//! One turn of a conversation: a request, what its answer must look like, and what is kept of it.

use std::fmt;
use std::time::Duration;

use runbook::{Context, Error, ErrorKind, Evidence, Explain as _, Finding, Result, Secret};
use serde_json::{Map, Value};

use super::values::{Values, names};
use crate::api::{Api, word};
use crate::http::{self, Body, HeaderValue, Probe, Request, Response, fetch};

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a turn is taken in a talk: `smoke::talk().turn(…)`"]
pub struct Turn {
    method: &'static str,
    path: String,
    headers: Vec<(String, Header)>,
    body: Option<Value>,
    secret_fields: Vec<(String, Secret)>,
    expected: Probe,
    wanted: Vec<(String, Value)>,
    statuses: Vec<u16>,
    keeps: Vec<Keep>,
    within: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
enum Header {
    Given(HeaderValue),
    /// A text with `{name}`s in it.
    Filled(String),
    /// The secret of this name, as a bearer token.
    Bearer(String),
}

/// A value that is kept, and where it is.
#[derive(Debug, Clone, PartialEq)]
struct Keep {
    name: String,
    from: From,
    secret: bool,
    optional: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum From {
    Json(String),
    Header(String),
}

/// How long it waits before it asks again.
const AGAIN: Duration = Duration::from_millis(500);

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:literal)*) => {$(
        $(#[$doc])*
        pub fn $name(path: impl Into<String>) -> Turn {
            Turn::new($method, path.into())
        }
    )*};
}

methods! {
    /// Asks for this path. Without [`status`](Turn::status), any 2xx is fine.
    get "GET"
    /// Sends to this path.
    post "POST"
    /// Puts something there.
    put "PUT"
    /// Changes what is there.
    patch "PATCH"
    /// Removes what is there.
    delete "DELETE"
}

impl Turn {
    fn new(method: &'static str, path: String) -> Self {
        let expected = http::probe(method, path.as_str());
        Self {
            method,
            path,
            headers: Vec::new(),
            body: None,
            secret_fields: Vec::new(),
            expected,
            wanted: Vec::new(),
            statuses: Vec::new(),
            keeps: Vec::new(),
            within: None,
        }
    }

    /// Sends this as JSON.
    pub fn json(mut self, body: impl Into<Value>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// With a secret at this place of the JSON body. The place is a JSON pointer: `/password`.
    pub fn secret_field(mut self, pointer: impl Into<String>, secret: &Secret) -> Self {
        self.secret_fields.push((pointer.into(), secret.clone()));
        self
    }

    /// With the secret that was [kept](Turn::keep_secret) under this name as its token.
    pub fn bearer(self, name: impl Into<String>) -> Self {
        self.with("authorization", Header::Bearer(name.into()))
    }

    /// With this token: `Authorization: Bearer …`.
    pub fn bearer_secret(self, token: &Secret) -> Self {
        self.with("authorization", Header::Given(HeaderValue::Bearer(token.clone())))
    }

    /// As this user with this password.
    pub fn basic(self, user: impl Into<String>, password: &Secret) -> Self {
        self.with("authorization", Header::Given(HeaderValue::Basic(user.into(), password.clone())))
    }

    /// Sends this header.
    pub fn send_header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(name, Header::Filled(value.into()))
    }

    fn with(mut self, name: impl Into<String>, header: Header) -> Self {
        self.headers.push((name.into(), header));
        self
    }

    /// Wants exactly this status.
    pub fn status(mut self, status: u16) -> Self {
        self.statuses = vec![status];
        self
    }

    /// Wants one of these.
    pub fn status_in(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.statuses = statuses.into_iter().collect();
        self
    }

    /// Wants this value at a place of the JSON answer.
    pub fn has(mut self, pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        self.wanted.push((pointer.into(), value.into()));
        self
    }

    /// Wants this header with this value.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.expected = self.expected.header(name, value);
        self
    }

    /// Wants this text in the answer.
    pub fn body_contains(mut self, text: impl Into<String>) -> Self {
        self.expected = self.expected.body_contains(text);
        self
    }

    /// Wants the whole answer in less than this.
    pub fn faster_than(mut self, limit: Duration) -> Self {
        self.expected = self.expected.faster_than(limit);
        self
    }

    /// Asks again until the answer is as wanted or this time is over: for what happens in the background.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.within = Some(deadline);
        self
    }

    /// Keeps the value at this place of the answer; that there is none fails the turn.
    pub fn keep(self, name: impl Into<String>, pointer: impl Into<String>) -> Self {
        self.keeping(name, From::Json(pointer.into()), false, false)
    }

    /// Keeps it when there is one.
    pub fn keep_if_there(self, name: impl Into<String>, pointer: impl Into<String>) -> Self {
        self.keeping(name, From::Json(pointer.into()), false, true)
    }

    /// Keeps a secret: a token, a key. It shows nowhere.
    pub fn keep_secret(self, name: impl Into<String>, pointer: impl Into<String>) -> Self {
        self.keeping(name, From::Json(pointer.into()), true, false)
    }

    /// Keeps a header of the answer: `location`.
    pub fn keep_header(self, name: impl Into<String>, header: impl Into<String>) -> Self {
        self.keeping(name, From::Header(header.into()), false, false)
    }

    /// Keeps a header of the answer that is a secret: a cookie.
    pub fn keep_secret_header(self, name: impl Into<String>, header: impl Into<String>) -> Self {
        self.keeping(name, From::Header(header.into()), true, false)
    }

    fn keeping(mut self, name: impl Into<String>, from: From, secret: bool, optional: bool) -> Self {
        self.keeps.push(Keep { name: name.into(), from, secret, optional });
        self
    }

    /// Whether it only looks.
    pub(super) fn only_looks(&self) -> bool {
        self.method == "GET"
    }

    /// What it wants and nobody has kept.
    pub(super) fn missing(&self, values: &Values) -> Option<String> {
        let headers = self.headers.iter().filter_map(|(_, header)| match header {
            Header::Bearer(name) => Some(name.as_str()),
            _ => None,
        });
        let filled = self.headers.iter().filter_map(|(_, header)| match header {
            Header::Filled(text) => Some(text.as_str()),
            _ => None,
        });
        let texts = filled.chain([self.path.as_str()]).flat_map(names);
        texts.chain(headers).find(|name| !values.has(name)).map(str::to_owned)
    }

    /// Whether it would keep something under this name.
    pub(super) fn may_keep(&self, name: &str) -> bool {
        self.keeps.iter().any(|keep| keep.name == name)
    }

    pub(super) async fn take(&self, cx: &Context, api: &Api, values: &mut Values) -> Finding {
        let began = tokio::time::Instant::now();
        loop {
            let finding = match self.once(cx, api, values).await {
                Ok(finding) => finding,
                Err(error) => unanswered(&error),
            };
            if finding.passes() || self.within.is_none_or(|within| began.elapsed() + AGAIN > within) {
                return finding;
            }
            if let Err(error) = cx.pause(AGAIN).await {
                return unanswered(&error);
            }
        }
    }

    async fn once(&self, cx: &Context, api: &Api, values: &mut Values) -> Result<Finding> {
        let request = self.request(api, values)?;
        let response = fetch(cx, &request).await?;
        // Before anything is said of the answer: what is a secret in it is none to be shown.
        let kept: Result<()> = self.keeps.iter().try_for_each(|keep| keep.take(&response, values));
        let finding = self.judge(&response, values)?;
        Ok(match kept {
            Err(error) if finding.passes() => {
                let summary = format!("{}, but {error}", response.status_line());
                Finding::fail(Evidence::new(summary).lines(response.excerpt()))
            }
            _ => finding,
        })
    }

    fn judge(&self, response: &Response, values: &Values) -> Result<Finding> {
        let mut expected = self.expected.clone();
        for (pointer, wanted) in &self.wanted {
            expected = expected.json(pointer, values.fill_json(wanted)?);
        }
        // Of several good ones, the one that came or the first.
        let status = self.statuses.iter().find(|status| **status == response.status).or(self.statuses.first());
        Ok(status.map_or(expected.clone(), |status| expected.status(*status)).judge(response))
    }

    fn request(&self, api: &Api, values: &Values) -> Result<Request> {
        let mut request = api.request(self.method, &values.fill_path(&self.path)?);
        for (name, header) in &self.headers {
            let value = match header {
                Header::Given(value) => value.clone(),
                Header::Bearer(secret) => HeaderValue::Bearer(values.secret(secret)?.clone()),
                Header::Filled(text) => match values.fill(text)? {
                    filled if filled.secret => HeaderValue::Secret(Secret::found(name, filled.text)),
                    filled => HeaderValue::Plain(filled.text),
                },
            };
            request = request.header(name, value);
        }
        if self.body.is_some() || !self.secret_fields.is_empty() {
            request.body = Body::Json(self.filled_body(values)?);
        }
        Ok(request)
    }

    fn filled_body(&self, values: &Values) -> Result<Value> {
        let mut body = values.fill_json(self.body.as_ref().unwrap_or(&Value::Object(Map::new())))?;
        for (pointer, secret) in &self.secret_fields {
            let (parent, field) =
                pointer.rsplit_once('/').with_context(|| format!("`{pointer}` is no place in JSON"))?;
            let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
            let parent = parent.with_context(|| format!("the body has no object for `{pointer}`"))?;
            parent.insert(field.to_owned(), Value::String(secret.expose()?));
        }
        Ok(body)
    }

    /// The command a person would type; secrets are named.
    pub(super) fn by_hand(&self, api: &Api) -> String {
        let mut words = vec!["curl -sS".to_owned()];
        if self.method != "GET" {
            words.push(format!("-X {}", self.method));
        }
        for (name, header) in &self.headers {
            let value = match header {
                Header::Filled(text) => text.clone(),
                Header::Bearer(name) => format!("Bearer ${name}"),
                Header::Given(HeaderValue::Plain(value)) => value.clone(),
                Header::Given(_) => "…".to_owned(),
            };
            words.push(format!("-H {}", word(&format!("{name}: {value}"))));
        }
        if let Some(body) = &self.body {
            words.push(format!("--json {}", word(&body.to_string())));
        }
        words.push(word(&format!("{}{}", api.url(), self.path)));
        words.join(" ")
    }
}

impl Keep {
    fn take(&self, response: &Response, values: &mut Values) -> Result<()> {
        let Some(value) = self.find(response) else {
            let place = match &self.from {
                From::Json(pointer) => pointer.clone(),
                From::Header(name) => format!("header {name}"),
            };
            return if self.optional { Ok(()) } else { Err(Error::new(format!("there is no {place} to keep"))) };
        };
        if self.secret {
            values.keep_secret(&self.name, &format!("the answer, kept as {}", self.name), &value);
        } else {
            values.keep(&self.name, value);
        }
        Ok(())
    }

    fn find(&self, response: &Response) -> Option<String> {
        match &self.from {
            From::Header(name) => response.header(name).map(str::to_owned),
            From::Json(pointer) => match response.value().ok()?.pointer(pointer)? {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            },
        }
    }
}

/// No answer is unknown; a question that cannot be asked is a *no*, as nothing else can come of it.
fn unanswered(error: &Error) -> Finding {
    let evidence = Evidence::new(runbook::redact::text(&format!("{error:#}")).into_owned()).lines(error.advice());
    match error.kind() {
        ErrorKind::Failed => Finding::Fail(evidence),
        _ => Finding::Unknown(evidence),
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
