//! Backup and restore of a database of 500 MB.

use std::path::Path;
use std::time::Duration;

use runbook::prelude::*;
use runbook::steps::backup::{self, Dump, VerifiedBackup};
use runbook::{Context, Survey};
use tokio::runtime::Runtime;

use super::database::Made;
use super::measure::{dir, time};
use super::table::{Memory, Row};
use super::{runtime, shell, shortest};

/// Takes a step, as a run does: looks, then changes.
async fn take<S: Step>(step: &S) -> S::Output {
    let cx = Context::local();
    match step.survey(&cx).await.expect("it can be looked at") {
        Survey::Already(output) => output,
        Survey::Change { before, .. } => step.apply(&cx, &before).await.expect("it works"),
    }
}

/// Backs up, to a checksum of what is on the disk.
fn back_up(runtime: &Runtime, database: &Made, dir: &Path) -> Dump {
    runtime.block_on(take(&backup::postgres(&database.database()).into_dir(dir)))
}

/// Restores into a database that is not there yet.
fn restore(runtime: &Runtime, dump: &VerifiedBackup<Dump>, to: &Made) -> Duration {
    to.drop();
    time(|| runtime.block_on(take(&backup::restore(dump).to(&to.database()))))
}

pub(crate) fn rows(rounds: usize) {
    let (runtime, dir) = (runtime(), dir());
    let (source, copy) = (Made::filled("figures_source"), Made::empty("figures_copy"));
    let (backups, gzipped) = (dir.path().join("backups"), dir.path().join("dump.sql.gz"));
    let (from, to) = (source.url(), copy.url());
    let variables = [("FROM", &*from), ("TO", &*to), ("FILE", gzipped.to_str().expect("a name"))];

    let mut floor = || shell("pg_dump \"$FROM\" > /dev/null", &variables);
    let mut gzip = || shell("pg_dump \"$FROM\" | gzip > \"$FILE\"", &variables);
    let mut ours = || {
        let _ = std::fs::remove_dir_all(&backups);
        time(|| back_up(&runtime, &source, &backups))
    };
    let [took, floor, gzip] = shortest(rounds, [&mut ours, &mut floor, &mut gzip]);

    let dump = back_up(&runtime, &source, &backups);
    let size = |bytes: u64| Memory(bytes / 1024);
    let theirs = std::fs::metadata(&gzipped).expect("it was written").len();
    let name = format!("backup of {} MB, checksum included", source.bytes() / 1_000_000);
    Row::of(&*name, took, "`pg_dump` to nowhere", floor).at_most(1.5).print();
    Row::of(&*name, took, "`pg_dump | gzip`", gzip).at_most(0.25).print();
    Row::of("its file", size(dump.bytes), "that of gzip", size(theirs)).at_most(1.0).print();

    let proven = runtime.block_on(take(&backup::rehearse(&dump)));
    let mut psql = || {
        copy.drop();
        copy.create();
        shell("gunzip -c \"$FILE\" | psql -q \"$TO\"", &variables)
    };
    let mut ours = || restore(&runtime, &proven, &copy);
    let [took, psql] = shortest(rounds, [&mut ours, &mut psql]);
    Row::of("restore of it, compared with its manifest", took, "`gunzip | psql`", psql).at_most(0.65).print();
}
