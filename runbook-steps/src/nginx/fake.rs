//! A simulated nginx, for simulated hosts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook::Resource;
use runbook::command::Output;
use runbook::testing::{Call, Program, SimHost};
use serde::{Deserialize, Serialize};

use super::{Nginx, config};

/// An nginx that is up: it tests its sites, loads them, and has workers to show for it.
///
/// ```
/// use runbook_core::testing::SimHost;
/// use runbook_steps::nginx;
///
/// let host = nginx::Fake::new().resolves("api-4").on(SimHost::new("web-1"));
/// ```
///
/// Of a site it knows where words, blocks and quotes end, which certificates must be there and which upstreams must have
/// an address. What directives there are, it does not know: it accepts any. It is held to the real nginx by one suite that
/// runs against both.
#[derive(Debug, Clone, Default)]
pub struct Fake(Arc<Inner>);

#[derive(Debug, Clone, Default)]
struct Inner {
    server: Nginx,
    names: Vec<String>,
    taken: Vec<u16>,
    down: bool,
}

/// What nginx has loaded: the sites that were enabled, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Loaded(BTreeMap<String, String>);

impl Fake {
    /// Debian's nginx, which is up and has no sites.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another one than Debian's.
    pub fn server(self, server: &Nginx) -> Self {
        self.with(|inner| server.clone_into(&mut inner.server))
    }

    /// To which this name of an upstream has an address. `localhost` has one.
    pub fn resolves(self, name: &str) -> Self {
        self.with(|inner| inner.names.push(name.to_owned()))
    }

    /// On whose host someone else listens on this port.
    pub fn taken(self, port: u16) -> Self {
        self.with(|inner| inner.taken.push(port))
    }

    /// That is installed, and not up.
    pub fn down(self) -> Self {
        self.with(|inner| inner.down = true)
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The host, with this nginx on it.
    pub fn on(&self, host: SimHost) -> SimHost {
        let server = &self.0.server;
        let mut host = host
            .dir(server.root.join("sites-available"))
            .dir(server.root.join("sites-enabled"))
            .ignoring_state(LIFE)
            .with_state(&loaded(), &Loaded::default())
            .program(&server.program, self.clone())
            .program("ps -o pid=,args= --ppid", workers)
            .program("tail -n", tail);
        if !self.0.down {
            host = host.file(&server.pid_file, format!("{MASTER}\n"));
        }
        host
    }

    /// How often the nginx of this host has loaded its sites since it was started.
    pub fn reloads(host: &SimHost) -> u32 {
        host.state(&life())
    }

    /// The configuration of a site that the nginx of this host goes by, whatever is on the disk.
    pub fn serving(host: &SimHost, site: &str) -> Option<String> {
        host.state::<Loaded>(&loaded()).0.remove(site)
    }
}

const MASTER: u32 = 700;
/// What is left out of snapshots: how often it was reloaded.
const LIFE: &str = "nginx-life";

fn life() -> Resource {
    Resource::new(LIFE, "nginx")
}

fn loaded() -> Resource {
    Resource::new("unit", "nginx")
}

/// What is wrong with a configuration: `cannot load certificate "/x"`.
type Complaint = String;

impl Inner {
    fn enabled(&self) -> PathBuf {
        self.server.root.join("sites-enabled")
    }

    /// The sites as they are on the disk, when all are as they should be.
    fn read(&self, call: &mut Call<'_>) -> Result<Loaded, Complaint> {
        let dir = self.enabled();
        let mut all = Loaded::default();
        for name in call.files().list(&dir).unwrap_or_default() {
            if name.starts_with('.') {
                continue;
            }
            let path = dir.join(&name);
            let missing = || {
                let (path, file) = (path.display(), self.file());
                format!("open() \"{path}\" failed (2: No such file or directory) in {}:1", file.display())
            };
            let text = call.files().text(&path).map_err(|_| missing())?;
            self.test(call, &path, &text)?;
            all.0.insert(name, text);
        }
        Ok(all)
    }

    fn test(&self, call: &mut Call<'_>, path: &Path, text: &str) -> Result<(), Complaint> {
        let words = config::words(text);
        let at = |word: &str| {
            let line =
                text.split('\n').collect::<Vec<_>>().iter().rposition(|line| line.contains(word)).unwrap_or_default()
                    + 1;
            format!("in {}:{line}", path.display())
        };
        let end = || format!("in {}:{}", path.display(), text.lines().count() + usize::from(text.ends_with('\n')));
        balanced(&words)
            .map_err(|wrong| format!("{wrong} {}", if wrong.contains("end of file") { end() } else { at("}") }))?;
        for pair in words.windows(2) {
            let (directive, value) = (&*pair[0], &*pair[1]);
            if directive == "ssl_certificate" && !value.contains('$') && !call.files().is_file(value) {
                return Err(format!("cannot load certificate \"{value}\": BIO_new_file() failed"));
            }
        }
        let stranger = config::upstreams(text).into_iter().find(|upstream| !self.knows(&upstream.host));
        match stranger {
            Some(upstream) => Err(format!("host not found in upstream \"{}\" {}", upstream.host, at(&upstream.host))),
            None => Ok(()),
        }
    }

    fn knows(&self, host: &str) -> bool {
        let is_address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        let is_no_name = host.contains('$') || host.contains("unix:");
        is_address || is_no_name || host == "localhost" || self.names.iter().any(|name| name == host)
    }

    /// A port that it should listen on, and cannot.
    fn cannot_have(&self, sites: &Loaded) -> Option<u16> {
        let ports = sites.0.values().flat_map(|text| {
            let words = config::words(text);
            words.windows(2).filter(|pair| pair[0] == "listen").filter_map(|pair| port(&pair[1])).collect::<Vec<_>>()
        });
        ports.into_iter().find(|port| self.taken.contains(port))
    }

    fn file(&self) -> PathBuf {
        self.server.conf.clone().unwrap_or_else(|| self.server.root.join("nginx.conf"))
    }

    fn reload(&self, call: &mut Call<'_>, sites: &Loaded) -> Output {
        let pid = &self.server.pid_file;
        if !call.files().exists(pid) {
            let words = format!("nginx: [error] open() \"{}\" failed (2: No such file or directory)\n", pid.display());
            return Output::failed(1, words);
        }
        // The master finds out by itself, and tells its log.
        if self.cannot_have(sites).is_none() {
            call.set_state(&loaded(), sites);
            let times: u32 = call.state(&life());
            call.set_state(&life(), &(times + 1));
        }
        Output::ok("")
    }
}

/// `8000`, `127.0.0.1:8000`, `[::]:8000`
fn port(listen: &str) -> Option<u16> {
    listen.rsplit(':').next()?.parse().ok()
}

fn balanced(words: &[String]) -> Result<(), Complaint> {
    let (mut depth, mut last) = (0_u32, "}");
    for word in words {
        match word.as_str() {
            "{" => depth += 1,
            "}" if depth == 0 => return Err("unexpected \"}\"".to_owned()),
            "}" => depth -= 1,
            _ => {}
        }
        last = word;
    }
    match (last, depth) {
        ("{" | "}" | ";", 0) => Ok(()),
        ("{" | "}" | ";", _) => Err("unexpected end of file, expecting \"}\"".to_owned()),
        _ => Err("unexpected end of file, expecting \";\" or \"}\"".to_owned()),
    }
}

impl Program for Fake {
    fn run(&self, call: &mut Call<'_>) -> Output {
        let args = call.args();
        let rest = if let ["-c", _, rest @ ..] = &args[..] { rest } else { &args[..] };
        let file = self.0.file().display().to_string();
        let read = self.0.read(call);
        match (rest, read) {
            (["-t"] | ["-s", "reload"], Err(wrong)) => {
                let failed = if rest == ["-t"] { format!("nginx: configuration file {file} test failed\n") } else { String::new() };
                Output::failed(1, format!("nginx: [emerg] {wrong}\n{failed}"))
            }
            (["-t"], Ok(_)) => Output {
                code: Some(0),
                stderr: format!("nginx: the configuration file {file} syntax is ok\nnginx: configuration file {file} test is successful\n").into(),
                ..Output::default()
            },
            (["-s", "reload"], Ok(sites)) => self.0.reload(call, &sites),
            (["-v" | "-V"], _) => {
                Output { code: Some(0), stderr: b"nginx version: nginx/1.22.1\n".to_vec(), ..Output::default() }
            }
            _ => Output::failed(64, format!("the simulated nginx does not know `{}`\n", call.command())),
        }
    }
}

/// The workers of the master: others after every reload.
fn workers(call: &mut Call<'_>) -> Output {
    if call.args() != [MASTER.to_string()] {
        return Output::failed(1, "");
    }
    let times: u32 = call.state(&life());
    let first = MASTER + 1 + times * 2;
    Output::ok(format!("{first:>7} nginx: worker process\n{:>7} nginx: worker process\n", first + 1))
}

fn tail(call: &mut Call<'_>) -> Output {
    let args = call.args();
    let [count, path] = args[..] else { return Output::failed(1, "") };
    let path = call.path(path);
    match call.files().text(&path) {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().collect();
            let skipped = lines.len().saturating_sub(count.parse().unwrap_or_default());
            Output::ok(lines[skipped..].iter().map(|line| (*line).to_owned() + "\n").collect::<String>())
        }
        Err(error) => Output::failed(1, format!("tail: {error:#}\n")),
    }
}
