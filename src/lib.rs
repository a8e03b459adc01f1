//! Deployment and operations runbooks as code.
//!
//! A **procedure** is an async function. It works through a [`Run`], takes **steps** that look before they change and know
//! the way back, and asks **checks** that bring evidence. Because every result is remembered in a journal, the same function
//! plans, runs, resumes and rolls back.
//!
//! # A tour
//!
//! We roll a new configuration out to two machines, one after the other. The input of a procedure is an ordinary type, which
//! the journal keeps and `clap` reads from the command line:
//!
//! ```
//! use runbook::prelude::*;
//! use runbook::steps::{file, http};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
//! struct Rollout {
//!     /// How many workers each machine runs.
//!     #[arg(long, default_value_t = 4)]
//!     workers: u32,
//! }
//!
//! /// Change the number of workers.
//! ///
//! /// One machine after the other. When one does not come up healthy, all are put back.
//! #[procedure]
//! async fn set_workers(run: &Run, rollout: &Rollout) -> Result<()> {
//!     run.each("Machines", ["web-1", "web-2"].one_by_one(), async |run, name| {
//!         let settings = format!("workers = {}\n", rollout.workers);
//!         run.step("Write the settings", file::write(format!("/etc/{name}.conf"), settings).mode(0o644)).await?;
//!
//!         let health = http::get(format!("http://{name}/health")).json("/status", "healthy");
//!         run.check("Health", health.in_a_row(3).within(60.seconds())).await
//!     })
//!     .await?;
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! A team tests it without a machine. The second one stays ill, and both are put back; `explore` tries every failure there is:
//!
//! ```
//! # #[cfg(not(feature = "testing"))]
//! # fn main() {}
//! # #[cfg(feature = "testing")]
//! # fn main() { tests() }
//! # #[cfg(feature = "testing")]
//! # fn tests() {
//! # use runbook::prelude::*;
//! # use runbook::steps::{file, http};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
//! # struct Rollout { workers: u32 }
//! # #[procedure]
//! # async fn set_workers(run: &Run, rollout: &Rollout) -> Result<()> {
//! #     run.each("Machines", ["web-1", "web-2"].one_by_one(), async |run, name| {
//! #         let settings = format!("workers = {}\n", rollout.workers);
//! #         run.step("Write the settings", file::write(format!("/etc/{name}.conf"), settings).mode(0o644)).await?;
//! #         let health = http::get(format!("http://{name}/health")).json("/status", "healthy");
//! #         run.check("Health", health.in_a_row(3).within(60.seconds())).await
//! #     })
//! #     .await?;
//! #     Ok(())
//! # }
//! use runbook::testing::{Rig, SimHost};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
//! # runtime.expect("a runtime").block_on(async {
//! let machine = SimHost::new("admin").file("/etc/web-1.conf", "workers = 2\n").file("/etc/web-2.conf", "workers = 2\n");
//! let web = http::Fake::new()
//!     .answers("http://web-1/health", http::Response::json(200, serde_json::json!({ "status": "healthy" })))
//!     .answers("http://web-2/health", http::Response::json(200, serde_json::json!({ "status": "ill" })));
//!
//! let rig = Rig::new().host(&machine).port(web.port());
//! rig.run::<set_workers>(Rollout { workers: 8 }).await.rolls_back().world_is_unchanged();
//! # });
//! # }
//! ```
//!
//! And ships it as a program that lists, explains, plans, runs, resumes and undoes it:
//!
//! ```no_run
//! # use runbook::prelude::*;
//! # #[procedure]
//! # async fn set_workers(run: &Run) -> Result<()> { Ok(()) }
//! # #[cfg(feature = "cli")]
//! #[tokio::main]
//! async fn main() -> std::process::ExitCode {
//!     runbook::cli::main(Book::new("web").procedures(procedures![set_workers])).await
//! }
//! # #[cfg(not(feature = "cli"))]
//! # fn main() {}
//! ```
//!
//! # Where to go on
//!
//! - [`Run`]: everything a procedure can do. [`macro@procedure`], [`macro@part`], [`macro@step`], [`macro@check`], [`macro@cmd`]: the macros.
//! - [`steps`]: the library of steps and checks. [`Step`], [`Rollback`], [`Check`]: how to write one by hand.
//! - [`host`]: where steps act. [`journal`]: what a run remembers. [`event`] and [`report`]: what it tells.
//! - `testing` (feature `testing`): the kit. `cli` (feature `cli`): the command line.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `cli` | yes | the command line of a book, with clap and live progress |
//! | `http` | yes | HTTP checks |
//! | `tls` | yes | certificate checks |
//! | `postgres` | no | PostgreSQL, its dumps, alembic |
//! | `redis` | no | Redis, alone or with its sentinels |
//! | `prometheus` | no | Prometheus: targets, queries, thresholds, rules |
//! | `load` | no | a load generator |
//! | `ssh` | no | hosts reached over SSH |
//! | `testing` | no | the testing kit |

#[doc(hidden)]
pub use runbook_core::__private;
pub use runbook_core::*;
pub use runbook_macros::{check, cmd, part, procedure, step};
pub use runbook_steps as steps;

#[cfg(feature = "cli")]
pub mod cli;
pub mod prelude;
