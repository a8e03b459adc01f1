use std::time::{Duration, Instant};

use super::Cleaning;

/// Must show 3: killed at moments spread over the deployment, each run ends with the site up, whole, on one version.
/// `RUNBOOK_LAB_KILLS` says at how many moments, 50 is the whole test; `RUNBOOK_LAB_KILLS_FROM` goes on from one of them.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_deployment_that_is_killed_anywhere_ends_whole() {
    let number = |name, otherwise: usize| std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"));
    let (moments, first) = (number("RUNBOOK_LAB_KILLS", 50), number("RUNBOOK_LAB_KILLS_FROM", 0));
    // A deployment mostly waits, so a few of them go side by side.
    let lanes = moments.saturating_sub(first).div_ceil(4).clamp(1, 3);
    std::thread::scope(|scope| {
        for lane in first..first + lanes {
            scope.spawn(move || killed_at((lane..moments).step_by(lanes), moments));
        }
    });
}

/// A project whose deployment is killed at these moments of so many.
fn killed_at(at: impl Iterator<Item = usize>, moments: usize) {
    let cleaning = Cleaning::with("v1.1.0");
    cleaning.lead("ada");
    let old = cleaning.state();
    let words = cleaning.deployment("v1.2.0", &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let began = Instant::now();
    cleaning.ends("standard_deployment", &words, 0);
    let mut whole = began.elapsed();
    let new = cleaning.state();
    back(&cleaning);

    for moment in at {
        // It may be quicker than the one before, and over by then.
        while let Some(took) = killed_after(&cleaning, &words, whole.mul_f64(moment as f64 / moments as f64)) {
            whole = took;
            back(&cleaning);
        }
        let how: &[&str] = if moment % 2 == 0 { &["--roll-back"] } else { &[] };
        if let Some(run) = cleaning.0.open_run() {
            let (code, text) = cleaning.0.resume(&run, how);
            println!("moment {moment} of {moments}: {how:?} ends with {code:?}");
            let state = cleaning.state();
            match code {
                Some(0) => assert_eq!(state, new, "{moment}: {text}"),
                Some(3 | 4) if !how.is_empty() => assert_eq!(state, old, "{moment}: {text}"),
                other => panic!("{moment}: {other:?}: {text}"),
            }
        }
        assert!(cleaning.is_ready(), "{moment}");
        assert_eq!(cleaning.leads(), "ada", "{moment}");
        if cleaning.0.release() == new.release {
            back(&cleaning);
        }
        assert_eq!(cleaning.state(), old, "{moment}");
    }
}

/// Kills a deployment after this time; how long it took where it was over before.
fn killed_after(cleaning: &Cleaning, words: &[&str], after: Duration) -> Option<Duration> {
    let mut runner = cleaning.begin("standard_deployment", words).args(["--quiet"]).spawn().expect("it starts");
    let began = Instant::now();
    while began.elapsed() < after + Duration::from_millis(100) {
        if runner.try_wait().expect("it is there").is_some() {
            return Some(began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    runner.kill().and_then(|()| runner.wait()).expect("it is killed");
    None
}

/// To the release before.
fn back(cleaning: &Cleaning) {
    cleaning.ends("rollback_with_downgrade", &["--to", "v1.1.0"], 0);
}
