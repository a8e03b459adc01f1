//! The generator against small servers, its limits, and k6.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runbook::{Check as _, Context, ErrorKind, Finding, Secret, Units as _};
use serde_json::json;

use super::*;
use crate::http::{self, Response};
use crate::serving::serve;
use crate::sizes::Sizes as _;

async fn always(response: Response) -> String {
    serve(move |_| response.clone()).await
}

async fn measure(load: &Load) -> Report {
    load.measure(&Context::local()).await.expect("is measured")
}

fn says(finding: &Finding, word: &str, words: &str) {
    assert!(finding.word() == word && finding.evidence().summary.contains(words), "{word} {words}: {finding:?}");
}

#[tokio::test]
async fn a_load_is_counted_and_timed() {
    let url = always(Response::text(200, "hello").after(20.millis())).await;
    let report = measure(&get(&url).connections(5).during(1.seconds())).await;
    assert_eq!((report.failed(), report.late), (0, 0));
    assert!((50..=260).contains(&report.requests), "five at a time, 20 ms each: {report}");
    assert_eq!(report.bytes, report.requests * 5);
    assert!((20.millis()..100.millis()).contains(&report.latency.p50), "{report}");
    assert!(report.latency.p50 <= report.latency.p95 && report.latency.p95 <= report.latency.max);
}

#[tokio::test]
async fn a_rate_is_kept() {
    let url = always(Response::new(200)).await;
    let report = measure(&get(&url).rate(300.0).during(1.seconds())).await;
    assert_eq!(report.requests, 300);
    assert!((150.0..=301.0).contains(&report.rate()), "{report}");
}

/// One connection and 50 ms an answer are 20 a second; users who come 60 times a second wait longer and longer.
#[tokio::test]
async fn users_who_wait_are_counted_as_waiting() {
    let url = always(Response::new(200).after(50.millis())).await;
    let report = measure(&get(&url).connections(1).rate(60.0).during(1.seconds())).await;
    assert!(report.late > 10, "{report:?}");
    assert!(report.latency.p95 > 300.millis(), "{report}");
    assert!(report.errors[super::tally::UNSENT] > 20, "{report}");
    assert_eq!(report.requests, 60);
}

#[tokio::test]
async fn what_goes_wrong_is_told_apart() {
    let asked = AtomicUsize::new(0);
    let url = serve(move |_| {
        Response::new(match asked.fetch_add(1, Ordering::SeqCst) {
            0..100 => 200,
            100..110 => 503,
            _ => 429,
        })
    });
    let load = get(url.await).connections(2).during(1.seconds());
    let report = measure(&load).await;
    assert_eq!((report.errors["503"], report.answered()), (10, report.requests));
    assert!(report.errors["429"] > 0 && report.error_rate() > 0.0, "{report}");
    let finding = load.errors_below(0.01).check(&Context::local()).await.expect("is asked");
    says(&finding, "fail", "100.00 % errors, wanted below 1 %");
    assert!(finding.evidence().lines[0].contains("of a rate limit, not of the service"), "{finding:?}");
    let gone = get("http://127.0.0.1:1/").during(100.millis());
    says(&gone.check(&Context::local()).await.expect("is asked"), "unknown", "nobody answered");
    let slow = always(Response::new(200).after(5.seconds())).await;
    let slow = measure(&get(slow).timeout(100.millis()).connections(1).during(250.millis())).await;
    assert_eq!(slow.errors.keys().collect::<Vec<_>>(), ["no answer"]);
    let error = get("http://no-such-host.invalid/").check(&Context::local()).await.expect_err("cannot be asked");
    assert!(error.message().contains("no-such-host.invalid"), "{error:?}");
}

#[tokio::test]
async fn what_is_sent_is_what_was_said() {
    let heard: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let kept = heard.clone();
    let url = serve(move |asked| {
        let said = ["host", "authorization", "x-test", "content-type"].map(|name| asked.header(name).unwrap_or("-"));
        let line = format!("{} {} {} {}", asked.method, asked.path, said[1..].join(" "), asked.body);
        kept.lock().expect("alone").push(line);
        Response::new(201)
    });
    let url = url.await;
    let probe = http::post(format!("{url}/a/b?c=d"))
        .basic("me", &Secret::found("the load test", "load-secret-4711"))
        .send_header("x-test", "yes")
        .send_json(json!({"n": 1}));
    let report = measure(&request(probe).status(201).connections(1).during(50.millis())).await;
    assert_eq!(report.failed(), 0);
    let line = heard.lock().expect("alone")[0].clone();
    assert_eq!(line, r#"POST /a/b?c=d Basic bWU6bG9hZC1zZWNyZXQtNDcxMQ== yes application/json {"n":1}"#);
}

#[tokio::test(start_paused = true)]
async fn a_simulated_service_is_loaded_on_the_clock_of_the_test() {
    let web = http::Fake::new().answers("http://app/", Response::new(200).after(9.millis()));
    let cx = Context::local().with_port(web.port());
    let report = get("http://app/").connections(4).during(10.seconds()).measure(&cx).await.expect("is measured");
    assert_eq!(report.requests, 4000);
    assert_eq!(report.latency.p50.as_millis(), 9);
    let rate = get("http://app/").rate(50.0).during(10.seconds()).p95_below(5.millis());
    says(&rate.check(&cx).await.expect("is asked"), "fail", "p95 is 9.00 ms, wanted below 5.00 ms");
}

fn report(requests: u64, millis: u64) -> Report {
    let time = |times: u64| Duration::from_millis(millis * times);
    let latency = Percentiles { p50: time(1), p90: time(2), p95: time(3), p99: time(4), max: time(5) };
    Report { target: "GET http://app/".to_owned(), requests, took: 10.seconds(), latency, ..Report::default() }
}

async fn judged(load: Load, report: &Report) -> Finding {
    load.judge(&Context::local(), report).await.expect("is judged")
}

#[tokio::test]
async fn limits_hold_or_say_which_does_not() {
    let load = || get("http://app/").p95_below(200.millis()).errors_below(0.01).rate_above(100.0);
    let fine = judged(load(), &report(2000, 10)).await;
    says(&fine, "pass", "2000 requests in 10.0 s, 200 a second, p50 10 ms, p95 30 ms, p99 40 ms, no errors");
    says(&judged(load(), &report(2000, 100)).await, "fail", "p95 is 300 ms, wanted below 200 ms: 2000");
    says(&judged(load(), &report(900, 10)).await, "fail", "90 requests a second, wanted more than 100");
    let bad = Report { errors: BTreeMap::from([("500".to_owned(), 40)]), ..report(2000, 10) };
    says(&judged(load(), &bad).await, "fail", "2.00 % errors, wanted below 1 %");
    let few = judged(get("http://app/").p99_below(1.seconds()), &report(100, 10)).await;
    says(&few, "unknown", "p99 wants at least 500 requests");
    says(&judged(load(), &Report::default()).await, "unknown", "nobody answered");
}

#[tokio::test]
async fn a_baseline_is_what_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("baseline.json");
    let load = || get("http://app/").no_worse_than(&path, 20.percent());
    says(&judged(load(), &report(2000, 10)).await, "unknown", "there is no baseline in");
    std::fs::write(&path, "{}").expect("is written");
    says(&judged(load(), &report(2000, 10)).await, "unknown", "is no baseline");
    std::fs::write(&path, report(2000, 10).json()).expect("is written");
    assert!(judged(load(), &report(1900, 11)).await.passes());
    says(&judged(load(), &report(2000, 13)).await, "fail", "p50 was 10 ms and is 13 ms, p95 was 30 ms and is 39 ms");
    says(&judged(load(), &report(1500, 10)).await, "fail", "150 a second were 200");
    let bad = Report { errors: BTreeMap::from([("500".to_owned(), 40)]), ..report(2000, 10) };
    says(&judged(load(), &bad).await, "fail", "2.00 % errors were 0.00 %");
    let other = Report { target: "GET http://other/".to_owned(), ..report(2000, 10) };
    says(&judged(load(), &other).await, "unknown", "the baseline is of GET http://app/");
}

#[tokio::test]
async fn a_load_that_makes_no_sense_is_refused() {
    for load in [get("http://app/").rate(0.0), get("http://app/").rate(f64::NAN), get("app")] {
        assert_eq!(measure_error(&load).await.kind(), ErrorKind::Failed);
    }
    assert!(measure_error(&request(http::get("http://app/").from_the_host())).await.message().contains("runner's"));
}

async fn measure_error(load: &Load) -> runbook::Error {
    load.measure(&Context::local()).await.expect_err("is refused")
}

#[test]
fn a_load_describes_itself() {
    let load = get("http://app/").connections(20).during(30.seconds()).p95_below(200.millis()).errors_below(0.01);
    let line = "http://app/ bears being asked over 20 connections for 30s, p95 below 200 ms, errors below 1 %";
    assert_eq!(load.describe().line(), line);
    assert_eq!(load.describe().commands, ["wrk -t1 -c20 -d30s --latency http://app/"]);
    assert_eq!(get("x").rate(200.0).describe().commands, ["hey -z 10s -c 10 -q 20 x"]);
}

#[cfg(feature = "testing")]
mod scripts {
    use runbook::command::Output;
    use runbook::testing::{Call, Program, SimHost};

    use super::*;

    /// A k6 that writes the summary its documentation shows, and ends with this code.
    struct Simulated(i32, serde_json::Value);

    impl Program for Simulated {
        fn run(&self, call: &mut Call<'_>) -> Output {
            let args: Vec<String> = call.args().iter().map(|arg| (*arg).to_owned()).collect();
            let at = args.iter().position(|arg| arg == "--summary-export").expect("is told where");
            call.files().write(&args[at + 1], self.1.to_string()).expect("is written");
            Output { code: Some(self.0), stdout: b"running\n".to_vec(), ..Output::default() }
        }
    }

    fn summary(failed: f64) -> serde_json::Value {
        let duration = json!({"min": 1.0, "med": 12.5, "max": 300.0, "p(90)": 80.0, "p(95)": 120.5, "p(99)": 250.0});
        json!({"metrics": {
            "http_reqs": {"count": 3000, "rate": 100.0},
            "http_req_duration": duration,
            "http_req_failed": {"passes": 3000.0 * failed, "fails": 3000.0 * (1.0 - failed), "value": failed},
        }})
    }

    async fn ask(k6: Simulated, check: K6) -> runbook::Result<Finding> {
        let host = SimHost::new("sim").replies("mktemp", Output::ok("/tmp/k6-summary.1\n")).program("k6", k6);
        check.check(&Context::on(Arc::new(host))).await
    }

    #[tokio::test]
    async fn a_script_of_k6_is_held_to_the_same_limits() {
        let check = || k6("tests/load/baseline.js").p95_below(200.millis()).errors_below(0.01).rate_above(90.0);
        let fine = ask(Simulated(0, summary(0.0)), check()).await.expect("is asked");
        says(&fine, "pass", "3000 requests in 30.0 s, 100 a second, p50 12 ms, p95 120 ms");
        let failing = ask(Simulated(0, summary(0.02)), check()).await.expect("is asked");
        says(&failing, "fail", "2.00 % errors, wanted below 1 %");
        let slow = ask(Simulated(0, summary(0.0)), check().p95_below(100.millis())).await.expect("is asked");
        says(&slow, "fail", "p95 is 120 ms, wanted below 100 ms");
        let own = ask(Simulated(99, summary(0.0)), check()).await.expect("is asked");
        says(&own, "fail", "the limits in the script do not hold");
        let error = ask(Simulated(107, summary(0.0)), check()).await.expect_err("is broken");
        assert!(error.message().contains("exited with 107"), "{error:?}");
        let error = ask(Simulated(0, json!({"metrics": {}})), check()).await.expect_err("is no summary");
        assert!(format!("{error:#}").contains("no count of http_reqs"), "{error:?}");
    }

    #[tokio::test]
    async fn without_k6_it_says_so() {
        let bare = SimHost::new("bare").replies("mktemp", Output::ok("/tmp/k6-summary.1\n"));
        let error = k6("x.js").check(&Context::on(Arc::new(bare))).await.expect_err("is not there");
        assert!(error.advice().is_some_and(|hint| hint.contains("k6 has to be installed")), "{error:?}");
    }
}
