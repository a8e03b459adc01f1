//! A simulated systemd and journald, for simulated hosts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use runbook::command::Output;
use runbook::testing::{Call, Program, SimClock, SimHost, Tree};
use runbook::{Clock as _, Resource};

use super::unit_file::UNITS;
use super::{BOOTED, Unit};

mod analyze;
mod behaviour;
mod config;
mod journal;
mod life;
mod manager;

pub use self::behaviour::Behaviour;
use self::manager::Manager;

/// A systemd with a journal. What its services do is said by their [`Behaviour`]; what their files say (`Restart=`,
/// `RestartSec=`, `ExecReload=`, `[Install]`) is read from the files of the host.
///
/// ```
/// use runbook_core::testing::SimHost;
/// use runbook_steps::systemd::{self, Behaviour};
///
/// let systemd = systemd::Fake::new()
///     .service("marb2.0", Behaviour::stays_up().says("startup complete"))
///     .service("marb2.0-celery", Behaviour::dies_after(std::time::Duration::from_secs(1), 3));
/// let host = systemd.on(SimHost::new("web-1"));
/// ```
///
/// It knows what the steps of this library ask of `systemctl`, `journalctl` and `systemd-analyze verify`, and refuses
/// everything else. It is held to the real systemd by one suite that runs against both. Time goes as tokio's clock does.
/// Of a snapshot of the host, whether a unit is up and what it [read](Behaviour::reads) is part; process numbers,
/// invocation ids and the journal are not.
#[derive(Clone, Default)]
pub struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    behaviours: Mutex<BTreeMap<Unit, Decide>>,
    files: Mutex<BTreeMap<Unit, String>>,
    running: Mutex<Vec<Unit>>,
    clock: OnceLock<SimClock>,
}

/// What a service does this time: it depends on what it finds.
type Decide = Arc<dyn Fn(&mut Tree) -> Behaviour + Send + Sync>;

impl Fake {
    /// A systemd without any units.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a service that has a plain file, is not enabled, and does this whenever it is started.
    pub fn service(self, unit: impl Into<Unit>, behaviour: Behaviour) -> Self {
        let unit = unit.into();
        let text = format!(
            "[Unit]\nDescription={unit}\n[Service]\nExecStart=/usr/bin/app\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
        );
        self.unit_file(&unit, text).behaves(unit, behaviour)
    }

    /// With this unit file.
    pub fn unit_file(self, unit: impl Into<Unit>, text: impl Into<String>) -> Self {
        locked(&self.0.files).insert(unit.into(), text.into());
        self
    }

    /// What a service does whenever it is started, from now on too. Without, it stays up.
    pub fn behaves(self, unit: impl Into<Unit>, behaviour: Behaviour) -> Self {
        self.decides(unit, move |_| behaviour.clone())
    }

    /// What a service does when it is started with these files on the host.
    pub fn decides(
        self,
        unit: impl Into<Unit>,
        decide: impl Fn(&mut Tree) -> Behaviour + Send + Sync + 'static,
    ) -> Self {
        locked(&self.0.behaviours).insert(unit.into(), Arc::new(decide));
        self
    }

    /// With this unit up from the beginning.
    pub fn running(self, unit: impl Into<Unit>) -> Self {
        locked(&self.0.running).push(unit.into());
        self
    }

    /// The host, with this systemd on it.
    pub fn on(&self, host: SimHost) -> SimHost {
        let mut host =
            host.dir(UNITS).dir("/proc").dir(BOOTED).ignoring("/proc").ignoring_state(LIFE).ignoring_state(JOURNAL);
        for (unit, text) in &*locked(&self.0.files) {
            host = host.file(Path::new(UNITS).join(unit.as_str()), text);
        }
        for unit in &*locked(&self.0.running) {
            let mut shown = life::Shown { up: true, ..life::Shown::default() };
            host.edit(|tree| {
                for path in self.decide(unit, tree).reads {
                    shown.read.insert(path.clone(), tree.text(&path).unwrap_or_default());
                }
                Ok(())
            });
            host = host.with_state(&unit.resource(), &shown);
        }
        host.program("systemctl", Tool(self.clone(), manager::systemctl))
            .program("journalctl", Tool(self.clone(), journal::journalctl))
            .program("systemd-analyze verify", Tool(self.clone(), analyze::verify))
    }

    /// Milliseconds since this systemd was first asked.
    fn now(&self) -> u64 {
        let clock = self.0.clock.get_or_init(SimClock::default);
        u64::try_from(clock.now().as_millisecond() - BOOT_MS).unwrap_or_default()
    }

    fn decide(&self, unit: &Unit, tree: &mut Tree) -> Behaviour {
        let decide = locked(&self.0.behaviours).get(unit).cloned();
        decide.map_or_else(Behaviour::stays_up, |decide| decide(tree))
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fake").finish_non_exhaustive()
    }
}

/// When the clock of a simulated host begins, in milliseconds.
const BOOT_MS: i64 = 1_752_573_600_000;
/// The kinds of resources that are left out of snapshots.
const LIFE: &str = "unit-life";
const JOURNAL: &str = "journal";

fn journal_resource() -> Resource {
    Resource::new(JOURNAL, "all")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of its programs.
struct Tool(Fake, fn(&mut Manager<'_, '_>, &[&str]) -> Output);

impl Program for Tool {
    fn run(&self, call: &mut Call<'_>) -> Output {
        let args = call.args();
        let mut manager = Manager::new(&self.0, call);
        manager.catch_up();
        (self.1)(&mut manager, &args)
    }
}

fn unknown(program: &str, args: &[&str]) -> Output {
    Output::failed(64, format!("the simulated systemd does not know `{program} {}`\n", args.join(" ")))
}
