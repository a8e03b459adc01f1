//! nginx: sites that are tested before they count, reloads that are proven, and a maintenance page to hold.
//!
//! ```no_run
//! # use runbook_core::{Result, Run};
//! # use runbook_steps::nginx;
//! # async fn set_up(run: &Run, config: String) -> Result<()> {
//! let site = run.step("Install the site", nginx::site("marb2.0", config)).await?;
//! if site.changed {
//!     run.step("Reload nginx", nginx::reload()).await?;
//! }
//! run.check("nginx passes on to the API", nginx::upstream_port("marb2.0", 8000)).await?;
//! run.hold("Maintenance page", nginx::maintenance("marb2.0"), async |_run| {
//!     // whatever needs the users away
//!     Ok(())
//! }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - A site is written, linked and tested with `nginx -t`. When the test fails, what was there before is put back at
//!   once, and the error says what nginx says. nginx itself goes on with what it has loaded.
//! - A server that is drained gets no request, and those on their way have ended: nginx has loaded it, and no process of
//!   before is left.
//! - `nginx -s reload` exits with 0 even when nginx refuses the configuration. What counts are new workers.
//! - No reload, and so no drain, loses a request over HTTP/1.1 on a connection of its own. Over HTTP/2, a client that
//!   connects at that moment may be told to ask again (GOAWAY, RFC 9113, 6.8): nothing was done with its request. A client
//!   that does not ask again, such as `curl`, which ends with 16, sees that as a failure.
//! - The layout is Debian's: `sites-available`, `sites-enabled`. For another place, see [`Nginx`].

mod commands;
mod config;
mod facts;
mod server;

mod maintenance;
mod reload;
mod servers;
mod site;

mod checks;

#[cfg(feature = "testing")]
pub mod fake;

#[cfg(test)]
mod tests;

pub use self::checks::{NoErrors, Test, UpstreamPort};
pub use self::config::Upstream;
pub use self::facts::{LogLine, error_log};
#[cfg(feature = "testing")]
pub use self::fake::Fake;
pub use self::maintenance::{Maintenance, MaintenanceBefore};
pub use self::reload::{Reload, Reloaded, Workers};
pub use self::server::{Nginx, maintenance, no_errors, reload, site, test, upstream, upstream_port};
pub use self::servers::{Balancer, Servers, ServersBefore, ServersLoaded};
pub use self::site::{Site, SiteBefore, SiteEnabled};
