//! Backups that are made by themselves.

use super::Lab;

#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn every_night_has_its_timer_and_a_second_run_changes_nothing() {
    let lab = Lab::with("r4");
    let path = "/usr/local/bin/marb";
    // Stands in for this program, which is not built for the server.
    lab.inside(&["sh", "-c", &format!("printf '#!/bin/sh\\necho marb 0.1.0\\n' >{path} && chmod 755 {path}")]);
    lab.ends("back_up_every_night", &["--time", "03:15"], 0);
    let next = lab.inside(&["systemctl", "show", "--value", "--property=NextElapseUSecRealtime", "marb-backup.timer"]);
    assert!(next.contains(" 03:15:00 "), "{next}");
    assert_eq!(lab.inside(&["systemctl", "is-enabled", "marb-backup.timer"]), "enabled");
    let files = ["sha256sum", "/etc/systemd/system/marb-backup.service", "/etc/systemd/system/marb-backup.timer"];
    let installed = lab.inside(&files);
    let said = lab.ends("back_up_every_night", &["--time", "03:15"], 0);
    assert!(said.contains("already so"), "{said}");
    assert_eq!(lab.inside(&files), installed);
    lab.inside(&["systemctl", "disable", "--now", "marb-backup.timer"]);
    lab.inside(&["sh", "-c", "rm /etc/systemd/system/marb-backup.* /usr/local/bin/marb && systemctl daemon-reload"]);
}
