//! One suite for the real Python and the simulated one: the same steps, and the same words about them.

use std::sync::Arc;

use runbook::testing::SimHost;
use runbook::{Error, Rollback, Step};
use serde::Serialize;

use super::*;

/// Somewhere with wheels and requirements.
trait World {
    fn cx(&self) -> Context;
    fn root(&self) -> PathBuf;
    fn write(&self, name: &str, content: &str);
}

impl World for Place {
    fn cx(&self) -> Context {
        self.cx.clone()
    }
    fn root(&self) -> PathBuf {
        self.dir.path().to_owned()
    }
    fn write(&self, name: &str, content: &str) {
        Place::write(self, name, content);
    }
}

impl World for SimHost {
    fn cx(&self) -> Context {
        Context::on(Arc::new(self.clone()))
    }
    fn root(&self) -> PathBuf {
        "/srv".into()
    }
    fn write(&self, name: &str, content: &str) {
        self.edit(|tree| tree.write(self.root().join(name), content));
    }
}

struct Transcript<'a, W> {
    world: &'a W,
    cx: Context,
    lines: Vec<String>,
}

impl<W: World> Transcript<'_, W> {
    fn say(&mut self, what: &str, words: impl std::fmt::Display) {
        let line = words.to_string().replace(&*self.world.root().to_string_lossy(), "ROOT");
        self.lines.push(format!("{what}: {}", line.replace("localhost", "HOST").replace("sim", "HOST")));
    }

    fn answer<T: Serialize>(&mut self, what: &str, answer: Result<T, Error>) {
        match answer {
            Ok(value) => self.say(what, serde_json::to_string(&value).expect("serialises")),
            Err(error) => self.say(what, format!("{:?} {} {:?}", error.kind(), error.message(), error.advice())),
        }
    }

    async fn take<S: Step>(&mut self, step: &S) -> Option<S::Before> {
        self.say("step", step.describe().line());
        let before = match step.survey(&self.cx).await {
            Ok(Survey::Change { before, diff, .. }) => {
                self.say("diff", diff);
                before
            }
            Ok(Survey::Already(_)) => {
                self.say("already", "so");
                return None;
            }
            Err(error) => {
                self.answer::<()>("refused", Err(error));
                return None;
            }
        };
        for what in ["applied", "again"] {
            let output = step.apply(&self.cx, &before).await.map(drop);
            self.answer(what, output);
        }
        let after = step.survey(&self.cx).await.map(|survey| matches!(survey, Survey::Already(_)));
        self.answer("done", after);
        self.frozen().await;
        Some(before)
    }

    async fn back<S: Rollback>(&mut self, step: &S, before: Option<S::Before>) {
        let undone = step.rollback(&self.cx, before.as_ref().expect("it was applied")).await;
        self.answer("undone", undone);
        self.frozen().await;
    }

    /// What is installed, but for what an environment begins with, which differs between versions of Python.
    async fn frozen(&mut self) {
        let frozen = frozen(&self.cx, self.world.root().join("venv")).await;
        let packages = frozen.map(|frozen| {
            let ours = frozen.names().filter(|name| !["pip", "setuptools"].contains(name));
            ours.map(|name| format!("{name} {}", frozen.version(name).unwrap_or_default())).collect::<Vec<_>>()
        });
        match packages {
            Ok(packages) => self.say("frozen", packages.join(", ")),
            Err(_) => self.say("frozen", "no environment"),
        }
    }

    async fn ask(&mut self, check: impl Check) {
        let finding = check.check(&self.cx).await.map(|finding| {
            // Where a module lies is told by the real one only.
            let summary = &finding.evidence().summary;
            let end = summary.find("can be imported: ").map_or(summary.len(), |at| at + "can be imported".len());
            (finding.word(), summary[..end].to_owned())
        });
        self.say("asks", check.describe().line());
        self.answer("answer", finding);
    }

    fn install(&self, requirements: &str) -> Install {
        let root = self.world.root();
        self.world.write("requirements.txt", requirements);
        install(root.join("venv"))
            .requirements(root.join("requirements.txt"))
            .find_links(root.join("wheels"))
            .no_index()
    }
}

async fn conformance<W: World>(world: &W) -> Vec<String> {
    let mut told = Transcript { world, cx: world.cx(), lines: Vec::new() };
    let dir = world.root().join("venv");
    let missing = told.install("web\n");
    told.take(&missing).await;
    told.ask(pip_check(&dir)).await;
    // The version of Python is that of the machine.
    let made = make(&told.cx, venv(&dir)).await;
    assert!(made.pip.is_some() && made.python.starts_with("3."), "{made:?}");
    assert!(matches!(venv(&dir).survey(&told.cx).await, Ok(Survey::Already(_))));
    told.frozen().await;

    for requirements in ["nowhere\n", "web==3\n", "odd\n"] {
        let step = told.install(requirements);
        told.take(&step).await;
    }
    let one = told.install("web==1\n");
    told.ask(requirements_met(one.clone())).await;
    let before = told.take(&one).await;
    told.back(&one, before).await;
    told.take(&one).await;
    told.take(&one).await;
    told.ask(requirements_met(one.clone())).await;
    told.ask(pip_check(&dir)).await;
    told.ask(imports(&dir, "web").and("base")).await;
    told.ask(imports(&dir, "absent")).await;

    let two = told.install("web>=2 \n");
    let before = told.take(&two).await;
    told.back(&two, before).await;
    let base = install(&dir).package("base").upgrade().find_links(world.root().join("wheels")).no_index();
    let before = told.take(&base).await; // Breaks what web 1 requires.
    told.ask(pip_check(&dir)).await;
    told.back(&base, before).await;
    told.ask(pip_check(&dir)).await;

    world.write(".env", "GREETING='good morning'\n");
    let probe = |code: &str| probe(&dir, code).dir(world.root());
    let env = world.root().join(".env");
    told.ask(probe("import os; print(os.environ['GREETING'])").env_file(&env)).await;
    told.ask(probe("import os; print(os.environ['GREETING'])").env_file(&env).prints("evening")).await;
    told.ask(probe("raise ValueError('no')")).await;
    told.ask(probe("print(1)").env_file(world.root().join("none"))).await;
    told.lines
}

fn simulated() -> SimHost {
    let python = Fake::new()
        .package("base", "1", [])
        .package("base", "2", [])
        .package("web", "1", ["base==1"])
        .package("web", "2", ["base>=2"])
        .package("odd", "1", ["nowhere"])
        .snippet("GREETING", |env| Ok(format!("{}\n", env["GREETING"])))
        .snippet("ValueError", |_| Err("ValueError: no\n".to_owned()));
    python.on(SimHost::new("sim").dir("/srv/wheels"))
}

#[tokio::test]
async fn the_simulated_python_does_what_the_suite_asks() {
    let lines = conformance(&simulated()).await;
    let count = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!((count("refused"), count("applied"), count("undone")), (4, 4, 3), "{lines:#?}");
}

#[tokio::test]
#[ignore = "needs minutes for pip: tests/all runs it"]
async fn the_simulated_python_agrees_with_the_real_one() {
    let (simulated, real) = (conformance(&simulated()).await, conformance(&Place::new()).await);
    for (n, (is, should)) in simulated.iter().zip(&real).enumerate() {
        assert_eq!(is, should, "after {:#?}", &real[n.saturating_sub(6)..n]);
    }
    assert_eq!(simulated.len(), real.len());
}
