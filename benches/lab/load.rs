//! The load generator against `wrk`, one thread each, on one core.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use runbook::prelude::Units as _;
use runbook::steps::load::{self, Report};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::runtime;
use super::table::{Count, Row, Time};

/// The variable that says where nginx is: `tests/services/nginx`.
pub(crate) const NGINX: &str = "RUNBOOK_TEST_NGINX";

/// The word with which this program calls itself, to be one generator on one core.
pub(crate) const ONCE: &str = "load-once";

const CONNECTIONS: usize = 32;
const SECONDS: u64 = 4;

/// What one generator says: requests in a second, and how long they took.
#[derive(Clone, Copy)]
struct Said {
    rate: f64,
    p50: Duration,
    p90: Duration,
    p99: Duration,
}

pub(crate) fn rows(rounds: usize) {
    if !Command::new("wrk").arg("--version").output().is_ok_and(|output| !output.stdout.is_empty()) {
        return println!("load: not measured, because `wrk` is not installed");
    }
    let static_page = nginx();
    let [ours, wrk] = best(rounds, &static_page);
    let rates = Row::of("load: requests a second, a page of nginx", whole(ours.rate), "wrk -t1", whole(wrk.rate));
    // What counts is how much less it is.
    Row { ratio: wrk.rate / ours.rate, at_most: Some(2.0), ..rates }.print();
    // Where the generator is the bottleneck, it measures itself. A service that takes its time is told apart from it.
    let slow = slow_service();
    let [ours, wrk] = best(1, &slow);
    for (name, ours, wrk) in [("p50", ours.p50, wrk.p50), ("p90", ours.p90, wrk.p90), ("p99", ours.p99, wrk.p99)] {
        let row = Row::of(format!("load: {name} of a service of 5 to 50 ms"), Time(ours), "wrk -t1", Time(wrk));
        let off = (row.ratio - 1.0).abs();
        Row { ratio: 1.0 + off, at_most: Some(1.05), ..row }.print();
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is no less than none, and small")]
fn whole(rate: f64) -> Count {
    Count(rate.round() as u64)
}

/// The best of several rounds of each, one after the other.
fn best(rounds: usize, url: &str) -> [Said; 2] {
    let mut best: Option<[Said; 2]> = None;
    for _ in 0..rounds.max(1) {
        let now = [ours(url), wrk(url)];
        best = Some(match best {
            None => now,
            Some(then) => [0, 1].map(|n| if now[n].rate > then[n].rate { now[n] } else { then[n] }),
        });
    }
    best.expect("there was a round")
}

/// This program again, on one core.
fn ours(url: &str) -> Said {
    let mut once = Command::new("taskset");
    once.args(["-c", "0"]).arg(std::env::current_exe().expect("has a path")).args([ONCE, url]);
    let output = once.output().expect("taskset starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Report = serde_json::from_slice(&output.stdout).expect("is a report");
    assert_eq!(report.failed(), 0, "{report}");
    let latency = report.latency;
    Said { rate: report.rate(), p50: latency.p50, p90: latency.p90, p99: latency.p99 }
}

/// One generator, as this program calls itself.
pub(crate) fn once(url: &str) {
    let load = load::get(url).connections(CONNECTIONS).during(SECONDS.seconds());
    let report = runtime().block_on(async { load.measure(&runbook::Context::local()).await });
    print!("{}", report.expect("is measured").json());
}

fn wrk(url: &str) -> Said {
    let (connections, seconds) = (format!("-c{CONNECTIONS}"), format!("-d{SECONDS}s"));
    let mut wrk = Command::new("taskset");
    wrk.args(["-c", "0", "wrk", "-t1", &connections, &seconds, "--latency", url]);
    let output = wrk.output().expect("wrk starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !text.contains("Non-2xx"), "{text}");
    let word = |line: &str| {
        let line = text.lines().find(|found| found.trim_start().starts_with(line)).expect("wrk says it");
        line.split_whitespace().next_back().expect("a value").to_owned()
    };
    let took = |line: &str| duration(&word(line));
    let rate = word("Requests/sec:").parse().expect("a number");
    Said { rate, p50: took("50%"), p90: took("90%"), p99: took("99%") }
}

/// `123.45us`, `1.23ms`, `1.23s`.
fn duration(text: &str) -> Duration {
    let number = |unit: &str| text.strip_suffix(unit).and_then(|number| number.parse::<f64>().ok());
    let seconds = number("us").map(|n| n / 1e6).or(number("ms").map(|n| n / 1e3)).or(number("s"));
    Duration::from_secs_f64(seconds.expect("a time"))
}

/// A small page of the nginx that `tests/services/nginx` started.
fn nginx() -> String {
    let dir = PathBuf::from(std::env::var(NGINX).expect("it was looked for"));
    let port = std::fs::read_to_string(dir.join("port")).expect("it has a port");
    let port = port.trim();
    // A kept connection stays, as in front of real clients of long life.
    let site = format!(
        "server {{ listen 127.0.0.1:{port}; keepalive_requests 100000000; location / {{ return 200 '{}'; }} }}\n",
        "x".repeat(600)
    );
    let mut file = std::fs::File::create(dir.join("sites-enabled/load")).expect("is written");
    file.write_all(site.as_bytes()).expect("is written");
    let config = dir.join("nginx.conf");
    let reload = Command::new("/usr/sbin/nginx").arg("-c").arg(&config).args(["-s", "reload"]).status();
    assert!(reload.expect("nginx is there").success());
    let url = format!("http://127.0.0.1:{port}/");
    // The new workers are there when the page is.
    while !has_page(port) {
        std::thread::yield_now();
    }
    url
}

fn has_page(port: &str) -> bool {
    let Ok(mut stream) = std::net::TcpStream::connect(format!("127.0.0.1:{port}")) else { return false };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET / HTTP/1.0\r\n\r\n").and_then(|()| stream.read_to_string(&mut answer));
    asked.is_ok() && answer.contains("xxxx")
}

/// A service whose answers take 5 to 50 ms, evenly.
fn slow_service() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    listener.set_nonblocking(true).expect("it can be");
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let asked = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
            while let Ok((mut stream, _)) = listener.accept().await {
                let asked = asked.clone();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        let n = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        tokio::time::sleep((5 + n * 7919 % 45).millis()).await;
                        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
    });
    format!("http://{address}/")
}
