//! What came back.

use std::time::Duration;

use runbook::{Error, Explain, Result, redact};

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Its headers, names in small letters, in order.
    pub headers: Vec<(String, String)>,
    /// Its body, at most one MiB of it.
    pub body: Vec<u8>,
    /// Whether there was more of the body than that.
    pub truncated: bool,
    /// How long it took from sending to the last byte read.
    pub took: Duration,
}

/// How much of a body is read: 1 MiB.
pub(super) const MOST: usize = 1 << 20;

impl Response {
    /// An answer with this status and nothing in it.
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// An answer with this status and a JSON body.
    pub fn json(status: u16, body: impl Into<serde_json::Value>) -> Self {
        let body = body.into().to_string().into_bytes();
        Self { body, ..Self::new(status) }.with_header("content-type", "application/json")
    }

    /// An answer with this status and a text body.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self { body: body.into().into_bytes(), ..Self::new(status) }
    }

    /// With one more header.
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Having taken this long.
    pub fn after(mut self, took: Duration) -> Self {
        self.took = took;
        self
    }

    /// A header, by name in any letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as a JSON value.
    pub fn value(&self) -> Result<serde_json::Value> {
        if self.truncated {
            return Err(Error::new(format!("the body is longer than {MOST} bytes, which is too long to be read")));
        }
        serde_json::from_slice(&self.body).context("the body is not JSON")
    }

    /// The beginning of the body for people, redacted: a few lines, not too long.
    pub fn excerpt(&self) -> Vec<String> {
        const LINES: usize = 5;
        const WIDTH: usize = 200;
        // Redacted as a whole first: a cut could split a secret.
        let text = String::from_utf8_lossy(&self.body);
        let clean = redact::text(&text);
        let lines = clean.lines().filter(|line| !line.trim().is_empty()).take(LINES);
        lines.map(|line| if line.len() > WIDTH { format!("{}…", cut(line, WIDTH)) } else { line.to_owned() }).collect()
    }

    /// `200 OK`.
    pub fn status_line(&self) -> String {
        let reason = reqwest::StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        reason.map_or_else(|| self.status.to_string(), |reason| format!("{} {reason}", self.status))
    }
}

/// The beginning of a line, cut between two characters.
fn cut(line: &str, width: usize) -> &str {
    let end = (0..=width).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    &line[..end]
}
