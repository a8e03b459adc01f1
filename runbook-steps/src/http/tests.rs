//! The real client against a tiny server; and the fake against the same expectations.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runbook::{Check as _, CheckExt as _, Context, Finding, Secret, Units as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server on the loopback that answers every request with what this says, byte for byte. `None` keeps silent.
async fn serve(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                let read = stream.read(&mut buffer).await.unwrap_or(0);
                match answer(&String::from_utf8_lossy(&buffer[..read])) {
                    Some(bytes) => drop(stream.write_all(&bytes).await),
                    None => std::future::pending().await,
                }
            });
        }
    });
    url
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

async fn always(status: &'static str, headers: &'static str, body: &'static str) -> String {
    serve(move |_| Some(answer(status, headers, body))).await
}

async fn ask(check: Probe) -> Finding {
    check.check(&Context::local()).await.expect("is asked")
}

fn fails(finding: &Finding, words: &str) {
    assert!(matches!(finding, Finding::Fail(why) if why.summary.contains(words)), "{words}: {finding:?}");
}

fn unknown(finding: &Finding, words: &str) {
    assert!(matches!(finding, Finding::Unknown(why) if why.summary.contains(words)), "{words}: {finding:?}");
}

#[tokio::test]
async fn a_good_answer_passes_with_evidence() {
    let url = always("200 OK", "x-version: 2\r\n", r#"{"status": "healthy", "checks": [{"db": true}]}"#).await;
    let check = get(format!("{url}/health"))
        .status(200)
        .header("X-Version", "2")
        .json("/status", "healthy")
        .json("/checks/0/db", true)
        .body_contains("healthy")
        .faster_than(5.seconds());
    let finding = ask(check).await;
    assert!(finding.passes(), "{finding:?}");
    let summary = &finding.evidence().summary;
    assert!(summary.starts_with("200 OK in ") && summary.contains(r#"/status = "healthy""#), "{summary}");
}

#[tokio::test]
async fn a_wrong_answer_fails_and_says_what_was_there() {
    let url = always("503 Service Unavailable", "", r#"{"status": "starting", "n": 1}"#).await;
    fails(&ask(get(&url)).await, "503 Service Unavailable in");
    fails(&ask(get(&url).status(200)).await, "wanted 200");
    let any = || get(&url).status(503);
    assert!(ask(any()).await.passes());
    fails(&ask(any().json("/status", "healthy")).await, r#"/status = "starting", wanted "healthy""#);
    fails(&ask(any().json("/state", "healthy")).await, "no /state in the body");
    fails(&ask(any().json("/n", "1")).await, r#"/n = 1, wanted "1""#);
    fails(&ask(any().header("x-version", "2")).await, "x-version: not there");
    fails(&ask(any().body_contains("ready")).await, "does not contain `ready`");
    fails(&ask(any().faster_than(Duration::ZERO)).await, "wanted less than 0 ms");
    let finding = ask(get(&url)).await;
    assert_eq!(finding.evidence().lines, [r#"{"status": "starting", "n": 1}"#], "the body is shown");
}

#[tokio::test]
async fn no_answer_and_an_unreadable_one_are_unknown() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    unknown(&ask(get(format!("http://{address}/"))).await, "refused");
    let silent = serve(|_| None).await;
    unknown(&ask(get(&silent).timeout(200.millis())).await, "no answer within 200ms");
    let garbage = serve(|_| Some(b"hello\r\n\r\n".to_vec())).await;
    unknown(&ask(get(&garbage)).await, "no answer");
    let html = always("200 OK", "", "<html>").await;
    unknown(&ask(get(&html).json("/status", "healthy")).await, "not JSON");
}

#[tokio::test]
async fn an_address_that_is_none_is_an_error_that_names_it() {
    for url in ["health", "ftp://x/y", "http://", "", "localhost:8000/health"] {
        let error = get(url).check(&Context::local()).await.expect_err("is refused");
        assert!(error.to_string().contains(&format!("`{url}`")), "{error:?}");
    }
    let error = get("http://me:hunter22@example.org/").check(&Context::local()).await.expect_err("is refused");
    assert!(error.to_string().contains("password") && !format!("{error:?}").contains("hunter22"), "{error:?}");
}

#[tokio::test]
async fn redirects_are_answers_unless_they_are_followed() {
    let url = serve(|request| {
        let moved = request.starts_with("GET /old");
        Some(if moved { answer("302 Found", "location: /new\r\n", "") } else { answer("200 OK", "", "here") })
    })
    .await;
    let old = format!("{url}/old");
    assert!(ask(get(&old).status(302).header("location", "/new")).await.passes());
    fails(&ask(get(&old)).await, "302 Found");
    assert!(ask(get(&old).follow_redirects().body_contains("here")).await.passes());
}

#[tokio::test]
async fn of_a_long_body_only_the_beginning_is_read() {
    let url = serve(|_| Some(answer("200 OK", "", &"x".repeat(5 << 20)))).await;
    let response = fetch(&Context::local(), get(&url).request()).await.expect("an answer");
    assert_eq!((response.body.len(), response.truncated), (1 << 20, true));
    unknown(&ask(get(&url).json("", 1)).await, "too long");
    let finding = ask(get(&url).status(404)).await;
    assert!(finding.evidence().lines.concat().len() < 1000, "the excerpt is short");
}

#[tokio::test]
async fn what_is_sent_arrives_and_a_secret_shows_nowhere() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let path = dir.path().join("token");
    std::fs::write(&path, "tok-7f3a9c\n").expect("is written");
    let token = Secret::file(&path);
    let url = serve(|request| Some(answer("500 Internal Server Error", "", request))).await;
    let check = post(format!("{url}/query")).bearer(&token).send_header("x-run", "7").send_json(json!({"a": [1, 2]}));
    assert!(!format!("{:?} {:?}", check, check.describe()).contains("tok-7f3a9c"));
    let response = fetch(&Context::local(), check.request()).await.expect("an answer");
    let echo = String::from_utf8_lossy(&response.body).into_owned();
    for part in ["POST /query", "authorization: Bearer tok-7f3a9c", "x-run: 7", r#"{"a":[1,2]}"#, "application/json"] {
        assert!(echo.contains(part), "{part}: {echo}");
    }
    let finding = ask(check.body_contains("Bearer")).await;
    assert!(
        !format!("{finding:?}").contains("tok-7f3a9c"),
        "the service printed it, the evidence does not: {finding:?}"
    );
}

#[tokio::test]
async fn several_good_answers_within_a_deadline() {
    let count = AtomicUsize::new(0);
    let url = serve(move |_| {
        let good = ![0, 2].contains(&count.fetch_add(1, Ordering::SeqCst));
        Some(if good { answer("200 OK", "", "") } else { answer("500 No", "", "") })
    })
    .await;
    let check = get(&url).in_a_row(3).within(30.seconds()).every(10.millis());
    let finding = check.check(&Context::local()).await.expect("is asked");
    assert!(finding.passes(), "{finding:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fake_takes_the_place_of_the_network() {
    let web = Fake::new()
        .on("http://app/", |request| Response::text(404, request.url.clone()))
        .answers_in_turn("http://app/health", [Response::new(503), Response::json(200, json!({"status": "healthy"}))])
        .answers("http://app/slow", Response::new(200).after(20.seconds()))
        .refuses("http://app/down");
    let cx = Context::local().with_port(web.port());
    let ask = async |check: Probe| check.check(&cx).await.expect("is asked");
    fails(&ask(get("http://app/health")).await, "503");
    for _ in 0..2 {
        assert!(ask(get("http://app/health").json("/status", "healthy")).await.passes());
    }
    fails(&ask(get("http://app/other")).await, "404");
    unknown(&ask(get("http://app/slow")).await, "no answer within 10s");
    unknown(&ask(get("http://app/down")).await, "refused");
    unknown(&ask(get("http://elsewhere/")).await, "refused");
    assert_eq!((web.count("http://app/health"), web.count("http://app"), web.requests().len()), (3, 6, 7));
}

#[test]
fn a_probe_describes_itself_from_its_own_fields() {
    let check = head("https://app/health").json("/status", "ok").reads(runbook::Resource::new("unit", "api"));
    let about = check.describe();
    assert_eq!(about.kind, "http.head");
    assert_eq!(about.line(), r#"https://app/health answers with /status = "ok""#);
    assert_eq!(about.commands, ["curl -sS -i -I https://app/health"]);
    assert_eq!(about.reads.len(), 2);
}

#[tokio::test]
async fn an_address_can_be_asked_under_a_name_that_leads_elsewhere() {
    let url = serve(|request| {
        let ours = request.contains("host: api.example.org");
        Some(answer(if ours { "200 OK" } else { "421 Misdirected Request" }, "", ""))
    });
    let port = url.await.rsplit(':').next().expect("a port").to_owned();
    let check = get(format!("http://api.example.org:{port}/")).at("127.0.0.1".parse().expect("an address"));
    assert!(ask(check).await.passes());
}

#[tokio::test]
async fn the_host_asks_with_its_curl_and_no_secret_is_an_argument() {
    let url = serve(|request| {
        let good = request.contains("authorization: Bearer sesame-4711") && request.ends_with(r#"{"a":"b\"c"}"#);
        Some(if good { answer("200 OK", "x-here: yes\r\n", r#"{"ok": true}"#) } else { answer("400 Bad", "", "") })
    })
    .await;
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("token"), "sesame-4711").expect("written");
    let token = Secret::file(dir.path().join("token"));
    let check = post(format!("{url}/x")).bearer(&token).send_json(json!({"a": "b\"c"})).from_the_host();
    let finding = ask(check.json("/ok", true).header("x-here", "yes")).await;
    assert!(finding.passes(), "{finding:?}");

    unknown(&ask(get("http://127.0.0.1:9/").from_the_host()).await, "no answer");
    let silent = serve(|_| None).await;
    unknown(&ask(get(silent).timeout(200.millis()).from_the_host()).await, "no answer within");
}
