//! Requests that go out from the host of a step, through the curl that is there.

use std::time::{Duration, Instant};

use runbook::{Command, Context, Error, Explain as _, Result};

use super::response::MOST;
use super::{Body, HeaderValue, Request, Response};

/// What curl says when it got no answer, in its own exit codes (curl(1), "EXIT CODES").
const TIMED_OUT: i32 = 28;
const SILENCE: [i32; 9] = [5, 6, 7, TIMED_OUT, 35, 52, 55, 56, 60];
/// How much longer than the answer curl itself may take, to start and to end.
const GRACE: Duration = Duration::from_secs(5);

/// Sends a request from the host of the step. Nothing of it is an argument: curl reads it from its input.
pub(super) async fn send(cx: &Context, request: &Request) -> Result<Response> {
    let curl = Command::new("curl").args(["--config", "-"]).input(config(request)?);
    let curl = curl.deadline(request.timeout + GRACE).expect(std::iter::once(0).chain(SILENCE));
    let began = Instant::now();
    let output = cx.run(&curl).await?;
    match output.code {
        Some(0) => Ok(Response { took: began.elapsed(), ..parse(&output.stdout)? }),
        Some(TIMED_OUT) => Err(Error::transient(format!("{request}: no answer within {:?}", request.timeout))),
        _ => Err(silence(request, &String::from_utf8_lossy(&output.stderr))),
    }
}

/// The request as a configuration of curl (curl(1), `--config`).
fn config(request: &Request) -> Result<String> {
    request.ensure_sane()?;
    let mut lines = vec!["silent".to_owned(), "show-error".to_owned(), "include".to_owned()];
    let mut set = |name: &str, value: &str| lines.push(format!("{name} = {}", quoted(value)));
    set("url", &request.url);
    set("max-time", &request.timeout.as_secs_f64().to_string());
    set("user-agent", concat!("runbook/", env!("CARGO_PKG_VERSION")));
    match request.method.as_str() {
        "HEAD" => set("head", "true"),
        method => set("request", method),
    }
    for (name, value) in &request.headers {
        match value {
            HeaderValue::Plain(value) => set("header", &format!("{name}: {value}")),
            HeaderValue::Bearer(secret) => set("header", &format!("{name}: Bearer {}", secret.expose()?)),
            HeaderValue::Secret(secret) => set("header", &format!("{name}: {}", secret.expose()?)),
            HeaderValue::Basic(user, secret) => set("user", &format!("{user}:{}", secret.expose()?)),
        }
    }
    match &request.body {
        Body::Nothing => {}
        Body::Json(value) => {
            set("header", "content-type: application/json");
            set("data-raw", &value.to_string());
        }
        Body::Bytes(bytes) => {
            let text = std::str::from_utf8(bytes).context("send a body that is no text from the host")?;
            set("data-raw", text);
        }
    }
    if let Some(at) = request.at {
        let url = request.address()?;
        let (name, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
        set("resolve", &format!("{name}:{port}:{at}"));
    }
    if let Some(path) = &request.tls.root_certificate {
        set("cacert", &path.to_string_lossy());
    }
    if request.tls.insecure {
        lines.push("insecure".to_owned());
    }
    if request.redirects > 0 {
        lines.push(format!("location\nmax-redirs = {}", request.redirects));
    }
    Ok(lines.join("\n") + "\n")
}

fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n").replace('\r', r"\r");
    format!("\"{escaped}\"")
}

/// The last answer of those that curl printed: before it come interim ones and redirects.
fn parse(printed: &[u8]) -> Result<Response> {
    let (head, body) = split(printed).context("read what curl prints: it is no answer over HTTP")?;
    let head = String::from_utf8_lossy(head);
    let (first, fields) = head.split_once("\r\n").unwrap_or((&head, ""));
    let status = first.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
    let status = status.with_context(|| format!("read the status of `{first}`"))?;
    if body.starts_with(b"HTTP/") && matches!(status, 100..200 | 300..400) {
        return parse(body);
    }
    let fields = fields.lines().filter_map(|line| line.split_once(':'));
    let headers = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let truncated = body.len() > MOST;
    Ok(Response { status, headers, body: body[..body.len().min(MOST)].to_vec(), truncated, ..Response::default() })
}

fn split(printed: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = printed.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((&printed[..end], &printed[end + 4..]))
}

/// The error of a request that got no answer: what curl says, without its number.
fn silence(request: &Request, said: &str) -> Error {
    let why = said.trim().rsplit_once(") ").map_or(said.trim(), |(_, why)| why);
    Error::transient(format!("{request}: no answer: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_after_a_redirect_counts() {
        let printed = b"HTTP/1.1 301 Moved\r\nLocation: /b\r\n\r\nHTTP/2 200 \r\nContent-Type: text/plain\r\n\r\nhello";
        let answer = parse(printed).expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"hello".as_slice()));
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        parse(b"curl: what?").expect_err("no answer");
    }

    #[test]
    fn nothing_of_a_value_ends_its_line() {
        assert_eq!(quoted("a\"b\\c\nurl = d"), r#""a\"b\\c\nurl = d""#);
    }
}
