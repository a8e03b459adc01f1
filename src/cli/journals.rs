//! Where journals lie, and which run is meant.

use std::path::PathBuf;
use std::sync::Arc;

use runbook_core::journal::{FileStore, Store};
use runbook_core::{Error, RunId};

use super::Call;
use super::stop::Stop;

/// The store of this call. A directory is made when it is to be written to.
pub(super) fn open(call: &Call) -> Result<Arc<dyn Store>, Stop> {
    if let (None, Some(store)) = (&call.journal, &call.cli.store) {
        return Ok(store.clone());
    }
    Ok(Arc::new(FileStore::open(directory(call)?)?))
}

/// The store of this call when there is one; reading makes no directory.
pub(super) fn open_existing(call: &Call) -> Result<Option<Arc<dyn Store>>, Stop> {
    let ours = call.journal.is_none() && call.cli.store.is_some();
    if !ours && matches!(directory(call)?.try_exists(), Ok(false)) {
        return Ok(None);
    }
    open(call).map(Some)
}

fn directory(call: &Call) -> Result<PathBuf, Stop> {
    match &call.journal {
        Some(place) => named(place),
        None => Ok(state_dir()?.join("runbook").join(call.cli.book.name())),
    }
}

/// A directory, as a path or as a `file:` URL.
fn named(place: &str) -> Result<PathBuf, Stop> {
    if let Some(path) = place.strip_prefix("file://") {
        return Ok(path.into());
    }
    match place.split_once("://") {
        Some((scheme, _)) => Err(Stop::Usage(
            Error::new(format!("there is no journal of kind `{scheme}`"))
                .hint("give a directory; a program can bring another kind with `Cli::store`"),
        )),
        None => Ok(place.into()),
    }
}

fn state_dir() -> Result<PathBuf, Stop> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state"))).ok_or_else(|| {
        let error = Error::new("there is no place for journals: neither `XDG_STATE_HOME` nor `HOME` is set");
        Stop::Refused(error.hint("give one: --journal DIR, or RUNBOOK_JOURNAL=DIR"))
    })
}

/// The run that a word means: its name, the beginning of one, or `last`.
pub(super) async fn find(store: &dyn Store, word: &str) -> Result<RunId, Stop> {
    let runs = store.runs().await?;
    if word == "last" {
        return last(store, &runs).await.ok_or_else(|| unknown(store, word, &runs));
    }
    if let Some(exact) = runs.iter().find(|run| run.0 == word) {
        return Ok(exact.clone());
    }
    let mut similar = runs.iter().filter(|run| run.0.starts_with(word) && !word.is_empty());
    match (similar.next(), similar.next()) {
        (Some(one), None) => Ok(one.clone()),
        (Some(one), Some(other)) => {
            let error = Error::new(format!("`{word}` is the beginning of several runs"));
            Err(Stop::Usage(error.hint(format!("type more of it: `{one}` or `{other}`"))))
        }
        (None, _) => Err(unknown(store, word, &runs)),
    }
}

/// The run that began last. Names tell seconds; journals tell more.
async fn last(store: &dyn Store, runs: &[RunId]) -> Option<RunId> {
    let second = |run: &RunId| run.0.split('-').take(2).map(str::to_owned).collect::<Vec<_>>();
    let newest = second(runs.last()?);
    let mut latest = None;
    for run in runs.iter().filter(|run| second(run) == newest) {
        let began = store.read(run).await.ok().and_then(|entries| Some(entries.first()?.at));
        latest = latest.max(Some((began, run)));
    }
    latest.map(|(_, run)| run.clone())
}

/// How many runs are named when one is not found.
const NAMED: usize = 8;

fn unknown(store: &dyn Store, word: &str, runs: &[RunId]) -> Stop {
    let error = Error::new(format!("there is no run `{word}` in `{}`", store.place()));
    let latest: Vec<_> = runs.iter().rev().take(NAMED).map(|run| format!("`{run}`")).collect();
    let hint = match runs.len() {
        0 => "there are no runs yet".to_owned(),
        1..=NAMED => format!("there are {}", latest.join(", ")),
        number => format!("the latest of {number} are {}", latest.join(", ")),
    };
    Stop::Usage(error.hint(hint))
}

/// The same where there is no store yet.
pub(super) fn none_yet(call: &Call, word: &str) -> Stop {
    let place = directory(call).map(|dir| dir.display().to_string()).unwrap_or_default();
    Stop::Usage(Error::new(format!("there is no run `{word}`: `{place}` does not exist")).hint("there are no runs yet"))
}
