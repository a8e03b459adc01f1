//! Smoke tests: conversations over HTTP, and what only many requests show.
//!
//! ```no_run
//! # use runbook_core::{Result, Run, Secret};
//! # use runbook_steps::{http, probes, smoke};
//! # use serde_json::json;
//! # async fn smoke_tests(run: &Run) -> Result<probes::Report> {
//! let login = smoke::post("/api/auth/login")
//!     .json(json!({"email": "analyst@sentinal.ai"}))
//!     .secret_field("/password", &Secret::env("SMOKE_PASSWORD"))
//!     .status(200)
//!     .keep_secret("token", "/access_token");
//! let analyse = smoke::talk()
//!     .turn(login.clone())
//!     .turn(smoke::post("/api/cases").bearer("token").json(json!({"name": "{unique}"})).status(201).keep("id", "/id"))
//!     .turn(smoke::post("/api/analyze/{id}").bearer("token").has("/status", "done"))
//!     .cleanup(login)
//!     .cleanup(smoke::get("/api/cases?name={unique}").bearer("token").keep_if_there("id", "/0/id"))
//!     .cleanup(smoke::delete("/api/cases/{id}").bearer("token").status_in([204, 404]));
//!
//! let wrong = http::post("https://localhost/api/auth/login").send_json(json!({"email": "test", "password": "test"}));
//! let health = http::get("https://localhost/health");
//! let pack = smoke::at("https://localhost")
//!     .talk("Log in and analyse", analyse)
//!     .check("Load balancing", smoke::spread(health, "/instance_id").over(["api-1", "api-2", "api-3"]))
//!     .check("Rate limit", smoke::rate_limit(wrong).allows(10));
//! run.step("Smoke tests", pack).await?.all_pass()
//! # }
//! ```
//!
//! - A turn keeps values of its answer for the turns after it: `{name}` in a path, a header or a body is what was kept.
//!   What is kept as a secret is one from then on: it shows nowhere, and goes into no path.
//! - `{unique}` is a word that nothing else has, and the journal knows it before the first request: what is made under it can
//!   be found again, and removed.
//! - A cleanup runs whatever came of the turns. When the runner died in the middle, it runs on the way back: let it find
//!   what it removes by `{unique}`, as what was kept is gone then.
//! - A test that does not pass fails nothing by itself: the report names each test, with evidence.

mod pack;
mod rate_limit;
mod spread;
mod talk;
mod turn;
mod values;

#[cfg(all(test, feature = "testing"))]
mod tests;

pub use self::pack::{Pack, Unique, at};
pub use self::rate_limit::{RateLimit, rate_limit};
pub use self::spread::{Spread, spread};
pub use self::talk::{Talk, talk};
pub use self::turn::{Turn, delete, get, patch, post, put};
