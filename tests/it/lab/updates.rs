//! Updates and rollbacks: to good releases, and back from bad ones.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Lab, variable};

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_release_of_other_code_goes_there_and_back() {
    let lab = Lab::with("r4");
    lab.ends("comprehensive_health", &[], 0);
    lab.ends("update_code", &["--revision", "leaks-errors"], 0);
    assert_eq!(lab.release(), "leaks-errors");
    lab.is_healthy();
    lab.ends("quick_rollback", &[], 0);
    assert_eq!(lab.release(), "r4");
    lab.is_healthy();
}

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn what_an_update_of_code_alone_cannot_do_is_refused() {
    let lab = Lab::with("r4");
    for (release, words) in [("irreversible", "changes the schema"), ("broken-requirements", "changes packages")] {
        let text = lab.ends("update_code", &["--revision", release], 4);
        assert!(text.contains(words), "{release}: {text}");
        assert_eq!(lab.release(), "r4", "{release}: {text}");
    }
}

/// Must show 3: the old commit, the old packages, the old schema, the old code in the process, and healthy.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_standard_update_brings_packages_and_schema_and_every_broken_release_comes_back() {
    let lab = Lab::with("r2");
    for release in ["r3", "r4"] {
        lab.ends("standard_update", &["--revision", release, "--watch", "2"], 0);
        assert_eq!(lab.release(), release);
    }
    lab.claims(20);
    let old = lab.state();
    assert!(old.packages.contains("python-dotenv==1.2.4") && old.revision == "d91e3b5f7a02", "{old:?}");
    for (release, words) in [
        ("broken-requirements", "marb-fraud-library==9.9.9"),
        ("broken-start", "Unable to configure formatter"),
        ("broken-import", "is not ready"),
        ("broken-health", "wanted \"healthy\""),
        ("two-heads", "1b6e0fa4d273"),
        ("half-way", "b83f60d2c9e7"),
    ] {
        let inputs = ["--revision", release, "--watch", "2", "--patience", "25", "--may-restore"];
        let text = lab.ends("standard_update", &inputs, 4);
        assert!(text.contains(words), "{release}: {text}");
        // At once: whoever put it back has waited until it served.
        assert_eq!(lab.state(), old, "{release}: {text}");
    }
    assert_eq!(lab.claims(0), "20");
}

/// Must show 7: what the log states of the downtime is what a client saw.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn the_log_states_the_downtime_that_a_client_saw() {
    let lab = Lab::with("r4");
    for (release, code) in [("leaks-errors", 0), ("broken-start", 4)] {
        let (url, at) = (variable("RUNBOOK_LAB_DOMAIN"), variable("RUNBOOK_LAB_ADDRESS"));
        // A client without a pause, which prints when it asked and what came of it.
        let client = format!(
            "while :; do c=$(curl -sS -o /dev/null -m 2 -w '%{{http_code}}' --cacert {} --resolve {url}:443:{at} \
             https://{url}/api/v1/health 2>/dev/null); echo \"$(date +%s%N) $c\"; done",
            variable("RUNBOOK_LAB_CA")
        );
        let mut client = Command::new("sh").args(["-c", &client]).stdout(Stdio::piped()).spawn().expect("it starts");
        let text = lab.ends("update_code", &["--revision", release], code);
        std::thread::sleep(Duration::from_secs(1));
        client.kill().expect("it ends");
        let seen = client.wait_with_output().expect("it ended");
        let seen = Seen::of(&String::from_utf8_lossy(&seen.stdout));
        let stated = text.lines().find_map(|line| line.split_once("the site: downtime ")).expect("it is stated").1;
        let seconds: f64 = stated.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
        assert!(
            seen.failed > 0 && seen.at_least - 0.5 < seconds && seconds < seen.at_most + 0.5,
            "{release}: {seen:?}, and the log says {stated}"
        );
    }
}

/// What a client knows of a downtime: it began between two answers, and ended between two.
#[derive(Debug, Default)]
struct Seen {
    /// From the first bad answer to the last one, in seconds.
    at_least: f64,
    /// From the last good answer before to the first one after.
    at_most: f64,
    failed: u32,
}

impl Seen {
    fn of(lines: &str) -> Self {
        let mut seen = Self::default();
        let (mut good, mut bad) = (None, None::<(f64, f64)>);
        for (at, code) in lines.lines().filter_map(|line| line.split_once(' ')) {
            let at = at.parse::<f64>().expect("a time") / 1e9;
            if code == "200" {
                if let Some((first, last)) = bad.take() {
                    seen.at_least += last - first;
                    seen.at_most += at - good.unwrap_or(first);
                }
                good = Some(at);
            } else {
                seen.failed += 1;
                bad = Some((bad.map_or(at, |(first, _)| first), at));
            }
        }
        seen
    }
}

/// Must show 10: the same update, over SSH and by `docker exec`, with the same log.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn over_ssh_and_inside_the_container_the_log_is_the_same() {
    let lab = Lab::with("r2");
    // The `ssh` of a user who has the lab in the configuration.
    let path = lab.journals().join("bin");
    std::fs::create_dir(&path).expect("a directory");
    let script = format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", variable("RUNBOOK_LAB_SSH_CONFIG"));
    std::fs::write(path.join("ssh"), script).expect("it is written");
    std::fs::set_permissions(path.join("ssh"), Permissions::from_mode(0o755)).expect("it can be run");
    let path = format!("{}:{}", path.display(), variable("PATH"));

    let log = |place: &str| {
        let mut run = lab.begin_at(place, "standard_update", &["--revision", "r4", "--watch", "1"]);
        super::told(&run.env("PATH", &path).output().expect("it runs"), 0)
    };
    let inside = log(&format!("container:{}", lab.container));
    lab.reset();
    lab.inside(&["lab-deploy", "r2"]);
    let outside = log("ssh:runbook-lab");
    assert_eq!(steps(&inside), steps(&outside), "{inside}{outside}");
    assert!(steps(&inside).len() > 15, "{inside}");
}

/// What a log says of steps and checks, without what they measured.
fn steps(log: &str) -> Vec<String> {
    let words = ["pass ", "already ", "done ", "~ ", "+ ", "note "];
    let lines = log.lines().filter_map(|line| {
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':' || c == ' ');
        words.iter().any(|word| line.starts_with(word)).then_some(line)
    });
    let told = |line: &str| match line.split_once(": ") {
        // The title of a check, or what is measured; what changes is told whole.
        Some((title, _)) if !line.starts_with(['~', '+']) => title.to_owned(),
        _ => line.split(" (").next().unwrap_or(line).chars().filter(|c| !c.is_ascii_digit()).collect(),
    };
    lines.map(told).collect()
}
