//! The simulated systemd itself, and `systemctl`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use runbook::Resource;
use runbook::command::Output;
use runbook::testing::Call;

use super::super::Unit;
use super::super::unit_file::UNITS;
use super::config::{Config, PLACES};
use super::journal::Record;
use super::life::{Happens, Life, Shown, State};
use super::{BOOT_MS, Fake, LIFE, journal_resource, unknown};
use crate::file::content::sha256;

/// The simulated systemd, while it is asked something.
pub(super) struct Manager<'f, 'c> {
    fake: &'f Fake,
    pub(super) call: &'f mut Call<'c>,
    pub(super) now: u64,
}

/// What systemd remembers of itself.
fn self_resource() -> Resource {
    Resource::new(LIFE, "systemd")
}

fn life_resource(unit: &Unit) -> Resource {
    Resource::new(LIFE, unit.as_str())
}

/// Whether a unit is started at boot: a part of the unit, instead of the links of the real one.
fn boot_resource(unit: &Unit) -> Resource {
    Resource::new("unit", format!("{unit}/boot"))
}

/// `systemctl` itself.
pub(super) fn systemctl(manager: &mut Manager<'_, '_>, args: &[&str]) -> Output {
    let args: Vec<&str> =
        args.iter().copied().filter(|arg| !matches!(*arg, "--no-ask-password" | "--no-pager")).collect();
    match args[..] {
        ["show", properties] => manager.show_self(properties),
        ["show", properties, "--", unit] => manager.show(properties, &Unit::named(unit)),
        ["daemon-reload"] => manager.daemon_reload(),
        [verb, "--", unit] => manager.act(verb, &Unit::named(unit)),
        _ => unknown("systemctl", &args),
    }
}

impl<'f, 'c> Manager<'f, 'c> {
    pub(super) fn new(fake: &'f Fake, call: &'f mut Call<'c>) -> Self {
        let now = fake.now();
        Self { fake, call, now }
    }

    /// Lets everything happen that happens by now.
    pub(super) fn catch_up(&mut self) {
        for unit in self.units() {
            let mut life = self.life(&unit);
            while let Some((at, what)) = life.next(self.now) {
                self.happens(&unit, &mut life, at, what);
            }
            self.keep(&unit, &life);
        }
    }

    /// Every unit with a file.
    fn units(&mut self) -> Vec<Unit> {
        let tree = self.call.files();
        let names: BTreeSet<String> = PLACES.iter().flat_map(|place| tree.list(place).unwrap_or_default()).collect();
        names.into_iter().filter(|name| Unit::named(name).as_str() == name).map(Unit::named).collect()
    }

    fn life(&mut self, unit: &Unit) -> Life {
        let mut life: Life = self.call.state(&life_resource(unit));
        let shown: Shown = self.call.state(&unit.resource());
        // A snapshot was put back, or the test began with a unit that is up.
        if shown.up != life.shown().up {
            life.end();
            life.turn(State::Dead, self.now);
            if shown.up {
                let now = self.now;
                self.begin(unit, &mut life, now);
            }
        }
        if shown.up && !shown.read.is_empty() {
            life.read = shown.read;
        }
        life
    }

    /// What a snapshot shows comes first: a runner that dies between must not meet a new life that works with old files.
    fn keep(&mut self, unit: &Unit, life: &Life) {
        match life.shown() {
            Shown { up: false, .. } => self.call.forget(&unit.resource()),
            shown => self.call.set_state(&unit.resource(), &shown),
        }
        if *life != Life::default() {
            self.call.set_state(&life_resource(unit), life);
        }
    }

    fn happens(&mut self, unit: &Unit, life: &mut Life, at: u64, what: Happens) {
        match what {
            Happens::Says(words) => {
                life.says.remove(0);
                self.log(unit, life, at, "app", words);
            }
            Happens::IsUp => {
                life.up_at = None;
                life.turn(State::Up, at);
                self.log(unit, life, at, SYSTEMD, format!("Started {unit}."));
            }
            Happens::Dies(code) => self.dies(unit, life, at, code),
            Happens::Restarts => {
                life.restarts_at = None;
                life.restarts += 1;
                let counter = life.restarts;
                self.log(
                    unit,
                    life,
                    at,
                    SYSTEMD,
                    format!("{unit}: Scheduled restart job, restart counter is at {counter}."),
                );
                if life.may_start(at) {
                    self.begin(unit, life, at);
                } else {
                    self.too_often(unit, life, at);
                }
            }
        }
    }

    fn dies(&mut self, unit: &Unit, life: &mut Life, at: u64, code: i32) {
        self.end(life);
        life.exit = Some(code);
        let config = life.config.clone().unwrap_or_default();
        let result = if code == 0 { "success" } else { "exit-code" };
        life.result = Some(result.to_owned());
        if code == 0 {
            self.log(unit, life, at, SYSTEMD, format!("{unit}: Deactivated successfully."));
        } else {
            self.log(unit, life, at, SYSTEMD, format!("{unit}: Main process exited, code=exited, status={code}/n/a"));
            self.log(unit, life, at, SYSTEMD, format!("{unit}: Failed with result 'exit-code'."));
        }
        match config.restart(code) {
            Some(after) => {
                life.turn(State::AutoRestart, at);
                life.restarts_at = Some(at + u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            }
            None => life.turn(if code == 0 { State::Dead } else { State::Failed }, at),
        }
    }

    fn end(&mut self, life: &mut Life) {
        let _ = self.call.files().remove(format!("/proc/{}", life.pid));
        life.end();
    }

    /// The result of a process that failed stays, as in systemd 252.
    fn too_often(&mut self, unit: &Unit, life: &mut Life, at: u64) {
        self.log(unit, life, at, SYSTEMD, format!("{unit}: Start request repeated too quickly."));
        if life.result.as_deref().is_none_or(|result| result == "success") {
            life.result = Some("start-limit-hit".to_owned());
        }
        let result = life.result.clone().unwrap_or_default();
        self.log(unit, life, at, SYSTEMD, format!("{unit}: Failed with result '{result}'."));
        life.turn(State::Failed, at);
    }

    /// Begins a life. Whether that went well.
    fn begin(&mut self, unit: &Unit, life: &mut Life, at: u64) -> bool {
        let behaviour = self.fake.decide(unit, self.call.files());
        let config = Config::read(self.call.files(), unit);
        let count: u32 = self.call.state::<Counts>(&self_resource()).lives + 1;
        self.count(|counts| counts.lives = count);
        life.end();
        life.invocation = Some(sha256(format!("{unit} {count}").as_bytes()).chars().take(32).collect());
        life.config.get_or_insert(config);
        life.result = None;
        life.exit = None;
        if let Some(code) = behaviour.fails {
            life.result = Some("exit-code".to_owned());
            self.log(
                unit,
                life,
                at,
                SYSTEMD,
                format!("{unit}: Control process exited, code=exited, status={code}/n/a"),
            );
            self.log(unit, life, at, SYSTEMD, format!("{unit}: Failed with result 'exit-code'."));
            life.turn(State::Failed, at);
            return false;
        }
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        life.memory = behaviour.memory.0;
        life.dies_at = behaviour.dies.map(|(time, code)| (at + millis(time), code));
        life.says = behaviour.says.into_iter().map(|(time, line)| (at + millis(time), line)).collect();
        let text = |path: PathBuf, call: &mut Call<'_>| (path.clone(), call.files().text(&path).unwrap_or_default());
        life.read = behaviour.reads.into_iter().map(|path| text(path, self.call)).collect();
        if Config::is_service(unit) {
            life.pid = 1000 + count;
            let proc = PathBuf::from(format!("/proc/{}", life.pid));
            let _ = self.call.files().make_dir(&proc);
            let _ = self.call.files().write(proc.join("cgroup"), format!("0::/system.slice/{unit}\n"));
        }
        if behaviour.slow.is_zero() {
            life.turn(State::Up, at);
            self.log(unit, life, at, SYSTEMD, format!("Started {unit}."));
        } else {
            self.log(unit, life, at, SYSTEMD, format!("Starting {unit}..."));
            life.turn(State::Starting, at);
            life.up_at = Some(at + millis(behaviour.slow));
        }
        true
    }

    fn count(&mut self, change: impl FnOnce(&mut Counts)) {
        let mut counts: Counts = self.call.state(&self_resource());
        change(&mut counts);
        self.call.set_state(&self_resource(), &counts);
    }

    fn log(&mut self, unit: &Unit, life: &Life, at: u64, by: &str, message: String) {
        let mut all: Vec<Record> = self.call.state(&journal_resource());
        all.push(Record {
            at,
            unit: unit.clone(),
            invocation: life.invocation.clone().unwrap_or_default(),
            by: by.to_owned(),
            message,
        });
        self.call.set_state(&journal_resource(), &all);
    }

    /// The files systemd works with: those it read for a unit that it keeps, or those on the disk.
    fn config(&mut self, unit: &Unit, life: &Life) -> (Config, bool) {
        let disk = Config::read(self.call.files(), unit);
        match &life.config {
            Some(read) if life.state != State::Dead => (read.clone(), *read != disk),
            _ => (disk, false),
        }
    }

    fn daemon_reload(&mut self) -> Output {
        for unit in self.units() {
            let mut life = self.life(&unit);
            let config = Config::read(self.call.files(), &unit);
            if life.config.is_some() {
                life.config = Some(config);
                self.keep(&unit, &life);
            }
        }
        let now = self.now;
        self.count(|counts| {
            counts.reloads += 1;
            counts.read_at = (now + 1) * 1000 + counts.reloads;
        });
        Output::ok("")
    }

    fn show_self(&mut self, properties: &str) -> Output {
        match properties {
            "--property=UnitsLoadTimestampMonotonic" => {
                let at = self.call.state::<Counts>(&self_resource()).read_at.max(1);
                Output::ok(format!("UnitsLoadTimestampMonotonic={at}\n"))
            }
            _ => unknown("systemctl show", &[properties]),
        }
    }

    fn show(&mut self, properties: &str, unit: &Unit) -> Output {
        let life = self.life(unit);
        let (config, stale) = self.config(unit, &life);
        let names = properties.strip_prefix("--property=").unwrap_or_default();
        let mut text = String::new();
        for name in names.split(',') {
            if let Some(value) = self.property(unit, &life, &config, stale, name) {
                let _ = writeln!(text, "{name}={value}");
            }
        }
        Output::ok(text)
    }

    fn property(&mut self, unit: &Unit, life: &Life, config: &Config, stale: bool, name: &str) -> Option<String> {
        let service = Config::is_service(unit) && config.fragment.is_some();
        let only_service = |value: String| service.then_some(value);
        let (active, sub) = life.state.words(service);
        let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let path = |path: &PathBuf| path.display().to_string();
        Some(match name {
            "Id" => unit.to_string(),
            "LoadState" => load_state(unit, config).to_owned(),
            "ActiveState" => active.to_owned(),
            "SubState" => sub.to_owned(),
            "UnitFileState" => file_state(self.call, unit, config).to_owned(),
            "Result" => life.result.clone().unwrap_or_else(|| "success".to_owned()),
            "Type" => return only_service(config.get("Type").unwrap_or("simple").to_owned()),
            "MainPID" => return only_service(life.pid.to_string()),
            "InvocationID" if life.state == State::Dead => String::new(),
            "InvocationID" => life.invocation.clone().unwrap_or_default(),
            "NRestarts" => return only_service(life.restarts.to_string()),
            "ExecMainCode" => return only_service(u8::from(life.exit.is_some()).to_string()),
            "ExecMainStatus" => return only_service(life.exit.unwrap_or_default().to_string()),
            "FragmentPath" => config.fragment.as_ref().map(path).unwrap_or_default(),
            "DropInPaths" => config.drop_ins.iter().map(path).collect::<Vec<_>>().join(" "),
            "MemoryCurrent" if life.pid != 0 => life.memory.to_string(),
            "MemoryCurrent" => "[not set]".to_owned(),
            "NeedDaemonReload" => yes(stale),
            "CanReload" => yes(config.get("ExecReload").is_some()),
            "ReloadResult" => "success".to_owned(),
            "StateChangeTimestampMonotonic" => life.changed_at.to_string(),
            "NextElapseUSecRealtime" if life.state == State::Up => {
                let at = BOOT_MS + i64::try_from(self.now).unwrap_or_default();
                next_elapse(at, config.get("OnCalendar")?)?
            }
            "ExecStart" => {
                let words = config.get("ExecStart")?;
                let program = words.split_whitespace().next().unwrap_or_default();
                format!("{{ path={program} ; argv[]={words} ; ignore_errors=no ; status=0/0 }}")
            }
            _ => return None,
        })
    }

    fn act(&mut self, verb: &str, unit: &Unit) -> Output {
        let mut life = self.life(unit);
        let (config, _) = self.config(unit, &life);
        let output = match verb {
            "start" | "restart" => self.start(verb, unit, &mut life, &config),
            "stop" => self.stop(unit, &mut life, &config),
            "reload" => self.reload(unit, &mut life, &config),
            "reset-failed" => reset_failed(unit, &mut life, self.now),
            "enable" | "disable" => self.enable(verb, unit, &config),
            "mask" | "unmask" => self.mask(verb, unit, &config),
            _ => unknown("systemctl", &[verb, unit.as_str()]),
        };
        self.keep(unit, &life);
        output
    }

    fn start(&mut self, verb: &str, unit: &Unit, life: &mut Life, config: &Config) -> Output {
        match load_state(unit, config) {
            "loaded" => {}
            "not-found" => return Output::failed(5, format!("Failed to {verb} {unit}: Unit {unit} not found.\n")),
            "masked" => return Output::failed(1, format!("Failed to {verb} {unit}: Unit {unit} is masked.\n")),
            _ => {
                return Output::failed(
                    1,
                    format!("Failed to {verb} {unit}: Unit {unit} has a bad unit file setting.\n"),
                );
            }
        }
        if verb == "start" && matches!(life.state, State::Up | State::Starting) {
            return Output::ok("");
        }
        if life.pid != 0 {
            self.stop(unit, life, config);
        }
        let now = self.now;
        let failed =
            Output::failed(1, format!("Job for {unit} failed.\nSee \"systemctl status {unit}\" for details.\n"));
        if !life.may_start(now) {
            self.too_often(unit, life, now);
            return failed;
        }
        life.restarts = 0;
        if !self.begin(unit, life, now) {
            return failed;
        }
        if let Some(at) = life.up_at {
            // The job is done when it is up, or when it dies before.
            let done = life.dies_at.map_or(at, |(dies, _)| at.min(dies));
            self.call.takes(std::time::Duration::from_millis(done.saturating_sub(now)));
            if done < at {
                return failed;
            }
        }
        // What happens at once has happened when systemctl is done.
        while let Some((at, what)) = life.next(now) {
            self.happens(unit, life, at, what);
        }
        Output::ok("")
    }

    fn stop(&mut self, unit: &Unit, life: &mut Life, config: &Config) -> Output {
        let now = self.now;
        if life.state == State::Dead && config.fragment.is_none() {
            return Output::failed(5, format!("Failed to stop {unit}: Unit {unit} not loaded.\n"));
        }
        if matches!(life.state, State::Dead | State::Failed) {
            return Output::ok("");
        }
        self.end(life);
        life.config = None;
        life.result = None;
        self.log(unit, life, now, SYSTEMD, format!("Stopped {unit}."));
        life.turn(State::Dead, now);
        Output::ok("")
    }

    fn reload(&mut self, unit: &Unit, life: &mut Life, config: &Config) -> Output {
        if config.get("ExecReload").is_none() {
            let why = format!("Failed to reload {unit}: Job type reload is not applicable for unit {unit}.\n");
            return Output::failed(3, why);
        }
        if life.state != State::Up {
            return Output::failed(1, format!("{unit} is not active, cannot reload.\n"));
        }
        let now = self.now;
        life.turn(State::Up, now);
        for what in [format!("Reloading {unit}..."), format!("Reloaded {unit}.")] {
            self.log(unit, life, now, SYSTEMD, what);
        }
        Output::ok("")
    }

    fn enable(&mut self, verb: &str, unit: &Unit, config: &Config) -> Output {
        // What a unit left behind that has no file any more can still be removed.
        let left_behind = verb == "disable" && self.call.state::<bool>(&boot_resource(unit));
        if config.fragment.is_none() && !left_behind {
            return Output::failed(1, format!("Failed to {verb} unit: Unit file {unit} does not exist.\n"));
        }
        match (verb, config.all("WantedBy").is_empty()) {
            ("enable", false) => self.call.set_state(&boot_resource(unit), &true),
            _ => self.call.forget(&boot_resource(unit)),
        }
        Output::ok("")
    }

    fn mask(&mut self, verb: &str, unit: &Unit, config: &Config) -> Output {
        let place = Path::new(UNITS).join(unit.as_str());
        let tree = self.call.files();
        let done = match (verb, config.masked) {
            ("mask", false) if tree.stat(&place).is_some() => {
                return Output::failed(1, format!("Failed to mask unit: File {} already exists.\n", place.display()));
            }
            ("mask", false) => tree.symlink("/dev/null", &place),
            ("unmask", true) => tree.remove(&place),
            _ => Ok(()),
        };
        match done {
            Ok(()) => Output::ok(""),
            Err(error) => Output::failed(1, format!("Failed to {verb} unit: {error}\n")),
        }
    }
}

/// Who writes about units.
pub(super) const SYSTEMD: &str = "systemd";

/// What systemd counts.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
struct Counts {
    lives: u32,
    reloads: u64,
    read_at: u64,
}

fn load_state(unit: &Unit, config: &Config) -> &'static str {
    match config {
        Config { fragment: None, .. } => "not-found",
        Config { masked: true, .. } => "masked",
        _ if config.refusal(unit).is_some() => "bad-setting",
        _ => "loaded",
    }
}

fn file_state(call: &Call<'_>, unit: &Unit, config: &Config) -> &'static str {
    match config {
        Config { fragment: None, .. } => "",
        Config { masked: true, .. } => "masked",
        _ if config.all("WantedBy").is_empty() => "static",
        _ if call.state::<bool>(&boot_resource(unit)) => "enabled",
        _ => "disabled",
    }
}

/// When a timer fires that fires every day, `*-*-* 02:00:00`, at this moment. Others are not simulated.
fn next_elapse(now: i64, calendar: &str) -> Option<String> {
    let time = calendar.strip_prefix("*-*-* ")?.trim_end_matches(" UTC").parse().ok()?;
    let now = Timestamp::from_millisecond(now).ok()?.to_zoned(TimeZone::UTC);
    let today = now.with().time(time).build().ok()?;
    let next = if today > now { today } else { today.tomorrow().ok()? };
    Some(next.strftime("%a %Y-%m-%d %H:%M:%S UTC").to_string())
}

fn reset_failed(unit: &Unit, life: &mut Life, now: u64) -> Output {
    if life.state == State::Dead {
        return Output::failed(1, format!("Failed to reset failed state of unit {unit}: Unit {unit} not loaded.\n"));
    }
    life.starts.clear();
    life.restarts = 0;
    if life.state == State::Failed {
        life.result = None;
        life.exit = None;
        life.config = None;
        life.turn(State::Dead, now);
    }
    Output::ok("")
}
