//! The check: a request, and what its answer must look like.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, ErrorKind, Evidence, Finding, Resource, Result, Secret, redact};
use serde_json::Value;

use super::{Body, HeaderValue, Request, Response, client};

/// Asks with GET. Without [`status`](Probe::status), any 2xx is fine.
pub fn get(url: impl Into<String>) -> Probe {
    probe("GET", url)
}

/// Asks with HEAD.
pub fn head(url: impl Into<String>) -> Probe {
    probe("HEAD", url)
}

/// Asks with POST. A check must change nothing: ask only what the service answers without acting.
pub fn post(url: impl Into<String>) -> Probe {
    probe("POST", url)
}

/// Asks with any method.
pub fn probe(method: impl Into<String>, url: impl Into<String>) -> Probe {
    Probe { request: Request::new(method, url), expected: Vec::new(), reads: Vec::new() }
}

/// A request, and what its answer must look like.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Probe {
    request: Request,
    expected: Vec<Expected>,
    reads: Vec<Resource>,
}

/// One thing an answer must have.
#[derive(Debug, Clone, PartialEq)]
enum Expected {
    Status(u16),
    Header(String, String),
    Json(String, Value),
    BodyContains(String),
    FasterThan(Duration),
}

/// How an answer stands to what is expected of it, in words.
enum Verdict {
    Holds(String),
    Fails(String),
    Unreadable(String),
}

impl Probe {
    /// Wants exactly this status.
    pub fn status(self, status: u16) -> Self {
        self.expect(Expected::Status(status))
    }

    /// Wants this header with this value.
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.expect(Expected::Header(name.into(), value.into()))
    }

    /// Wants this value at a place of the JSON body. The place is a JSON pointer: `/status`,
    /// `/checks/0/name`; the empty one is the whole body.
    pub fn json(self, pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        self.expect(Expected::Json(pointer.into(), value.into()))
    }

    /// Wants this text in the body, within its first MiB.
    pub fn body_contains(self, text: impl Into<String>) -> Self {
        self.expect(Expected::BodyContains(text.into()))
    }

    /// Wants the whole answer in less than this.
    pub fn faster_than(self, limit: Duration) -> Self {
        self.expect(Expected::FasterThan(limit))
    }

    fn expect(mut self, expected: Expected) -> Self {
        self.expected.push(expected);
        self
    }

    /// Waits this long for the whole answer, instead of ten seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.timeout = timeout;
        self
    }

    /// Sends this header.
    pub fn send_header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.send(name, HeaderValue::Plain(value.into()))
    }

    /// Sends a secret as this header.
    pub fn send_secret(self, name: impl Into<String>, secret: &Secret) -> Self {
        self.send(name, HeaderValue::Secret(secret.clone()))
    }

    /// Sends a token: `Authorization: Bearer …`.
    pub fn bearer(self, token: &Secret) -> Self {
        self.send("authorization", HeaderValue::Bearer(token.clone()))
    }

    /// Sends user and password: `Authorization: Basic …`.
    pub fn basic(self, user: impl Into<String>, password: &Secret) -> Self {
        self.send("authorization", HeaderValue::Basic(user.into(), password.clone()))
    }

    fn send(mut self, name: impl Into<String>, value: HeaderValue) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Sends this body.
    pub fn send_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = Body::Bytes(body.into());
        self
    }

    /// Sends this value as JSON.
    pub fn send_json(mut self, body: impl Into<Value>) -> Self {
        self.request.body = Body::Json(body.into());
        self
    }

    /// Asks this address, whatever the name in the URL resolves to: one machine behind a load balancer, or a site whose
    /// name does not lead here yet. The name still goes into the request and is what the certificate must be for.
    pub fn at(mut self, address: IpAddr) -> Self {
        self.request.at = Some(address);
        self
    }

    /// Sends it from the host of the run, which needs curl: `127.0.0.1` is that host then, and a name means what it means
    /// there. A [certificate](Self::root_certificate) is a file of that host too.
    pub fn from_the_host(mut self) -> Self {
        self.request.from_host = true;
        self
    }

    /// Follows up to five redirects, and judges where they end.
    pub fn follow_redirects(mut self) -> Self {
        self.request.redirects = 5;
        self
    }

    /// Trusts the certificates in this PEM file of the runner's machine too.
    pub fn root_certificate(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.request.tls.root_certificate = Some(path.into());
        self
    }

    /// Trusts any certificate. Whoever stands between can answer in place of the service.
    pub fn insecure(mut self) -> Self {
        self.request.tls.insecure = true;
        self
    }

    /// Says what the answer depends on, beside the URL: the service behind it, so that a plan does not ask before a
    /// step that restarts it.
    pub fn reads(mut self, resource: impl Into<Resource>) -> Self {
        self.reads.push(resource.into());
        self
    }

    /// The request it sends, as a fact of its own: `http::fetch(cx, probe.request())`.
    pub fn request(&self) -> &Request {
        &self.request
    }

    pub(crate) fn judge(&self, response: &Response) -> Finding {
        let any = [Expected::Status(0)];
        let wants_status = self.expected.iter().any(|expected| matches!(expected, Expected::Status(_)));
        let default = if wants_status { &[][..] } else { &any[..] };
        let verdicts: Vec<Verdict> = default.iter().chain(&self.expected).map(|one| one.judge(response)).collect();
        let unreadable = || verdicts.iter().any(|verdict| matches!(verdict, Verdict::Unreadable(_)));
        let fails = verdicts.iter().any(|verdict| matches!(verdict, Verdict::Fails(_)));
        let evidence = Evidence::new(summary(response, &verdicts));
        match (fails, unreadable()) {
            (true, _) => Finding::fail(evidence.lines(response.excerpt())),
            (false, true) => Finding::unknown(evidence.lines(response.excerpt())),
            (false, false) => Finding::pass(evidence),
        }
    }
}

/// `200 OK in 12 ms, /status = "healthy"`; of what is wrong, all.
fn summary(response: &Response, verdicts: &[Verdict]) -> String {
    let mut parts = vec![format!("{} in {} ms", response.status_line(), response.took.as_millis())];
    let bad = verdicts.iter().any(|verdict| !matches!(verdict, Verdict::Holds(_)));
    parts.extend(verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::Holds(words) => (!bad && !words.is_empty()).then(|| words.clone()),
        Verdict::Fails(words) | Verdict::Unreadable(words) => Some(words.clone()),
    }));
    // A body that is no JSON is so for every value that is wanted of it.
    parts.dedup();
    redact::text(&parts.join(", ")).into_owned()
}

impl Expected {
    fn judge(&self, response: &Response) -> Verdict {
        match self {
            Self::Status(0) => of((200..300).contains(&response.status), String::new(), "wanted 2xx"),
            Self::Status(wanted) => of(response.status == *wanted, String::new(), &format!("wanted {wanted}")),
            Self::Header(name, wanted) => {
                let found = response.header(name);
                let is = format!("{name}: {}", found.unwrap_or("not there"));
                of(found == Some(wanted), is.clone(), &format!("{is}, wanted `{wanted}`"))
            }
            Self::Json(pointer, wanted) => json(response, pointer, wanted),
            Self::BodyContains(text) => {
                let inside = String::from_utf8_lossy(&response.body).contains(text.as_str());
                of(inside, format!("the body contains `{text}`"), &format!("the body does not contain `{text}`"))
            }
            Self::FasterThan(limit) => {
                of(response.took < *limit, String::new(), &format!("wanted less than {} ms", limit.as_millis()))
            }
        }
    }
}

fn of(holds: bool, is: String, wanted: &str) -> Verdict {
    if holds { Verdict::Holds(is) } else { Verdict::Fails(wanted.to_owned()) }
}

fn json(response: &Response, pointer: &str, wanted: &Value) -> Verdict {
    let body = match response.value() {
        Ok(body) => body,
        Err(error) => return Verdict::Unreadable(format!("{error:#}")),
    };
    match body.pointer(pointer) {
        Some(found) if found == wanted => Verdict::Holds(format!("{pointer} = {}", Short(found))),
        Some(found) => Verdict::Fails(format!("{pointer} = {}, wanted {}", Short(found), Short(wanted))),
        None => Verdict::Fails(format!("no {pointer} in the body, wanted {}", Short(wanted))),
    }
}

/// A value on one line that is not too long.
struct Short<'a>(&'a Value);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match text.char_indices().nth(120) {
            Some((end, _)) => write!(f, "{}…", &text[..end]),
            None => f.write_str(&text),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Header(name, value) => write!(f, "{name}: {value}"),
            Self::Json(pointer, value) => write!(f, "{pointer} = {}", Short(value)),
            Self::BodyContains(text) => write!(f, "a body with `{text}`"),
            Self::FasterThan(limit) => write!(f, "less than {} ms", limit.as_millis()),
        }
    }
}

#[async_trait]
impl Check for Probe {
    fn describe(&self) -> Description {
        let Request { method, url, .. } = &self.request;
        let expected: Vec<String> = self.expected.iter().map(ToString::to_string).collect();
        let wanted = if expected.is_empty() { "status 2xx".to_owned() } else { expected.join(", ") };
        let option = match method.as_str() {
            "GET" => String::new(),
            "HEAD" => "-I ".to_owned(),
            other => format!("-X {other} "),
        };
        let description = Description::new(format!("http.{}", method.to_ascii_lowercase()), url)
            .summary(format!("{url} answers with {wanted}"))
            .command(format!("curl -sS -i {option}{url}"))
            .reads(Resource::new("url", url));
        self.reads.iter().cloned().fold(description, Description::reads)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        match client::fetch(cx, &self.request).await {
            Ok(response) => Ok(self.judge(&response)),
            Err(error) if matches!(error.kind(), ErrorKind::Transient | ErrorKind::Unknown) => {
                let evidence = Evidence::new(redact::text(&format!("{error:#}")).into_owned());
                Ok(Finding::unknown(evidence.lines(error.advice())))
            }
            Err(error) => Err(error),
        }
    }
}
