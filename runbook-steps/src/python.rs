//! Python: virtual environments, what is installed in them, and whether the application loads.
//!
//! ```no_run
//! # use runbook_core::{Result, Run, Units as _};
//! # use runbook_steps::python;
//! # async fn set_up(run: &Run) -> Result<()> {
//! let venv = run.step("Create the environment", python::venv("/srv/app/venv").with("python3.11")).await?;
//! let install = python::install(&venv).requirements("/srv/app/requirements.txt").find_links("/srv/wheels").no_index();
//! let installed = run.step("Install the requirements", install).await?;
//! println!("{} packages changed", installed.changes.len());
//! run.check("The packages fit together", python::pip_check(&venv)).await?;
//! run.check("FastAPI is there", python::imports(&venv, "fastapi")).await?;
//!
//! let engine = "from app.config.database import engine; engine.connect().close()";
//! let connects = python::probe(&venv, engine).dir("/srv/app").env_file("/srv/app/.env").deadline(10.seconds());
//! run.check("The application reaches its database", connects).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - What pip would change is asked before anything changes (`pip install --dry-run`). What was installed before is
//!   kept as the set that `pip freeze` tells, and a rollback restores exactly that set: what came is removed, what
//!   went or changed is installed again, from the same index or directory of wheels. That must still have it.
//! - The exit code of pip proves nothing. What counts is what `pip freeze` says afterwards.
//! - A pip that was cut off is found again by a note in the environment, and what it left half done is mended.
//! - Nothing is activated: the environment's own `bin/python` is called. pip 22.2 or newer is needed.

mod facts;

mod commands;
mod requirements;

mod install;
mod venv;

mod checks;
mod probe;

#[cfg(feature = "testing")]
pub mod fake;

#[cfg(test)]
mod tests;

pub use self::checks::{PipCheck, RequirementsMet, pip_check, requirements_met};
pub use self::facts::{Frozen, frozen};
#[cfg(feature = "testing")]
pub use self::fake::Fake;
pub use self::install::{Install, InstallBefore, Installed, PackageChange, install};
pub use self::probe::{Probe, imports, probe};
pub use self::requirements::{RequirementsChange, requirements_changed};
pub use self::venv::{Venv, VenvBefore, VenvStep, venv};
