//! Steps of our own: starting and stopping the guestbook, each from plain async functions.

use std::path::PathBuf;

use runbook::host::Attributes;
use runbook::prelude::*;
use serde::{Deserialize, Serialize};

use crate::entries;
use crate::site::{Release, Site};

/// The process that serves, as it says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    pub release: u32,
    pub token: String,
}

/// Starts the release that is checked out.
#[step(
    survey = look_before_start, rollback = stop_again, subject = site.url("/"),
    reads = [Resource::path(site.release()), Resource::path(site.data())], writes = [site.process(), Resource::path(site.state()), Resource::path("/proc")],
    predict = Process::default(), command = by_hand(site)
)]
pub async fn start(cx: &Context, site: &Site, _before: &Option<Process>) -> Result<Process> {
    let release = release(cx, site).await?;
    match running(cx, site).await? {
        Some(process) if process.release == release.release => return Ok(process),
        Some(_) => end(cx, site).await?,
        None => {}
    }
    launch(cx, site, release).await
}

/// What a person would type to start it.
fn by_hand(site: &Site) -> String {
    let (root, port, token) = (&site.root, site.port, "by-hand");
    format!("{} &", cmd!("quickstart serve {root} {port} {token}"))
}

async fn look_before_start(cx: &Context, site: &Site) -> Result<Survey<Option<Process>, Process>> {
    let wanted = release(cx, site).await?.release;
    let now = running(cx, site).await?;
    match &now {
        Some(process) if process.release == wanted => Ok(Survey::Already(process.clone())),
        _ => {
            let from = now.as_ref().map_or("nothing".to_owned(), |process| format!("release {}", process.release));
            let diff = Diff::turn("serving", from, format!("release {wanted}"));
            Ok(Survey::change(now, diff))
        }
    }
}

async fn stop_again(cx: &Context, site: &Site, _before: &Option<Process>) -> Result<()> {
    end(cx, site).await?;
    for name in cx.files().list(&site.state()).await? {
        cx.files().remove(&site.state().join(name)).await?;
    }
    Ok(())
}

/// Stops the guestbook.
#[step(
    survey = look_before_stop, rollback = start_again, subject = site.url("/"),
    writes = [site.process(), Resource::path(site.state()), Resource::path("/proc")],
    command = format!("kill \"$(jq .pid {})\"", site.pid_file().display()), undo_command = by_hand(site)
)]
pub async fn stop(cx: &Context, site: &Site, before: &Option<Process>) -> Result<Stopped> {
    end(cx, site).await?;
    Ok(Stopped { process: before.clone(), entries: entries::count(cx, site).await? })
}

/// What was stopped, and how many entries there were then: from here on nobody adds one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stopped {
    pub process: Option<Process>,
    pub entries: usize,
}

async fn look_before_stop(cx: &Context, site: &Site) -> Result<Survey<Option<Process>, Stopped>> {
    let entries = entries::count(cx, site).await?;
    match running(cx, site).await? {
        None if !is_wanted(cx, site).await? => Ok(Survey::Already(Stopped { process: None, entries })),
        now => {
            let from = now.as_ref().map_or("starting".to_owned(), |process| format!("release {}", process.release));
            let after = Stopped { process: now.clone(), entries };
            Ok(Survey::predict(now, Diff::turn("serving", from, "nothing"), after))
        }
    }
}

/// On the way back the old code and the old entries are there again by now.
async fn start_again(cx: &Context, site: &Site, before: &Option<Process>) -> Result<()> {
    let Some(before) = before else { return Ok(()) };
    match running(cx, site).await? {
        None => launch(cx, site, release(cx, site).await?).await.map(drop),
        Some(process) if process.release == before.release => Ok(()),
        Some(process) => bail!("release {} still runs", process.release),
    }
}

/// Starts a process that outlives this run, and waits until it says that it serves.
async fn launch(cx: &Context, site: &Site, release: Release) -> Result<Process> {
    let token = format!("{}-{}", release.release, cx.now().as_nanosecond());
    let program = std::env::current_exe()?;
    let (root, port, log) = (&site.root, site.port, site.state().join("guestbook.log"));
    cx.files().write(&site.state().join("wanted"), token.as_bytes(), &Attributes::default()).await?;
    let started = cx.run(&cmd!("{program} serve {root} {port} {token}").detached_into(log.clone())).await?;
    for _ in 0..200 {
        if let Some(process) = running(cx, site).await?.filter(|process| process.token == token) {
            return Ok(process);
        }
        if !is_alive(cx, started.text()?.trim().parse()?).await? {
            let words = cx.files().read(&log).await.unwrap_or_default();
            let words = String::from_utf8_lossy(&words).lines().last().unwrap_or_default().to_owned();
            return Err(Error::new(format!("release {} does not start", release.release)).details([words]));
        }
        cx.pause(25.millis()).await?;
    }
    bail!("release {} did not say within 5 seconds that it serves", release.release)
}

/// Ends the process. First nobody wants it any more, so that one which is just starting gives up by itself.
async fn end(cx: &Context, site: &Site) -> Result<()> {
    cx.files().remove(&site.state().join("wanted")).await?;
    let Some(process) = running(cx, site).await? else { return Ok(()) };
    let pid = process.pid;
    cx.output(&cmd!("kill {pid}")).await?;
    for _ in 0..200 {
        if !is_alive(cx, pid).await? {
            return Ok(());
        }
        cx.pause(25.millis()).await?;
    }
    bail!("process {pid} did not end within 5 seconds")
}

/// What the checked out release says of itself.
pub async fn release(cx: &Context, site: &Site) -> Result<Release> {
    let text = cx.files().read(&site.release()).await?;
    serde_json::from_slice(&text).with_context(|| format!("read `{}`", site.release().display()))
}

/// The process that serves now.
pub async fn running(cx: &Context, site: &Site) -> Result<Option<Process>> {
    if cx.files().stat(&site.pid_file()).await?.is_none() {
        return Ok(None);
    }
    let process: Process = serde_json::from_slice(&cx.files().read(&site.pid_file()).await?)?;
    Ok(is_alive(cx, process.pid).await?.then_some(process))
}

async fn is_wanted(cx: &Context, site: &Site) -> Result<bool> {
    Ok(cx.files().stat(&site.state().join("wanted")).await?.is_some())
}

/// Whether a guestbook of this number runs. A process that has ended, but that nobody has waited for yet, has no words.
async fn is_alive(cx: &Context, pid: u32) -> Result<bool> {
    let path = PathBuf::from(format!("/proc/{pid}/cmdline"));
    if cx.files().stat(&path).await?.is_none() {
        return Ok(false);
    }
    match cx.files().read(&path).await {
        Ok(words) => Ok(String::from_utf8_lossy(&words).contains("serve")),
        // It may have ended between the two looks.
        Err(error) => match cx.files().stat(&path).await? {
            Some(_) => Err(error),
            None => Ok(false),
        },
    }
}
