//! Maintenance: restarts, settings, logs, room.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::{docker, env};
use serde::{Deserialize, Serialize};

use crate::cleaning::{APPLICATION, Cleaning};
use crate::verification::quick_checks;

/// Which services.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Services {
    #[command(flatten)]
    pub cleaning: Cleaning,
    /// Their names; all of the application when none is given.
    pub services: Vec<String>,
}

/// Restart services, without other code.
#[procedure(target = what.cleaning.on)]
pub async fn restart_services(run: &Run, what: &Services) -> Result<()> {
    let cleaning = &what.cleaning;
    let all = APPLICATION.map(str::to_owned).to_vec();
    let services = if what.services.is_empty() { all } else { what.services.clone() };
    let restart = cleaning.compose().restart(services).within(cleaning.patience());
    cleaning.server(run).step("Restart", restart).await?;
    quick_checks(run, cleaning).await?;
    Ok(())
}

/// A setting.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Setting {
    #[command(flatten)]
    pub cleaning: Cleaning,
    /// Its name.
    pub key: String,
    /// Its value, `env:NAME` or `file:PATH`: it is not shown, and not in the history of a shell.
    pub value: Secret,
}

/// Update environment variables only.
///
/// Containers that read it are made anew, the others go on. When they do not become healthy, the old value is back.
#[procedure(target = new.cleaning.on)]
pub async fn change_setting(run: &Run, new: &Setting) -> Result<()> {
    let (cleaning, server) = (&new.cleaning, new.cleaning.server(run));
    let set = env::set(cleaning.settings()).secret(&new.key, &new.value).mode(0o600);
    server.step("Set it", set).await?;
    server.check("The settings are fit for this environment", cleaning.fit()).await?;
    let up = cleaning.compose().up().stable_for(3.seconds()).within(cleaning.patience());
    server.step("Make the containers that read it anew", up).await?;
    quick_checks(run, cleaning).await?;
    Ok(())
}

/// View logs.
///
/// The last lines of a service, secrets masked.
#[procedure(target = what.cleaning.on)]
pub async fn logs(run: &Run, what: &Services) -> Result<()> {
    for service in &what.services {
        let logs = what.cleaning.compose().logs(service).tail(500);
        let lines = what.cleaning.server(run).look(async |cx| logs.lines(cx).await).await?;
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        run.say(format!("{service}:\n{}", lines.join("\n")));
    }
    Ok(())
}

/// Clean up old images.
///
/// Never one that a container uses, or that the last two deployments need for their way back; never a volume.
#[procedure(target = cleaning.on)]
pub async fn clean_up(run: &Run, cleaning: &Cleaning) -> Result<docker::Pruned> {
    let prune = docker::prune().generations(2);
    cleaning.server(run).irreversible("images nobody needs are gone", "Remove old images", prune).await
}
