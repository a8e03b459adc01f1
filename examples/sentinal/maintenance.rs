//! Maintenance: logs, restarts, room.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::docker;
use serde::{Deserialize, Serialize};

use crate::sentinal::{INSTANCES, Sentinal};
use crate::trouble::restart;

/// Which services.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Services {
    #[command(flatten)]
    pub sentinal: Sentinal,
    /// Their names.
    #[arg(default_values = INSTANCES)]
    pub services: Vec<String>,
}

/// View logs.
///
/// The last lines of services, secrets masked.
#[procedure(target = of.sentinal.on)]
pub async fn logs(run: &Run, of: &Services) -> Result<()> {
    for service in &of.services {
        let logs = of.sentinal.compose().logs(service).tail(500);
        let lines = of.sentinal.server(run).look(async |cx| logs.lines(cx).await).await?;
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        run.say(format!("{service}:\n{}", lines.join("\n")));
    }
    Ok(())
}

/// Restart services.
#[procedure(target = what.sentinal.on)]
pub async fn restart_services(run: &Run, what: &Services) -> Result<()> {
    let names: Vec<&str> = what.services.iter().map(String::as_str).collect();
    restart(run, &what.sentinal, &names).await?;
    run.check("The site is healthy", what.sentinal.is_healthy().within(30.seconds())).await
}

/// Clean up.
///
/// Never an image that a container uses or that a way back needs; never a volume.
#[procedure(target = sentinal.on)]
pub async fn clean_up(run: &Run, sentinal: &Sentinal) -> Result<docker::Pruned> {
    sentinal.server(run).irreversible("images nobody needs are gone", "Remove old images", docker::prune()).await
}
