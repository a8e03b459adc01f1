//! The commands of nginx, as values.

use std::path::Path;

use runbook::Command;

use super::Nginx;

fn nginx(server: &Nginx) -> Command {
    let command = Command::new(&server.program);
    match &server.conf {
        Some(conf) => command.arg("-c").arg(conf),
        None => command,
    }
}

/// Tests the configuration; exits with 1 when nginx does not accept it.
pub(super) fn test(server: &Nginx) -> Command {
    nginx(server).arg("-t").env("LC_ALL", "C").expect([0, 1])
}

/// Tells the master to load its configuration. That it was told is all that the exit code says.
pub(super) fn reload(server: &Nginx) -> Command {
    nginx(server).args(["-s", "reload"])
}

/// The processes below the master: number and title, one a line; exits with 1 when there are none.
pub(super) fn workers(master: u32) -> Command {
    Command::new("ps").args(["-o", "pid=,args=", "--ppid"]).arg(master.to_string()).expect([0, 1])
}

/// The last lines of a file.
pub(super) fn tail(path: &Path, lines: usize) -> Command {
    Command::new("tail").arg("-n").arg(lines.to_string()).arg(path)
}
