//! One suite for the real nginx and the simulated one.

use std::sync::Arc;

use runbook::command::Output;
use runbook::testing::{Rig, SimHost, explore};
use runbook::{Check, Error, Result, Rollback, Run, Step};
use runbook_macros::procedure;

use super::*;
use crate::conformance::{agree, is_same};

/// A host with an nginx, real or not.
struct World {
    cx: Context,
    server: Nginx,
    port: u16,
    /// `None` for the real one, which is asked.
    sim: Option<SimHost>,
}

impl World {
    /// The status that a client of the site sees; `none` when nobody listens.
    async fn status(&self) -> String {
        let Some(sim) = &self.sim else {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)).await else { return "none".to_owned() };
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.expect("is sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("is answered");
            return answer.split_whitespace().nth(1).expect("has a status").to_owned();
        };
        let site = Fake::serving(sim, "app").map(|text| config::words(&text));
        let status =
            site.and_then(|words| words.windows(2).find(|pair| pair[0] == "return").map(|pair| pair[1].clone()));
        status.unwrap_or_else(|| "none".to_owned())
    }

    fn config(&self, status: u16) -> String {
        format!("server {{\n  listen 127.0.0.1:{};\n  return {status};\n}}\n", self.port)
    }
}

struct Told<'a> {
    world: &'a World,
    lines: Vec<String>,
}

impl Told<'_> {
    fn say(&mut self, words: impl std::fmt::Display) {
        let root = self.world.server.root.display().to_string();
        let words = words.to_string().replace(&root, "ROOT").replace(&self.world.port.to_string(), "PORT");
        // The main file is not the same everywhere, and a log has times and processes.
        let mask = |words: &str, pattern: &str, to: &str| {
            let pattern = regex_lite::Regex::new(pattern).expect("a pattern");
            pattern.replace_all(words, to).into_owned()
        };
        let words = mask(&words, r"[0-9/]{10} [0-9:]{8} \[emerg\] \d+#\d+:", "nginx: [emerg]");
        let words = mask(&words, r"nginx\.conf:\d+", "nginx.conf:LINE");
        // What OpenSSL says of a file is its own affair.
        let words = words.split("BIO_new_file() failed").next().unwrap_or_default().to_owned();
        self.lines.push(words.replace("localhost", "HOST").replace("sim", "HOST"));
    }

    fn error(&mut self, error: &Error) {
        let hint = error.advice().unwrap_or("no hint").to_owned();
        self.say(format_args!("{:?}, {hint}", error.kind()));
        let root = error.causes().last().unwrap_or(error.message()).to_owned();
        self.say(root);
    }

    async fn status(&mut self) {
        let status = self.world.status().await;
        self.say(format_args!("status {status}"));
    }

    async fn check(&mut self, check: impl Check) {
        match check.check(&self.world.cx).await {
            Ok(finding) => {
                let first = finding.evidence().lines.iter().find(|line| line.contains("[emerg]")).cloned();
                let summary = finding.evidence().summary.clone();
                self.say(format_args!("{} {summary} {}", finding.word(), first.unwrap_or_default()));
            }
            Err(error) => self.error(&error),
        }
    }

    /// Surveys, and applies twice; gives what was before, when it went well.
    async fn take<S: Step>(&mut self, step: &S) -> Option<S::Before> {
        let before = match step.survey(&self.world.cx).await {
            Ok(Survey::Change { before, diff, .. }) => {
                let workers = diff.to_string().contains("workers");
                self.say(if workers { "workers are replaced".to_owned() } else { diff.to_string() });
                before
            }
            Ok(Survey::Already(_)) => {
                self.say("already");
                return None;
            }
            Err(error) => {
                self.error(&error);
                return None;
            }
        };
        for _ in 0..2 {
            if let Err(error) = step.apply(&self.world.cx, &before).await {
                self.error(&error);
                return None;
            }
        }
        self.status().await;
        Some(before)
    }

    async fn back<S: Rollback>(&mut self, step: &S, before: Option<S::Before>) {
        let before = before.expect("went well");
        for _ in 0..2 {
            match step.rollback(&self.world.cx, &before).await {
                Ok(()) => self.say("back"),
                Err(error) => self.error(&error),
            }
        }
        if let Err(error) = step.settle(&self.world.cx, &before).await {
            self.error(&error);
        }
        self.status().await;
    }
}

async fn suite(world: &World) -> Vec<String> {
    let (cx, server) = (&world.cx, &world.server);
    let mut told = Told { world, lines: Vec::new() };
    let write = async |name: &str, text: &str| {
        let path = server.root.join("sites-enabled").join(name);
        cx.files().write(&path, text.as_bytes(), &runbook::host::Attributes::default()).await.expect("is written");
    };
    let remove = async |name: &str| {
        cx.files().remove(&server.root.join("sites-enabled").join(name)).await.expect("is removed");
    };
    told.check(server.test()).await;
    told.take(&server.reload()).await;
    told.take(&server.maintenance("app")).await;

    let one = server.site("app", world.config(201));
    let installed = told.take(&one).await;
    told.take(&one).await;
    let reloaded = told.take(&server.reload()).await;
    let two = server.site("app", world.config(202));
    let changed = told.take(&two).await;
    told.take(&server.reload()).await;
    told.back(&two, changed).await;
    told.back(&server.reload(), reloaded).await;

    let page = server.maintenance("app");
    let shown = told.take(&page).await;
    told.back(&page, shown).await;

    // What is refused leaves what was there.
    for text in [
        "server { listen 127.0.0.1:1 ssl; ssl_certificate /no/such/fullchain.pem; ssl_certificate_key /no/such/key; }",
        "server { location / { proxy_pass http://api-4.invalid:8000; } }",
        "server {\n  return 200;\n",
        "server {\n  return 200;\n}\n}\n",
        "nonsense",
    ] {
        told.take(&server.site("app", text)).await;
        told.take(&server.site("other", text)).await;
        told.check(server.test()).await;
        told.status().await;
    }

    // Someone broke it by hand.
    write("hand", "nonsense").await;
    told.check(server.test()).await;
    told.take(&server.site("app", world.config(203))).await;
    told.take(&server.reload()).await;
    remove("hand").await;
    let dangling = server.root.join("sites-enabled/dangling");
    cx.files().symlink(std::path::Path::new("/no/such/site"), &dangling).await.expect("is linked");
    told.check(server.test()).await;
    remove("dangling").await;
    told.check(server.test()).await;
    told.back(&one, installed).await;
    told.take(&server.reload()).await;
    told.lines
}

const SAID: &str = include_str!("conformance.txt");

fn simulated(change: impl FnOnce(SimHost) -> SimHost) -> World {
    let sim = change(Fake::new().on(SimHost::new("sim")));
    World { cx: Context::on(Arc::new(sim.clone())), server: Nginx::new(), port: 28099, sim: Some(sim) }
}

#[tokio::test(start_paused = true)]
async fn the_simulated_nginx_says_what_the_real_one_said() {
    agree(&suite(&simulated(|host| host)).await, SAID);
}

#[tokio::test]
#[ignore = "needs nginx: tests/all runs it"]
async fn the_real_nginx_says_what_it_said() {
    let place = Place::new().await;
    let world = World { cx: Context::local(), server: place.server.clone(), port: place.port(), sim: None };
    reload::prove(&world.cx, &world.server).await.expect("has no sites");
    agree(&suite(&world).await, SAID);
}

#[tokio::test(start_paused = true)]
async fn a_simulated_nginx_that_is_wrong_is_noticed() {
    let good = Output { stderr: b"test is successful".to_vec(), ..Output::ok("") };
    let broken: [fn(SimHost, Output) -> SimHost; 3] = [
        |host, good| host.replies("nginx -t", good),
        |host, _| host.replies("nginx -s reload", Output::ok("")),
        |host, _| host.replies("ps -o pid=,args= --ppid", Output::ok("1 nginx: worker process\n")),
    ];
    for (n, broken) in broken.into_iter().enumerate() {
        let good = good.clone();
        let world = simulated(|host| broken(host, good));
        let said = tokio::spawn(async move { suite(&world).await }).await;
        let same = said.is_ok_and(|said| is_same(&said, SAID));
        assert!(!same, "{n} is broken, and nobody noticed");
    }
}

/// The claim of A4.10, and a port that someone else has: a reload that exits with 0 and did nothing.
#[tokio::test(start_paused = true)]
async fn a_simulated_reload_fails_behind_a_zero_too() {
    let sim = Fake::new().taken(8099).on(SimHost::new("sim"));
    let (cx, server) = (Context::on(Arc::new(sim.clone())), Nginx::new());
    let site = server.site("app", "server { listen 8099; return 200; }");
    let Survey::Change { before, .. } = site.survey(&cx).await.expect("looks") else { panic!("is not there") };
    site.apply(&cx, &before).await.expect("is installed");
    let error = reload::prove(&cx, &server).await.expect_err("did not happen");
    assert!(error.message().contains("its workers are the old ones"), "{error:?}");
    assert_eq!((Fake::reloads(&sim), Fake::serving(&sim, "app")), (0, None));
    let down = Context::on(Arc::new(Fake::new().down().on(SimHost::new("down"))));
    assert!(server.reload().survey(&down).await.is_err());
}

#[procedure]
async fn publish(run: &Run) -> Result<()> {
    run.step("Site", site("app", "server { listen 80; return 201; }")).await?;
    run.step("Reload", reload()).await?;
    run.step("Another site", site("other", "server { listen 80; return 202; }")).await?;
    run.step("Reload again", reload()).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_site_is_published_or_as_it_was() {
    explore::<publish>(|| Rig::new().host(&Fake::new().on(SimHost::new("web-1"))), runbook::NoInput {})
        .await
        .is_sound();
}
