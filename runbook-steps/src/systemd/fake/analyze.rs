//! The simulated `systemd-analyze verify`.

use std::path::Path;

use runbook::command::Output;

use super::super::Unit;
use super::config::Config;
use super::manager::Manager;
use super::unknown;

/// The settings it knows; systemd knows many more.
const KNOWN: &[&str] = &[
    "Description",
    "Documentation",
    "After",
    "Before",
    "Wants",
    "Requires",
    "Conflicts",
    "PartOf",
    "BindsTo",
    "StartLimitBurst",
    "StartLimitIntervalSec",
    "OnFailure",
    "Type",
    "ExecStart",
    "ExecStartPre",
    "ExecStartPost",
    "ExecReload",
    "ExecStop",
    "Restart",
    "RestartSec",
    "User",
    "Group",
    "WorkingDirectory",
    "Environment",
    "EnvironmentFile",
    "TimeoutStartSec",
    "TimeoutStopSec",
    "MemoryMax",
    "MemoryHigh",
    "LimitNOFILE",
    "KillMode",
    "KillSignal",
    "PIDFile",
    "RemainAfterExit",
    "StandardOutput",
    "StandardError",
    "SyslogIdentifier",
    "NoNewPrivileges",
    "PrivateTmp",
    "ProtectSystem",
    "ProtectHome",
    "ReadWritePaths",
    "RuntimeDirectory",
    "StateDirectory",
    "LogsDirectory",
    "UMask",
    "Nice",
    "WantedBy",
    "RequiredBy",
    "Also",
    "Alias",
    "OnCalendar",
    "OnBootSec",
    "OnUnitActiveSec",
    "Persistent",
    "Unit",
    "RandomizedDelaySec",
    "NotifyAccess",
    "AccuracySec",
    "ListenStream",
];

/// `systemd-analyze verify` itself. Whether programs exist is not simulated.
pub(super) fn verify(manager: &mut Manager<'_, '_>, args: &[&str]) -> Output {
    let ["--man=no", "--recursive-errors=no", "--", file] = args else {
        return unknown("systemd-analyze verify", args);
    };
    let file = Path::new(file);
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else {
        return unknown("systemd-analyze verify", args);
    };
    let (unit, config) = (Unit::named(name), Config::beside(manager.call.files(), file));
    let mut said: Vec<String> = config.lines().filter_map(|(n, line)| complaint(file, n, line)).collect();
    if let Some(refusal) = config.refusal(&unit) {
        said.push(format!("{unit}: {refusal}"));
        said.push(format!("Unit {unit} has a bad unit file setting."));
    }
    if said.is_empty() { Output::ok("") } else { Output::failed(1, said.join("\n") + "\n") }
}

fn complaint(file: &Path, n: usize, line: &str) -> Option<String> {
    let file = file.display();
    if line.is_empty() || line.starts_with(['#', ';', '[']) {
        return None;
    }
    match line.split_once('=') {
        None => Some(format!("{file}:{n}: Missing '=', ignoring line.")),
        Some((name, _)) if KNOWN.contains(&name.trim()) => None,
        Some((name, _)) => Some(format!("{file}:{n}: Unknown key '{}', ignoring.", name.trim())),
    }
}
