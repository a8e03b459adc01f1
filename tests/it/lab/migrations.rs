//! Migrations that fail, that cannot be taken back, that nobody knows.

use super::Lab;

/// Must show 5.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn each_bad_migration_is_named_and_ends_as_it_should() {
    let lab = Lab::with("r4");
    lab.claims(5);
    let old = lab.state();

    // The rehearsal finds it out, so the database of users never sees it.
    let text = lab.ends("update_schema", &["--revision", "half-way", "--watch", "0"], 4);
    assert!(text.contains("Rehearse the migrations") && text.contains("b83f60d2c9e7"), "{text}");
    assert_eq!(lab.state(), old, "{text}");

    let text = lab.ends("update_schema", &["--revision", "two-heads", "--watch", "0"], 4);
    assert!(text.contains("1b6e0fa4d273") && text.contains("2c7f1ab5e384"), "{text}");
    assert_eq!(lab.state(), old, "{text}");

    // Good in itself; the way back is to restore, which the plan says before.
    lab.ends("update_schema", &["--revision", "irreversible", "--watch", "0"], 0);
    assert_eq!(lab.state().revision, "e5d04c1b8f36");

    // A code that does not know the revision of the database.
    let text = lab.ends("update_schema", &["--revision", "r4", "--watch", "0"], 4);
    assert!(text.contains("e5d04c1b8f36"), "{text}");
    assert_eq!(lab.release(), "irreversible");
    lab.is_healthy();
}

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_rollback_with_migration_goes_back_two_revisions_at_once() {
    let lab = Lab::with("r3");
    let old = lab.state();
    lab.claims(3);
    lab.ends("update_schema", &["--revision", "r5", "--watch", "0"], 0);
    assert_eq!(lab.state().revision, "2024_risk_band");
    let text = lab.ends("rollback_with_migration", &["--yes"], 0);
    assert!(text.contains("Take the migrations back"), "{text}");
    assert_eq!(lab.state(), old);
    assert_eq!(lab.claims(0), "3");
}
