//! Small procedures that end in every way a run can end, on files in a directory of their own. The tests of the
//! command line run this program; it is also a short tour: `cargo run --example exit_codes -- list`.

#![allow(clippy::unused_async, clippy::ref_option, reason = "the shape that `#[step]` wants")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runbook::host::Attributes;
use runbook::prelude::*;
use serde::{Deserialize, Serialize};

/// Where the files lie.
#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct Place {
    /// The directory that is changed.
    dir: PathBuf,
    /// The release to write down.
    #[arg(long, default_value = "v2")]
    release: String,
}

/// Write a release into a file
#[step(
    survey = written,
    rollback = put_back,
    kind = "release.write",
    subject = path.display(),
    summary = format!("write {release} into {}", path.display()),
    command = format!("echo {release} > {}", path.display()),
    writes = [Resource::path(path)],
)]
async fn write(cx: &Context, path: &Path, release: &str, _before: &Option<String>) -> Result<Written> {
    cx.files().write(path, release.as_bytes(), &Attributes::default()).await?;
    Ok(Written { release: release.to_owned() })
}

/// What is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    release: String,
}

async fn written(cx: &Context, path: &Path, release: &str) -> Result<Survey<Option<String>, Written>> {
    let now = match cx.files().stat(path).await? {
        Some(_) => Some(String::from_utf8(cx.files().read(path).await?)?),
        None => None,
    };
    let output = Written { release: release.to_owned() };
    if now.as_deref() == Some(release) {
        return Ok(Survey::Already(output));
    }
    let diff = Diff::turn("release", now.as_deref().unwrap_or("none"), release);
    Ok(Survey::predict(now, diff, output))
}

async fn put_back(cx: &Context, path: &Path, _release: &str, before: &Option<String>) -> Result<()> {
    match before {
        Some(text) => cx.files().write(path, text.as_bytes(), &Attributes::default()).await,
        None => cx.files().remove(path).await,
    }
}

/// Take a nap
#[step(rollback = nothing)]
async fn nap(cx: &Context, seconds: &str) -> Result<()> {
    cx.run(&cmd!("sleep {seconds}")).await.map(drop)
}

async fn nothing(_cx: &Context, _seconds: &str) -> Result<()> {
    Ok(())
}

/// Lock the door
#[step(rollback = no_key, subject = dir.display(), undo_command = format!("rm {}/door", dir.display()))]
async fn lock(cx: &Context, dir: &Path) -> Result<()> {
    cx.files().write(&dir.join("door"), b"locked", &Attributes::default()).await
}

async fn no_key(_cx: &Context, dir: &Path) -> Result<()> {
    Err(Error::new(format!("no key for the door of `{}`", dir.display())))
}

/// Do what cannot be done
#[step(rollback = nothing_done)]
async fn impossible(cx: &Context) -> Result<()> {
    cx.run(&cmd!("ls /nowhere/at/all").env("LC_ALL", "C")).await.context("look into nowhere").map(drop)
}

async fn nothing_done(_cx: &Context) -> Result<()> {
    Ok(())
}

/// Whether a file is there
#[check(subject = path.display())]
async fn is_there(cx: &Context, path: &Path) -> Result<Finding> {
    let there = cx.files().stat(path).await?.is_some();
    Ok(Finding::of(there, if there { "it is there" } else { "there is no such file" }))
}

/// Write two files
///
/// Nothing can go wrong here.
#[procedure(target = place.dir.display())]
async fn succeed(run: &Run, place: &Place) -> Result<Written> {
    let one = run.step("Write one", write(&place.dir.join("one"), &place.release)).await?;
    /// The second is like the first.
    run.step("Write two", write(&place.dir.join("two"), &one.release)).await?;
    run.check("One is there", is_there(&place.dir.join("one"))).await?;
    run.observe("Three is there", is_there(&place.dir.join("three"))).await?;
    Ok(one)
}

/// Refuse, as a file is missing
#[procedure(target = place.dir.display())]
async fn refuse(run: &Run, place: &Place) -> Result<()> {
    run.require("The permit is there", is_there(&place.dir.join("permit"))).await?;
    run.step("Write one", write(&place.dir.join("one"), &place.release)).await?;
    Ok(())
}

/// Fail in the middle, and put everything back
#[procedure(target = place.dir.display())]
async fn fail(run: &Run, place: &Place) -> Result<()> {
    run.scope("Write", async |run| {
        for name in ["one", "two"] {
            run.step(format!("Write {name}"), write(&place.dir.join(name), &place.release)).await?;
        }
        Ok(())
    })
    .await?;
    run.step("Do the impossible", impossible()).await
}

/// Fail, and leave something behind
#[procedure(target = place.dir.display())]
async fn get_stuck(run: &Run, place: &Place) -> Result<()> {
    run.step("Write one", write(&place.dir.join("one"), &place.release)).await?;
    run.step("Lock the door", lock(&place.dir)).await?;
    run.check("The permit is there", is_there(&place.dir.join("permit"))).await
}

/// Ask before going on
#[procedure(target = place.dir.display())]
async fn ask(run: &Run, place: &Place) -> Result<()> {
    run.step("Write one", write(&place.dir.join("one"), &place.release)).await?;
    run.approve("the lead").await?;
    run.step("Write two", write(&place.dir.join("two"), &place.release)).await?;
    Ok(())
}

/// Confirm before going on
#[procedure(target = place.dir.display())]
async fn confirm(run: &Run, place: &Place) -> Result<()> {
    run.confirm("Is it a good day?").await?;
    run.step("Write one", write(&place.dir.join("one"), &place.release)).await?;
    Ok(())
}

/// A nap, and a file before it
#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct Nap {
    /// The directory that is changed.
    dir: PathBuf,
    /// How long the nap takes, in seconds.
    #[arg(long)]
    seconds: String,
}

/// Write a file, then take a nap
#[procedure(target = nap_.dir.display())]
async fn sleep(run: &Run, nap_: &Nap) -> Result<()> {
    run.step("Write one", write(&nap_.dir.join("one"), "v2")).await?;
    run.step("Take a nap", nap(&nap_.seconds)).await?;
    run.step("Write two", write(&nap_.dir.join("two"), "v2")).await?;
    Ok(())
}

/// A file, written only at its time
#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct AtItsTime {
    /// The directory that is changed.
    dir: PathBuf,
    /// When it may be changed: `Mon-Thu 10:00-16:00`.
    #[arg(long)]
    window: Window,
}

/// Write a file in a window
#[procedure(target = at.dir.display())]
async fn wait_for_time(run: &Run, at: &AtItsTime) -> Result<()> {
    run.window(&at.window).await?;
    run.step("Write one", write(&at.dir.join("one"), "v2")).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let book = Book::new("exits").about("Ends in every way a run can end").procedures(procedures![
        succeed,
        refuse,
        fail,
        get_stuck,
        ask,
        confirm,
        sleep,
        wait_for_time
    ]);
    runbook::cli::main(book).await
}
