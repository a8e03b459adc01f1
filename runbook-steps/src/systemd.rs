//! systemd: units that are started, restarted, installed and changed, and stay up.
//!
//! ```no_run
//! # use runbook_core::{Result, Run, Units as _};
//! # use runbook_steps::systemd;
//! # async fn update(run: &Run) -> Result<()> {
//! run.step("Install the unit", systemd::install("marb2.0.service", include_str!("systemd.rs"))).await?;
//! run.step("Enable it", systemd::enable("marb2.0.service")).await?;
//! run.step("Start it", systemd::start("marb2.0.service").stable_for(2.seconds())).await?;
//! run.step("Fewer workers", systemd::edit("marb2.0.service", "--workers 4", "--workers 2")).await?;
//! run.step("Restart it", systemd::restart("marb2.0.service")).await?;
//! run.check("It stays up", systemd::active_and_stable("marb2.0.service", 30.seconds())).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - What a unit is, is read from the properties of `systemctl show`, never from what is written for people.
//! - That `systemctl start` exits with 0 says little: a process that dies a second later had a good start. So a start
//!   and a restart end well only when the unit is active, and the same invocation is still active
//!   [`stable_for`](Start::stable_for) some time later. The new invocation id is their evidence.
//! - A unit that does not come up brings its status and its last journal lines with it. A start limit that was hit is
//!   named; what it counts is set back (`reset-failed`) before the next deliberate start.
//! - A unit file is read by `systemd-analyze verify` before it gets its place.
//! - On the way back, [`start`] stops in its turn. [`restart`], [`stop`] and [`reload`] act once everything before them
//!   is put back, so that a service never comes up on files that are still to be replaced.
//!
//! A name without a suffix is that of a service, as `systemctl` has it. Only units of the system are meant, not those of
//! a user. It takes root to change them: `run.on(&Become::user("root").on(&host))`.

mod exec_start;
mod facts;
mod properties;
mod states;
mod unit;

mod commands;
mod failure;
mod job;
mod ready;
pub(crate) mod timer;
mod watch;

mod daemon_reload;
mod enable;
mod mask;
mod reload;
mod reset_failed;
mod restart;
mod start;
mod stop;
mod unit_file;
mod verify;

mod checks;

#[cfg(feature = "testing")]
pub mod fake;

pub use self::checks::{
    ActiveAndStable, IsActive, IsEnabled, MemoryAtMost, MemoryOf, RestartCount, RestartsAtMost, TimerActive,
    active_and_stable, is_active, is_enabled, memory, restart_count, timer_active,
};
pub use self::daemon_reload::{DaemonReload, ManagerReloaded, daemon_reload};
pub use self::enable::{Enable, Enablement, disable, enable};
pub use self::exec_start::{ExecStart, exec_start};
pub use self::facts::{Status, status, unit_of_pid};
#[cfg(feature = "testing")]
pub use self::fake::{Behaviour, Fake};
pub use self::mask::{Mask, Masking, mask, unmask};
pub use self::reload::{Reload, Reloaded, reload};
pub use self::reset_failed::{ResetFailed, reset_failed};
pub use self::restart::{Restart, restart};
pub use self::start::{Running, Start, Was, start};
pub use self::states::{ActiveState, FileState, LoadState};
pub use self::stop::{Stop, Stopped, stop};
pub use self::unit::{Invocation, Unit};
pub(crate) use self::unit_file::UNITS;
pub use self::unit_file::{Installed, UnitFile, UnitFileBefore, drop_in, edit, install};

/// What is there when systemd runs the host. Source: sd_booted(3).
pub(crate) const BOOTED: &str = "/run/systemd/system";

#[cfg(test)]
mod tests;
