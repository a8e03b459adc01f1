//! What a run leaves behind for people: the deployment log of the fourth document filled in by itself, and the page, read
//! in a real browser.

use runbook::Outcome;
use runbook::prelude::*;
use runbook::report::text::{self, Program};
use runbook::report::{Lines, html, json, markdown};
use runbook::testing::SimClock;

use self::deployment::{Site, deploy, exists_already};

mod browser;
mod deployment;
mod page;

const TEMPLATE: &str = include_str!("report/template.txt");

/// Every field of the template, and the line of the log that has it.
const FIELDS: [(&str, &str); 23] = [
    ("Date: YYYY-MM-DD HH:MM UTC", "| Date | 2025-07-15 10:00 UTC |"),
    ("Deployer: <your-name>", "| Deployer | anna |"),
    ("Environment: Production/Staging/Dev", "| Environment | production |"),
    ("Git Commit: <commit-sha>", "| Git commit | 07282d8c4be1f0a9d8e7c6b5a493827160594837 (Update the code) |"),
    ("Git Tag: <tag-if-applicable>", "| Git tag | v2.4.0 |"),
    ("- [ ] CI passing", "- [x] CI passing: pipeline 4711 is green, 412 tests (10:00:00)"),
    ("- [ ] Backup taken", "- [x] Backup taken: Create a backup: path = /var/backups/cleaning-20260106-100000.dump"),
    ("- [ ] Team notified", "- [x] Team notified: Tell the team (10:00:00)"),
    ("- Start time: HH:MM", "- Start time: 10:00:00 by anna"),
    ("- Code updated: HH:MM", "- Code updated: 10:00:00"),
    ("- Images built: HH:MM", "- Images built: 10:00:00"),
    ("- Migrations run: HH:MM", "- Migrations run: 10:00:01"),
    ("- Services restarted: HH:MM", "- Services restarted: 10:00:02"),
    ("- Verification complete: HH:MM", "- Verification complete: 10:00:02"),
    ("- End time: HH:MM", "- End time: 10:00:02"),
    ("- Health check: PASS/FAIL", "- while the site is watched / Health check: PASS (200 OK in 12 ms, status = ok)"),
    ("- Readiness check: PASS/FAIL", "/ Readiness check: PASS (200 OK, database, redis and queue are ready)"),
    ("- Smoke tests: PASS/FAIL", "/ Smoke tests: PASS (3 of 3 conversations)"),
    ("- Service status: All running", "/ Service status: PASS (All running: api, web, jobs, db, caddy)"),
    (
        "- <any issues encountered>",
        "warning: while the site is watched / Maintenance page / Run the migrations: table `bookings` is locked",
    ),
    ("- <any deviations from standard procedure>", "- skipped: Remove old images: only if `to.prune`"),
    ("- Required: YES/NO", "- Required: NO"),
    ("- Reason: <if rolled back>", ""),
];

/// What the template forgot.
const FORGOTTEN: [&str; 9] = [
    "| Git commit before | 9b0a8b3f1c5e4d2a7788990011223344556677aa |",
    "| Schema revision | b2d4 (Run the migrations) |",
    "| Schema revision before | a1c3 |",
    "| Image api | sha256:c84d5e6f70a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b (Build api) |",
    "| Image api before | sha256:1f0a6b21c8d94e35b7a2f96d03c8e4417a5b9d20c6e8f3a1d4b7095e2c6f8a31 |",
    "| Image web before | sha256:1f0a6b21c8d94e35b7a2f96d03c8e4417a5b9d20c6e8f3a1d4b7095e2c6f8a31 |",
    "| Downtime | the site: downtime ",
    "tried again: while the site is watched / Maintenance page / Run the migrations after attempt 1: connection refused",
    "confirmed: Does support know that the site goes down for a minute?: anna said yes",
];

/// A site whose migration needs a second try.
fn shaky() -> Site {
    Site::new(SimClock::default()).trouble("schema", [Error::transient("connection refused")])
}

#[tokio::test(start_paused = true)]
async fn the_log_has_every_field_of_the_template_and_what_it_forgot() {
    let fields = TEMPLATE.lines().filter(|line| line.starts_with("- ") || !line.ends_with(':')).skip(2);
    let fields: Vec<&str> = fields.filter(|line| !line.is_empty()).collect();
    assert_eq!(fields, FIELDS.map(|(field, _)| field), "the fields of the template");
    let told = deploy(&shaky()).await;
    assert_eq!(told.finished.outcome(), Outcome::Done, "{:?}", told.finished.ended.error);
    let log = markdown::log(&told.live());
    for line in FIELDS.map(|(_, line)| line).into_iter().chain(FORGOTTEN) {
        assert!(log.contains(line), "`{line}` is missing in\n{log}");
    }
    assert!(!log.contains("- Reason:"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_deployment_that_was_put_back_says_why_and_what() {
    let site = Site::new(SimClock::default()).trouble("smoke", [Error::new("2 of 3 conversations")]);
    let told = deploy(&site).await;
    assert_eq!(told.finished.outcome(), Outcome::RolledBack);
    let log = markdown::log(&told.live());
    for line in [
        "/ Smoke tests: FAIL (2 of 3 conversations)",
        "- Verification complete: 10:00:01 (1 check did not pass)",
        "07282d8c4be1f0a9d8e7c6b5a493827160594837 (Update the code, put back) |",
        "- Code updated: 10:00:00 (put back at 10:00:0",
        "- Required: YES\n- Reason: check `Smoke tests` failed: 2 of 3 conversations\n",
        "- skipped: Remove old images: not reached",
    ] {
        assert!(log.contains(line), "`{line}` is missing in\n{log}");
    }
    let back: Vec<&str> =
        log.lines().filter_map(|line| line.strip_prefix("- Put back: ")?.split(": ").next()).collect();
    let last = ["while the site is watched / Update the code", "Tell the team", "Create a backup"];
    assert_eq!(back[back.len() - 3..], last, "{log}");
    assert!(!back.iter().any(|what| what.ends_with("Maintenance page")), "a page that was held is no rollback\n{log}");
}

/// Digits apart: the journal in memory has another clock than the run.
fn timeless(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
    let mut text = text.replace("#.#", "#");
    for few in ["####", "###", "##"] {
        text = text.replace(few, "#");
    }
    let text = text.replace("# ms", "# s");
    let mut lines: Vec<&str> = text.lines().collect();
    // What happens at once is told in one order by the run, in another by the journal.
    lines.sort_unstable();
    lines.join("\n")
}

#[tokio::test(start_paused = true)]
async fn a_journal_tells_the_same_log_as_the_run_did() {
    for site in [shaky(), Site::new(SimClock::default()).trouble("schema", [exists_already()])] {
        let told = deploy(&site).await;
        let (live, remembered) = (markdown::log(&told.live()), markdown::log(&told.remembered()));
        assert_eq!(timeless(&live), timeless(&remembered), "{live}\n{remembered}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_later_has_the_warnings_and_the_hosts() {
    let told = deploy(&shaky()).await;
    let shown = text::whole(&told.remembered, Lines::new(Program::new("cleaning")));
    for line in [
        "warning   while the site is watched / Maintenance page / Run the migrations: table `bookings` is locked",
        "retry     while the site is watched / Maintenance page / Run the migrations: attempt 1 failed",
        "done      while the site is watched / Maintenance page / Run the migrations on db-1 (",
        "/ Start the services / api / Start on app-1 (",
        "note      the site: downtime ",
        "DONE WITH 3 WARNINGS",
    ] {
        assert!(shown.contains(line), "`{line}` is missing in\n{shown}");
    }
    let page = html::page(&told.remembered());
    assert!(page.contains("<span class=\"host\">db-1</span>"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn programs_read_the_log_as_one_document() {
    let told = deploy(&shaky()).await;
    let log: serde_json::Value = serde_json::from_str(&json::log(&told.live())).expect("JSON");
    assert_eq!(log["outcome"], "done with 3 warnings");
    assert_eq!(log["deployers"], serde_json::json!(["anna"]));
    assert_eq!(log["versions"][0]["before"], "9b0a8b3f1c5e4d2a7788990011223344556677aa");
    assert_eq!(log["rollback"]["required"], false);
    assert!(log["downtime"][0]["seen"]["failed"].as_u64() > Some(0), "{log}");
    assert!(log["phases"].as_array().is_some_and(|phases| phases.len() == 7), "{log}");
}
