//! The small web service that is deployed: people leave entries, others read them.
//!
//! It serves what the checked out release says, on data in the format of that release:
//!
//! ```text
//! GET  /health     {"status":"healthy","release":2,"pid":4711,"entries":3}
//! GET  /entries    [{"author":"Ada","text":"Hello"}]
//! POST /entries    one entry
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runbook::prelude::*;
use serde_json::{Value, json};

use crate::entries::{self, Entry};
use crate::service::Process;
use crate::site::{Release, Site};

/// The guestbook, running.
struct Guestbook {
    release: Release,
    data: PathBuf,
}

/// Serves until it is ended: `serve ROOT PORT TOKEN`.
pub fn serve(words: &[String]) -> ExitCode {
    match open(words) {
        Ok((guestbook, listener)) => guestbook.answer_all(&listener),
        Err(error) => {
            eprintln!("the guestbook cannot start: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn open(words: &[String]) -> Result<(Guestbook, TcpListener)> {
    let [root, port, token] = words else { bail!("usage: serve ROOT PORT TOKEN") };
    let site = Site { root: root.into(), port: port.parse()? };
    let release: Release = serde_json::from_slice(&std::fs::read(site.release())?)?;
    let data = site.data();
    if let Some(other) = entries::formats(|path| data.join(path).exists()).into_iter().find(|f| *f != release.format) {
        bail!("release {} works with format {}, the entries have format {other}", release.release, release.format);
    }
    let listener = TcpListener::bind(("127.0.0.1", site.port))?;
    announce(&site, &Process { pid: std::process::id(), release: release.release, token: token.clone() })?;
    Ok((Guestbook { release, data }, listener))
}

/// Says who serves, unless that is not wanted any more: whoever stops the guestbook first withdraws the wish, then looks
/// who serves. Whichever way the two meet, nobody serves unwanted.
fn announce(site: &Site, process: &Process) -> Result<()> {
    let beside = site.state().join(format!("guestbook.pid.{}", process.pid));
    std::fs::write(&beside, serde_json::to_vec(process)?)?;
    std::fs::rename(&beside, site.pid_file())?;
    let wanted = std::fs::read_to_string(site.state().join("wanted")).unwrap_or_default();
    ensure!(wanted == process.token, "it is not wanted any more");
    Ok(())
}

impl Guestbook {
    fn answer_all(self, listener: &TcpListener) -> ExitCode {
        for stream in listener.incoming().flatten() {
            // Whoever hangs up half way gets no answer.
            let _ = self.answer(&stream);
        }
        ExitCode::SUCCESS
    }

    fn answer(&self, stream: &TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(2.seconds()))?;
        let mut reader = BufReader::new(stream);
        let (request, body) = read(&mut reader)?;
        let (status, value) = match request.as_str() {
            "GET /health" => self.health(),
            "GET /entries" => (200, json!(self.entries())),
            "POST /entries" => self.add(&body)?,
            _ => (404, json!({ "error": "not found" })),
        };
        let text = value.to_string();
        let head = format!("HTTP/1.1 {status} -\r\ncontent-type: application/json\r\nconnection: close\r\n");
        (&mut &*stream).write_all(format!("{head}content-length: {}\r\n\r\n{text}", text.len()).as_bytes())?;
        Ok(())
    }

    fn health(&self) -> (u16, Value) {
        let (status, word) = if self.release.healthy { (200, "healthy") } else { (500, "the database is on fire") };
        let value = json!({
            "status": word,
            "release": self.release.release,
            "pid": std::process::id(),
            "entries": self.entries().len(),
        });
        (status, value)
    }

    fn file(&self) -> PathBuf {
        self.data.join(entries::file(self.release.format))
    }

    fn entries(&self) -> Vec<Entry> {
        let text = std::fs::read(self.file()).unwrap_or_default();
        entries::parse(self.release.format, &text).unwrap_or_default()
    }

    fn add(&self, body: &[u8]) -> Result<(u16, Value)> {
        let entry: Entry = serde_json::from_slice(body)?;
        let mut all = self.entries();
        all.push(entry);
        replace(&self.file(), &entries::format(self.release.format, &all)?)?;
        Ok((201, json!({ "entries": all.len() })))
    }
}

/// The request line without its version, and the body.
fn read(reader: &mut impl BufRead) -> Result<(String, Vec<u8>)> {
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    for line in reader.by_ref().lines() {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    let words: Vec<&str> = first.split_whitespace().take(2).collect();
    Ok((words.join(" "), body))
}

/// Writes a file beside its place and renames it into it.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(content)?;
    file.sync_data()?;
    std::fs::rename(beside, path)?;
    Ok(())
}
