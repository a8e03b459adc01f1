//! How a unit is read.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use runbook::{Context, Error, ErrorKind, Explain as _, Result};
use serde::{Deserialize, Serialize};

use super::properties::Properties;
use super::{ActiveState, FileState, Invocation, LoadState, Unit, commands, failure};
use crate::sizes::Bytes;

/// What systemd says of a unit. Source: `systemctl show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub unit: Unit,
    /// Whether its file could be read.
    pub load: LoadState,
    /// Whether it is up.
    pub active: ActiveState,
    /// The same in the words of its kind: `running`, `auto-restart`, `waiting`.
    pub sub: String,
    /// What becomes of it at boot; `None` for a unit without a file.
    pub file: Option<FileState>,
    /// How its last life went: `success`, `exit-code`, `signal`, `oom-kill`, `start-limit-hit`.
    pub result: Option<String>,
    /// What kind of service it is: `simple`, `notify`, `oneshot`.
    pub kind: Option<String>,
    /// Its main process, when one runs.
    pub main_pid: Option<u32>,
    /// Its life now, or its last one while that is remembered.
    pub invocation: Option<Invocation>,
    /// How often systemd restarted it by itself since a person started it.
    pub restarts: u32,
    /// How its main process ended: an exit code, or a signal when [`killed`](Self::killed).
    pub exit_status: Option<i32>,
    /// Whether a signal ended its main process.
    pub killed: bool,
    /// Its file.
    pub fragment: Option<PathBuf>,
    /// The drop-ins that change it.
    pub drop_ins: Vec<PathBuf>,
    /// The memory it holds; `None` when nobody counts.
    pub memory: Option<Bytes>,
    /// Whether its files have changed since systemd read them.
    pub needs_reload: bool,
    /// Whether it can reload its configuration.
    pub can_reload: bool,
    /// How its last reload went.
    pub reload_result: Option<String>,
    /// When its state last changed, in microseconds since the host was booted.
    pub changed_at: u64,
}

/// What systemd says of this unit. A unit that does not exist is an answer too: [`LoadState::NotFound`].
pub async fn status(cx: &Context, unit: impl Into<Unit>) -> Result<Status> {
    let unit = unit.into();
    unit.require_name()?;
    let output = commands::ask(cx, &commands::show(&unit.to_ask())).await?;
    let text = output.text()?;
    Status::parse(&Properties::parse(text)).with_context(|| format!("read the status of `{unit}`"))
}

impl Status {
    fn parse(properties: &Properties<'_>) -> Result<Self> {
        let number = |name| properties.number::<i32>(name);
        let path = |value: &str| PathBuf::from(value);
        let exit_code = number("ExecMainCode")?.unwrap_or_default();
        Ok(Self {
            unit: Unit::named(properties.require("Id")?),
            load: properties.read("LoadState", LoadState::parse)?.context("systemd does not say `LoadState`")?,
            active: properties
                .read("ActiveState", ActiveState::parse)?
                .context("systemd does not say `ActiveState`")?,
            sub: properties.require("SubState")?.to_owned(),
            file: properties.read("UnitFileState", FileState::parse)?,
            result: properties.get("Result").map(str::to_owned),
            kind: properties.get("Type").map(str::to_owned),
            main_pid: properties.number("MainPID")?.filter(|pid| *pid != 0),
            invocation: properties.read("InvocationID", Invocation::parse)?,
            restarts: properties.number("NRestarts")?.unwrap_or_default(),
            exit_status: if exit_code == 0 { None } else { number("ExecMainStatus")? },
            killed: exit_code == KILLED || exit_code == DUMPED,
            fragment: properties.get("FragmentPath").map(path),
            drop_ins: properties.get("DropInPaths").unwrap_or_default().split_whitespace().map(path).collect(),
            // The largest number means that nobody counts.
            memory: properties.number("MemoryCurrent")?.filter(|bytes| *bytes != u64::MAX).map(Bytes),
            needs_reload: properties.yes("NeedDaemonReload"),
            can_reload: properties.yes("CanReload"),
            reload_result: properties.get("ReloadResult").map(str::to_owned),
            changed_at: properties.number("StateChangeTimestampMonotonic")?.unwrap_or_default(),
        })
    }

    /// Whether it is a service that runs once and ends.
    pub(super) fn is_oneshot(&self) -> bool {
        self.kind.as_deref() == Some("oneshot")
    }

    pub(super) fn succeeded(&self) -> bool {
        self.result.as_deref().is_none_or(|result| result == "success")
    }

    /// One line for people: `active (running), process 97`.
    pub fn line(&self) -> String {
        let mut line = match self.load {
            LoadState::Loaded => format!("{} ({})", self.active, self.sub),
            load => format!("{load}, {} ({})", self.active, self.sub),
        };
        if let Some(pid) = self.main_pid {
            let _ = write!(line, ", process {pid}");
        }
        if !self.succeeded() {
            let _ = write!(line, ", result {}", self.result.as_deref().unwrap_or_default());
        }
        let ended_well = self.active == ActiveState::Inactive && self.succeeded();
        if let Some(status) = self.exit_status.filter(|_| !self.active.is_up() && !ended_well) {
            let how = if self.killed { "was ended by signal" } else { "exited with" };
            let _ = write!(line, ", its process {how} {status}");
        }
        match self.restarts {
            0 => line,
            1 => line + ", restarted once by itself",
            n => line + &format!(", restarted {n} times by itself"),
        }
    }

    /// An error unless its file was read, so that it can be started.
    pub(super) fn require_loaded(&self) -> Result<()> {
        let unit = &self.unit;
        match self.load {
            LoadState::Loaded => Ok(()),
            LoadState::NotFound => self.require_known(),
            LoadState::Masked => Err(Error::refused(format!("the unit `{unit}` is masked"))
                .hint("`systemd::unmask(unit)`, once it is known who masked it and why")),
            load => Err(Error::refused(format!("the unit `{unit}` cannot be used: {load}"))
                .hint(format!("see `systemd-analyze verify {unit}`"))),
        }
    }

    /// An error when there is no such unit: a name that is wrong must not be taken for a unit that is down.
    pub(super) fn require_known(&self) -> Result<()> {
        if self.load == LoadState::NotFound {
            let error = Error::refused(format!("the unit `{}` does not exist", self.unit));
            return Err(error.hint("install it with `systemd::install`; names differ between distributions"));
        }
        Ok(())
    }
}

/// Values of `ExecMainCode`. Source: waitid(2).
const KILLED: i32 = 2;
const DUMPED: i32 = 3;

/// The unit a process of the host belongs to; `None` when there is no such process, or it belongs to none. Source:
/// `/proc/PID/cgroup`.
pub async fn unit_of_pid(cx: &Context, pid: u32) -> Result<Option<Unit>> {
    let path = PathBuf::from(format!("/proc/{pid}/cgroup"));
    match cx.files().read(&path).await {
        Ok(text) => Ok(unit_in(&String::from_utf8_lossy(&text))),
        Err(_) if cx.files().stat(&path).await?.is_none() => Ok(None),
        Err(error) => Err(error.kind_of(ErrorKind::Unknown)),
    }
}

/// The innermost unit on the path of systemd's own hierarchy: `0::`, or `name=systemd` where there are several.
fn unit_in(cgroups: &str) -> Option<Unit> {
    let of = |hierarchy: &str| {
        let path =
            cgroups.lines().find_map(|line| line.split_once(':')?.1.strip_prefix(hierarchy)?.strip_prefix(':'))?;
        let is_unit = |part: &&str| {
            let suffix = Path::new(part).extension().and_then(|suffix| suffix.to_str());
            matches!(suffix, Some("service" | "scope" | "socket" | "mount" | "swap"))
        };
        path.rsplit('/').find(is_unit).map(Unit::named)
    };
    of("").or_else(|| of("name=systemd"))
}

/// When systemd last read all units, in microseconds since the host was booted.
pub(super) async fn units_read_at(cx: &Context) -> Result<u64> {
    let command = commands::show_manager();
    let output = commands::ask(cx, &command).await?;
    let at = Properties::parse(output.text()?).number(commands::UNITS_READ)?;
    at.ok_or_else(|| failure::unread(&command, &output).hint("it takes systemd 250 or newer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_process_is_the_innermost_one_of_its_control_group() {
        let unit = |text| unit_in(text).map(|unit| unit.to_string());
        assert_eq!(unit("0::/system.slice/marb2.0.service\n").as_deref(), Some("marb2.0.service"));
        assert_eq!(unit("0::/system.slice/marb2.0.service/worker\n").as_deref(), Some("marb2.0.service"));
        assert_eq!(unit("8:pids:/x.service\n0::/docker/ab/system.slice/a.service\n").as_deref(), Some("a.service"));
        assert_eq!(unit("1:name=systemd:/system.slice/a.service\n").as_deref(), Some("a.service"));
        assert_eq!(unit("0::/docker/d253caf\n"), None);
        assert_eq!(unit("0::/user.slice/user-0.slice\n"), None);
    }

    #[test]
    fn a_status_that_says_something_unheard_of_is_an_error_not_a_guess() {
        let parse = |text| Status::parse(&Properties::parse(text));
        let error = parse("Id=a.service\nLoadState=loaded\nActiveState=splendid\nSubState=x").expect_err("unheard of");
        assert!(error.to_string().contains("`ActiveState=splendid`"), "{error:?}");
        assert!(parse("Id=a.service\nLoadState=loaded\nSubState=x").is_err());
        let status = parse("Id=a.timer\nLoadState=loaded\nActiveState=active\nSubState=waiting").expect("is enough");
        assert_eq!((status.memory, status.main_pid, status.restarts), (None, None, 0));
    }
}
