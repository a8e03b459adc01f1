//! One suite for the real systemd and the simulated one. What the real one says is kept in `conformance.txt`; both are
//! held to it.

use std::path::Path;
use std::sync::Arc;

use regex_lite::Regex;
use runbook::host::{Attributes, Container, Host as _};
use runbook::testing::SimHost;
use runbook::{Check, CheckExt as _, Command, Context, Error, Rollback, Step, Survey, Units as _};
use serde::Serialize;

use super::super::*;
use crate::conformance::{agree, is_same};
use crate::journald;
use crate::sizes::Sizes as _;

/// A service that runs this.
fn service(run: &str, more: &str) -> String {
    format!("[Service]\nExecStart={run}\n{more}\n")
}

const GOOD: &str = "[Service]\nExecStart=/bin/sh -c 'echo up; exec sleep infinity' --port 8000\nExecReload=/bin/true\n\
                    [Install]\nWantedBy=multi-user.target\n";

/// The units of the suite: name, file, and what it does.
fn units() -> Vec<(&'static str, String, Behaviour)> {
    let dies = |seconds: u64| Behaviour::dies_after(seconds.seconds(), 3);
    vec![
        ("rb-dies", service("/bin/sh -c 'exit 3'", ""), dies(0)),
        (
            "rb-later",
            service("/bin/sh -c 'echo \"ERROR no database\"; sleep 2; exit 3'", ""),
            dies(2).says("ERROR no database"),
        ),
        ("rb-pre", service("/bin/sleep infinity", "ExecStartPre=/bin/sh -c 'exit 4'"), Behaviour::cannot_start(4)),
        (
            "rb-loops",
            service("/bin/sh -c 'sleep 0.3; exit 3'", "Restart=always\nRestartSec=50ms"),
            Behaviour::dies_after(300.millis(), 3),
        ),
        (
            "rb-slow",
            service(
                "/bin/sh -c 'sleep 1; systemd-notify --ready; exec sleep infinity'",
                "Type=notify\nNotifyAccess=all",
            ),
            Behaviour::stays_up().slowly(1.seconds()),
        ),
    ]
}

fn simulated() -> Context {
    simulated_with(units())
}

fn simulated_with(units: Vec<(&'static str, String, Behaviour)>) -> Context {
    let systemd = units.into_iter().fold(Fake::new(), |fake, (name, _, behaviour)| fake.behaves(name, behaviour));
    let systemd = systemd.behaves("rb-good", Behaviour::stays_up().says("up"));
    Context::on(Arc::new(systemd.on(SimHost::new("sim").dir("/lib/systemd/system"))))
}

/// The container of the lab, which systemd runs.
fn real() -> Context {
    let name = std::env::var("RUNBOOK_LAB_CONTAINER").ok();
    Context::on(Container::named(name.expect("names a container that systemd runs")).shared())
}

/// What was said, with ids, processes and times under the same names in both worlds.
struct Transcript {
    cx: Context,
    masks: Vec<(Regex, &'static str)>,
    lines: Vec<String>,
}

impl Transcript {
    fn new(cx: Context) -> Self {
        let masks = [
            (r"[0-9a-f]{32}", "LIFE"),
            (r"process \d+", "process PID"),
            (r#""main_pid":\d+"#, r#""main_pid":PID"#),
            (r#""at":\d+"#, r#""at":AT"#),
            (r"\d+ ms", "N ms"),
            (r"was up, and went down within N ms|is not up", "is DOWN"),
            (r"\d+(\.\d+)? (bytes|KiB|MiB)", "SIZE"),
            (r"\d+\.\d entries", "N entries"),
            (r"on (sim|container [a-z-]+)", "on HOST"),
        ];
        let masks = masks.map(|(pattern, to)| (Regex::new(pattern).expect("a pattern"), to)).into();
        Self { cx, masks, lines: Vec::new() }
    }

    fn say(&mut self, what: &str, words: impl std::fmt::Display) {
        let line =
            self.masks.iter().fold(words.to_string(), |line, (from, to)| from.replace_all(&line, *to).into_owned());
        self.lines.push(format!("{what}: {}", line.replace('\n', " / ")));
    }

    fn answer<T: Serialize>(&mut self, what: &str, answer: Result<T, Error>) {
        match answer {
            Ok(value) => self.say(what, serde_json::to_string(&value).expect("serialises")),
            Err(error) => {
                self.say(what, format!("{:?} {} ({})", error.kind(), error.message(), error.advice().unwrap_or("-")));
            }
        }
    }

    async fn status(&mut self, unit: &str) {
        match status(&self.cx, unit).await {
            Ok(now) => {
                let file = now.file.map_or("-", FileState::word);
                let reload = if now.needs_reload { ", needs a reload" } else { "" };
                self.say(unit, format!("{} [{file}{reload}]", now.line()));
            }
            Err(error) => self.answer::<()>(unit, Err(error)),
        }
    }

    async fn check(&mut self, check: impl Check) {
        let answer = check.check(&self.cx).await;
        let what = check.describe().line().into_owned();
        let answer = answer.map(|finding| format!("{} {}", finding.word(), finding.evidence().summary));
        self.answer(&what, answer);
    }

    /// Surveys, applies twice, surveys again; tells all.
    async fn take<S: Step>(&mut self, step: &S) -> Option<S::Before> {
        let line = step.describe().line().into_owned();
        self.say("step", line);
        let before = match step.survey(&self.cx).await {
            Ok(Survey::Change { before, diff, .. }) => {
                self.say("diff", diff);
                before
            }
            Ok(Survey::Already(output)) => {
                self.answer("already", Ok(output));
                return None;
            }
            Err(error) => {
                self.answer::<()>("refused", Err(error));
                return None;
            }
        };
        // A before-state comes back from the journal.
        let before: S::Before =
            serde_json::from_str(&serde_json::to_string(&before).expect("serialises")).expect("is read back");
        let first = step.apply(&self.cx, &before).await;
        let good = first.is_ok();
        self.answer("applied", first);
        if good {
            let again = step.apply(&self.cx, &before).await;
            self.answer("again", again);
            let after = step.survey(&self.cx).await.map(|survey| matches!(survey, Survey::Already(_)));
            self.answer("done", after);
        }
        Some(before)
    }

    /// Rolls back twice, and settles.
    async fn back<S: Rollback>(&mut self, step: &S, before: Option<S::Before>) {
        let before = before.expect("there was something to change");
        for _ in 0..2 {
            let undone = step.rollback(&self.cx, &before).await;
            self.answer("undone", undone);
        }
        let settled = step.settle(&self.cx, &before).await;
        self.answer("settled", settled);
    }

    async fn life(&self, unit: &str) -> Option<Invocation> {
        status(&self.cx, unit).await.expect("is read").invocation
    }

    async fn there(&mut self, path: &str) {
        let there = self.cx.files().stat(Path::new(path)).await.expect("is looked at").is_some();
        self.say(path, if there { "is there" } else { "is not there" });
    }
}

async fn clean(cx: &Context) {
    let all = ["rb-good", "rb-vendor", "rb-dies", "rb-later", "rb-pre", "rb-loops", "rb-slow"];
    for name in all {
        for verb in ["stop", "reset-failed", "disable"] {
            let _ = cx.output(&Command::new("systemctl").args([verb, name])).await;
        }
        for dir in ["/etc/systemd/system", "/lib/systemd/system"] {
            for end in ["service", "service.d"] {
                cx.files().remove(Path::new(&format!("{dir}/{name}.{end}"))).await.expect("is removed");
            }
        }
    }
    cx.run(&Command::new("systemctl").arg("daemon-reload")).await.expect("reloads");
}

async fn conformance(cx: Context) -> Vec<String> {
    let mut told = Transcript::new(cx.clone());
    files(&mut told).await;
    lives(&mut told).await;
    marks(&mut told).await;
    troubles(&mut told).await;
    told.lines
}

/// Units that do not exist; installing, changing and editing files.
async fn files(told: &mut Transcript) {
    told.status("rb-good").await;
    told.take(&start("rb-good")).await;
    told.take(&stop("rb-good")).await;
    told.take(&enable("rb-good")).await;
    told.take(&edit("rb-good", "a", "b")).await;

    let typo = install("rb-good", GOOD.replace("ExecReload", "ExecRelod"));
    if let Some(before) = told.take(&typo).await {
        told.there("/etc/systemd/system/rb-good.service").await;
        told.there("/run/runbook-verify.rb-good.service").await;
        told.back(&typo, Some(before)).await;
    }
    let good = install("rb-good", GOOD);
    let before = told.take(&good).await;
    told.status("rb-good").await;
    told.back(&good, before).await;
    told.status("rb-good").await;
    told.take(&good).await;
    let newer = install("rb-good", GOOD.replace("8000", "8001"));
    let before = told.take(&newer).await;
    told.back(&newer, before).await;
    told.take(&good).await;

    told.take(&start("rb-good").stable_for(1.seconds())).await;
    let port = |told: &Transcript| {
        let cx = told.cx.clone();
        async move {
            let all = exec_start(&cx, "rb-good").await?;
            Ok(all.first().and_then(|exec| exec.option("--port")).map(str::to_owned))
        }
    };
    let edited = edit("rb-good", "--port 8000", "--port 9000");
    let before = told.take(&edited).await;
    let answer = port(told).await;
    told.answer("port", answer);
    told.status("rb-good").await;
    told.take(&edited).await;
    told.back(&edited, before).await;
    let answer = port(told).await;
    told.answer("port", answer);
    told.take(&edit("rb-good", "--port 7000", "--port 9000")).await;

    let wrong = drop_in("rb-good", "memory").set("Service", "MemroyMax", "1G");
    let before = told.take(&wrong).await;
    told.back(&wrong, before).await;
    let override_command = drop_in("rb-good", "port").exec_start("/bin/sh -c 'exec sleep infinity' --port 8500");
    let before = told.take(&override_command).await;
    let answer = port(told).await;
    told.answer("port", answer);
    told.back(&override_command, before).await;
    told.there("/etc/systemd/system/rb-good.service.d").await;
    told.take(&drop_in("rb-good", "../x").set("Service", "Nice", "1")).await;
    told.take(&drop_in("rb-good", "empty")).await;
    told.take(&daemon_reload()).await;
}

/// Starting, stopping, restarting and reloading a unit that is well.
async fn lives(told: &mut Transcript) {
    let unit = "rb-good";
    told.take(&start(unit).stable_for(500.millis())).await;
    told.check(is_active(unit)).await;
    told.check(active_and_stable(unit, 500.millis())).await;
    told.check(restart_count(unit).at_most(0)).await;
    told.check(memory(unit).at_most(1.gib())).await;
    told.check(memory(unit).at_most(1.kib())).await;
    let pid = status(&told.cx, unit).await.expect("is read").main_pid.expect("runs");
    let owner = unit_of_pid(&told.cx, pid).await;
    told.answer("unit of its process", owner);
    let nobody = unit_of_pid(&told.cx, 4_000_000).await;
    told.answer("unit of no process", nobody);

    let restarted = restart(unit).stable_for(500.millis());
    let (first, before) = (told.life(unit).await, told.take(&restarted).await);
    let second = told.life(unit).await;
    told.say("another life", first != second);
    for _ in 0..2 {
        restarted.rollback(&told.cx, before.as_ref().expect("changes")).await.expect("is left alone");
    }
    told.say("left alone", told.life(unit).await == second);
    restarted.settle(&told.cx, before.as_ref().expect("changes")).await.expect("restarts");
    let third = told.life(unit).await;
    told.say("another life", second != third);
    let never = Was { active: ActiveState::Active, invocation: third.clone() };
    told.back(&restarted, Some(never)).await;
    told.say("never restarted, left alone", told.life(unit).await == third);

    let stopping = restart(unit).stable_for(500.millis()).stops_on_rollback();
    let before = told.take(&stopping).await.expect("changes");
    stopping.rollback(&told.cx, &before).await.expect("stops");
    told.status(unit).await;
    stopping.settle(&told.cx, &before).await.expect("starts");
    told.status(unit).await;

    // It was started five times by now; more within ten seconds is too often for systemd.
    told.cx.pause(10.seconds()).await.expect("goes on");
    let stopped = stop(unit).stable_for(500.millis());
    let before = told.take(&stopped).await;
    told.status(unit).await;
    told.check(is_active(unit)).await;
    told.take(&reload(unit)).await;
    let down = restart(unit).stable_for(500.millis());
    let was_down = told.take(&down).await;
    told.back(&down, was_down).await;
    told.status(unit).await;
    told.back(&stopped, before).await;
    told.status(unit).await;

    let life = told.life(unit).await;
    let reloaded = reload(unit);
    let before = told.take(&reloaded).await;
    told.back(&reloaded, before).await;
    told.say("the same life", told.life(unit).await == life);

    told.check(journald::errors(unit).max(0)).await;
    told.check(journald::errors(unit).since(1.minutes()).max(0)).await;
    told.check(journald::errors(unit).matching("^up$").max(0)).await;
    told.check(journald::errors(unit).max(0).holds_for(1.seconds())).await;
    told.check(journald::follow(unit, 5.seconds()).until("up")).await;
    told.check(journald::follow(unit, 1.seconds()).until("down")).await;
    told.check(journald::follow(unit, 1.seconds())).await;
    told.check(journald::rate(unit).at_most(10_000.0)).await;
    let last = journald::tail(&told.cx, unit, 1000).await.expect("is read");
    let ours: Vec<_> = last.iter().filter(|entry| entry.message == "up").collect();
    told.say(
        "it wrote `up`",
        !ours.is_empty() && ours.iter().all(|entry| entry.priority == Some(journald::Priority::Info)),
    );
}

/// Enabling and masking.
async fn marks(told: &mut Transcript) {
    told.check(is_enabled("rb-good")).await;
    let enabled = enable("rb-good");
    let before = told.take(&enabled).await;
    told.check(is_enabled("rb-good")).await;
    told.back(&enabled, before).await;
    told.check(is_enabled("rb-good")).await;
    told.take(&enabled).await;
    let disabled = disable("rb-good");
    let before = told.take(&disabled).await;
    told.back(&disabled, before).await;
    told.check(is_enabled("rb-good")).await;
    told.take(&disabled).await;

    told.take(&mask("rb-good")).await;
    let vendor = "/lib/systemd/system/rb-vendor.service";
    told.cx.files().write(Path::new(vendor), GOOD.as_bytes(), &Attributes::default()).await.expect("is written");
    let masked = mask("rb-vendor");
    let before = told.take(&masked).await;
    told.status("rb-vendor").await;
    told.take(&start("rb-vendor")).await;
    told.back(&masked, before).await;
    told.status("rb-vendor").await;
    told.take(&masked).await;
    let unmasked = unmask("rb-vendor");
    let before = told.take(&unmasked).await;
    told.back(&unmasked, before).await;
    told.status("rb-vendor").await;
    told.take(&unmasked).await;
    let edited = edit("rb-vendor", "8000", "8002");
    let before = told.take(&edited).await;
    told.back(&edited, before).await;
    told.there("/etc/systemd/system/rb-vendor.service").await;
}

/// Units that die, crash and are slow.
async fn troubles(told: &mut Transcript) {
    for (name, text, _) in units() {
        let step = install(name, text);
        told.take(&step).await;
    }
    told.take(&reload("rb-dies")).await;
    told.take(&enable("rb-dies")).await;
    told.take(&start("rb-slow").stable_for(500.millis())).await;
    told.status("rb-slow").await;

    // A4.9: `systemctl start` is content with a process that dies a second later.
    let by_hand = told.cx.output(&Command::new("systemctl").args(["start", "--", "rb-later.service"])).await;
    told.say("`systemctl start`", by_hand.expect("runs").ending());
    let down = is_active("rb-later").check(&told.cx).await.map(|finding| finding.passes());
    told.answer("and it is up", down);
    told.cx.pause(3.seconds()).await.expect("goes on");
    told.status("rb-later").await;
    for unit in ["rb-later", "rb-dies", "rb-pre"] {
        let step = start(unit).stable_for(4.seconds());
        let before = told.take(&step).await;
        let error = step.apply(&told.cx, before.as_ref().expect("changes")).await.expect_err("does not stay up");
        let journal = error.lines().join("\n");
        told.say("with its journal", journal.contains("Failed with result 'exit-code'"));
        told.say("and its own words", journal.contains("ERROR no database"));
        told.back(&step, before).await;
        told.status(unit).await;
    }
    told.check(journald::errors("rb-later").max(0)).await;
    told.check(journald::errors("rb-later").by_priority_alone().max(0)).await;
    let recent = journald::errors("rb-later").since(2.minutes());
    let (few, many) = (recent.clone().max(1).check(&told.cx).await, recent.max(50).check(&told.cx).await);
    told.answer("more than one", few.map(|finding| finding.word()));
    told.answer("and not many", many.map(|finding| finding.word()));

    let loops = start("rb-loops").stable_for(3.seconds());
    let before = told.cx.clone();
    let Ok(Survey::Change { before: was, .. }) = loops.survey(&before).await else { panic!("is down") };
    let error = loops.apply(&before, &was).await.expect_err("crashes");
    told.say("a crash loop", format!("{:?} {}", error.kind(), error.message().contains("`rb-loops.service`")));
    let failed = |now: Status| now.active == ActiveState::Failed;
    for _ in 0..100 {
        if failed(status(&told.cx, "rb-loops").await.expect("is read")) {
            break;
        }
        told.cx.pause(100.millis()).await.expect("goes on");
    }
    told.status("rb-loops").await;
    told.check(restart_count("rb-loops").at_most(1)).await;
    told.check(is_active("rb-loops")).await;
    told.check(is_active("rb-good").within(5.seconds())).await;
    let named = failure::of_unit(&told.cx, &Unit::named("rb-loops"), "is down").await;
    told.answer::<()>("the start limit", Err(named));
    let by_hand = told.cx.output(&Command::new("systemctl").args(["start", "--", "rb-loops.service"])).await;
    told.say("`systemctl start`", by_hand.expect("runs").ending());
    told.take(&reset_failed("rb-loops")).await;
    told.status("rb-loops").await;
    let by_hand = told.cx.output(&Command::new("systemctl").args(["start", "--", "rb-loops.service"])).await;
    told.say("`systemctl start`", by_hand.expect("runs").ending());
    let still = active_and_stable("rb-loops", 2.seconds()).check(&told.cx).await.map(|finding| finding.word());
    told.answer("is it stable", still);
    let stopped = stop("rb-loops");
    let Ok(Survey::Change { before: was, .. }) = stopped.survey(&told.cx).await else { panic!("it runs, or waits to") };
    stopped.apply(&told.cx, &was).await.expect("is stopped");
    told.cx.pause(500.millis()).await.expect("goes on");
    let down = status(&told.cx, "rb-loops").await.map(|now| now.active.is_down());
    told.answer("and it stays down", down);
}

/// What the real systemd said.
const SAID: &str = include_str!("conformance.txt");

#[tokio::test(start_paused = true)]
async fn the_simulated_systemd_says_what_the_real_one_said() {
    agree(&conformance(simulated()).await, SAID);
}

#[tokio::test(start_paused = true)]
async fn a_simulated_systemd_that_is_wrong_is_noticed() {
    for broken in 0..units().len() {
        let mut wrong = units();
        wrong[broken].2 = match wrong[broken].0 {
            "rb-slow" => Behaviour::dies_at_start(1),
            _ => Behaviour::stays_up(),
        };
        let cx = simulated_with(wrong);
        let said = tokio::spawn(async move { conformance(cx).await }).await;
        let same = said.is_ok_and(|said| is_same(&said, SAID));
        assert!(!same, "unit {broken} does something else, and nobody noticed");
    }
}

#[tokio::test]
#[ignore = "needs systemd: tests/all runs it"]
async fn the_real_systemd_says_what_it_said() {
    let cx = real();
    clean(&cx).await;
    let said = conformance(cx.clone()).await;
    clean(&cx).await;
    agree(&said, SAID);
}
