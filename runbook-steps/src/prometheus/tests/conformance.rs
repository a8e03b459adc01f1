//! One suite for the real Prometheus and the simulated one.

use std::path::{Path, PathBuf};

use runbook::CheckExt as _;

use super::*;
use crate::conformance::{agree, is_same};
use crate::serving::serve;

/// What is asked, and how the addresses of the exporters are named in it.
struct World {
    cx: Context,
    prometheus: Prometheus,
    names: Vec<(String, &'static str)>,
    /// Since when a series is gone, in seconds since 1970.
    cut: String,
}

impl World {
    async fn told(&self, check: impl Check) -> String {
        let words = match check.check(&self.cx).await {
            Ok(finding) => format!("{} {}", finding.word(), finding.evidence().summary),
            Err(error) => format!("{:?} {error}", error.kind()),
        };
        let words = self.names.iter().fold(words, |words, (name, short)| words.replace(name, short));
        words.replace(&self.cut, "CUT")
    }
}

/// How many times there were, and how long ago, differs from run to run.
fn without_numbers(words: &str) -> String {
    let number = regex_lite::Regex::new(r"\d+ (of \d+|s ago)").expect("an expression");
    number.replace_all(words, "N $1").replace(|c: char| c.is_ascii_digit(), "N")
}

async fn suite(world: &World) -> Vec<String> {
    let prometheus = &world.prometheus;
    let query = |expression: &str| prometheus.query(expression);
    let mut lines = Vec::new();
    for targets in [
        prometheus.targets().job("app", 2).and_no_others(),
        prometheus.targets().job("app", 3),
        prometheus.targets().jobs(["app", "other"]),
        prometheus.targets().job("app", 2),
    ] {
        lines.push(world.told(targets).await);
    }
    for threshold in [
        query(r#"temperature{room="1"}"#).below(30.0),
        query(r#"temperature{room="1"}"#).above(30.0),
        query("sum(temperature)").at_least(40.0),
        query("ratio").below(1.0),
        query("nothing").below(1.0),
        query(&format!("sum(temperature) unless on() (vector(time()) > {})", world.cut)).below(1.0),
        query("sum(").below(1.0),
    ] {
        lines.push(world.told(threshold).await);
    }
    for threshold in [
        query(r#"temperature{room="1"}"#).below(30.0).over(4.seconds()),
        query(r#"temperature{room="1"}"#).below(20.0).over(4.seconds()),
        query("sum(temperature)").above(30.0).over(4.seconds()).every(1.seconds()),
        query("sum(temperature)").above(30.0).over(1.hours()),
        query("ratio").below(1.0).over(4.seconds()),
        query("nothing").below(1.0).over(4.seconds()),
        query(&format!("sum(temperature) unless on() (vector(time()) > {})", world.cut)).above(1.0).over(60.seconds()),
        query("sum(").below(1.0).over(4.seconds()),
    ] {
        lines.push(without_numbers(&world.told(threshold).await));
    }
    lines.push(world.told(query("nothing").has_data()).await);
    lines.push(world.told(query("sum(temperature)").has_data()).await);
    let gauge = |value: Result<Option<f64>>| format!("{:?}", value.map_err(|error| error.to_string()));
    for expression in ["sum(temperature)", "temperature", "nothing", "ratio", "42"] {
        lines.push(gauge(query(expression).measure(&world.cx).await));
    }
    for rules in [
        prometheus.rules(),
        prometheus.rules().named(["Fires", "Quiet"]).none_fires(),
        prometheus.rules().named(["Other"]),
        prometheus.rules().fires(["Quiet"]),
    ] {
        lines.push(world.told(rules).await);
    }
    lines.push(world.told(prometheus.alertmanagers()).await);
    lines
}

const SAID: &str = include_str!("conformance.txt");

/// The words of the real one about a port where nobody is.
const REFUSED: &str = r#"Get "http://127.0.0.1:1/metrics": dial tcp 127.0.0.1:1: connect: connection refused"#;

fn fake(cut: f64) -> Fake {
    let now = 1_752_573_600.0;
    let gone = move |ago: f64| (now - ago <= cut && ago < 1800.0).then_some(43.0);
    let young = |value: f64| move |ago: f64| (ago < 1800.0).then_some(value);
    Fake::new()
        .target("app", "one:1")
        .target("app", "two:2")
        .target_down("gone", "127.0.0.1:1", REFUSED)
        .value_at(r#"temperature{room="1"}"#, labels("one:1", "1"), young(21.5))
        .value_at("temperature", labels("one:1", "1"), young(21.5))
        .value_at("temperature", labels("two:2", "2"), young(21.5))
        .value_at("sum(temperature)", [], young(43.0))
        .value_at("ratio", [("__name__", "ratio"), ("instance", "one:1"), ("job", "app")], young(f64::NAN))
        .value("42", 42.0)
        .value_at(&format!("sum(temperature) unless on() (vector(time()) > {cut})"), [], gone)
        .refuses("sum(", "1:5: parse error: unclosed left parenthesis")
        .rule("Fires", true)
        .rule("Quiet", false)
        .rule_broken("Broken")
        .alertmanager("http://127.0.0.1:2")
}

fn labels(instance: &'static str, room: &'static str) -> [(&'static str, &'static str); 4] {
    [("__name__", "temperature"), ("instance", instance), ("job", "app"), ("room", room)]
}

fn simulated(change: impl FnOnce(Fake) -> Fake) -> World {
    let cut = 1_752_573_580.0;
    let cx = cx(&change(fake(cut)));
    let names = vec![("one:1".to_owned(), "ONE"), ("two:2".to_owned(), "TWO"), (URL.to_owned(), "URL")];
    World { cx, prometheus: at(URL), names, cut: cut.to_string() }
}

#[tokio::test(start_paused = true)]
async fn the_simulated_prometheus_says_what_the_real_one_said() {
    agree(&suite(&simulated(|fake| fake)).await, SAID);
}

#[tokio::test(start_paused = true)]
async fn a_simulated_prometheus_that_is_wrong_is_noticed() {
    let broken: [fn(Fake) -> Fake; 6] = [
        |fake| fake.target("app", "three:3"),
        |fake| fake.without_job("gone"),
        |fake| fake.value("nothing", 0.0),
        |fake| fake.forgets("ratio"),
        |fake| fake.rule("More", true),
        |fake| fake.warns("something"),
    ];
    for (n, broken) in broken.into_iter().enumerate() {
        let said = suite(&simulated(broken)).await;
        assert!(!is_same(&said, SAID), "{n} is broken, and nobody noticed");
    }
}

const RULES: &str = r#"
groups:
  - name: test
    rules:
      - { alert: Fires, expr: vector(1) }
      - { alert: Quiet, expr: vector(0) > 1 }
      - { alert: Broken, expr: 'label_replace(vector(1), "a", "$1", "b", "(")' }
"#;

fn dir() -> PathBuf {
    let dir = std::env::var("RUNBOOK_TEST_PROMETHEUS_DIR");
    dir.expect("RUNBOOK_TEST_PROMETHEUS_DIR is a directory: tests/services/prometheus").into()
}

fn scrape(dir: &Path, jobs: &[(&str, &str)]) {
    let target = |(job, url): &(&str, &str)| {
        let address = url.trim_start_matches("http://");
        serde_json::json!({"targets": [address], "labels": {"job": job}})
    };
    let all: Vec<_> = jobs.iter().map(target).collect();
    let text = serde_json::to_string(&all).expect("is JSON");
    std::fs::write(dir.join("targets/test.json.new"), text).expect("is written");
    std::fs::rename(dir.join("targets/test.json.new"), dir.join("targets/test.json")).expect("is renamed");
}

async fn exporter(room: u32) -> String {
    let ratio = if room == 1 { "ratio NaN\n" } else { "" };
    let metrics = format!("temperature{{room=\"{room}\"}} 21.5\n{ratio}");
    serve(move |_| http::Response::text(200, metrics.clone()).with_header("content-type", "text/plain")).await
}

#[tokio::test]
#[ignore = "needs Prometheus: tests/all runs it"]
async fn the_real_prometheus_says_what_it_said() {
    let url = std::env::var("RUNBOOK_TEST_PROMETHEUS").expect("RUNBOOK_TEST_PROMETHEUS: tests/services/prometheus");
    let (dir, cx) = (dir(), Context::local());
    let (one, two) = (exporter(1).await, exporter(2).await);
    scrape(&dir, &[("app", &one), ("app", &two), ("gone", "http://127.0.0.1:1")]);
    std::fs::write(dir.join("rules/test.yml"), RULES).expect("is written");
    std::fs::write(dir.join("alertmanagers.json"), r#"[{"targets": ["127.0.0.1:2"]}]"#).expect("is written");
    let reload = http::Request::new("POST", format!("{url}/-/reload"));
    assert_eq!(http::fetch(&cx, &reload).await.expect("is told").status, 200);

    let prometheus = at(&url);
    let soon = |check: Targets| check.within(30.seconds()).every(200.millis());
    let up = soon(prometheus.targets().job("app", 2).and_no_others()).check(&cx).await.expect("is asked");
    assert!(up.passes(), "{up:?}");
    let fires = prometheus.query(r#"ALERTS{alertname="Fires", alertstate="firing"}"#).has_data();
    let fires = fires.within(30.seconds()).every(200.millis()).check(&cx).await.expect("is asked");
    assert!(fires.passes(), "{fires:?}");
    // Until there is a history to look at, and a while after the cut.
    let history = prometheus.query("sum(temperature)").above(1.0).over(22.seconds()).every(1.seconds());
    let whole = history.within(60.seconds()).every(500.millis()).check(&cx).await.expect("is asked");
    assert!(whole.passes(), "{whole:?}");
    let cut = prometheus.time(&cx).await.expect("has a clock") - 8.0;

    let bare = |url: &str| url.trim_start_matches("http://").to_owned();
    let names = vec![(bare(&one), "ONE"), (bare(&two), "TWO"), (url.clone(), "URL")];
    agree(&suite(&World { cx, prometheus, names, cut: cut.floor().to_string() }).await, SAID);
}
