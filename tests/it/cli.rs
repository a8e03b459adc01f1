//! The command line, seen from outside: the real binary of `examples/exit_codes.rs`, its exit codes and what it says.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A place to work in, and a program to call there.
struct Desk {
    dir: TempDir,
}

/// What a call left behind.
#[derive(Debug)]
struct Called {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("site")).expect("a site");
        Self { dir }
    }

    fn site(&self) -> PathBuf {
        self.dir.path().join("site")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What a file of the site holds; nothing when there is none.
    fn holds(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.site().join(name)).ok()
    }

    /// The program with these words; `SITE` stands for the site.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(program());
        command.args(line.split_whitespace().map(|word| match word {
            "SITE" => self.site().into_os_string(),
            word => word.replace("HERE", &self.dir.path().to_string_lossy()).into(),
        }));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("SUDO_USER").env_remove("RUNBOOK_JOURNAL");
        command.env("USER", "anna").env("TZ", "UTC").env("XDG_STATE_HOME", self.dir.path().join("state"));
        command
    }

    fn call(&self, line: &str) -> Called {
        ended(self.command(line).spawn().expect("the program starts"))
    }

    /// The name of the latest run, from the list that programs read.
    fn latest(&self) -> String {
        let runs: serde_json::Value = serde_json::from_str(&self.call("runs --json").out).expect("JSON");
        runs.as_array().and_then(|runs| runs.last()?["run"].as_str()).expect("a run").to_owned()
    }
}

fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| crate::example::program("exit_codes"));
    &PROGRAM
}

fn ended(child: Child) -> Called {
    let output = child.wait_with_output().expect("the program ends");
    Called {
        code: output.status.code().expect("an exit code"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

impl Called {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out:\n{}\nerr:\n{}", self.out, self.err);
        self
    }

    /// These pieces stand on the standard output, in this order.
    #[track_caller]
    fn says(self, pieces: &[&str]) -> Self {
        in_order(&self.out, pieces);
        self
    }

    /// These pieces stand on the standard error, in this order.
    #[track_caller]
    fn complains(self, pieces: &[&str]) -> Self {
        in_order(&self.err, pieces);
        self
    }
}

#[track_caller]
fn in_order(text: &str, pieces: &[&str]) {
    let mut rest = text;
    for piece in pieces {
        let Some(at) = rest.find(piece) else { panic!("`{piece}` is missing, or out of order, in:\n{text}") };
        rest = &rest[at + piece.len()..];
    }
}

#[test]
fn a_run_that_is_done_exits_with_0_and_says_what_changed() {
    let desk = Desk::new();
    desk.call("run succeed SITE").exits(0).says(&[
        "Write two files\n",
        "by anna on ",
        "done      Write one (",
        "~ release: none -> v2",
        "pass      One is there: it is there",
        "DONE WITH 1 WARNING after ",
        "changes  2 steps changed something",
        "result   release = v2",
        "exit_codes show 2",
    ]);
    assert_eq!(desk.holds("two").as_deref(), Some("v2"));
    desk.call("run succeed SITE").exits(0).says(&["already   Write one", "none: everything was already so"]);
}

#[test]
fn wrong_words_exit_with_2() {
    let desk = Desk::new();
    desk.call("run succed SITE").exits(2).complains(&["no procedure `succed`", "did you mean `succeed`?"]);
    desk.call("run succeed").exits(2).complains(&["required arguments were not provided", "<DIR>"]);
    desk.call("run succeed SITE --on-failure hope").exits(2).complains(&["[possible values: roll-back, pause, ask]"]);
    desk.call("run wait_for_time SITE --window Someday").exits(2).complains(&["Someday", "is no window"]);
    desk.call("run succeed SITE --report log.pdf")
        .exits(2)
        .complains(&["log.pdf", "neither a .md, a .html nor a .json file"]);
    desk.call("run succeed SITE --journal postgres://db/x").exits(2).complains(&["no journal of kind `postgres`"]);
    desk.call("show last").exits(2).complains(&["there are no runs yet"]);
    assert_eq!(desk.holds("one"), None, "nothing was changed");
    desk.call("run succeed SITE").exits(0);
    let run = desk.latest();
    desk.call("resume 1999").exits(2).complains(&["there is no run `1999`", &run]);
}

#[test]
fn a_precondition_refuses_with_3_before_any_change() {
    let desk = Desk::new();
    desk.call("run refuse SITE").exits(3).says(&[
        "FAIL      The permit is there: there is no such file",
        "REFUSED BEFORE ANY CHANGE",
        "failed   The permit is there: there is no such file",
        "changes  none",
    ]);
    assert_eq!(desk.holds("one"), None);
}

#[test]
fn a_journal_that_cannot_be_used_refuses_with_3() {
    let desk = Desk::new();
    std::fs::write(desk.file("file"), "no directory").expect("written");
    desk.call("run succeed SITE --journal HERE/file")
        .exits(3)
        .complains(&["HERE/file".replace("HERE", &desk.dir.path().to_string_lossy()).as_str()]);
    assert_eq!(desk.holds("one"), None);
}

#[test]
fn what_cannot_be_written_is_known_before_anything_is_changed() {
    let desk = Desk::new();
    desk.call("run succeed SITE --events HERE/nowhere/e.jsonl")
        .exits(3)
        .complains(&["write events to `", "nowhere/e.jsonl`"]);
    desk.call("run succeed SITE --report HERE/nowhere/log.md")
        .exits(3)
        .complains(&["write the report to `", "nowhere/log.md`"]);
    desk.call("run succeed SITE --plan HERE/nowhere.json").exits(3).complains(&["read the plan in `", "nowhere.json`"]);
    assert_eq!(desk.holds("one"), None);
}

#[test]
fn a_missed_window_refuses_and_an_override_wants_a_reason() {
    let desk = Desk::new();
    let day = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).weekday();
    let other = if day == jiff::civil::Weekday::Monday { "Thu" } else { "Mon" };
    // No day of the week is today and two days away at once.
    let line = format!("run wait_for_time SITE --window {other}");
    let command = |more: &[&str]| {
        let mut command = desk.command(&line);
        let last = command.get_args().last().map(OsStr::to_owned).expect("a window");
        let args: Vec<_> = command.get_args().map(OsStr::to_owned).collect();
        let mut again = desk.command("");
        again.args(&args[..args.len() - 1]).arg(format!("{} 10:00-10:01 UTC", last.to_string_lossy())).args(more);
        command = again;
        ended(command.spawn().expect("starts"))
    };
    command(&[]).exits(3).says(&["REFUSED BEFORE ANY CHANGE", "is outside of the window", "--override REASON"]);
    command(&["--yes"]).exits(3);
    assert_eq!(desk.holds("one"), None);
    command(&["--override", "the site is down"])
        .exits(0)
        .says(&["overridden: anna: the site is down", "DONE WITH 1 WARNING"]);
}

#[test]
fn a_failure_puts_everything_back_and_exits_with_4() {
    let desk = Desk::new();
    std::fs::write(desk.site().join("one"), "v1").expect("written");
    desk.call("run fail SITE").exits(4).says(&[
        "done      Write / Write one",
        "~ release: v1 -> v2",
        "FAILED    Do the impossible",
        "look into nowhere",
        "because: `LC_ALL=C ls /nowhere/at/all` on ",
        "exited with 2",
        "| ls: cannot access '/nowhere/at/all'",
        "rollback  putting everything back, because: ",
        "undone    Write / Write two",
        "undone    Write / Write one",
        "FAILED AND ROLLED BACK after ",
        "failed   Do the impossible: look into nowhere",
        "everything is as it was before the run",
        "log      ",
    ]);
    assert_eq!((desk.holds("one").as_deref(), desk.holds("two")), (Some("v1"), None));
}

#[test]
fn what_cannot_be_undone_exits_with_5_and_says_what_to_type() {
    let desk = Desk::new();
    desk.call("run get_stuck SITE").exits(5).says(&[
        "FAIL      The permit is there",
        "LEFT      Lock the door: its undo failed",
        "no key for the door of",
        "undone    Write one",
        "FAILED, ROLLBACK INCOMPLETE after ",
        "changes  1 step put back, 1 LEFT",
        "LEFT     Lock the door: its undo failed: no key",
        "to undo it by hand:",
        "$ rm ",
        "/door\n",
        "exit_codes resume 2",
        "to try again what is left",
    ]);
    assert_eq!((desk.holds("one"), desk.holds("door").as_deref()), (None, Some("locked")));
    // Its lock stays, and says so.
    desk.call("run succeed SITE").exits(3).complains(&["is locked by run `", "(`get_stuck`) of anna", "resume 2"]);
    desk.call("resume last").exits(5).says(&["before    ", "LEFT      Lock the door"]);
}

#[test]
fn a_question_parks_with_6_and_approve_goes_on() {
    let desk = Desk::new();
    desk.call("run ask SITE --yes").exits(6).says(&[
        "asks      approval by the lead",
        "WAITING after ",
        "changes  1 change so far, still there",
        "next     ",
        "exit_codes approve 2",
        "to say yes and go on",
        "resume 2",
        "--roll-back",
        "to put everything back",
    ]);
    assert_eq!((desk.holds("one").as_deref(), desk.holds("two")), (Some("v2"), None));
    desk.call("runs").exits(0).says(&["RUN ", "STATE\n", "ask ", "anna  waiting for `approval by the lead`"]);
    desk.call("show last").exits(0).says(&["done      Write one", "WAITING after", "approve"]);
    desk.call("approve last --by lena --note fine").exits(0).says(&[
        "before    1 step done before the interruption",
        "answered  approval by the lead: approved by lena: fine",
        "done      Write two",
        "DONE after ",
    ]);
    assert_eq!(desk.holds("two").as_deref(), Some("v2"));
    desk.call("approve last").exits(3).complains(&["is over: done"]);
}

#[test]
fn a_parked_run_can_be_put_back() {
    let desk = Desk::new();
    desk.call("run ask SITE").exits(6);
    desk.call("resume last --roll-back").exits(4).says(&["rolled back at the request of anna", "undone    Write one"]);
    assert_eq!(desk.holds("one"), None);
}

#[test]
fn yes_answers_confirmations() {
    let desk = Desk::new();
    desk.call("run confirm SITE").exits(6).says(&["asks      Is it a good day?"]);
    desk.call("resume last --yes").exits(0).says(&["answered  Is it a good day?: anna with --yes", "DONE"]);
}

#[test]
fn a_failure_pauses_when_that_is_wanted() {
    let desk = Desk::new();
    desk.call("run fail SITE --on-failure pause").exits(6).says(&[
        "FAILED    Do the impossible",
        "PAUSED",
        "changes  2 changes so far, still there",
        "--retry",
        "to try again and go on",
    ]);
    desk.call("resume last --retry").exits(6).says(&["before    2 steps done", "FAILED    Do the impossible"]);
    desk.call("resume last --roll-back").exits(4);
    assert_eq!(desk.holds("one"), None);
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

/// Whether a process with this argument runs.
fn runs(argument: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| {
        line.starts_with(b"sleep\0") && line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())
    })
}

#[test]
fn ctrl_c_twice_ends_the_command_puts_back_and_exits_with_7() {
    let desk = Desk::new();
    let child = desk.command("run sleep SITE --seconds 297.531").spawn().expect("starts");
    until("the nap has begun", || runs("297.531"));
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(300));
    assert!(runs("297.531"), "the first Ctrl-C lets the step finish");
    signal(&child, "INT");
    ended(child).exits(7).says(&[
        "stopping  asked to stop: the current step is finished first; ask again to end its command now",
        "stopping  asked again: the current command is ended now",
        "undone    Write one",
        "INTERRUPTED AND ROLLED BACK after ",
        "everything is as it was before the run",
    ]);
    assert!(!runs("297.531"), "no process survives");
    assert_eq!(desk.holds("one"), None);
}

#[test]
fn sigterm_lets_the_step_finish_puts_back_and_exits_with_7() {
    let desk = Desk::new();
    let child = desk.command("run sleep SITE --seconds 1.5297").spawn().expect("starts");
    until("the nap has begun", || runs("1.5297"));
    signal(&child, "TERM");
    ended(child).exits(7).says(&["stopping  asked to stop", "undone    Write one", "INTERRUPTED AND ROLLED BACK"]);
    assert_eq!((desk.holds("one"), desk.holds("two")), (None, None));
}

#[test]
fn a_killed_run_shows_where_it_was_and_is_resumed() {
    let desk = Desk::new();
    let mut child = desk.command("run sleep SITE --seconds 1.2971").spawn().expect("starts");
    until("the nap has begun", || runs("1.2971"));
    child.kill().expect("killed");
    child.wait().expect("gone");
    desk.call("runs").exits(0).says(&["not ended: running, or cut off, at `Take a nap`"]);
    desk.call("show last").exits(0).says(&["done      Write one", "NOT ENDED", "at       Take a nap", "resume 2"]);
    desk.call("run succeed SITE").exits(3).complains(&["is locked by run `", "not running any more and not over"]);
    desk.call("resume last").exits(0).says(&[
        "before    1 step done",
        "done      Take a nap",
        "done      Write two",
        "DONE",
    ]);
}

#[test]
fn a_plan_changes_nothing_and_a_run_holds_to_it() {
    let desk = Desk::new();
    desk.call("plan succeed SITE").exits(0).says(&[
        "will change  Write one",
        "~ release: none -> v2",
        "known after  One is there: known once `Write two` has happened",
        "Nothing was changed.",
    ]);
    assert_eq!(desk.holds("one"), None);
    let plan = desk.call("plan succeed SITE --json").exits(0).out;
    std::fs::write(desk.file("plan.json"), plan).expect("written");
    std::fs::write(desk.site().join("one"), "v1").expect("someone else was here");
    desk.call("run succeed --plan HERE/plan.json").exits(3).says(&["REFUSED BEFORE ANY CHANGE"]);
    assert_eq!(desk.holds("one").as_deref(), Some("v1"));
    std::fs::remove_file(desk.site().join("one")).expect("removed");
    desk.call("run succeed --plan HERE/plan.json").exits(0);
}

#[test]
fn events_are_lines_of_json_on_the_standard_output_or_in_a_file() {
    let desk = Desk::new();
    let called = desk.call("run succeed SITE --events -").exits(0).complains(&["Write two files", "DONE"]);
    let events: Vec<runbook::Event> =
        called.out.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let summary: runbook::report::Summary = events.iter().collect();
    assert_eq!(summary.changed(), 2);
    for _ in 0..2 {
        desk.call("run succeed SITE --events HERE/events.jsonl --quiet").exits(0);
    }
    let lines = std::fs::read_to_string(desk.file("events.jsonl")).expect("events");
    let ends = lines.lines().filter(|line| line.contains("\"run_ended\"")).count();
    assert_eq!(ends, 2, "the file is appended to");
}

#[test]
fn a_report_is_written_at_the_end_also_of_a_resumed_run() {
    let desk = Desk::new();
    desk.call("run ask SITE --report HERE/log.md --quiet").exits(6).complains(&["report: "]);
    let log = std::fs::read_to_string(desk.file("log.md")).expect("a log");
    in_order(&log, &["| Outcome | paused", "- Paused: ", "- Write one: ", "approval by the lead: "]);
    desk.call("approve last --report HERE/log.md").exits(0);
    let log = std::fs::read_to_string(desk.file("log.md")).expect("a log");
    in_order(
        &log,
        &[
            "# Deployment log: Ask before going on",
            "| Deployer | anna |",
            "| Outcome | done",
            "- Write one: ",
            "approved by anna",
            "- Write two: ",
            "- Required: NO",
        ],
    );
    desk.call("run fail SITE --report HERE/page.html").exits(4);
    let page = std::fs::read_to_string(desk.file("page.html")).expect("a page");
    in_order(&page, &["<!doctype html>", "failed and rolled back", "Do the impossible"]);
}

#[test]
fn programs_read_one_document() {
    let desk = Desk::new();
    desk.call("run succeed SITE").exits(0);
    for line in [
        "list --json",
        "outline succeed --format json",
        "plan succeed SITE --json",
        "runs --json",
        "show last --format json",
        "runs --verify --json",
    ] {
        let out = desk.call(line).exits(0).out;
        serde_json::from_str::<serde_json::Value>(&out)
            .unwrap_or_else(|error| panic!("`{line}` prints {out}: {error}"));
    }
    desk.call("runs --verify").exits(0).says(&["ok       ", "1 run replayed, 0 differ"]);
}

#[test]
fn plain_lines_have_no_colours_and_no_spinners() {
    let desk = Desk::new();
    let called = desk.call("run fail SITE").exits(4);
    assert!(!called.out.contains('\u{1b}') && !called.err.contains('\u{1b}'), "{called:?}");
}

#[test]
fn whoever_stops_reading_does_not_stop_the_run() {
    let desk = Desk::new();
    let mut child = desk.command("run succeed SITE").spawn().expect("starts");
    drop(child.stdout.take());
    assert_eq!(ended(child).exits(0).err, "");
    assert_eq!(desk.holds("two").as_deref(), Some("v2"));
}

/// What the guestbook's program says.
fn quickstart(line: &str) -> String {
    let mut command = Command::new(crate::example::program("quickstart"));
    command.args(line.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(command.spawn().expect("starts")).exits(0).out
}

#[test]
fn an_outline_reads_as_a_runbook_to_follow_by_hand() {
    let markdown = quickstart("outline update --revision release-2 --format markdown");
    assert_eq!(markdown, include_str!("cli/update.md"));
    assert!(!Path::new("/srv/guestbook").exists(), "nothing was done");
    let text = quickstart("outline deploy");
    in_order(&text, &["Get the code", "clone <REPOSITORY> into /srv/guestbook/app", "$ git clone <REPOSITORY> /srv/"]);
    let document: serde_json::Value = serde_json::from_str(&quickstart("outline retire --format json")).expect("JSON");
    let stop = &document["items"][0];
    assert_eq!(
        (&stop["kind"], &stop["title"], &stop["code"]),
        (&"step".into(), &"Stop the guestbook".into(), &"stop(site)".into())
    );
    assert_eq!(stop["explained"][0]["commands"][0], "kill \"$(jq .pid /srv/guestbook/run/guestbook.pid)\"");
}

#[test]
fn list_and_help_name_everything() {
    let desk = Desk::new();
    desk.call("list").exits(0).says(&["succeed        Write two files\n", "wait_for_time  Write a file in a window\n"]);
    desk.call("--help").exits(0).says(&[
        "list",
        "outline",
        "plan",
        "run",
        "resume",
        "runs",
        "show",
        "approve",
        "Exit codes: 0 done",
    ]);
    desk.call("run succeed --help").exits(0).says(&[
        "Write two files",
        "<DIR>",
        "The directory that is changed",
        "--release",
        "--plan",
    ]);
}
