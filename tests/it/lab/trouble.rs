//! Faults that are made on purpose: found, cured, and proven to be.

use super::Lab;

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn each_fault_is_found_and_cured() {
    let lab = Lab::with("r4");
    let broken = |script: &str| drop(lab.inside(&["sh", "-c", script]));
    for (script, procedure, words) in [
        ("systemctl stop marb2.0.service", "service_does_not_start", "it is stopped"),
        ("chmod 644 /opt/marb2.0/.env; systemctl stop marb2.0.service", "service_does_not_start", "it is stopped"),
        ("systemctl stop marb2.0-celery.service", "tasks_wait", ""),
        ("systemctl stop nginx", "bad_gateway", "nginx does not run"),
        ("systemctl stop marb2.0.service", "bad_gateway", "the API does not run"),
        ("systemctl stop redis-server marb2.0.service", "completely_down", "Quick restart"),
    ] {
        broken(script);
        let text = lab.ends(procedure, &["--yes"], 0);
        assert!(text.contains(words), "{procedure}: {text}");
        broken("systemctl start marb2.0-celery.service");
        lab.is_healthy();
    }
}

/// Must show 6, A20.3: nothing of half a restore remains, and what was lost is said.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn lost_data_comes_back_once_somebody_approves() {
    let lab = Lab::with("r4");
    lab.claims(12);
    lab.ends("back_up", &[], 0);
    lab.query("DELETE FROM claims");
    let text = lab.ends("data_loss", &[], 6);
    assert!(text.contains("restoring loses what was written"), "{text}");
    let run = lab.open_run().expect("it waits");
    let mut approve = super::marb();
    approve.args(["approve", &run, "--journal"]).arg(lab.journals());
    super::told(&approve.output().expect("it runs"), 0);
    assert_eq!(lab.claims(0), "12");
    lab.is_healthy();
}
