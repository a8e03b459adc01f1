//! Telling people: Slack, PagerDuty, a status page, any webhook.
//!
//! ```no_run
//! # use runbook_core::{Result, Run, Secret};
//! # use runbook_steps::notify::{self, Component, Severity};
//! # async fn deploy(run: &Run) -> Result<()> { Ok(()) }
//! # async fn told(run: &Run) -> Result<()> {
//! let team = notify::slack(&Secret::env("SLACK_WEBHOOK_URL"));
//! run.step("Tell the team", team.say("v2 goes out in ten minutes")).await?;
//!
//! // Says when it begins, and when it is done or put back.
//! team.around(run, "Deployment of v2", async |run| deploy(run).await).await?;
//!
//! let pager = notify::pagerduty(&Secret::env("PAGERDUTY_SERVICE_KEY")).incident("sentinal-redis");
//! run.step("Page", pager.trigger("Redis has no master").severity(Severity::Critical)).await?;
//! run.step("It is over", pager.resolve()).await?;
//!
//! let page = notify::status_page("kctbh9vrtdwd", &Secret::env("STATUSPAGE_KEY"));
//! run.hold("Status page", page.component("8kbf7d35c070", Component::UnderMaintenance), async |run| deploy(run).await).await
//! # }
//! ```
//!
//! - A message is a step, so a plan shows it and sends nothing, and a run that is resumed does not repeat it. What was said
//!   cannot be unsaid: [on the way back](Message::when_rolled_back) something else can be.
//! - **Nothing here fails a run.** What cannot be sent after three tries is a warning, and the output says so.
//! - Whoever knows the URL of a webhook can write there: it is a secret, as keys are, and shows nowhere.

mod channel;
mod letter;
mod message;
mod pagerduty;
mod status_page;

#[cfg(any(test, feature = "testing"))]
pub mod fake;

#[cfg(all(test, feature = "testing"))]
mod tests;

pub use self::channel::{Channel, slack, webhook};
#[cfg(any(test, feature = "testing"))]
pub use self::fake::Fake;
pub use self::message::{Message, Sent};
pub use self::pagerduty::{Incident, Page, PagerDuty, Severity, pagerduty};
pub use self::status_page::{Component, News, Progress, SetComponent, StatusPage, Was, status_page};
