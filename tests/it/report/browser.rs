//! A headless Chromium, spoken to over a pipe in its DevTools protocol. It has no network, and tells what it asked for.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser that is ended when it is dropped.
pub(super) struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    next: u64,
    told: Vec<Value>,
    _dir: TempDir,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) is_dark: bool,
    pub(super) is_print: bool,
}

/// A page that is open.
pub(super) struct Page<'b> {
    browser: &'b mut Browser,
    session: String,
    url: String,
}

impl Browser {
    /// Starts one.
    pub(super) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (input, output) = (dir.path().join("in"), dir.path().join("out"));
        let made = Command::new("mkfifo").args([&input, &output]).status().expect("mkfifo runs");
        assert!(made.success(), "there are no pipes in {}", dir.path().display());
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<\"$IN\" 4>\"$OUT\"", &program()]);
        command.args(["--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--disable-dev-shm-usage", "--force-color-profile=srgb", "--disable-default-apps"]);
        // Whatever it asks for finds nobody.
        command.args(["--proxy-server=127.0.0.1:9", "--host-resolver-rules=MAP * ~NOTFOUND"]);
        command.arg(format!("--user-data-dir={}", dir.path().join("profile").display()));
        if rustix::process::getuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.arg("about:blank").env("IN", &input).env("OUT", &output).env("HOME", dir.path());
        let said = File::create(dir.path().join("said")).expect("a file");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().expect("sh runs");
        // In the order in which the shell opens them: each waits for the other end.
        let to = File::options().write(true).open(&input).expect("the pipe to it");
        let from = listen(File::open(&output).expect("the pipe from it"));
        Self { child, to, from, next: 0, told: Vec::new(), _dir: dir }
    }

    /// Opens a file in a page of its own, and waits until it is loaded.
    pub(super) fn open(&mut self, file: &Path, look: Look) -> Page<'_> {
        let target = self.call(None, "Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session =
            self.call(None, "Target.attachToTarget", attach)["sessionId"].as_str().expect("a session").to_owned();
        let url = format!("file://{}", file.display());
        let mut page = Page { browser: self, session, url: url.clone() };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.look(look);
        page.call("Page.navigate", json!({"url": url}));
        page.wait("Page.loadEventFired");
        page
    }

    fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method});
        message["params"] = params;
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let text = message.to_string() + "\0";
        self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()).expect("the browser listens");
        loop {
            let answer = self.from.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {method}"));
            if answer["id"] == self.next {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.told.push(answer);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The browser there is: tests/install brings one.
fn program() -> String {
    let said = std::env::var("RUNBOOK_TEST_CHROMIUM").ok();
    let known = ["chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"];
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&&str| std::env::split_paths(&paths).any(|dir| dir.join(**name).is_file());
    let found = || known.iter().find(is_there).map(|name| (*name).to_owned());
    said.or_else(found).expect("there is no Chromium: tests/install installs one")
}

/// What it says, message by message; each ends with a zero.
fn listen(from: File) -> Receiver<Value> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for message in BufReader::new(from).split(0).map_while(Result::ok) {
            let Ok(message) = serde_json::from_slice(&message) else { return };
            if send.send(message).is_err() {
                return;
            }
        }
    });
    receive
}

impl Page<'_> {
    fn call(&mut self, method: &str, params: Value) -> Value {
        let session = self.session.clone();
        self.browser.call(Some(&session), method, params)
    }

    /// Looks at it another way.
    pub(super) fn look(&mut self, look: Look) {
        let Look { width, height, is_dark, is_print } = look;
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let media = if is_print { "print" } else { "screen" };
        self.call("Emulation.setEmulatedMedia", json!({"media": media, "features": features}));
    }

    /// The value of an expression.
    pub(super) fn value(&mut self, expression: &str) -> Value {
        let answer = self.call("Runtime.evaluate", json!({"expression": expression, "returnByValue": true}));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// A picture of all of it.
    pub(super) fn picture(&mut self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", json!({"captureBeyondViewport": true, "format": "png"}));
        decoded(answer["data"].as_str().expect("a picture"))
    }

    /// What it would be on paper.
    pub(super) fn print(&mut self) -> Vec<u8> {
        let options = json!({"printBackground": true, "paperWidth": 8.27, "paperHeight": 11.69});
        decoded(self.call("Page.printToPDF", options)["data"].as_str().expect("a document"))
    }

    /// What it complained about, so far.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mine = self.told().filter(|message| match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                matches!(message["params"]["type"].as_str(), Some("error" | "warning" | "assert"))
            }
            Some("Log.entryAdded") => matches!(message["params"]["entry"]["level"].as_str(), Some("error" | "warning")),
            _ => false,
        });
        mine.map(|message| message["params"].to_string()).collect()
    }

    /// What it asked for, but for the file itself.
    pub(super) fn requests(&self) -> Vec<String> {
        let asked = self.told().filter(|message| message["method"] == "Network.requestWillBeSent");
        let urls = asked.filter_map(|message| message["params"]["request"]["url"].as_str());
        urls.filter(|url| *url != self.url).map(str::to_owned).collect()
    }

    fn told(&self) -> impl Iterator<Item = &Value> {
        self.browser.told.iter().filter(|message| message["sessionId"] == *self.session)
    }

    fn wait(&mut self, event: &str) {
        while !self.told().any(|message| message["method"] == event) {
            let message = self.browser.from.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{event} never came"));
            self.browser.told.push(message);
        }
    }
}

/// Base64 as bytes.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = text.bytes().filter_map(digit).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits = four.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - four.len()));
        bits.to_be_bytes().into_iter().skip(1).take(four.len() - 1)
    });
    bytes.collect()
}
