use super::Cleaning;

/// Must show 6: what a clean-up leaves is enough to go back at once.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn code_goes_back_to_its_old_images_after_a_clean_up() {
    let cleaning = Cleaning::with("v1.0.0");
    let old = cleaning.state();
    cleaning.deploy("v1.1.0", &[], 0);
    cleaning.ends("clean_up", &[], 0);
    cleaning.ends("quick_rollback", &["--to", "v1.0.0"], 0);
    assert_eq!(cleaning.state(), old);
    assert!(cleaning.is_ready());
}

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn two_migrations_are_taken_back_with_the_code_that_brought_them() {
    let cleaning = Cleaning::with("v1.1.0");
    cleaning.lead("ada");
    let old = cleaning.state();
    cleaning.deploy("two-migrations", &[], 0);
    assert_ne!(cleaning.state().columns, old.columns);
    // The code of before does not know this schema.
    let text = cleaning.ends("quick_rollback", &["--to", "v1.1.0"], 4);
    assert!(text.contains("d91b3c6f40e5"), "{text}");
    cleaning.ends("rollback_with_downgrade", &["--to", "v1.1.0"], 0);
    assert_eq!((cleaning.state(), &*cleaning.leads()), (old, "ada"));
}

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn what_cannot_be_downgraded_comes_back_from_its_backup() {
    let cleaning = Cleaning::with("v1.1.0");
    cleaning.lead("ada");
    let old = cleaning.state();
    cleaning.deploy("irreversible", &[], 0);
    cleaning.ends("emergency_rollback", &["--to", "v1.1.0"], 0);
    assert_eq!((cleaning.state(), &*cleaning.leads()), (old, "ada"));
    assert!(cleaning.is_ready());
}
