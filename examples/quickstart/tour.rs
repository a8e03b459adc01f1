//! The tour: deploys release 1, updates to release 2, tries release 3 and watches it put itself back.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runbook::cli::Cli;
use runbook::event::{Event, What};
use runbook::prelude::*;
use runbook::steps::http;
use serde_json::json;

use crate::site::Site;
use crate::{procedures, repository, service};

/// Where the tour happens, and where it is cut short.
struct Tour {
    dir: PathBuf,
    site: Site,
    kill_at: Option<String>,
}

/// Takes the tour: `[--dir DIR] [--kill-at STEP]`.
pub async fn run(words: &[String]) -> ExitCode {
    let told = match Tour::prepare(words).await {
        Ok(tour) => tour.tell().await,
        Err(error) => Err(error),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe tour ended early: {error:?}");
            ExitCode::FAILURE
        }
    }
}

impl Tour {
    /// A directory of its own, empty but for the repository, and a free port.
    async fn prepare(words: &[String]) -> Result<Self> {
        let mut dir = std::env::temp_dir().join("runbook-quickstart");
        let mut kill_at = None;
        for pair in words.chunks(2) {
            match pair {
                [flag, value] if flag == "--dir" => dir = std::path::absolute(value)?,
                [flag, value] if flag == "--kill-at" => kill_at = Some(value.clone()),
                _ => bail!("usage: quickstart [--dir DIR] [--kill-at STEP]"),
            }
        }
        let site = Site { root: dir.join("site"), port: free_port()? };
        clear(&dir, &site).await?;
        repository::make(&dir.join("repository"))?;
        Ok(Self { dir, site, kill_at })
    }

    async fn tell(self) -> Result<()> {
        chapter("A guestbook with three releases. We deploy the first.");
        self.book(0, &["run", "deploy"], "release-1", &["--quiet"]).await?;
        self.sign("Ada", "The Analytical Engine weaves algebraic patterns.").await?;
        self.sign("Grace", "It is easier to ask forgiveness than it is to get permission.").await?;
        println!("  Two people sign it.");

        chapter("Release 2 keeps its entries in another format. What would updating do?");
        self.book(0, &["plan", "update"], "release-2", &[]).await?;
        chapter("So we update. The code, the entries and the process change together.");
        self.book(0, &["run", "update"], "release-2", &[]).await?;
        self.show().await?;

        chapter("Release 3 has a bug: it starts, and answers its health check with an error.");
        let report = self.dir.join("deployment.md");
        self.book(4, &["run", "update"], "release-3", &["--report", &text(&report)]).await?;
        println!("\n  Nobody had to do anything. Code, entries and process of release 2 are back:");
        self.show().await?;

        chapter("We take it down again.");
        self.book(0, &["run", "retire"], "", &["--quiet"]).await?;
        println!("\nWhat happened at the last update, written down while it happened:\n  {}", report.display());
        println!("Every run, step by step:\n  {} runs --journal {}", program(), text(&self.journal()));
        println!("Killed half way instead:\n  {} --kill-at \"Migrate the entries\"", program_with_dashes());
        Ok(())
    }

    /// One command line of the book, shown and run, with the exit code it should have.
    async fn book(&self, expected: u8, verb: &[&str], revision: &str, more: &[&str]) -> Result<()> {
        let mut words: Vec<String> = verb.iter().map(ToString::to_string).collect();
        let site = [("--root", text(&self.site.root)), ("--port", self.site.port.to_string())];
        words.extend(site.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
        if !revision.is_empty() {
            let repository = text(&self.dir.join("repository"));
            words.extend(["--repository".to_owned(), repository, "--revision".to_owned(), revision.to_owned()]);
        }
        println!("$ {} {} {revision}\n", program(), verb.join(" "));
        if verb[0] == "run" {
            words.extend(["--journal".to_owned(), text(&self.journal())]);
        }
        words.extend(more.iter().map(ToString::to_string));

        let kill_at = self.kill_at.clone().filter(|_| revision == "release-2");
        let journal = text(&self.journal());
        let cli = Cli::new(procedures::book()).with(move |runner| match &kill_at {
            Some(step) => runner.reader(killer(step.clone(), journal.clone())),
            None => runner,
        });
        let words = std::iter::once(program()).chain(words);
        let code = cli.run_with(words).await;
        ensure!(code == expected, "`{}` ended with exit code {code}, not {expected}", verb.join(" "));
        Ok(())
    }

    async fn sign(&self, author: &str, words: &str) -> Result<()> {
        let mut request = http::Request::new("POST", self.site.url("/entries"));
        request.body = http::Body::Json(json!({ "author": author, "text": words }));
        let response = http::fetch(&Context::local(), &request).await?;
        ensure!(response.status == 201, "the guestbook took no entry: {}", response.status_line());
        Ok(())
    }

    /// What the guestbook says of itself.
    async fn show(&self) -> Result<()> {
        for path in ["/health", "/entries"] {
            let request = http::Request::new("GET", self.site.url(path));
            let response = http::fetch(&Context::local(), &request).await?;
            println!("  GET {path:9} {}", response.value()?);
        }
        Ok(())
    }

    fn journal(&self) -> PathBuf {
        self.dir.join("journal")
    }
}

/// Kills the runner, without warning, when this step is about to change something.
fn killer(step: String, journal: String) -> impl FnMut(&Event) + Send {
    let mut run = String::new();
    let mut at = None;
    move |event| match &event.what {
        What::RunBegan(began) => run = began.run.to_string(),
        What::StepBegan { key, title, .. } if **title == *step => at = Some(key.clone()),
        What::StepSurveyed { key, .. } if Some(key) == at.as_ref() => {
            println!("\nThe runner is killed now (SIGKILL). The guestbook is down, half way between two releases.");
            println!("Go on with it, or go back:");
            println!("  {} resume {run} --journal {journal}", program());
            println!("  {} resume {run} --roll-back --journal {journal}", program());
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        _ => {}
    }
}

/// Ends what an earlier tour may have left, and begins with an empty directory.
async fn clear(dir: &Path, site: &Site) -> Result<()> {
    let cx = Context::local();
    if let Some(process) = service::running(&cx, site).await? {
        cx.output(&Command::new("kill").arg(process.pid.to_string())).await?;
    }
    if dir.exists() {
        ensure!(dir.join("repository").exists(), "`{}` is there already, and not from a tour", dir.display());
        std::fs::remove_dir_all(dir).with_context(|| format!("empty `{}`", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("make `{}`", dir.display()))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn chapter(words: &str) {
    println!("\n\n{words}\n");
}

/// How this program was started, for commands to type.
fn program() -> String {
    if std::env::var_os("CARGO").is_some() {
        program_with_dashes()
    } else {
        text(&std::env::current_exe().unwrap_or_default())
    }
}

fn program_with_dashes() -> String {
    "cargo run --example quickstart --".into()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
