//! A secret reaches programs, and nothing else: no argument, event, journal, report, plan or error holds it, also when a
//! command prints it. The real program of `examples/trials.rs`, with everything it writes searched.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tempfile::TempDir;

/// With everything in it that other notations write otherwise.
const PASSWORD: &str = r#"c0rrect "horse" \% battery/stäple"#;
/// The lines of a key that say something.
const KEY_LINES: [&str; 2] = ["MIIEvAIBADANBgkqhkiG9w0BAQEFAASC", "Kn9s0m3M0reK3yMaterial4711xyz=="];

/// What must not show: the secrets, their pieces, and other notations of them.
fn forbidden() -> Vec<Vec<u8>> {
    let encode = Command::new("sh").args(["-c", "printf %s \"$P\" | base64 -w0"]).env("P", PASSWORD).output();
    let encoded = String::from_utf8(encode.expect("base64 runs").stdout).expect("text");
    assert!(encoded.len() > 40, "{encoded}");
    let texts = [PASSWORD, "c0rrect", "stäple", "st\\u00e4ple", "st%C3%A4ple", encoded.as_str()];
    texts.iter().chain(&KEY_LINES).map(|text| text.as_bytes().to_vec()).collect()
}

#[track_caller]
fn holds_no_secret(what: &str, bytes: &[u8]) {
    for needle in forbidden() {
        let found = bytes.windows(needle.len()).position(|window| window == needle);
        assert!(found.is_none(), "`{}` is in {what}:\n{}", String::from_utf8_lossy(&needle), around(bytes, found));
    }
}

fn around(bytes: &[u8], found: Option<usize>) -> String {
    let at = found.unwrap_or_default();
    String::from_utf8_lossy(&bytes[at.saturating_sub(300)..(at + 300).min(bytes.len())]).into_owned()
}

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a directory"));
        for dir in ["site", "kept", "given"] {
            std::fs::create_dir(desk.path(dir)).expect("made");
        }
        let key = format!("-----BEGIN KEY-----\n{}\n-----END KEY-----\n", KEY_LINES.join("\n"));
        std::fs::write(desk.path("given/key"), key).expect("written");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Calls the program; what it prints holds no secret.
    #[track_caller]
    fn call(&self, line: &str) -> (i32, String) {
        let mut command = Command::new(crate::example::program("trials"));
        let here = self.0.path().to_string_lossy().into_owned();
        command.args(line.split_whitespace().map(|word| word.replace("HERE", &here)));
        command.env("RUNBOOK_JOURNAL", format!("{here}/kept/journal")).stdin(Stdio::null());
        command.env("DB_PASSWORD", PASSWORD).env("RUST_BACKTRACE", "0");
        let output = command.output().expect("runs");
        holds_no_secret(&format!("the output of `{line}`"), &output.stdout);
        holds_no_secret(&format!("the error output of `{line}`"), &output.stderr);
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().expect("an exit code"), text)
    }

    /// Every file it kept holds no secret; their names.
    fn kept(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        search(&self.path("kept"), &mut names);
        names
    }
}

fn search(dir: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            search(&path, names);
        } else {
            holds_no_secret(&path.display().to_string(), &std::fs::read(&path).expect("a file"));
            names.insert(path.extension().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
}

/// Looks at the arguments of every process, over and over.
struct Sampler(Arc<AtomicBool>, JoinHandle<(u32, Vec<u8>)>);

impl Sampler {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        let sampling = std::thread::spawn(move || {
            let (mut scripts, mut leaked) = (0, Vec::new());
            let forbidden = forbidden();
            while !until.load(Ordering::Relaxed) {
                for process in std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok) {
                    let Ok(words) = std::fs::read(process.path().join("cmdline")) else { continue };
                    scripts += u32::from(words.windows(16).any(|window| window == b"the password is "));
                    if forbidden.iter().any(|needle| words.windows(needle.len()).any(|window| window == *needle)) {
                        leaked = words;
                    }
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            (scripts, leaked)
        });
        Self(over, sampling)
    }

    #[track_caller]
    fn saw_no_secret(self) {
        self.0.store(true, Ordering::Relaxed);
        let (scripts, leaked) = self.1.join().expect("no panic");
        assert!(scripts > 0, "it looked while the commands ran");
        assert!(leaked.is_empty(), "arguments of a process: {}", String::from_utf8_lossy(&leaked));
    }
}

const ACCOUNT: &str = "hand_over HERE/site --password env:DB_PASSWORD --key file:HERE/given/key";

#[test]
fn a_secret_shows_nowhere_when_all_goes_well() {
    let desk = Desk::new();
    let (code, plan) = desk.call(&format!("plan {ACCOUNT} --json"));
    assert_eq!(code, 0, "{plan}");
    std::fs::write(desk.path("kept/plan.json"), &plan).expect("written");

    let sampler = Sampler::start();
    let (code, text) = desk.call(&format!("run {ACCOUNT} --events HERE/kept/events.jsonl --report HERE/kept/log.md"));
    sampler.saw_no_secret();
    assert_eq!(code, 0, "{text}");
    // It was there: the programs had it, and a file of mode 0600 has it.
    assert_eq!(std::fs::read_to_string(desk.path("site/password")).expect("a file"), PASSWORD);
    let mode = std::fs::metadata(desk.path("site/key")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    for format in ["text", "markdown", "html", "json"] {
        let (code, shown) = desk.call(&format!("show last --format {format}"));
        assert_eq!(code, 0);
        assert!(shown.contains("redacted"), "{shown}");
    }
    desk.call("runs --json");
    desk.call("runs --verify");
    let events = std::fs::read_to_string(desk.path("kept/events.jsonl")).expect("events");
    for words in [
        "the password is [redacted].",
        "not for the log: [redacted]",
        "said: [redacted]",
        "warned of: [redacted]",
        "mode 600",
    ] {
        assert!(events.contains(words), "`{words}` is missing in {events}");
    }
    assert!(events.contains("env:DB_PASSWORD"), "the name of a secret is no secret");
    let kept = desk.kept();
    let kinds: Vec<&str> = kept.iter().map(String::as_str).collect();
    for kind in ["journal", "json", "jsonl", "lock", "md"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

#[test]
fn a_secret_shows_nowhere_when_it_fails() {
    let desk = Desk::new();
    let sampler = Sampler::start();
    let line = format!("run {ACCOUNT} --refused --events HERE/kept/events.jsonl --report HERE/kept/page.html");
    let (code, text) = desk.call(&line);
    sampler.saw_no_secret();
    assert_eq!(code, 4, "{text}");
    for words in ["log in with ", "exited with 3", "no login with [redacted]"] {
        assert!(text.contains(words), "`{words}` is missing in {text}");
    }
    assert!(!desk.path("site/password").exists(), "the file of the secret is gone");
    for format in ["text", "markdown", "html", "json"] {
        desk.call(&format!("show last --format {format}"));
    }
    desk.kept();
}

#[test]
fn a_secret_that_is_not_there_is_named_and_one_that_is_written_out_is_not_repeated() {
    let desk = Desk::new();
    let (code, text) = desk.call("run hand_over HERE/site --password env:NO_SUCH_PASSWORD --key file:HERE/given/key");
    assert!(code == 3 || code == 4, "{code}: {text}");
    assert!(text.contains("environment variable `NO_SUCH_PASSWORD`"), "{text}");
    // Not a word of `forbidden`: another test of this program looks at the arguments of every process meanwhile.
    let (code, text) = desk.call("run hand_over HERE/site --password 0pen-sesame --key file:HERE/given/key");
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("never written out") && !text.contains("sesame"), "{text}");
    desk.kept();
}
