//! The standard update of the example in the lab, code only, against the ten commands of its document.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::measure::{dir, time};
use super::table::Row;
use super::{example, shortest, succeeds};

/// The variable that names the container of the lab.
pub(crate) const CONTAINER: &str = "RUNBOOK_LAB_CONTAINER";

/// The document's commands, with its waits replaced by polling: backup, code, packages, migrations, restart, status,
/// health, log. `systemctl is-active` stands for a person who reads `status`.
const COMMANDS: &str = r#"
set -euo pipefail
cd /opt/marb2.0
as_marb() { runuser -u marb -- "$@"; }
mkdir -p /var/backups/marb
runuser -u postgres -- pg_dump marb_risk_engine | gzip >/var/backups/marb/figures.sql.gz
as_marb git fetch -q origin
as_marb git checkout -q release/r2
as_marb git pull -q origin release/r2
as_marb venv/bin/pip install -q -r requirements.txt
as_marb venv/bin/alembic -q upgrade head
systemctl restart marb2.0.service
systemctl restart marb2.0-celery.service
until systemctl is-active -q marb2.0.service && systemctl is-active -q marb2.0-celery.service; do sleep 0.1; done
until curl -fsS -o /dev/null "https://api.marb.test/api/v1/health" 2>/dev/null; do sleep 0.1; done
journalctl -u marb2.0.service --since '1 minute ago' --no-pager >/dev/null
"#;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set: eval \"$(tests/lab/up)\""))
}

fn inside(container: &str, words: &[&str]) -> Command {
    let mut docker = Command::new("docker");
    docker.args(["exec", container]).args(words).stdin(Stdio::null()).stdout(Stdio::null());
    docker
}

/// With the first release running.
fn begin(container: &str) {
    succeeds(&mut inside(container, &["lab-reset"]));
    succeeds(&mut inside(container, &["lab-deploy", "r1"]));
    succeeds(&mut inside(container, &["lab-release", "r2"]));
}

/// The update, by the example. The watch of its log, a wait that was replaced, is left out.
fn update(marb: &Path, container: &str, journal: &Path) -> Command {
    let mut update = Command::new(marb);
    update.args(["run", "standard_update", "--revision", "r2", "--watch", "0", "--patience", "60"]);
    update.args(["--on", &format!("container:{container}")]);
    update.args(["--url", &format!("https://{}", variable("RUNBOOK_LAB_DOMAIN"))]);
    update.args(["--at", &variable("RUNBOOK_LAB_ADDRESS"), "--ca", &variable("RUNBOOK_LAB_CA")]);
    update.arg("--journal").arg(journal).stdin(Stdio::null()).stdout(Stdio::null());
    update
}

pub(crate) fn rows(rounds: usize) {
    let (container, marb, dir) = (variable(CONTAINER), example("marb"), dir());
    let timed = |command: &mut Command| -> Duration {
        begin(&container);
        time(|| succeeds(command))
    };
    let mut ours = || timed(&mut update(&marb, &container, &dir.path().join("journal")));
    let mut pasted = || timed(&mut inside(&container, &["bash", "-c", COMMANDS]));
    let [ours, pasted] = shortest(rounds, [&mut ours, &mut pasted]);
    Row::of("standard update, code only", ours, "the ten commands, polling", pasted).at_most(1.1).print();
}
