//! From a bare server to a service.

use super::Lab;

const INPUTS: [&str; 6] = ["--repository", "/srv/git/marb.git", "--revision", "r4", "--email", "ops@marb.test"];

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_bare_server_becomes_a_service_and_a_second_run_changes_nothing() {
    let lab = Lab::bare();
    let text = lab.ends("initial_deployment", &INPUTS, 0);
    assert!(text.contains("18 steps changed something"), "{text}");
    assert_eq!(lab.release(), "r4");
    lab.is_healthy();
    let state = lab.state();

    let text = lab.ends("initial_deployment", &INPUTS, 0);
    assert!(text.contains("everything was already so"), "{text}");
    assert_eq!(lab.state(), state);
    lab.ends("verify_environment", &[], 0);
}

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_deployment_that_fails_leaves_the_server_bare() {
    let lab = Lab::bare();
    let inputs = INPUTS.map(|word| if word == "r4" { "broken-start" } else { word });
    let text = lab.ends("initial_deployment", &inputs, 4);
    assert!(text.contains("Unable to configure formatter"), "{text}");
    let left =
        lab.inside(&["sh", "-c", "ls /opt /etc/nginx/sites-enabled; systemctl list-unit-files 'marb*' --no-legend"]);
    assert!(!left.contains("marb"), "{left}");
    let databases = lab.inside(&["runuser", "-u", "postgres", "--", "psql", "-qXAtl"]);
    assert!(!databases.contains("marb"), "{databases}");
}
