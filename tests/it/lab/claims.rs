//! What the document claims, and is not so on the real tools. The other rows are tested beside the steps that know better:
//! A4.6, A14.2, A20.3 and A23 with PostgreSQL, A4.7 with Python, A4.10 with nginx, A3, A13 and A17.2 with Redis.

use std::net::IpAddr;

use runbook::steps::http::{self, Probe};
use runbook::{Check, Context};

use super::{Lab, variable};

/// A12: `curl -I` exits with 0 whatever the answer to HEAD is, and a route for GET alone answers 405.
#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn a_12_a_head_that_is_not_allowed_does_not_pass() {
    let _lab = Lab::with("r4");
    let site = format!("https://{}", variable("RUNBOOK_LAB_DOMAIN"));
    let address: IpAddr = variable("RUNBOOK_LAB_ADDRESS").parse().expect("an address");
    let to = |probe: Probe| probe.at(address).root_certificate(variable("RUNBOOK_LAB_CA"));
    let cx = Context::local();

    let ca = variable("RUNBOOK_LAB_CA");
    for (route, status, passes) in [("/api/v1/health", "405", false), ("/docs", "200", true)] {
        let url = format!("{site}{route}");
        let resolve = format!("{}:443:{address}", variable("RUNBOOK_LAB_DOMAIN"));
        let document = runbook::cmd!("curl -sSI --cacert {ca} --resolve {resolve} {&url}");
        let printed = cx.run(&document).await.expect("it exits with 0").lossy().into_owned();
        assert!(printed.lines().next().is_some_and(|line| line.contains(status)), "{printed}");

        let finding = to(http::head(&url)).check(&cx).await.expect("it is asked");
        assert_eq!(finding.passes(), passes, "{route}: {finding:?}");
        assert!(finding.evidence().summary.contains(status), "{route}: {finding:?}");
        assert!(to(http::get(&url)).check(&cx).await.expect("it is asked").passes(), "{route}");
    }
}
