//! The page, opened from the disk in a real browser without a network, on a phone, on a desk and on paper.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook::journal::FileStore;
use runbook::prelude::*;
use runbook::report::html;
use runbook::{Outcome, SystemClock};
use serde::Deserialize;
use tempfile::TempDir;

use super::browser::{Browser, Look, Page};
use super::deployment::{Happened, Site, Told, deploy_in, exists_already, overflow};

const DESK: Look = Look { width: 1280, height: 900, is_dark: false, is_print: false };
const DARK: Look = Look { is_dark: true, ..DESK };
const PHONE: Look = Look { width: 320, height: 700, ..DESK };
const DARK_PHONE: Look = Look { is_dark: true, ..PHONE };
const PAPER: Look = Look { width: 794, height: 1123, is_dark: false, is_print: true };

/// What goes over an edge, to the left or to the right.
const OVER: &str = "(() => {
  const width = document.documentElement.clientWidth;
  const over = [...document.querySelectorAll('body *')].filter(element => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.right > width + 1 || box.left < -1);
  });
  const names = over.map(element => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`);
  if (document.documentElement.scrollWidth > width) names.push('the page scrolls sideways');
  return names.slice(0, 10);
})()";

/// Every row as it is drawn: where its bars lie between the edges of its track.
const ROWS: &str = "[...document.querySelectorAll('.rows li:has(> details)')].map(row => {
  const line = row.querySelector('summary');
  const track = line.querySelector('.track').getBoundingClientRect();
  const bars = [...line.querySelectorAll('.bar')].map(bar => {
    const box = bar.getBoundingClientRect();
    return { kind: bar.className.replace('bar ', ''), left: (box.left - track.left) / track.width,
      right: (box.right - track.left) / track.width, pattern: getComputedStyle(bar).backgroundImage };
  });
  const name = line.querySelector('.name');
  return { title: line.querySelector('.title').textContent, state: line.querySelector('.state b').textContent,
    host: line.querySelector('.host')?.textContent ?? '', indent: parseFloat(getComputedStyle(name).paddingLeft),
    text: row.querySelector('.facts')?.textContent ?? '', bars };
})";

#[derive(Debug, Deserialize)]
struct Row {
    title: String,
    state: String,
    host: String,
    indent: f64,
    text: String,
    bars: Vec<Bar>,
}

#[derive(Debug, Deserialize)]
struct Bar {
    kind: String,
    left: f64,
    right: f64,
    pattern: String,
}

/// Where the pictures of this test are left.
fn gallery() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&dir).expect("a directory for the pictures");
    dir
}

fn keep(name: &str, bytes: &[u8]) {
    let path = gallery().join(name);
    std::fs::write(&path, bytes).expect("a picture");
    println!("{}", path.display());
}

/// A real run with a journal on the disk, and its page as `show` makes it.
async fn told(site: &Site) -> (Told, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = FileStore::open(dir.path()).expect("a store");
    let told = deploy_in(site, Arc::new(store)).await;
    (told, dir)
}

fn page_of(told: &Told, name: &str) -> PathBuf {
    let path = gallery().join(name);
    std::fs::write(&path, html::page(&told.remembered())).expect("a page");
    println!("{}", path.display());
    path
}

fn rows(page: &mut Page<'_>) -> Vec<Row> {
    serde_json::from_value(page.value(ROWS)).expect("rows")
}

/// The page as such: it asks for nothing, complains of nothing, and goes over no edge, whatever is open.
#[track_caller]
fn is_whole(page: &mut Page<'_>, look: Look) {
    page.look(look);
    for open in ["false", "true"] {
        page.value(&format!("document.querySelectorAll('details').forEach(details => details.open = {open})"));
        let over = page.value(OVER);
        assert_eq!(over, serde_json::json!([]), "at {look:?}, everything open: {open}");
        // On a telephone, a page that is too wide makes everything smaller.
        assert_eq!(page.value("window.innerWidth"), look.width, "at {look:?}, everything open: {open}");
    }
    assert_eq!(page.complaints(), Vec::<String>::new());
    assert_eq!(page.requests(), Vec::<String>::new());
}

/// Where a moment has to be, from 0 to 1.
fn share(told: &Told, at: jiff::Timestamp) -> f64 {
    let summary = told.remembered();
    let (first, last) = (summary.first().expect("it began"), summary.last.expect("it ended"));
    at.duration_since(first).as_secs_f64() / last.duration_since(first).as_secs_f64()
}

#[track_caller]
fn is_near(seen: f64, expected: f64, what: &str) {
    // The journal and the step look at the clock one after the other; a bar has a smallest width.
    assert!((seen - expected).abs() < 0.02, "{what} is at {seen:.3}, and should be at {expected:.3}");
}

/// The title of the row that an act of the site belongs to.
fn title(happened: &Happened) -> &str {
    match &*happened.subject {
        "database" => "Create a backup",
        "#deployments" => "Tell the team",
        "/opt/cleaning" => "Update the code",
        "image of api" => "Build api",
        "image of web" => "Build web",
        "services" => "Stop the services",
        "schema" => "Run the migrations",
        "cleaning.example" => "Maintenance page",
        _ => "Start",
    }
}

/// Every act of the site is a bar at its time, in the row of its step.
#[track_caller]
fn bars_are_where_it_happened(told: &Told, rows: &[Row], site: &Site) {
    let happened = site.happened();
    for (n, act) in happened.iter().enumerate().filter(|(_, act)| title(act) != "Start") {
        let row = find(rows, title(act));
        let is_forward = |act: &Happened| act.act == "apply";
        // A hold lasts for as long as what it is held for.
        if is_forward(act) && row.title == "Maintenance page" {
            continue;
        }
        let kinds: &[&str] = if is_forward(act) { &["work"] } else { &["back", "given"] };
        let mut bars = row.bars.iter().filter(|bar| kinds.contains(&bar.kind.as_str()));
        // What reads what others wrote settles whenever that has changed.
        let earlier = happened[..n].iter().filter(|one| title(one) == row.title && is_forward(one) == is_forward(act));
        let bar = bars.nth(earlier.count()).unwrap_or_else(|| panic!("no bar for {act:?} in {row:?}"));
        is_near(bar.left, share(told, act.from), &format!("the left of `{}` ({})", row.title, act.act));
        is_near(bar.right, share(told, act.to), &format!("the right of `{}` ({})", row.title, act.act));
    }
}

fn find<'r>(rows: &'r [Row], title: &str) -> &'r Row {
    let found = rows.iter().find(|row| row.title == title);
    found.unwrap_or_else(|| panic!("no row `{title}` in {rows:?}"))
}

#[tokio::test]
#[ignore = "needs Chromium: tests/all runs it"]
async fn a_rollback_is_drawn_as_it_happened() {
    let site = Site::new(SystemClock).trouble("schema", [exists_already()]);
    let (told, _dir) = told(&site).await;
    assert_eq!(told.finished.outcome(), Outcome::RolledBack);
    let file = page_of(&told, "rolled-back.html");
    let mut browser = Browser::start();
    let mut page = browser.open(&file, DESK);
    for (look, name) in
        [(DESK, "desk"), (DARK, "desk-dark"), (PHONE, "phone"), (DARK_PHONE, "phone-dark"), (PAPER, "paper")]
    {
        page.look(look);
        keep(&format!("rolled-back-{name}.png"), &page.picture());
    }
    page.look(DESK);
    let rows = rows(&mut page);
    bars_are_where_it_happened(&told, &rows, &site);

    let migration = find(&rows, "Run the migrations");
    assert_eq!((&*migration.state, &*migration.host), ("failed, put back", "db-1"));
    assert!(migration.text.contains("put back at "), "{}", migration.text);
    let (forward, back) = (&migration.bars[0], &migration.bars[1]);
    assert!(forward.right <= back.left + 0.005, "what is put back lies to the right: {migration:?}");
    assert_eq!(forward.pattern, "none", "forward work is plain");
    assert!(back.pattern.contains("gradient"), "a rollback is striped: {back:?}");
    // What was done last is put back first.
    let begins = |title: &str| find(&rows, title).bars.iter().find(|bar| bar.kind == "back").expect("put back").left;
    let order =
        ["Run the migrations", "Stop the services", "Build api", "Update the code", "Tell the team", "Create a backup"];
    assert!(order.is_sorted_by(|early, late| begins(early) < begins(late)), "{rows:?}");
    // Both sides at once, and further in than what is around them.
    let (api, web) = (find(&rows, "Build api"), find(&rows, "Build web"));
    assert!(api.bars[0].left < web.bars[0].right && web.bars[0].left < api.bars[0].right, "{api:?} {web:?}");
    assert!(api.indent > find(&rows, "Update the code").indent, "{api:?}");

    let wrong = page.value("document.querySelector('.wrong').innerText");
    let wrong = wrong.as_str().expect("text");
    for words in
        ["Run the migrations", "exited with 1", "SQLSTATE 42P07", "DuplicateTable", "look what is in the table"]
    {
        assert!(wrong.contains(words), "{words} is missing in {wrong}");
    }
    let down = page.value("document.querySelectorAll('.lane .bar.down').length");
    assert_eq!(down, 1, "the site was down once");
    for look in [DESK, DARK, PHONE] {
        is_whole(&mut page, look);
    }
}

#[tokio::test]
#[ignore = "needs Chromium: tests/all runs it"]
async fn a_deployment_that_went_well_is_drawn_as_it_happened() {
    let site = Site::new(SystemClock).trouble("schema", [Error::transient("connection refused")]);
    let (told, _dir) = told(&site).await;
    assert_eq!(told.finished.outcome(), Outcome::Done);
    let file = page_of(&told, "done.html");
    let mut browser = Browser::start();
    let mut page = browser.open(&file, DESK);
    for (look, name) in [(DESK, "desk"), (PHONE, "phone")] {
        page.look(look);
        keep(&format!("done-{name}.png"), &page.picture());
    }
    page.look(DESK);
    let rows = rows(&mut page);
    assert_eq!(find(&rows, "Maintenance page").state, "taken back");
    assert!(rows.iter().all(|row| row.bars.iter().all(|bar| bar.kind != "back")), "nothing was rolled back: {rows:?}");
    let started = rows.iter().filter(|row| row.title.ends_with(" / Start")).collect::<Vec<_>>();
    assert_eq!(started.len(), 3);
    assert!(started.iter().all(|row| row.host == "app-1"), "{started:?}");
    is_whole(&mut page, PHONE);
    let paper = page.print();
    assert!(paper.starts_with(b"%PDF"), "it prints");
    keep("done.pdf", &paper);
}

#[tokio::test]
#[ignore = "needs Chromium: tests/all runs it"]
async fn words_without_end_go_over_no_edge() {
    let told = overflow(&Site::new(SystemClock)).await;
    assert_eq!(told.finished.outcome(), Outcome::RolledBack, "{:?}", told.finished.ended.error);
    let file = page_of(&told, "unwieldy.html");
    let mut browser = Browser::start();
    let mut page = browser.open(&file, PHONE);
    for (look, name) in [(PHONE, "phone"), (DESK, "desk")] {
        is_whole(&mut page, look);
        keep(&format!("unwieldy-{name}.png"), &page.picture());
    }
}

/// The eyes of this test see: a page that is broken in all these ways is found out.
#[tokio::test]
#[ignore = "needs Chromium: tests/all runs it"]
async fn a_broken_page_does_not_pass() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("broken.html");
    let broken = "<!doctype html><meta name=viewport content='width=device-width'><div style='width: 50rem'>wide</div>\
         <img src='http://example.org/pixel.png'><script>console.error('no'); undefined.thing</script>";
    std::fs::write(&file, broken).expect("a page");
    let mut browser = Browser::start();
    let mut page = browser.open(&file, PHONE);
    assert_eq!(page.requests(), ["http://example.org/pixel.png"]);
    assert!(page.complaints().len() >= 2, "{:?}", page.complaints());
    assert!(page.value(OVER).as_array().is_some_and(|over| !over.is_empty()), "it is too wide");
}
