//! A health check: probes at once, against the same questions in a shell, one after another.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use runbook::journal::MemoryStore;
use runbook::prelude::*;
use runbook::steps::{disk, http, memory, postgres, probes};
use runbook::{Outcome, Runner, Stored, procedures};
use serde::{Deserialize, Serialize};

use super::database;
use super::measure::time;
use super::table::{Row, Time};
use super::{runtime, shell, shortest};

/// How long each page of the site takes: an application that asks its database and its Redis.
const PAGES: [(&str, Duration); 3] = [
    ("/api/v1/health", Duration::from_millis(150)),
    ("/docs", Duration::from_millis(30)),
    ("/api/v1/claims", Duration::from_millis(80)),
];

/// What may be added to the slowest probe.
const MORE: Duration = Duration::from_millis(50);

/// A site that takes its time. It is gone with the program.
fn site() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream) {
    let mut request = [0; 4096];
    let read = stream.read(&mut request).unwrap_or_default();
    let line = String::from_utf8_lossy(&request[..read]).into_owned();
    let path = line.split_whitespace().nth(1).unwrap_or_default();
    let known = PAGES.iter().find(|(known, _)| *known == path);
    std::thread::sleep(known.map_or(Duration::ZERO, |(_, takes)| *takes));
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
}

/// Where the services are, and which one probe to ask; all of them when there is none.
#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct Probed {
    #[arg(long)]
    site: String,
    #[arg(long)]
    only: Option<usize>,
}

/// Everything at once, or one thing.
#[procedure]
async fn health(run: &Run, probed: &Probed) -> Result<probes::Report> {
    let Probed { site, only } = probed;
    let wanted = |n: usize| only.is_none_or(|only| only == n);
    let mut all = probes::of("Health");
    for (n, (page, _)) in PAGES.iter().enumerate() {
        if wanted(n) {
            all = all.probe(*page, http::get(format!("{site}{page}")));
        }
    }
    if wanted(PAGES.len()) {
        all = all.probe("Database", postgres::ping(&database::server()));
    }
    if wanted(PAGES.len() + 1) {
        all = all.probe("Disk", disk::free(Path::new("/")).at_least(1.mib()));
    }
    if wanted(PAGES.len() + 2) {
        all = all.probe("Memory", memory::available().at_least(1.mib()));
    }
    all.ask(run).await?.all_pass()
}

/// The commands of the document, one after another.
const COMMANDS: &str = "curl -sSI \"$SITE/api/v1/health\"; curl -sSI \"$SITE/docs\"; curl -sSI \"$SITE/api/v1/claims\"
psql \"$URL\" -c 'SELECT 1;'; df -h /; free -h";

pub(crate) fn rows(rounds: usize) {
    let (runtime, site, url) = (runtime(), site(), database::url());
    let ask = |only: Option<usize>| {
        let inputs = Stored::of(&Probed { site: site.clone(), only }).expect("it is stored");
        let runner =
            Runner::new(Book::new("figures").procedures(procedures![health])).store(Arc::new(MemoryStore::default()));
        time(|| {
            let finished = runtime.block_on(runner.run("health", inputs)).expect("it begins");
            assert_eq!(finished.outcome(), Outcome::Done);
        })
    };
    let variables = [("SITE", &*site), ("URL", &*url)];
    let [all, shell] = shortest(rounds, [&mut || ask(None), &mut || shell(COMMANDS, &variables)]);
    let probes = PAGES.len() + 3;
    let slowest = (0..probes).map(|only| shortest(rounds, [&mut || ask(Some(only))])[0].0).max();
    let allowed = Time(slowest.expect("there are some") + MORE);
    let name = format!("health check of {probes} probes at once");
    Row::of(&*name, all, "the slowest one, and 50 ms", allowed).at_most(1.0).print();
    Row::of(&*name, all, "commands one after another", shell).print();
}
