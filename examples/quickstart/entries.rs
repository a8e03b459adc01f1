//! The entries people left: their three formats, the step that migrates them, and the check that none is lost.

use std::path::PathBuf;

use runbook::host::Attributes;
use runbook::prelude::*;
use runbook::steps::backup::VerifiedBackup;
use runbook::steps::http;
use serde::{Deserialize, Serialize};

use crate::service::release;
use crate::site::Site;

/// What someone left in the guestbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub author: String,
    pub text: String,
}

/// Brings the entries into the format of the release that is checked out. It wants a backup that was proved.
#[step(
    survey = look, rollback = migrate_back, subject = site.data().display(),
    reads = [Resource::path(site.release())], writes = [Resource::path(site.data())],
    predict = Migrated::default()
)]
pub async fn migrate(cx: &Context, site: &Site, backup: &VerifiedBackup, before: &Option<u32>) -> Result<Migrated> {
    let to = release(cx, site).await?.format;
    let entries = convert(cx, site, to).await?;
    Ok(Migrated { from: *before, to, entries, backup: backup.backup().path.clone() })
}

/// What came of a migration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Migrated {
    pub from: Option<u32>,
    pub to: u32,
    pub entries: usize,
    pub backup: PathBuf,
}

async fn look(cx: &Context, site: &Site, backup: &VerifiedBackup) -> Result<Survey<Option<u32>, Migrated>> {
    let to = release(cx, site).await?.format;
    let entries = count(cx, site).await?;
    Ok(match found(cx, site).await?[..] {
        [now] if now == to => {
            Survey::Already(Migrated { from: Some(now), to, entries, backup: backup.backup().path.clone() })
        }
        [] => Survey::change(None, Diff::note(format!("an empty guestbook in format {to}"))),
        [now, ..] => Survey::change(Some(now), Diff::turn("format", now, to).and_note(format!("{entries} entries"))),
    })
}

async fn migrate_back(cx: &Context, site: &Site, _backup: &VerifiedBackup, before: &Option<u32>) -> Result<()> {
    match before {
        Some(format) => convert(cx, site, *format).await.map(drop),
        None => keep_only(cx, site, None).await,
    }
}

/// Every entry that was there is still there, whatever the release that serves them.
#[check(
    reads = [site.process(), Resource::path(site.data())],
    command = format!("curl --fail --silent {}", site.url("/entries"))
)]
pub async fn all_there(cx: &Context, site: &Site, at_least: usize) -> Result<Finding> {
    let response = http::fetch(cx, &http::Request::new("GET", site.url("/entries"))).await?;
    let entries: Vec<Entry> = serde_json::from_value(response.value()?)?;
    let evidence = format!("{} entries, {at_least} expected", entries.len());
    Ok(Finding::of(entries.len() >= at_least, evidence))
}

/// How many entries there are on disk.
pub async fn count(cx: &Context, site: &Site) -> Result<usize> {
    match found(cx, site).await?.first() {
        Some(format) => Ok(read(cx, site, *format).await?.len()),
        None => Ok(0),
    }
}

/// Writes the entries in this format, then removes those in any other; how many there are. Doing it again, from wherever
/// it was cut off, ends the same: the new file appears whole or not at all.
async fn convert(cx: &Context, site: &Site, to: u32) -> Result<usize> {
    let found = found(cx, site).await?;
    let from = if found.contains(&to) { to } else { found.first().copied().unwrap_or(to) };
    let entries = if found.is_empty() { Vec::new() } else { read(cx, site, from).await? };
    if !found.contains(&to) {
        let content = format(to, &entries)?;
        cx.files().write(&site.data().join(file(to)), &content, &Attributes::default()).await?;
    }
    keep_only(cx, site, Some(to)).await?;
    Ok(entries.len())
}

async fn keep_only(cx: &Context, site: &Site, format: Option<u32>) -> Result<()> {
    for other in found(cx, site).await?.into_iter().filter(|other| Some(*other) != format) {
        cx.files().remove(&site.data().join(file(other))).await?;
    }
    Ok(())
}

/// The formats in which there are entries: one, unless a migration was cut off.
async fn found(cx: &Context, site: &Site) -> Result<Vec<u32>> {
    if cx.files().stat(&site.data()).await?.is_none() {
        return Ok(Vec::new());
    }
    let names = cx.files().list(&site.data()).await?;
    Ok(formats(|file| names.iter().any(|name| name == file)))
}

async fn read(cx: &Context, site: &Site, format: u32) -> Result<Vec<Entry>> {
    parse(format, &cx.files().read(&site.data().join(file(format))).await?)
}

const FILES: [&str; 3] = ["entries.txt", "entries.jsonl", "guestbook.json"];

/// The name of the file in this format.
pub fn file(format: u32) -> &'static str {
    FILES[(format as usize).clamp(1, FILES.len()) - 1]
}

/// The formats whose files exist.
pub fn formats(mut exists: impl FnMut(&str) -> bool) -> Vec<u32> {
    (1..).zip(FILES).filter(|(_, file)| exists(file)).map(|(format, _)| format).collect()
}

/// Reads entries in this format.
pub fn parse(format: u32, content: &[u8]) -> Result<Vec<Entry>> {
    let lines = || std::str::from_utf8(content).map(str::lines);
    match format {
        1 => lines()?
            .map(|line| {
                let (author, text) = line.split_once('\t').context("an entry is an author, a tab and a text")?;
                Ok(Entry { author: author.to_owned(), text: text.to_owned() })
            })
            .collect(),
        2 => lines()?.map(|line| Ok(serde_json::from_str(line)?)).collect(),
        _ => Ok(serde_json::from_slice(content)?),
    }
}

/// Writes entries in this format.
pub fn format(format: u32, entries: &[Entry]) -> Result<Vec<u8>> {
    let lines = |line: &dyn Fn(&Entry) -> Result<String>| {
        let lines: Result<Vec<String>> = entries.iter().map(line).collect();
        lines.map(|lines| lines.into_iter().map(|line| line + "\n").collect::<String>().into_bytes())
    };
    match format {
        1 => lines(&|entry| Ok(format!("{}\t{}", entry.author, entry.text))),
        2 => lines(&|entry| Ok(serde_json::to_string(entry)?)),
        _ => Ok(serde_json::to_vec_pretty(entries)?),
    }
}
