//! The machine: its packages, users, ports, processes, swap and firewall.
//!
//! ```no_run
//! # use runbook_core::{Context, Result, Run};
//! # use runbook_steps::{machine, sizes::Sizes as _};
//! # async fn prepare(run: &Run) -> Result<()> {
//! run.step("Refresh the lists of packages", machine::refresh_packages()).await?;
//! run.step("Install nginx and certbot", machine::packages(["nginx", "certbot", "python3-certbot-nginx"])).await?;
//! run.step("The application's user", machine::make_user("marb").system().home("/opt/marb2.0")).await?;
//! run.check("It is there", machine::user_exists("marb")).await?;
//!
//! run.step("More memory", machine::swap("/swapfile", 2.gib())).await?;
//! run.step("Keep an attacker out", machine::block("203.0.113.7")).await?;
//! run.check("The API has its port", machine::port_belongs_to(8000, "marb2.0")).await?;
//! # Ok(())
//! # }
//! # async fn look(cx: &Context) -> Result<()> {
//! if let Some(owner) = machine::port_owner(cx, 8000).await? {
//!     println!("{owner}"); // 127.0.0.1:8000 is held by process 812 (gunicorn app.main:app) of marb2.0.service
//! }
//! for process in machine::top_by_memory(cx, 10).await? {
//!     println!("{process}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - Packages are those of Debian and its descendants, by apt. What an installation would bring is asked before anything
//!   changes (`apt-get --simulate`): an undo takes away exactly that, and never what something else needs by then.
//! - That `apt-get update` exits with 0 says little: it does so when no server answered. Here that is an error.
//! - A user that is there already must be as it is wanted. Only a user that was made here is removed by an undo.
//! - A swap file is made beside its place and renamed, so that a half made one is never used.
//! - An address is blocked through nftables, else through iptables. Nobody who works on the host through SSH just now
//!   is locked out.
//!
//! All that changes something takes root: `run.on(&Become::user("root").on(&host))`.

mod commands;

mod ports;
mod processes;

mod firewall;
mod kill;
mod packages;
mod refresh;
mod swap;
mod users;

#[cfg(feature = "testing")]
pub mod fake;

#[cfg(all(test, feature = "testing"))]
mod tests;

#[cfg(feature = "testing")]
pub use self::fake::Fake;

pub use self::firewall::{Block, Blocked, Firewall, FirewallBefore, block, blocked};
pub use self::kill::{EndProcess, Ended, Signal, end_process};
pub use self::packages::{Package, Packages, PackagesBefore, PackagesInstalled, Upgrade, package, packages};
pub use self::ports::{PortBelongsTo, PortOwner, port_belongs_to, port_owner, port_owners};
pub use self::processes::{Process, ProcessId, process, processes, top_by_cpu, top_by_memory};
pub use self::refresh::{Refresh, Refreshed, refresh_packages};
pub use self::swap::{AddSwap, Swap, SwapBefore, swap, swaps};
pub use self::users::{MakeUser, User, UserBefore, UserExists, make_user, user, user_exists};
