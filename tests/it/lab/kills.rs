//! The runner dies, at any moment.

use std::time::{Duration, Instant};

use super::Lab;

/// Must show 4: killed at moments spread over the schema update, each run ends whole, and no migration runs twice.
/// `RUNBOOK_LAB_KILLS` says at how many moments, 50 is the whole test; `RUNBOOK_LAB_KILLS_FROM` goes on from one of them.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_schema_update_that_is_killed_anywhere_ends_whole() {
    let number = |name, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"));
    let (moments, first) = (number("RUNBOOK_LAB_KILLS", 50), number("RUNBOOK_LAB_KILLS_FROM", 0));
    let lab = Lab::with("r3");
    lab.claims(10);
    let old = lab.state();
    let inputs = ["--revision", "r4", "--watch", "0"];
    let began = Instant::now();
    lab.ends("update_schema", &inputs, 0);
    let whole = began.elapsed();
    let new = lab.state();
    back(&lab);

    for moment in first..moments {
        let mut runner = lab.begin("update_schema", &inputs).args(["--quiet"]).spawn().expect("it starts");
        std::thread::sleep(whole * moment / moments + Duration::from_millis(100));
        runner.kill().and_then(|()| runner.wait()).expect("it is killed");
        let how: &[&str] = if moment % 2 == 0 { &["--roll-back"] } else { &[] };
        if let Some(run) = lab.open_run() {
            let (code, text) = lab.resume(&run, how);
            println!("moment {moment} of {moments}: {how:?} ends with {code:?}");
            let state = lab.state();
            match code {
                Some(0) => assert_eq!(state, new, "{moment}: {text}"),
                Some(3 | 4) if !how.is_empty() => assert_eq!(state, old, "{moment}: {text}"),
                other => panic!("{moment}: {other:?}: {text}"),
            }
        }
        assert_eq!(lab.claims(0), "10", "{moment}");
        if lab.state().commit == new.commit {
            back(&lab);
        }
        assert_eq!(lab.state(), old, "{moment}");
    }
}

/// To the release before.
fn back(lab: &Lab) {
    lab.ends("rollback_with_migration", &["--yes"], 0);
}

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn an_update_of_code_that_is_killed_anywhere_is_put_back_whole() {
    let lab = Lab::with("r4");
    for moment in 0..6 {
        let mut runner =
            lab.begin("update_code", &["--revision", "leaks-errors", "--quiet"]).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(500 + 2000 * moment));
        runner.kill().and_then(|()| runner.wait()).expect("it is killed");
        let Some(run) = lab.open_run() else {
            // It was over, or had not begun.
            lab.ends("quick_rollback", &["--to", "r4"], 0);
            continue;
        };
        let (code, text) = lab.resume(&run, &["--roll-back"]);
        assert!(matches!(code, Some(3 | 4)), "{moment}: {text}");
        assert_eq!(lab.release(), "r4", "{moment}: {text}");
        lab.is_healthy();
    }
}
