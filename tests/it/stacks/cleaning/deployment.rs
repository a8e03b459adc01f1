use super::super::asking;
use super::Cleaning;

/// Must show 1: from nothing to verified, and a second run that changes nothing.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn from_nothing_to_verified_and_a_second_run_changes_nothing() {
    let cleaning = Cleaning::with("v1.0.0");
    assert!(cleaning.is_ready());
    let (containers, state) = (cleaning.0.containers(), cleaning.state());
    assert_eq!(state.release, "v1.0.0");
    let text = cleaning.deploy("v1.0.0", &[], 0);
    assert_eq!((cleaning.0.containers(), cleaning.state()), (containers, state), "a container is another: {text}");

    cleaning.lead("ada");
    cleaning.deploy("v1.2.0", &[], 0);
    let new = cleaning.state();
    assert_eq!((&*new.release, &*new.revision), ("v1.2.0", "2025_10_lead_source"), "an id that is not twelve digits");
    assert_eq!(cleaning.leads(), "ada");

    // A release that wants a setting which nobody has made says so before anything is stopped.
    let text = cleaning.deploy("v1.3.0", &[], 4);
    assert!(text.contains("BOOKING_LINK_SECRET"), "{text}");
    assert_eq!(cleaning.state(), new, "{text}");
}

/// Must show 4: told apart, with the container's last lines, and everything put back.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_release_that_cannot_be_leaves_what_was_there() {
    let cleaning = Cleaning::with("v1.1.0");
    cleaning.lead("ada");
    let old = cleaning.state();
    let broken = [
        ("unhealthy", "unhealthy"),
        ("crash-loop", "crash"),
        ("broken-build", "web"),
        ("broken-compose", "docker-compose.yml"),
        ("two-heads", "head"),
        ("bad-migration", "b4a90d1c62ef"),
    ];
    for (release, words) in broken {
        let text = cleaning.deploy(release, &["--patience", "45", "--may-restore"], 4);
        assert!(text.contains(words), "{release}: {text}");
        assert_eq!(cleaning.state(), old, "{release}: {text}");
        assert!(cleaning.is_ready(), "{release}: {text}");
        assert_eq!(cleaning.leads(), "ada", "{release}: {text}");
    }
    cleaning.deploy("slow-start", &[], 0);
    assert_eq!(cleaning.0.release(), "slow-start");
}

/// E6: green beside blue; a green that is not well gets no request, and blue goes on.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn green_comes_beside_blue_and_no_request_is_lost() {
    let mut cleaning = Cleaning::new();
    // Two containers of the API at once: the engine chooses their ports.
    cleaning.0.ports[2] = 0;
    cleaning.deploy("v1.0.0", &[], 0);
    let health = format!("{}/healthz", cleaning.url());
    let over = |release: &str, code| {
        let words = cleaning.deployment(release, &["--patience", "45"]);
        cleaning.ends("blue_green_deployment", &words.iter().map(String::as_str).collect::<Vec<_>>(), code)
    };
    let (text, asked, bad) = asking(&health, None, || over("v1.1.0", 0));
    assert!(asked > 100 && bad.is_empty(), "{} of {asked} were answered badly: {bad:?}\n{text}", bad.len());
    let green = cleaning.state();
    assert_eq!(green.release, "v1.1.0");

    let (text, asked, bad) = asking(&health, None, || over("unhealthy", 4));
    assert!(asked > 100 && bad.is_empty(), "{} of {asked} were answered badly: {bad:?}\n{text}", bad.len());
    assert_eq!(cleaning.state(), green, "{text}");
}
