use runbook::prelude::*;
use runbook::{ItemKind, Outline, Procedure};
use serde::{Deserialize, Serialize};

use super::actions::{Pid, install, mail, site_is_up, start};

#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
pub(super) struct Site {
    root: String,
    hosts: Vec<String>,
}

/// Update the site.
///
/// Takes five minutes.
#[procedure(target = site.root)]
pub(super) async fn update(run: &Run, site: &Site) -> Result<Pid> {
    /// The newest there is.
    let pid = run.step("Start", start(&site.root, 80)).key("start").await?;
    run.each("Hosts", &site.hosts, async |run, host| {
        run.step(format!("Install on {host}"), install(host)).await?;
        if host.starts_with("db") {
            run.irreversible("mail cannot be unsent", "Tell", mail(host)).await?;
        }
        Ok(())
    })
    .await?;
    run.guard([], async |run| {
        run.hold("Page", start(&site.root, 81), async |run| run.step("Inside", install(&site.root)).await).await
    })
    .await?;
    let (left, right) = run
        .both(
            "Both",
            async |run| run.step("Left", install(&site.root)).await,
            async |run| run.scope("Right", async |run| run.step("Right", install(&site.root)).await).await,
        )
        .await?;
    ensure!(left == right, "different");
    run.check("Up", site_is_up(80).within(10.seconds())).await?;
    check_only(run).await?;
    Ok(pid)
}

#[procedure]
pub(super) async fn check_only(run: &Run) -> Result<()> {
    run.require("Up", site_is_up(80)).await
}

/// A lifetime of one's own, and an input taken apart.
#[procedure(target = root)]
async fn taken_apart<'r>(run: &'r Run, Site { root, hosts: _ }: &'r Site) -> Result<String> {
    run.confirm(format!("Is {root} yours?")).await?;
    Ok(root.clone())
}

/// Names may be raw, arguments may have any name.
#[procedure]
async fn r#move(run: &Run) -> Result<()> {
    run.step("Move", odd("web", 1, "x".to_owned())).await
}

#[step(rollback = odd_back)]
async fn odd(context: &Context, cx: &str, r#type: u8, run: String) -> Result<()> {
    ensure!(!context.is_cancelled(), "{cx} {} {run}", r#type);
    Ok(())
}

async fn odd_back(context: &Context, cx: &str, r#type: u8, run: String) -> Result<()> {
    context.pause(u64::from(r#type).millis()).await.with_context(|| format!("{cx} {run}"))
}

mod elsewhere {
    use super::super::procedures::update;

    pub(super) fn list() -> [runbook::Definition; 2] {
        runbook::procedures![update, super::check_only]
    }
}

/// Both, one after the other.
///
/// The first may wait for the second.
#[part]
async fn both_up(run: &Run, hosts: &[String; 2], more: impl AsRef<str>) -> Result<usize> {
    for host in hosts {
        /// Each by itself.
        run.check(format!("{host} is up"), site_is_up(80)).await?;
    }
    Ok(more.as_ref().len())
}

/// Look at everything.
#[procedure]
async fn look_at_all(run: &Run) -> Result<()> {
    let here = both_up(run, &["one".to_owned(), "two".to_owned()], "more").await?;
    ensure!(here == 4, "not all");
    check_only(run).await
}

#[test]
fn an_outline_shows_what_is_in_its_parts() {
    let book = Book::new("all").procedures(procedures![look_at_all, check_only]).parts(parts![both_up]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let inputs = runbook::Stored::of(&NoInput {}).expect("inputs");
    let explanation = runtime.block_on(runbook::Runner::new(book.clone()).explain("look_at_all", inputs));
    let explanation = explanation.expect("an explanation");
    let told = runbook::report::outline::Told::explained(look_at_all::OUTLINE, &book, &explanation);
    let expected = "\
# Look at everything

1. Both, one after the other  
   The first may wait for the second.  
   1. *repeat `for host in hosts`*:
      1. check: {host} is up  
         Each by itself.  
         expect: Whether the site answers  
         ```sh
         curl localhost:80
         ```
2. Check only
   1. only if: Up  
      expect: Whether the site answers  
      ```sh
      curl localhost:80
      ```
";
    assert_eq!(told.markdown(), expected);
}

fn titles(outline: &Outline) -> Vec<(ItemKind, &'static str)> {
    outline.items.iter().map(|item| (item.kind, item.title)).collect()
}

#[test]
fn an_outline_says_what_the_source_says() {
    let outline = update::OUTLINE;
    assert_eq!((outline.name, outline.title, outline.doc), ("update", "Update the site", "Takes five minutes."));
    assert_eq!(
        titles(outline),
        [
            (ItemKind::Step, "Start"),
            (ItemKind::Each, "Hosts"),
            (ItemKind::Guard, ""),
            (ItemKind::Both, "Both"),
            (ItemKind::Check, "Up"),
            (ItemKind::Call, "check_only"),
        ]
    );
    let first = outline.items[0];
    assert_eq!((first.code, first.doc), ("start(&site.root, 80)", "The newest there is."));
    let each = outline.items[1];
    assert_eq!(
        (each.code, each.items[0].title, each.items[1].kind),
        ("&site.hosts", "Install on {host}", ItemKind::If)
    );
    assert_eq!(each.items[1].items[0].doc, "mail cannot be unsent");
    assert_eq!(outline.items[4].code, "site_is_up(80).within(10.seconds())");
    assert_eq!(check_only::OUTLINE.title, "Check only");
    assert_ne!(outline.fingerprint, check_only::OUTLINE.fingerprint);
}

#[test]
fn a_procedure_says_what_it_runs_against() {
    let site = Site { root: "/srv/site".to_owned(), hosts: Vec::new() };
    assert_eq!(update::target(&site).as_deref(), Some("/srv/site"));
    assert_eq!(taken_apart::target(&site).as_deref(), Some("/srv/site"));
    assert_eq!(check_only::target(&NoInput {}), None);
}

#[test]
fn procedures_are_listed_through_imports() {
    let names: Vec<_> = elsewhere::list().iter().map(runbook::Definition::name).collect();
    assert_eq!(names, ["update", "check_only"]);
    assert_eq!(
        (r#move::OUTLINE.name, r#move::OUTLINE.title),
        ("move", "Names may be raw, arguments may have any name")
    );
}

/// A procedure may live in a server: this compiles when its future can be sent to another thread.
#[test]
fn the_future_of_a_procedure_can_be_sent() {
    fn is_send<F: Future + Send>(_: impl FnOnce(&'static Run, &'static Site) -> F) {}
    is_send(update);
    is_send(taken_apart);
}
