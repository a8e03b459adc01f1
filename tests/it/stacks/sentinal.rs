//! `examples/sentinal`: the second document.

use std::path::PathBuf;
use std::process::Command;

use super::{Stack, asking, docker};

struct Sentinal(Stack);

impl Sentinal {
    fn new() -> Self {
        let stack = Stack::new("sentinal", 7)
            .secret("REDIS_PASSWORD", "redis-of-the-lab")
            .secret("GRAFANA_ADMIN_PASSWORD", "grafana-of-the-lab")
            .secret("ANALYST_PASSWORD", "SecurePass123!")
            .secret("PAGERDUTY_SERVICE_KEY", "0123456789abcdef0123456789abcdef")
            .secret("SLACK_WEBHOOK_URL", "http://slack.test/services/T000/B000/alerts");
        let sentinal = Self(stack);
        sentinal.make_certificate();
        sentinal
    }

    /// With this release running.
    fn with(release: &str) -> Self {
        let sentinal = Self::new();
        sentinal.deploy(release);
        sentinal
    }

    /// The certificate of the site, where nginx will find it: a first deployment wants to trust it already.
    fn make_certificate(&self) {
        let project = &self.0.project;
        let volume = format!("{project}_nginx-ssl");
        let labels = [
            format!("com.docker.compose.project={project}"),
            "com.docker.compose.volume=nginx-ssl".into(),
            "runbook.lab=yes".into(),
        ];
        let labels = labels.iter().flat_map(|label| ["--label", label]);
        docker(&["volume", "create"].into_iter().chain(labels).chain([&*volume]).collect::<Vec<_>>());
        // Not one for an authority, which is what `openssl req` makes by itself: that may not answer as a site.
        let make = "printf '[req]\ndistinguished_name=name\nx509_extensions=site\n[name]\n[site]\n\
             basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n' >/tmp/site.cnf
             openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=localhost \
             -config /tmp/site.cnf -keyout /ssl/key.pem -out /ssl/cert.pem 2>/dev/null
             chmod 600 /ssl/key.pem; cat /ssl/cert.pem";
        let mount = format!("{volume}:/ssl");
        let pem = docker(&["run", "--rm", "--volume", &mount, "runbook-lab-parts", "sh", "-c", make]);
        std::fs::write(self.ca(), pem).expect("it is written");
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.0.ports[1])
    }

    fn health(&self) -> String {
        format!("{}/health", self.url())
    }

    fn ca(&self) -> PathBuf {
        self.0.dir.path().join("ca.pem")
    }

    /// The words that say where this one is.
    fn words(&self, more: &[&str]) -> Vec<String> {
        let port = |n: usize| format!("http://localhost:{}", self.0.ports[n]);
        let fixed = [
            ("--url", self.url()),
            ("--ca", self.ca().display().to_string()),
            ("--prometheus", port(2)),
            ("--alertmanager", port(3)),
            ("--grafana", port(4)),
            ("--jaeger", port(5)),
            ("--backups", self.0.dir.path().join("backups").display().to_string()),
            ("--helper", "runbook-lab-parts:latest".to_owned()),
        ];
        let fixed = fixed.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        fixed.chain(more.iter().map(|&word| word.to_owned())).collect()
    }

    fn ends(&self, procedure: &str, more: &[&str], code: i32) -> String {
        let words = self.words(more);
        self.0.ends(procedure, &words.iter().map(String::as_str).collect::<Vec<_>>(), code)
    }

    fn deploy(&self, release: &str) -> String {
        let names = [
            "HTTP_PORT",
            "HTTPS_PORT",
            "PROMETHEUS_PORT",
            "ALERTMANAGER_PORT",
            "GRAFANA_PORT",
            "JAEGER_PORT",
            "OUTSIDE_PORT",
        ];
        let ports = names.iter().zip(&self.0.ports).map(|(name, port)| format!("{name}={port}"));
        let ports: Vec<String> = ports.flat_map(|pair| ["--set".to_owned(), pair]).collect();
        let repository = self.0.repository();
        let words = ["--repository", &repository, "--revision", release];
        let words: Vec<&str> = words.into_iter().chain(ports.iter().map(String::as_str)).collect();
        self.ends("deployment", &words, 0)
    }

    /// What Redis says, asked where the sentinels say the master is.
    fn redis(&self, command: &str) -> String {
        let ask = "redis-cli -p 26379 SENTINEL GET-MASTER-ADDR-BY-NAME mymaster | head -1";
        let master = self.0.inside("redis-sentinel-1", ask);
        self.0.inside("redis-sentinel-1", &format!("redis-cli -h {} {command}", master.trim()))
    }

    /// Who answers, of some requests.
    fn instances(&self) -> Vec<String> {
        let mut instances: Vec<String> = (0..24).map(|_| self.instance()).collect();
        instances.sort();
        instances.dedup();
        instances
    }

    fn instance(&self) -> String {
        let ca = self.ca();
        let curl =
            Command::new("curl").args(["-fsS", "--cacert"]).arg(ca).arg(self.health()).output().expect("curl runs");
        let answer: serde_json::Value = serde_json::from_slice(&curl.stdout).expect("JSON");
        answer["instance_id"].as_str().expect("a name").to_owned()
    }
}

/// Must show 1 and 2: from nothing; then three instances behind nginx under a constant stream of requests.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn three_instances_are_replaced_and_no_request_is_lost() {
    let sentinal = Sentinal::with("v1");
    let containers = sentinal.0.containers();
    sentinal.deploy("v1");
    assert_eq!(sentinal.0.containers(), containers, "a second run changes nothing");

    let ca = sentinal.ca();
    let (_, asked, bad) = asking(&sentinal.health(), Some(&ca), || sentinal.ends("update", &["--revision", "v2"], 0));
    assert!(asked > 100 && bad.is_empty(), "{} of {asked} were answered badly: {bad:?}", bad.len());
    assert_eq!(sentinal.0.release(), "v2");

    for release in ["unhealthy", "crash-loop"] {
        let before = sentinal.0.containers();
        let update = || sentinal.ends("update", &["--revision", release, "--patience", "40"], 4);
        let (text, asked, bad) = asking(&sentinal.health(), Some(&ca), update);
        assert!(asked > 100 && bad.is_empty(), "{release}: {} of {asked} were answered badly: {bad:?}", bad.len());
        let after = sentinal.0.containers();
        let touched: Vec<_> = after.iter().filter(|one| !before.contains(one)).collect();
        assert!(touched.iter().all(|one| one.starts_with("api-3 ")), "{release}: {touched:?}: {text}");
        assert_eq!((sentinal.0.release(), sentinal.instances().len()), ("v2".into(), 3), "{release}");
    }
    sentinal.ends("gradual_rollback", &["--revision", "v1"], 0);
    assert_eq!(sentinal.0.release(), "v1");
    sentinal.ends("quick_rollback", &["--revision", "v2"], 0);
    assert_eq!(sentinal.0.release(), "v2");
}

/// Must show 1: failover, backup and restore with the data compared.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn another_master_and_the_data_of_a_backup() {
    let sentinal = Sentinal::with("v1");
    sentinal.redis("SET who before");
    sentinal.ends("fail_over", &[], 0);
    assert_eq!(sentinal.redis("GET who"), "before");
    sentinal.ends("back_up", &[], 0);
    sentinal.redis("SET who after");
    sentinal.ends("restore_redis", &[], 0);
    assert_eq!(sentinal.redis("GET who"), "before");
    sentinal.redis("SET who after");
    sentinal.ends("complete_failure", &[], 0);
    assert_eq!(sentinal.redis("GET who"), "before");
}

/// Must show 1: scaling; and what watches.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_fourth_instance_serves_and_alerts_arrive() {
    let sentinal = Sentinal::with("v2");
    sentinal.ends("monitoring", &[], 0);
    let ca = sentinal.ca();
    let add = || sentinal.ends("add_instance", &["--revision", "api-4"], 0);
    let (_, asked, bad) = asking(&sentinal.health(), Some(&ca), add);
    assert!(asked > 100 && bad.is_empty(), "{} of {asked} were answered badly: {bad:?}", bad.len());
    assert_eq!(sentinal.instances(), ["api-1", "api-2", "api-3", "api-4"]);
}
